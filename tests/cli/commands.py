"""The command as its users run it: a process with arguments, an environment, a folder; and what it said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sysconfig.get_path("scripts")) / "vankho"

# No Prefect server is looked for on this machine, and nothing of the tester's own settings counts.
NOWHERE = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "LC_ALL": "C.UTF-8", "VANKHO_LANG": "en"}


def environment(**more: str) -> dict[str, str]:
    """The tester's environment without Vankho's variables, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VANKHO_", "PREFECT_", "AWS_"))}
    return kept | NOWHERE | more


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output, which must be exactly one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a command that was asked for JSON: one document, and nothing on standard error."""
        assert self.err == ""
        assert set(self.data) == {"error"}
        return dict(self.data["error"])


def vankho(
    *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120
) -> Ran:
    """Run the installed command in a process of its own."""
    done = subprocess.run(
        [str(PROGRAM), *map(str, words)],
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def settings(stores: Mapping[str, Mapping[str, object]]) -> str:
    """The text of a vankho.toml with these stores."""
    lines = []
    for name, store in stores.items():
        lines += [f"[stores.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in store.items()), ""]
    return "\n".join(lines)


def local_store(name: str) -> dict[str, object]:
    """A store in the workspace, apart from every other by region."""
    return {"kind": "local", "path": f"stores/{name}", "provider": name, "region": f"site-{name}", "medium": "disk"}


def workspace_in(folder: Path, *more: str, **stores: Mapping[str, object]) -> Path:
    """A workspace with three local stores unless others are given; `more` is put before them in vankho.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    named = stores or {name: local_store(name) for name in ("primary", "second", "third")}
    (folder / "vankho.toml").write_text("\n".join([*more, settings(named)]), encoding="utf-8")
    return folder


def package_in(folder: Path, *, text: str = "Trăm năm trong cõi người ta\n") -> Path:
    """A small package: two files, Vietnamese names."""
    folder.mkdir(parents=True)
    (folder / "Trang 1.txt").write_text(text, encoding="utf-8")
    (folder / "văn bản").mkdir()
    (folder / "văn bản" / "Trang 2.txt").write_text("Chữ tài chữ mệnh khéo là ghét nhau\n", encoding="utf-8")
    return folder


def damage(file: Path) -> None:
    """Change one byte, behind everybody's back."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def copy_of(workspace: Path, target: Path) -> Path:
    """A workspace to break, like one that others still need whole."""
    shutil.copytree(workspace, target)
    return target
