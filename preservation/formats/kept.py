"""Releases of PRONOM's signatures that are kept in a folder, and which of them is in use.

Promises: a release is there whole, with the files as they came and their SHA-256, or not at all; one small file says
which is in use and changes in one step, so that a power cut leaves the old one or the new one; a kept file that is
not what was kept is refused, never used. Reads no clock, fetches nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from preservation.errors import PreservationError
from preservation.formats.pronom.facts import Release, SignatureFiles
from wording import say

FIDO = "fido"  # the name of the release that comes with the installation
_FACTS = "release.json"
_IN_USE = "in-use.json"
_NEW = ".new-"


class SignaturesDamaged(PreservationError):
    """The release in use is not there any more as it was kept. Nothing is identified with it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept release. `name` is its folder ("118-2024-05-01"), `dated` the day PRONOM made it, `origin` where its
    files came from, `digests` the SHA-256 of each file by name. FIDO's has no folder and no `kept_at`.
    """

    name: str
    pronom: str
    containers_dated: str
    dated: date | None
    formats: int
    signatures: int
    containers: int
    origin: str
    kept_at: datetime | None
    digests: dict[str, str]
    files: SignatureFiles | None

    @property
    def label(self) -> str:
        """As it is recorded with every identification."""
        return f"PRONOM v{self.pronom}, containers {self.containers_dated}"

    @property
    def order(self) -> tuple[int, str]:
        """Later releases are greater."""
        return (int(self.pronom) if self.pronom.isdigit() else 0, self.containers_dated)


@dataclass(frozen=True, slots=True)
class InUse:
    """What is in use; `event` is the id of the event that tells of the change, `before` the label of what was in use,
    `by` who changed it.
    """

    name: str
    event: str | None = None
    before: str | None = None
    by: str | None = None


def described(
    release: Release, given: SignatureFiles, *, origin: str, now: datetime, folder: Path | None = None
) -> Kept:
    """What there is to say of a release read from the given files, as if kept in `folder`."""
    name = f"{release.pronom}-{release.container_date}"
    names = _names(release.pronom, release.container_date)
    return Kept(
        name=name,
        pronom=release.pronom,
        containers_dated=release.container_date,
        dated=date.fromisoformat(release.dated) if release.dated else None,
        **counts(release),
        origin=origin,
        kept_at=now,
        digests=dict(zip(names, map(_sha256, (given.signatures, given.containers)), strict=True)),
        files=given if folder is None else SignatureFiles(*(folder / name / file for file in names)),
    )


def _names(pronom: str, containers_dated: str) -> tuple[str, str]:
    """What the files are called, as PRONOM does, however they were called where they came from."""
    return f"DROID_SignatureFile_V{pronom}.xml", f"container-signature-{containers_dated.replace('-', '')}.xml"


def counts(release: Release) -> dict[str, int]:
    """How many formats, byte signatures and container signatures a release has."""
    return {
        "formats": len(release.formats),
        "signatures": sum(len(each.signatures) for each in release.formats),
        "containers": sum(len(each) for each in release.containers.values()),
    }


def keep(folder: Path, kept: Kept, given: SignatureFiles) -> None:
    """Copy the files into the folder, durably, under the release's name; what stood there under it is replaced.

    Only for whoever holds the lease on the folder. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
    making.chmod(0o755)
    for file, name in zip((given.signatures, given.containers), kept.digests, strict=True):
        _write(making / name, file.read_bytes())
    _write(making / _FACTS, json.dumps(_plain(kept), ensure_ascii=False, indent=1).encode())
    _sync(making)
    place = folder / kept.name
    if place.exists():  # damaged, or the same: what is in use is read from it in one piece or refused
        aside = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
        place.rename(aside / kept.name)
    making.rename(place)
    _sync(folder)
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what dead updates left. Only for whoever holds the lease on the folder."""
    for left in folder.glob(f"{_NEW}*"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def use(folder: Path, chosen: InUse) -> None:
    """Put a kept release, or FIDO's, in force. In one step, durably."""
    folder.mkdir(parents=True, exist_ok=True)
    making = folder / f"{_NEW}{os.getpid()}"
    plain = {"release": chosen.name, "event": chosen.event, "before": chosen.before, "by": chosen.by}
    _write(making, json.dumps(plain, ensure_ascii=False).encode())
    making.replace(folder / _IN_USE)
    _sync(folder)


