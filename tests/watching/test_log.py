"""The log: one line for one thing, bound to run, package and store; whoever reads it gets no secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import logs
from flows.ingest import ingest_batch
from flows.ledger import in_ledger
from flows.reporting.rows import Kind, Row
from flows.workspace import Workspace, open_workspace
from preservation.errors import PolicyError, UsageError
from tests.flows.houses import package
from tests.watching.rooms import Ended, Room
from wording import secrets
from wording.secrets import keep_secret

SECRET = "planted/in+the=log-0461"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    known, root, factory = set(secrets._known), logging.getLogger(), logging.getLogRecordFactory()
    handlers, level, sql = list(root.handlers), root.level, logging.getLogger("sqlalchemy").level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.getLogger("sqlalchemy").setLevel(sql)
    logging.setLogRecordFactory(factory)
    secrets._known.clear()
    secrets._known.update(known)


def audit(workspace: Workspace) -> list[Ended]:
    workspace.run.tell(Row(kind=Kind.COPY, outcome="damaged", store="a", identifier="x\x1b[2J", grade="bytes"))
    with logs.bound(package="p-1", store="b"):
        logging.getLogger("somebody.elses").warning("a %s", SECRET)
    thread = threading.Thread(target=logging.getLogger("somebody.elses").error, args=("from a thread",))
    thread.start()
    thread.join()
    return [Ended()]


def test_each_line_names_what_it_belongs_to(tmp_path: Path) -> None:
    keep_secret(SECRET)
    room = Room(tmp_path / "w").settle('[log]\nfile = "vankho.log"\n')
    with room.open() as workspace:
        in_ledger(workspace, audit)
    file = room.folder / "vankho.log"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    ours = {line["message"]: line for line in lines if line["logger"] == "vankho"}
    assert {"run began", "copy damaged", "run ended"} <= set(ours)
    row = ours["copy damaged"]
    assert (row["package"], row["store"], row["grade"]) == ("x\x1b[2J", "a", "bytes")
    theirs = [line for line in lines if line["logger"] == "somebody.elses"]
    assert [line["message"] for line in theirs] == ["a ***", "from a thread"]
    assert (theirs[0]["package"], theirs[0]["store"]) == ("p-1", "b")
    assert {line["run"] for line in [*ours.values(), *theirs]} == {row["run"]}
    assert file.stat().st_mode & 0o077 == 0
    assert "\x1b" not in file.read_text("utf-8")


def test_for_a_person(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keep_secret(SECRET)
    room = Room(tmp_path / "w").settle('[log]\nformat = "console"\nlevel = "warning"\n')
    with room.open() as workspace:
        in_ledger(workspace, audit)
        logging.getLogger("x").error("two\nlines", exc_info=ValueError(SECRET))
    said = capfd.readouterr().err
    assert "WARNING somebody.elses: a *** (run=" in said
    assert "package=p-1 store=b)" in said
    assert "two\\nlines" in said
    assert "run began" not in said
    assert SECRET not in said


def test_packages_side_by_side_and_their_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What libraries log in worker processes, and what their threads do, names package and store too."""
    monkeypatch.setenv("VANKHO_WORK__PROCESSES", "2")
    room = Room(tmp_path / "w").settle('[log]\nfile = "vankho.log"\n')
    sources = [str(package(tmp_path / name, {"a": name.encode()}, identifier=f"VN-{name}")) for name in ("1", "2")]
    with open_workspace(room.folder) as workspace:
        done = in_ledger(workspace, ingest_batch, sources=sources)
        run = workspace.reported[0]["run"]
    lines = [json.loads(line) for line in (room.folder / "vankho.log").read_text("utf-8").splitlines()]
    lines = [line for line in lines if not line["logger"].startswith("alembic.")]  # before any run
    assert {line["run"] for line in lines} == {run}
    assert len({line["process"] for line in lines}) == 3
    begun = [line for line in lines if line["message"] == "taking in a package"]
    assert sorted(line["package"] for line in begun) == sources
    assert len({line["submission"] for line in begun}) == 2
    copied = {(line["package"], line["version"], line["store"]) for line in lines if line["message"] == "copying"}
    assert copied == {(each.identifier, 1, store) for each in done for store in "abc"}


def test_threads_are_bound_as_those_who_began_them() -> None:
    seen: dict[str, object] = {}

    def look(name: str) -> None:
        seen[name] = dict(logs._ids())
        with logs.bound(package="theirs"):
            seen[name + ", bound"] = dict(logs._ids())

    def beside(name: str) -> None:
        thread = threading.Thread(target=look, args=(name,))
        thread.start()
        thread.join()

    def other() -> None:
        with logs.bound(run="r", store="b"):
            entered.set()
            leave.wait(10)

    entered, leave = threading.Event(), threading.Event()
    with logs.bound(run="r"), logs.bound(package="p", store="a"):
        beside("alone")
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
        beside("two stores at once")
        leave.set()
        thread.join()
    beside("after it")
    assert seen == {
        "alone": {"run": "r", "package": "p", "store": "a"},
        "alone, bound": {"run": "r", "package": "theirs", "store": "a"},
        "two stores at once": {"run": "r", "package": "p"},
        "two stores at once, bound": {"run": "r", "package": "theirs"},
        "after it": {},
        "after it, bound": {"package": "theirs"},
    }


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(PolicyError), Room(tmp_path / "w").settle('[log]\nformat = "xml"\n').open():
        pass
    with pytest.raises(UsageError), Room(tmp_path / "v").settle('[log]\nfile = "no/where"\n').open():
        pass


def test_the_variable_is_a_file_and_its_sections_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VANKHO_LOG", str(tmp_path / "all.log"))
    monkeypatch.setenv("VANKHO_LOG__LEVEL", "error")
    with Room(tmp_path / "w").settle().open() as workspace:
        in_ledger(workspace, audit)
        assert workspace.settings.log is not None
        assert workspace.settings.log.level == "error"
    assert "run began" in (tmp_path / "all.log").read_text("utf-8")


def test_nothing_is_prepared_where_no_log_is_written() -> None:
    handlers = [each for each in logging.getLogger().handlers if isinstance(each.formatter, logs._Lines)]
    assert handlers == []
    logs.note("unheard", package=object())
