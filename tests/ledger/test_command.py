"""`vankho ledger`, as it is typed: words for a person, JSON for a program, and the exit codes."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import Ran
from tests.cli.conftest import Held, held, here, identifier  # noqa: F401 - fixtures
from tests.ledger import history as hands


@pytest.fixture
def ran(here: Callable[..., Ran], held: Held) -> Callable[..., Ran]:  # noqa: F811
    return lambda *words: here(*words, "-w", held.workspace)


def test_what_agrees_ends_with_0(ran: Callable[..., Ran]) -> None:
    said = ran("ledger", "verify")
    assert (said.code, said.err) == (0, "")
    assert "tell the same history" in said.out
    alone = ran("ledger", "verify", "--store", "second", "--objects")
    assert alone.code == 0
    assert "all stores" not in alone.out  # one was asked
    assert "store second tell the same history" in alone.out
    assert ran("ledger", "verify", "--store", "nowhere").code == 2


def test_what_was_changed_ends_with_1_and_is_named(ran: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    store = held.workspace / "stores/second"
    [file] = store.glob("ledger/*/events/*")
    rows = hands.read_lines(file)
    rows[4]["agent"] = "somebody"
    hands.write_lines(file, rows)
    said = ran("ledger", "verify", "--json")
    assert said.code == 1
    assert (said.data["first_wrong_event"], said.data["places"]) == (5, ["second"])
    shown = ran("ledger", "verify").out
    assert "first event that is wrong or missing: 5, in: second" in shown
    assert "take the folder ledger/ out of second" in shown
    shutil.move(store / "ledger", held.workspace / "evidence-of-second")
    assert ran("audit", "--evidence", "presence").code == 0
    assert ran("ledger", "verify").code == 0


def test_no_ledger_is_to_be_taken_out_that_may_be_needed(ran: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    """Neither when no other store holds, nor when the store tells more than the catalog."""
    for name in ("second", "third"):
        [file] = (held.workspace / "stores" / name).glob("ledger/*/events/*")
        rows = hands.read_lines(file)
        rows[4]["agent"] = "somebody"
        hands.write_lines(file, rows)
    assert "take the folder ledger/ out of second, third" in ran("ledger", "verify").out
    alone = ran("ledger", "verify", "--store", "second")
    assert (alone.code, "take the folder" in alone.out) == (1, False)
    older = (held.workspace / "catalog.db").read_bytes()
    assert ran("audit", "--evidence", "presence").code == 0
    (held.workspace / "catalog.db").write_bytes(older)
    behind = ran("ledger", "verify")
    assert (behind.code, "take the folder" in behind.out) == (1, False)


def test_a_catalog_that_was_edited_is_made_again_as_verify_says(ran: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    """Each sentence names the next command, and that command does it."""
    with closing(sqlite3.connect(held.workspace / "catalog.db", isolation_level=None)) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute("UPDATE events SET agent = 'somebody' WHERE seq = 5")
    said = ran("ledger", "verify", "--lang", "vi")
    assert (said.code, said.out.count("vankho catalog rebuild --from primary")) == (1, 1)
    assert "5, ở: catalog" not in said.out  # no English word for it
    refused = ran("catalog", "rebuild", "--from", "primary")
    assert (refused.code, "--replace" in refused.err, "ledger accept" in refused.err) == (3, True, False)
    assert ran("catalog", "rebuild", "--from", "primary", "--replace").code == 0
    assert ran("ledger", "verify").code == 0


def test_a_store_away_ends_with_3(ran: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    shutil.move(held.workspace / "stores/second", held.workspace / "away")
    said = ran("ledger", "verify", "--json")
    assert said.code == 3
    assert [each["store"] for each in said.data["stores"] if each["away"]] == ["second"]
    audited = ran("audit", "--store", "primary", "--json")
    assert audited.code == 0
    [notice] = json.loads(audited.err)["notices"]
    assert (notice["code"], notice["path"]) == ("ledger-not-compared", "second")
    assert "second" in ran("audit", "--store", "primary").err


def test_a_decision_needs_a_reason_and_a_difference(ran: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    assert ran("ledger", "accept", "second").code == 2
    assert ran("ledger", "accept", "second", "--reason", "x").code == 2
    store = held.workspace / "stores/second"
    newest = min(store.glob("ledger/*/checkpoints/*/*"), key=str)
    hands.overwrite(newest, b"?")
    told = ran("audit")
    assert told.code == 0  # the other stores answer for the history
    assert "vankho ledger accept second" in told.err
    shown = ran("show")
    assert shown.code == 0  # asks no store
    said = ran("ledger", "accept", "second", "--reason", "a bad sector", "--json")
    assert (said.code, said.data["book"], said.data["written"]) == (0, 2, ["primary", "second", "third"])
    assert ran("audit").code == 0
    assert ran("ledger", "verify").code == 0


def test_pages_show_keys_as_they_are(held: Held) -> None:  # noqa: F811
    """README.txt and the layout page name the places that there are."""
    store = held.workspace / "stores/second"
    readme = (store / "README.txt").read_text("utf-8")
    for word in ("ledger/", "verify_ledger.py", "checkpoints/", "events/", "objects/", "policies/"):
        assert word in readme
    layout = (Path(__file__).parents[2] / "docs/storage-layout.md").read_text("utf-8")
    for path in (store / "ledger").glob("*/*"):
        assert f"{path.name}/" in layout
