"""Tampering drawn at random: any event, any place, any cover-up; any bit of any file. Nothing passes unseen."""

from __future__ import annotations

import ast
import gzip
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger import history as hands
from tests.ledger.history import History, first_named
from tests.ledger.test_tampering import other_row

Rows = list[dict[str, Any]]


@contextmanager
def copied(made: Path) -> Iterator[History]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "history"
        shutil.copytree(made, folder)
        yield History(folder, f"sqlite:///{folder}/catalog.db")


def work(kind: str, number: int, rows: Rows) -> Rows:
    """The change at the event of this number, the numbers running on."""
    first = rows[0]["seq"]
    at = number - first
    match kind:
        case "edit":
            rows[at] = other_row(rows[at])
        case "delete":
            del rows[at]
        case "insert":
            rows.insert(at, {**other_row(rows[at]), "id": "0"})
        case _:
            rows[at], rows[at + 1] = rows[at + 1], rows[at]
    return [{**row, "seq": seq} for seq, row in enumerate(rows, start=first)]


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["edit", "delete", "insert", "swap"]),
    number=st.integers(1, 15),
    skill=st.sampled_from(["none", "own", "all"]),
    objects=st.booleans(),
)
def test_any_event_of_the_catalog(made: Path, kind: str, number: int, skill: str, objects: bool) -> None:
    with copied(made) as history:
        hands.rewrite(history, lambda rows: work(kind, number, rows), skill=skill)
        checked = history.check(objects=objects)
        assert checked.first is not None
        assert (checked.first.seq, checked.places) == (number, ("catalog",))
        code, words = history.script()
        assert (code, first_named(words)) == (1, number)


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["edit", "delete", "insert", "swap"]),
    number=st.sampled_from([each for each in range(1, 16) if each not in hands.PUSHES]),
    skill=st.sampled_from(["none", "own", "segment"]),
    store=st.sampled_from("abc"),
)
def test_any_event_of_a_store(made: Path, kind: str, number: int, skill: str, store: str) -> None:
    last = next(each for each in hands.PUSHES if each >= number)
    with copied(made) as history:
        hands.rewrite_store(history.folder / store, lambda rows: work(kind, number, rows), skill=skill, last=last)
        checked = history.check()
        assert checked.first is not None
        assert (checked.first.seq, checked.places) == (number, (store,))
        code, words = history.script()
        assert (code, first_named(words)) == (1, number)


@settings(max_examples=25, deadline=None)
@given(which=st.integers(0, 10**6), where=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_bit_of_any_file(made: Path, which: int, where: int, bit: int) -> None:
    """The few bits of a gzip file that say nothing (when and where it was packed) may differ."""
    with copied(made) as history:
        files = sorted(path for path in (history.folder / "b").rglob("ledger/**/*") if path.is_file())
        file = files[which % len(files)]
        content = bytearray(file.read_bytes())
        before = bytes(content)
        content[where % len(content)] ^= 1 << bit
        hands.overwrite(file, bytes(content))
        if file.suffix == ".gz" and unpacked(bytes(content)) == unpacked(before):
            return
        checked = history.check()
        assert "b" in checked.places, file
        assert all(not store.faults for store in checked.stores if store.store != "b")
        code, words = history.script("b")
        assert code == 1, (file, words)


def unpacked(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def test_the_script_is_short_and_runs_on_old_pythons() -> None:
    text = hands.SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) < 200
    ast.parse(text, feature_version=(3, 8))
    known = set(sys.stdlib_module_names)
    tree = ast.walk(ast.parse(text))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in tree
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= known


def test_the_script_says_what_it_could_not_check(tmp_path: Path, made: Path) -> None:
    """Exit code 2; what is wrong elsewhere is told all the same."""

    def run(*places: Path) -> tuple[int, str]:
        ran = subprocess.run(
            [sys.executable, "-S", "-I", hands.SCRIPT, *places],
            env={}, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        return ran.returncode, ran.stdout

    (tmp_path / "no store").mkdir()
    (tmp_path / "no catalog").write_text("?")
    for place in ("no store", "no catalog", "nothing"):
        code, words = run(tmp_path / place)
        assert (code, "could not be checked" in words) == (2, True)
        code, words = run(tmp_path / place, made / "a")
        assert (code, "16 events hold" in words) == (2, True)
    with copied(made) as history:
        hands.checkpoint(history.folder / "b", 4).unlink()
        assert run(tmp_path / "nothing", history.folder / "b")[0] == 1


def test_the_script_checks_the_store_it_lies_in(made: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-S", "-I", made / "a" / "verify_ledger.py"],
        env={}, capture_output=True, encoding="utf-8", check=False, cwd="/",
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.endswith("Nothing is wrong.\n")) == (0, True)
