"""A workspace with stores for the tests of the flows: a house, with rooms that can be looked into and broken."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.workspace import Workspace, open_workspace
from preservation.facts import Grade
from preservation.formats.identify import Identifier
from preservation.progress import Silent


@dataclass
class House:
    """A workspace folder; opened anew for every run, as every command does. `identifier` is shared to save time."""

    folder: Path
    stores: dict[str, dict[str, Any]]
    catalog: str = "sqlite:///catalog.db"
    identifier: Identifier | None = None
    progress: Any = field(default_factory=Silent)

    def settle(self) -> House:
        """Write vankho.toml and the secrets file."""
        self.folder.mkdir(exist_ok=True)
        lines = ["[catalog]", f"url = {json.dumps(self.catalog)}"]
        secrets = []
        for name, settings in self.stores.items():
            hidden = {key: value for key, value in settings.items() if key in SECRET}
            lines += ["", f"[stores.{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items() if key not in SECRET]
            if hidden:
                secrets += [
                    "",
                    f"[stores.{name}]",
                    *(f"{key} = {json.dumps(value)}" for key, value in hidden.items()),
                ]
        (self.folder / "vankho.toml").write_text("\n".join(lines) + "\n", "utf-8")
        file = self.folder / "vankho.secrets.toml"
        file.write_text("\n".join(secrets) + "\n", "utf-8")
        file.chmod(0o600)
        return self

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        with open_workspace(self.folder, progress=self.progress) as workspace:
            if self.identifier is not None:
                workspace.__dict__["identifier"] = self.identifier
            try:
                yield workspace
            finally:
                if self.identifier is not None:
                    del workspace.__dict__["identifier"]

    def store_folder(self, name: str) -> Path:
        return self.folder / self.stores[name]["path"]

    @property
    def evidence_folder(self) -> Path:
        return self.folder / "evidence"

    def leftovers(self) -> list[str]:
        """What stands in the workspace's rooms for work in progress; nothing should, when nothing runs."""
        return sorted(
            path.relative_to(self.folder).as_posix()
            for room in ("staging", "bags", "spool")
            if (self.folder / room).is_dir()
            for path in (self.folder / room).iterdir()
            if path.name != ".claims"
        )

    def policy(self, name: str, text: str) -> None:
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "policies" / f"{name}.yaml").write_text(text, "utf-8")


SECRET = {"access_key_id", "secret_access_key"}


def local_stores(count: int = 3) -> dict[str, dict[str, Any]]:
    return {name: {"kind": "local", "path": f"stores/{name}", "region": f"site-{name}"} for name in "abcdef"[:count]}


PAGES: Mapping[str, bytes] = {
    "Trang 0001.txt": "Trăm năm trong cõi người ta".encode(),
    "Trang 0002.txt": "Chữ tài chữ mệnh khéo là ghét nhau".encode(),
    "Quyển một/Trang 0003.txt": "Trải qua một cuộc bể dâu".encode() * 50,
}


def package(
    folder: Path, files: Mapping[str, bytes] = PAGES, *, identifier: str | None = None, **more: bytes
) -> Path:
    """A folder as a producer delivers it; with an identifier, a descriptor that says so."""
    for path, content in {**files, **more}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if identifier is not None:
        described = {"identifier": identifier, "title": "Truyện Kiều"}
        (folder / "metadata.json").write_text(json.dumps(described, ensure_ascii=False), "utf-8")
    return folder


def tree(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder: mode, time of change, digest."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def proofs(replicas: Any) -> dict[str, str | None]:
    """Store → outcome of the last reading of every byte."""
    return {
        each.store: each.evidence[Grade.BYTES].outcome.value if Grade.BYTES in each.evidence else None
        for each in replicas
    }


def codes(findings: Any) -> list[str]:
    return [finding.code for finding in findings]


def die() -> None:
    """As a power cut would: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
