"""The plan made of whole stretches is the plan made copy by copy: of a generated catalog, under many limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bench.catalog import FACTS
from bench.catalog_commands import workspace as workspace_around
from bench.catalog_fill import generate
from bench.catalog_rows import NOW
from flows.auditing import due_plan, due_stretches
from flows.auditing.due_plan import plan_today
from flows.auditing.due_stretches import Stretch
from flows.auditing.due_takings import takings
from flows.workspace import Workspace, open_workspace
from policies.judging import judge_of
from policies.load import load_policy
from policies.plan import Limit, Share, Why
from preservation.facts import Grade

LATER = NOW + timedelta(hours=31)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    base = tmp_path_factory.mktemp("kho")
    address = f"sqlite:///{base}/catalog.db"
    generate(address, base, aips=2000, judge=judge_of(load_policy, FACTS))
    with open_workspace(workspace_around(base / "kho", address)) as workspace:
        workspace.clock = lambda: LATER
        yield workspace


def limits(name: str, whole: float) -> tuple[Limit, ...]:
    return (Limit(name, whole, whole, Why.BUDGET),)


@pytest.mark.parametrize("grade", [Grade.BYTES, Grade.PRESENCE])
@pytest.mark.parametrize("level", [0.0, 0.01, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("given", [(), *(limits("bytes", 10.0**n) for n in (6, 8)), limits("requests", 300.0)])
def test_whole_stretches_give_the_same_plan(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, grade: Grade, level: float, given: tuple[Limit, ...]
):
    def altered(*words: object, **more: object) -> object:
        shares = takings(*words, **more)  # type: ignore[arg-type]
        for each in shares.values():
            each.today.share = Share(each.today.share.level * level, given)
        return shares

    monkeypatch.setattr(due_plan, "takings", altered)
    monkeypatch.setattr(due_stretches, "FEW", 30)
    seen = []
    walk = due_stretches.stretches

    def watched(*words: object) -> Iterator[Stretch]:
        for each in walk(*words):  # type: ignore[arg-type]
            seen.append(each)
            yield each

    monkeypatch.setattr(due_plan, "stretches", watched)
    mine = plan_today(here, "second", grade, now=LATER)
    everything = [Stretch(datetime(2020, 1, 1, tzinfo=UTC), LATER + timedelta(days=60), None)]
    monkeypatch.setattr(due_plan, "stretches", lambda *_: everything)
    assert mine == plan_today(here, "second", grade, now=LATER)
    assert mine[0].copies or mine[0].waiting
    assert given or any(each.sums for each in seen)
    assert len(seen) < 200


def test_a_shut_window_leaves_all_copies(here: Workspace, monkeypatch: pytest.MonkeyPatch):
    def shut(*words: object, **more: object) -> object:
        shares = takings(*words, **more)  # type: ignore[arg-type]
        for each in shares.values():
            each.closes = None
        return shares

    monkeypatch.setattr(due_plan, "takings", shut)
    (plan,) = plan_today(here, "second", Grade.PRESENCE, now=LATER)
    assert (plan.copies, plan.held) == (0, Why.WINDOW)
    assert plan.waiting
