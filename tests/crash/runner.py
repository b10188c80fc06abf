"""Kills a command at a point, runs it again as a person would, and gives what is wrong then.

`Arena` keeps one zygote, the prepared scenes and, for PostgreSQL, the databases they are copied from.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.crash.judge import Seen, after_the_kill, at_the_end
from tests.crash.scenes import SCENES, Scene
from tests.flows.houses import House, local_stores, tree
from tests.servers.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
KILLED = -9


class Zygote:
    """The process that forks victims; one request at a time."""

    def __init__(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VANKHO_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**env, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One victim, from its start to its end."""
        return self.ask_all([request])[0]

    def ask_all(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Victims that start at the same moment."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(requests).encode() + b"\n")
        self._process.stdin.flush()
        answers: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return answers

    def close(self) -> None:
        """Its input ends, and it with it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def fresh_process(**request: Any) -> dict[str, Any]:
    """The same in a program started for it alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.victim", json.dumps(request)],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    lines = done.stdout.splitlines()
    told = json.loads(lines[-1]) if lines else {"text": done.stderr.decode()[-2000:]}
    return {**told, "status": done.returncode, "hung": False, "orphans": []}


@dataclass(frozen=True)
class Prepared:
    """A scene brought so far, how an undisturbed run ends, and how many points that has."""

    scene: Scene
    base: Path
    database: str | None
    began: Seen
    clean: Seen
    points: int
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One kill, or several one after the other, and what was wrong at the end. `died` holds the labels."""

    scene: str
    catalog: str
    kills: tuple[int | str, ...]
    died: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def case(self) -> str:
        """Enough to repeat it."""
        return f"{self.scene} on {self.catalog} killed at {list(self.kills)} ({'; '.join(self.died)})"


class Arena:
    """Where trials are held. `server` is None for SQLite."""

    def __init__(self, server: Server | None, *, broken: str | None = None) -> None:
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="vankho-crash-", dir=memory if memory.is_dir() else None))
        self._server = server
        self._zygote = Zygote()
        self._broken = broken
        self._prepared: dict[str, Prepared] = {}
        self.catalog = "sqlite" if server is None else "postgresql"

    def close(self) -> None:
        """Nothing is left."""
        self._zygote.close()
        for prepared in self._prepared.values():
            self._drop(prepared.database)
        shutil.rmtree(self._folder)

    def prepared(self, scene: Scene) -> Prepared:
        """The scene, prepared at first use."""
        if scene.name not in self._prepared:
            self._prepared[scene.name] = self._prepare(scene)
        return self._prepared[scene.name]

    def trial(self, scene: Scene, kills: Sequence[int | str], *, fresh: bool = False) -> Trial | None:
        """Kill at each of the points in turn, then run it to its end and compare. None when no kill came to pass:
        the threads went another way this time and there were fewer points.
        """
        prepared = self.prepared(scene)
        with self._copy(prepared) as (base, house):
            died: list[str] = []
            wrong: list[str] = []
            killed = prepared.began
            sources = tree(base / "source")
            for kill_at in kills:
                answer = self._run(house, base, scene, kill_at=kill_at, fresh=fresh)
                wrong += answer["orphans"] and [f"left running: {answer['orphans']}"]
                if answer["status"] != KILLED or answer["hung"]:
                    if answer["hung"] or answer["status"] != 0:
                        wrong.append(f"instead of dying: {answer}")
                    killed = Seen.of(house)  # it came to its end: there were fewer points this time
                    break
                died.append(answer.get("died", "?"))
                wrong += [f"after the kill: {each}" for each in _looked(after_the_kill(house, base, sources))]
                killed = Seen.of(house)
            if not died and not wrong:
                return None
            answer = self._run(house, base, scene, kill_at=None, fresh=fresh)
            wrong += _ended_well(answer, scene)
            ends = {"began": prepared.began, "clean": prepared.clean, "killed": killed}
            wrong += _looked(at_the_end(house, base, scene, sources, **ends))
        return Trial(scene.name, self.catalog, tuple(kills), tuple(died), tuple(wrong))

    def _run(
        self, house: House, base: Path, scene: Scene, *, kill_at: int | str | None, fresh: bool = False
    ) -> dict[str, Any]:
        ask = fresh_process if fresh else self._zygote.ask
        return ask(
            workspace=str(house.folder),
            flow=scene.flow,
            parameters=scene.parameters(base),
            kill_at=kill_at,
            broken=self._broken,
        )

    def _prepare(self, scene: Scene) -> Prepared:
        base = self._folder / f"prepared {scene.name}"
        base.mkdir()
        database, address = self._database(None)
        house = House(base / "house", local_stores(2), catalog=address).settle()
        scene.prepare(base, house, self._finish)
        prepared = Prepared(scene, base, database, Seen.of(house), Seen.of(house), 0)
        with self._copy(prepared) as (copy, rooms):
            answer = self._run(rooms, copy, scene, kill_at=None)
            if wrong := _ended_well(answer, scene):
                raise AssertionError(f"{scene.name} undisturbed: {wrong}")
            return replace(prepared, clean=Seen.of(rooms), points=answer["points"])

    def _finish(self, house: House, flow: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._zygote.ask(workspace=str(house.folder), flow=flow, parameters=parameters, kill_at=None)

    @contextmanager
    def _copy(self, prepared: Prepared) -> Iterator[tuple[Path, House]]:
        base = self._folder / f"trial {uuid.uuid4().hex[:8]}"
        shutil.copytree(prepared.base, base, symlinks=True)
        database, address = self._database(prepared.database)
        try:
            yield base, House(base / "house", local_stores(2), catalog=address).settle()
        finally:
            self._drop(database)
            shutil.rmtree(base)

    def _database(self, template: str | None) -> tuple[str | None, str]:
        if self._server is None:
            return None, "sqlite:///catalog.db"
        name = f"t{uuid.uuid4().hex[:12]}"
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name, self._server.address(name)

    def _drop(self, database: str | None) -> None:
        if database is not None and self._server is not None:
            self._server.run(f"DROP DATABASE {database} WITH (FORCE)")


def _looked(findings: Iterator[str]) -> Iterator[str]:
    """What is wrong; that it could not be looked at is wrong as well."""
    try:
        yield from findings
    except Exception as error:
        yield f"looking raised {error!r}"


def _ended_well(answer: dict[str, Any], scene: Scene) -> list[str]:
    if answer["orphans"]:
        return [f"left running: {answer['orphans']}"]
    if scene.flow == "rebuild" and answer.get("raised") == "CatalogError" and "keeps more" in answer["text"]:
        return []  # the catalog is there, and one store was told so already
    wanted = 1 if scene.rejected else 0
    if answer["status"] == 0 and all(each["verdict"] == wanted for each in answer.get("answer", [{"verdict": -1}])):
        return []
    return [f"the second run did not end well: {answer}"]


@contextmanager
def arena(server: Server | None, *, broken: str | None = None) -> Iterator[Arena]:
    """An arena, cleared away at the end."""
    made = Arena(server, broken=broken)
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            made.close()


def even_draw(points: int, count: int, chance: random.Random) -> list[int]:
    """So many of the points, spread evenly, each somewhere in its part."""
    if count >= points:
        return list(range(1, points + 1))
    edges = [1 + each * points // count for each in range(count + 1)]
    return [chance.randrange(low, max(low + 1, high)) for low, high in itertools.pairwise(edges)]


__all__ = ["SCENES", "Arena", "Trial", "arena", "even_draw"]
