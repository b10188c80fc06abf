"""The benchmarks' runner on tiny sets: it measures what was done, and notices what was not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import __main__ as runner
from bench import audit, measure, results, sets
from bench.measure import Disagreement, Result, Side, duel
from bench.room import Room
from preservation.facts import Outcome


def room(folder: Path) -> Room:
    (folder / "work").mkdir()
    return Room(
        folder / "work", rounds=1, sizes={"L": 2, "S": 1, "M": 24, "D": 20}, scale=0.001, cache=folder / "sets"
    )


def test_a_row_measures_all_sides_and_they_agree(tmp_path: Path) -> None:
    measured = list(audit.rows(room(tmp_path)))
    assert [result.title.rpartition(": ")[2] for result in measured] == ["masters", "scans", "tiny files"]
    for result in measured:
        assert list(result.sides) == ["vankho", "sha256sum -c", "sha256sum -c, 2 at once"]
        assert all(len(took.wall) == 1 and took.wall[0] > 0 for took in result.sides.values())
        assert "times sha256sum -c" in result.seen
        assert result.seen in "\n".join(results.lines(result))
        assert result.target == "at least 5 times sha256sum -c"
        assert result.reached is not None


def test_a_checker_that_sees_nothing_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind:
        outcome = Outcome.INTACT
        counts: dict[str, int] = {}  # noqa: RUF012

    monkeypatch.setattr(audit, "verify_replica", lambda *_, **__: Blind())
    with pytest.raises(Disagreement, match="did not notice"):
        list(audit.rows(room(tmp_path)))


def test_sides_that_disagree_end_the_row() -> None:
    sides = [Side("vankho", lambda: 7, proof=str), Side("theirs", lambda: 8, proof=str)]
    with pytest.raises(Disagreement, match="vankho: 7; theirs: 8"):
        duel("sums", sides, rounds=1, amount=1, unit="sums")


def test_a_side_that_fails_ends_the_row() -> None:
    with pytest.raises(RuntimeError, match=r"exit code 3: .*\nwhy"):
        measure.run([sys.executable, "-c", "print('why'); raise SystemExit(3)"])


def test_the_fastest_of_the_others_counts() -> None:
    def side(name: str, millions: int) -> Side:
        return Side(name, lambda: sum(range(millions * 50_000)), proof=lambda _: "summed")

    result = duel(
        "sums", [side("vankho", 5), side("slow", 100), side("fast", 20)], rounds=3, amount=1, unit="sums", target=1
    )
    assert "times fast" in result.seen
    assert result.reached
    assert [len(took.wall) for took in result.sides.values()] == [3, 3, 3]


def row(rows: Callable[[Room], Iterable[Result]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    module: Any = ModuleType("bench.trial")
    module.rows = rows
    monkeypatch.setitem(sys.modules, "bench.trial", module)
    monkeypatch.setitem(runner.ROWS, "trial", "bench.trial")
    return ["--rows", "trial", "--rounds", "1"]


def told(difference: int, target: float) -> Callable[[Room], Iterable[Result]]:
    def rows(room: Room) -> Iterable[Result]:
        sides = [Side("vankho", lambda: 1, proof=str), Side("theirs", lambda: 1 + difference, proof=str)]
        yield duel("sums", sides, rounds=room.times(3), amount=1, unit="sums", target=target)

    return rows


@pytest.mark.parametrize(("difference", "code", "last"), [(0, 0, "missed: sums"), (1, 1, "failed: trial")])
def test_a_missed_target_is_told_and_a_wrong_result_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], difference: int, code: int, last: str
) -> None:
    assert runner.main(row(told(difference, 1e9), monkeypatch)) == code
    assert capsys.readouterr().out.rstrip().endswith(last)


def test_what_was_seen_is_written_with_the_machine_and_the_versions(tmp_path: Path) -> None:
    result = duel("sums", [Side("vankho", lambda: 1)], rounds=3, amount=5, unit="sums")
    page = tmp_path / "RESULTS.md"
    results.write(
        {"trial": [result]}, {"processor": "2 × abacus"}, {"Python": "3"}, command="python -m bench", place=page
    )
    written = page.read_text()
    assert "| processor | 2 × abacus |" in written
    assert "| versions | Python 3 |" in written
    assert "| vankho | 0.00 / 0.00 / 0.00 |" in written


@pytest.mark.parametrize("name", ["L", "S", "M", "D"])
def test_a_set_is_always_the_same_and_no_two_files_of_it_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("VANKHO_CORPORA", raising=False)
    made = [sets.make(name, 3, cache=tmp_path / place, scale=0.001) for place in ("one", "other")]
    assert sets.fingerprint(made[0]) == sets.fingerprint(made[1])
    contents = [file.read_bytes() for package in made[0].packages for file in package.rglob("*") if file.is_file()]
    assert len(contents) == made[0].files == len(set(contents))
    assert sum(map(len, contents)) == made[0].size
