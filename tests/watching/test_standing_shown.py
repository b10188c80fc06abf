"""What a standing does not say yet is said beside it: copies that cannot be read, stores that the settings lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows import standing
from preservation.facts import Outcome
from tests.cli.commands import Ran
from tests.cli.conftest import here, identifier  # noqa: F401 - fixtures
from tests.watching.rooms import Room, kept, prove

Here = Callable[..., Ran]
POLICY = "extends: default\naudit: {stores: {a: {bytes: {interval: %s, grace: P30D}}}}\n"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "kho").settle()


def test_a_copy_that_cannot_be_read_is_told_while_its_proof_still_counts(room: Room) -> None:
    with room.open() as workspace:
        of, other = kept(workspace), kept(workspace)
        for each in (of, other):
            for store in "abc":
                prove(workspace, each, store, Outcome.INTACT)
        seen = standing.overview(workspace)
        assert (seen.grave, sum(seen.kinds.values())) == (False, 0)

        room.clock.go_on(hours=1)
        prove(workspace, of, "b", Outcome.UNREADABLE)
        seen = standing.overview(workspace)
        assert seen.summary.words["safe"].number == 2  # its proof is good for weeks
        assert (seen.grave, seen.kinds["unreadable"], seen.unacknowledged) == (True, 1, 1)
        told, untold = standing.shown(workspace, [of, other])
        assert (told.standing.word, told.grave, [each.store for each in told.incidents]) == ("safe", True, ["b"])
        assert (untold.grave, untold.incidents) == (False, [])

        room.clock.go_on(hours=1)
        prove(workspace, of, "b", Outcome.INTACT)
        assert not standing.overview(workspace).grave
        assert standing.shown(workspace, [of])[0].incidents == []


def test_show_says_so_and_ends_with_1(room: Room, here: Here) -> None:  # noqa: F811
    with room.open() as workspace:
        of = kept(workspace)
        for store in "abc":
            prove(workspace, of, store, Outcome.INTACT)
        prove(workspace, of, "b", Outcome.UNREADABLE)
    told = here("show", "-w", room.folder)
    assert told.code == 1
    assert "Open incidents: 1, not acknowledged: 1. `vankho incident list` names them." in told.out
    assert "  unreadable copy: 1" in told.out
    plain = here("show", "-w", room.folder, "--json").data["incidents"]
    assert (plain["open"], plain["unacknowledged"], plain["kinds"]["unreadable"]) == (1, 1, 1)
    one = here("show", of.identifier, "-w", room.folder)
    assert one.code == 1
    assert f"The copy of {of.identifier} version 1 in b could not be read." in one.out
    [version] = here("show", of.identifier, "-w", room.folder, "--json").data
    assert [each["kind"] for each in version["incidents"]] == ["unreadable"]
    named = one.out.partition("vankho incident show ")[2].partition("`")[0]
    assert here("incident", "show", named, "-w", room.folder).code == 0


def test_a_store_that_the_settings_lost_is_told_to_programs_too(room: Room, here: Here) -> None:  # noqa: F811
    with room.open() as workspace:
        kept(workspace)
    file = room.folder / "vankho.toml"
    file.write_text(file.read_text("utf-8").partition("[stores.c]")[0], "utf-8")
    plain = here("show", "-w", room.folder, "--json").data
    assert plain["stores_not_in_settings"] == [{"store": "c", "copies": 1}]


def test_a_list_says_how_many_versions_wait_for_their_judgement(room: Room) -> None:
    with room.open() as workspace:
        for _ in range(3):
            kept(workspace, policy="own")
        assert standing.page(workspace, "unknown").unjudged == 3  # nobody can: there is no such policy
    room.settle(policies={"own": POLICY % "P90D"})
    with room.open() as workspace:
        assert standing.page(workspace, "unknown", patience=0).unjudged == 3
        listed = standing.page(workspace, "unknown")
        assert (listed.unjudged, len(listed.versions)) == (0, 3)


def test_the_list_tells_a_person_so(room: Room, here: Here) -> None:  # noqa: F811
    with room.open() as workspace:
        kept(workspace, policy="own")
    told = here("show", "--standing", "safe", "-w", room.folder).out
    assert "No version is safe." in told
    assert "Still to be judged by the policies as they are now: 1 versions" in told
