"""The comparison is proved by breaking the product: what makes a kill harmless is taken away, and it is reported."""

from __future__ import annotations

import pytest

from tests.crash.at_once import twenty
from tests.crash.lab import Lab
from tests.crash.runner import SCENES, arena

pytestmark = pytest.mark.xdist_group("crash")

BROKEN = {
    "admitted_before_it_is_written": ("ingest folder", "INSERT INTO versions", "too many"),
    "replication_told_twice": ("ingest folder", "begin copy > a", "too many"),
    "claimed_before_it_is_copied": ("ingest folder", "os.link .vankho#8", "otherwise than recorded"),
    "nothing_is_swept": ("ingest folder", "before write the bag", "left in the workspace"),
    "restored_in_place": ("restore", "advance#2", "half visible"),
    "repairs_are_not_noted": ("repair", "INSERT INTO events#2", "told as repaired"),
    "objects_have_their_name_at_once": ("ingest folder", "in the middle of a write#9", "proved"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_reported(broken: str):
    name, moment, word = BROKEN[broken]
    (scene,) = (each for each in SCENES if each.name == name)
    with arena(None, broken=broken) as place:
        trial = place.trial(scene, [moment])
    assert trial is not None
    assert word in "; ".join(trial.wrong), trial


def test_a_process_that_stays_is_reported():
    with arena(None, broken="worker_outlives_us") as place, pytest.raises(AssertionError, match="left running"):
        place.prepared(SCENES[0])


def test_without_leases_twenty_at_once_are_not_one(lab: Lab):
    with pytest.raises(AssertionError):
        twenty(lab, "sqlite:///catalog.db", broken="no_leases")
