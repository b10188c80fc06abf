"""A draw of what `make crash` does: killed at points of the work, run again, compared."""

from __future__ import annotations

import random
import secrets

import pytest

from tests.crash.runner import SCENES, Arena
from tests.crash.scenes import Scene
from tests.crash.table import draw

pytestmark = pytest.mark.xdist_group("crash")

SEED = 20261122
EACH = 2  # of the fixed seed, and one of a fresh one


def killed(place: Arena, scene: Scene) -> None:
    fresh = secrets.randbelow(1 << 32)
    trials = [*draw(place, scene, EACH, random.Random(f"{SEED} {scene.name}"))]
    trials += draw(place, scene, 1, random.Random(f"{fresh} {scene.name}"))
    wrong = [f"{trial.case}: {'; '.join(trial.wrong)}" for trial in trials if trial.wrong]
    assert wrong == [], f"the last one with seed {fresh}"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_killed_on_sqlite(on_sqlite: Arena, scene: Scene):
    killed(on_sqlite, scene)


@pytest.mark.live
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_killed_on_postgresql(on_postgresql: Arena, scene: Scene):
    killed(on_postgresql, scene)


@pytest.mark.parametrize("scene", [each for each in SCENES if each.name in ("ingest folder", "repair", "restore")])
def test_killed_again_while_it_is_made_good(on_sqlite: Arena, scene: Scene):
    points = on_sqlite.prepared(scene).points
    trial = on_sqlite.trial(scene, [points * 2 // 3, points // 2, points // 3])
    assert trial is not None
    assert trial.wrong == (), trial.case


def test_killed_in_a_program_of_its_own(on_sqlite: Arena):
    """As the draws, without the fork that saves their time."""
    scene = SCENES[0]
    trial = on_sqlite.trial(scene, ["after identify formats"], fresh=True)
    assert trial is not None
    assert trial.wrong == (), trial.case
