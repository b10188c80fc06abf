"""The log: one line for one thing, bound to run, package and store; whoever reads it gets no secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import logs
from flows.ledger import in_ledger
from flows.rows import Kind, Row
from flows.workspace import Workspace
from preservation.errors import PolicyError, UsageError
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
