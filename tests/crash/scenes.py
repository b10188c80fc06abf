"""What is being done when the power goes: each command that writes, on a workspace prepared for it.

A scene is prepared once for each kind of catalog; every trial works on a copy. `once` names the scenes whose command,
run again after it was cut off, goes on instead of doing it all again: then no event may stand there twice.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bags.bag_maker import make_bag
from tests.flows.houses import PAGES, House, package

# Runs a command to its end in a fresh victim; gives its answer.
Run = Callable[[House, str, dict[str, Any]], dict[str, Any]]

SECOND: Mapping[str, bytes] = {**PAGES, "Trang 0004.txt": "Lạ gì bỉ sắc tư phong".encode()}


@dataclass(frozen=True)
class Scene:
    """`prepare(base, house, run)` makes the sources below `base/source` and brings the house so far."""

    name: str
    flow: str
    prepare: Callable[[Path, House, Run], None]
    parameters: Callable[[Path], dict[str, Any]]
    versions: int = 1
    once: bool = True
    rejected: bool = False

    @property
    def family(self) -> str:
        """The row of the table."""
        return self.name


def _nothing_else(base: Path, house: House, run: Run) -> None:
    package(base / "source/p", PAGES, identifier="TVQG-0042")


def _zipped(base: Path, house: House, run: Run) -> None:
    (base / "source").mkdir()
    with zipfile.ZipFile(base / "source/p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in PAGES.items():
            archive.writestr(path, content)


def _tarred(base: Path, house: House, run: Run) -> None:
    (base / "source").mkdir()
    with tarfile.open(base / "source/p.tar.gz", "w:gz") as archive:
        for path, content in PAGES.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _bagged(base: Path, house: House, run: Run) -> None:
    (base / "source").mkdir()
    info = b"External-Identifier: TVQG-0042\n"
    payload = {f"data/{path}": content for path, content in PAGES.items()}
    make_bag(base / "source/p", payload, tags={"bag-info.txt": info})


def _first_version(base: Path, house: House, run: Run) -> None:
    package(base / "source/first", PAGES, identifier="TVQG-0042")
    run(house, "ingest", {"source": str(base / "source/first")})
    package(base / "source/p", SECOND, identifier="TVQG-0042")


def _here(base: Path, house: House, run: Run) -> None:
    package(base / "source/p", PAGES, identifier="TVQG-0042")
    run(house, "ingest", {"source": str(base / "source/p")})


def _one_copy(base: Path, house: House, run: Run) -> None:
    """Copies wanting in every store but the first; the bag is still in the workspace."""
    stores = house.stores
    house.stores = dict(list(stores.items())[:1])
    house.settle()
    _here(base, house, run)
    house.stores = stores
    house.settle()


def _damaged(base: Path, house: House, run: Run) -> None:
    """In b one object altered, one missing, one that does not belong there, and an audit that knows of it."""
    _here(base, house, run)
    (bag,) = house.store_folder("b").glob("aip/*/v1")
    altered = bag / "data/Trang 0001.txt"
    altered.chmod(0o644)
    altered.write_bytes(b"rotten")
    (bag / "data/Trang 0002.txt").unlink()
    (bag / "data/stranger.txt").write_bytes(b"not ours")
    run(house, "audit", {"references": []})


def _wrong(base: Path, house: House, run: Run) -> None:
    package(base / "source/p", PAGES)
    (base / "source/p/md5sums.txt").write_bytes(b"0" * 32 + b"  Trang 0001.txt\n")


def _two(base: Path, house: House, run: Run) -> None:
    package(base / "source/p", PAGES, identifier="TVQG-0042")
    package(base / "source/q", {"khác.txt": b"another one"}, identifier="TVQG-0043")


def _lost(base: Path, house: House, run: Run) -> None:
    """The catalog is gone; the stores have all of it."""
    _here(base, house, run)
    if house.catalog.startswith("postgresql"):
        with psycopg.connect(house.catalog, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    else:
        for file in house.folder.glob("catalog.db*"):
            file.unlink()


def _source(name: str) -> Callable[[Path], dict[str, Any]]:
    return lambda base: {"source": str(base / "source" / name)}


SCENES = (
    Scene("ingest folder", "ingest", _nothing_else, _source("p")),
    Scene("ingest zip", "ingest", _zipped, _source("p.zip")),
    Scene("ingest tar.gz", "ingest", _tarred, _source("p.tar.gz")),
    Scene("ingest bag", "ingest", _bagged, _source("p")),
    Scene("second version", "ingest", _first_version, _source("p"), versions=2),
    Scene("already here", "ingest", _here, _source("p"), once=False),
    Scene("rejected", "ingest", _wrong, _source("p"), versions=0, once=False, rejected=True),
    Scene(
        "ingest two",
        "ingest_batch",
        _two,
        lambda base: {"sources": [str(base / "source/p"), str(base / "source/q")]},
        versions=2,
    ),
    Scene("replicate", "replicate", _one_copy, lambda _: {"references": []}),
    Scene("audit", "audit", _here, lambda _: {"references": []}, once=False),
    Scene("repair", "repair", _damaged, lambda _: {"references": []}, once=False),
    Scene("catalog rebuild", "rebuild", _lost, lambda _: {"source": "a"}),
    Scene("restore", "restore", _here, lambda base: {"reference": "TVQG-0042", "to": str(base / "out/bag")}),
)


def pages_of(source: Path) -> dict[str, bytes]:
    """The payload that a source delivers: what a copy must hold, byte for byte."""
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    if source.name.endswith(".tar.gz"):
        with tarfile.open(source) as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]
    root = source / "data" if (source / "bagit.txt").exists() else source
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def described(source: Path) -> str | None:
    """The producer's identifier in a source, when it says one."""
    file = source / "metadata.json"
    return str(json.loads(file.read_text("utf-8"))["identifier"]) if file.is_file() else None
