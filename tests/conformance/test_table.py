"""`make conformance` never passes for what it did not do: without the test data it says so, or falls short."""

from __future__ import annotations

import pytest

from tests.bags import suite
from tests.conformance import table


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the suite and one bag of ours; the rest is tested where it lives."""
    monkeypatch.setattr(table, "TEXT", table.TEXT[:1])
    monkeypatch.setattr(table, "FORMS", [])
    monkeypatch.setattr(table, "GOLDEN", {})
    monkeypatch.setattr(table, "WRONG", {})
    monkeypatch.setattr(table, "CAUGHT", [])
    monkeypatch.setattr(table, "CLAUSES", ())
    monkeypatch.setattr(table, "RULES", {})
    monkeypatch.setattr(table, "second_opinions", lambda *_args, **_kwargs: iter(()))
    monkeypatch.setattr(table, "LEAST", 1)


def test_without_the_test_data_it_says_what_was_left_out(monkeypatch, capsys) -> None:
    monkeypatch.delenv("VANKHO_CORPORA", raising=False)
    monkeypatch.delenv("VANKHO_MUST_RUN", raising=False)
    assert table.main(["--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert f"left out: {table.SUITE}" in said
    assert said.splitlines()[-1] == "1 passed, 0 failed"
    assert table.main(["--runs", "1", "--must-run"]) == 1
    assert f"FAILED {table.SUITE}" in capsys.readouterr().out
    monkeypatch.setenv("VANKHO_MUST_RUN", "1")
    assert table.main(["--runs", "1"]) == 1


@pytest.mark.corpora
def test_the_disputed_bags_are_named_with_the_reason(corpora, capsys) -> None:
    corpora(suite.NAME)
    assert table.main(["--runs", "1"]) == 0
    said = capsys.readouterr().out
    for name, (_, _, why) in suite.DISPUTED.items():
        assert f"disputed: {name}: {why}" in said
    assert said.splitlines()[-1] == "59 passed, 2 disputed"
