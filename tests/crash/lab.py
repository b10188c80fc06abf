"""What the cases about resources and about many at once share: a zygote, a server, and a folder for each case."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.runner import Zygote
from tests.crash.victim import NOBODY
from tests.flows.houses import House, local_stores
from tests.servers.postgres import Server


@dataclass(frozen=True)
class Lab:
    """`server` is None where there is no PostgreSQL."""

    zygote: Zygote
    server: Server | None
    folder: Path

    def finish(self, house: House, flow: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run a command that nothing disturbs."""
        return self.zygote.ask(workspace=str(house.folder), flow=flow, parameters=parameters)

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty folder for one case."""
        base = self.folder / uuid.uuid4().hex[:8]
        base.mkdir(mode=0o755)
        try:
            yield base
        finally:
            for path in base.rglob("*"):
                if path.is_dir():
                    path.chmod(0o700)
            shutil.rmtree(base)


@contextmanager
def laboratory(server: Server | None) -> Iterator[Lab]:
    """A lab, cleared away at the end."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="vankho-crash-", dir=memory if memory.is_dir() else None))
    folder.chmod(0o755)
    zygote = Zygote()
    try:
        yield Lab(zygote, server, folder)
    finally:
        zygote.close()
        shutil.rmtree(folder)


def new_house(base: Path, *, stores: int = 2, address: str = "sqlite:///catalog.db") -> House:
    """A house in the folder of a case."""
    return House(base / "house", local_stores(stores), catalog=address).settle()


def give_to_nobody(base: Path) -> None:
    """All of it belongs to the account that unprivileged victims run as."""
    if os.geteuid() == 0:
        for path in [base, *base.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