def in_use(folder: Path) -> InUse:
    """Which release is in force; FIDO's when none was chosen. Raises SignaturesDamaged."""
    try:
        plain = json.loads((folder / _IN_USE).read_bytes())
        return InUse(plain["release"], plain["event"], plain["before"], plain["by"])
    except FileNotFoundError:
        return InUse(FIDO)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(folder / _IN_USE, str(error)) from error


def files_in_use(folder: Path) -> SignatureFiles | None:
    """The files that identifications go by, None for FIDO's. Raises SignaturesDamaged when they are not as kept."""
    name = in_use(folder).name
    return None if name == FIDO else kept_release(folder, name).files


def kept_release(folder: Path, name: str) -> Kept:
    """A kept release, its files proved against their digests. Raises SignaturesDamaged."""
    place = folder / name
    try:
        plain = json.loads((place / _FACTS).read_bytes())
        for file, digest in plain["files"].items():
            seen = _sha256(place / file)
            if seen != digest:
                raise _damaged(place / file, seen, expected=digest)
        signatures, containers = plain["files"]
        return Kept(
            name=name,
            pronom=plain["pronom"],
            containers_dated=plain["containers_dated"],
            dated=date.fromisoformat(plain["dated"]) if plain["dated"] else None,
            formats=plain["formats"],
            signatures=plain["signatures"],
            containers=plain["containers"],
            origin=plain["origin"],
            kept_at=datetime.fromisoformat(plain["kept_at"]),
            digests=plain["files"],
            files=SignatureFiles(place / signatures, place / containers),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(place, str(error)) from error


def kept_names(folder: Path) -> list[str]:
    """The releases that are kept, oldest first."""
    names = [file.parent.name for file in folder.glob(f"[!.]*/{_FACTS}")]
    return sorted(names, key=lambda name: (int(name.split("-")[0]) if name.split("-")[0].isdigit() else 0, name))


def named(folder: Path, word: str) -> str | None:
    """The name of the release that a person means by "fido", "118" or "118-2024-05-01"; None when it is not there."""
    shipped = fido_kept()
    if word in (FIDO, shipped.pronom, shipped.name):
        return FIDO
    meant = [name for name in kept_names(folder) if name == word or name.split("-")[0] == word.lstrip("vV")]
    return meant[-1] if meant else None


@cache
def fido_kept() -> Kept:
    """The release that FIDO brings along, described like a kept one."""
    from preservation.formats.pronom.chosen import load  # late: they load lxml
    from preservation.formats.pronom.releases import fido_files

    release = load(None)
    given = fido_files()
    twin = _fido_droid()
    return Kept(
        name=f"{release.pronom}-{release.container_date}",
        pronom=release.pronom,
        containers_dated=release.container_date,
        dated=_date_created(twin) if twin is not None else None,
        **counts(release),
        origin="opf-fido",
        kept_at=None,
        digests={file.name: _sha256(file) for file in given},
        files=None,
    )


def fido_as_droid() -> SignatureFiles | None:
    """The same release as PRONOM published it, which FIDO brings along beside its own: to compare releases with."""
    from preservation.formats.pronom.releases import fido_files

    twin = _fido_droid()
    return None if twin is None else SignatureFiles(twin, fido_files()[2])


def _fido_droid() -> Path | None:
    from preservation.formats.pronom.releases import fido_files

    number = "".join(filter(str.isdigit, fido_files()[0].stem))
    twin = Path(str(files("fido"))) / "conf" / f"DROID_SignatureFile-v{number}.xml"
    return twin if twin.is_file() else None


def _date_created(file: Path) -> date | None:
    with file.open("rb") as source:
        _, found, rest = source.read(1000).partition(b'DateCreated="')
    return date.fromisoformat(rest[:10].decode("ascii")) if found else None


def _plain(kept: Kept) -> dict[str, Any]:
    return {
        "pronom": kept.pronom,
        "containers_dated": kept.containers_dated,
        "dated": kept.dated.isoformat() if kept.dated else None,
        "formats": kept.formats,
        "signatures": kept.signatures,
        "containers": kept.containers,
        "origin": kept.origin,
        "kept_at": kept.kept_at.isoformat() if kept.kept_at else None,
        "files": kept.digests,
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(place: Path, seen: str, *, expected: str | None = None) -> SignaturesDamaged:
    return SignaturesDamaged(
        say("The signatures in use are not as they were kept."),
        where=str(place),
        expected=expected,
        seen=seen[:300],
        next_step=say(
            "Run `vankho formats update` with the release's files again, or go back to the signatures of the "
            "installation with `vankho formats update --use fido`."
        ),
    )
