"""Audits by due date: what is read today, what is left and why, and that no run forgets what another has used."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.audit import audit
from flows.auditing.due_reading import DueAudited
from flows.auditing.late import failed_since, late_because
from flows.auditing.look_ahead import look_ahead
from flows.due import audit_due, plan_due
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.outcomes import Verdict, worst_of
from flows.standing import overview
from flows.workspace import Workspace
from policies.load import check_file
from preservation.catalog import audit_days
from preservation.facts import Grade
from preservation.formats.identify import Identifier
from storage_adapters.errors import StorageDenied
from storage_adapters.pacing import Pace, PacedErasableStore
from storage_adapters.store import ErasableStore, Reader
from tests.cli.commands import damage
from tests.flows.houses import House, codes, local_stores, package
from wording import say

AIPS = 3
INGESTED = datetime(2027, 3, 1, 18, 5, tzinfo=UTC)  # five minutes after the run of one o'clock in Hà Nội
POLICY = """
replication: {{copies: 2, floor: 1, separation: {{by: [], min: 1}}}}
audit:
  defaults:
    bytes: {{interval: P90D, grace: P14D{more}}}
    presence: never
schedule: {{audit: "{cron}"}}
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Three AIPs in two stores, proved just now."""
    folder = tmp_path_factory.mktemp("due")
    with Identifier() as identifier:
        house = House(folder / "house", local_stores(2), identifier=identifier).settle()
        house.policy("default", POLICY.format(more="", cron="0 1 * * *"))
        with after(house, 0) as workspace:
            for number in range(AIPS):
                given = package(folder / f"p{number}", {"trang.txt": f"Trang {number}\n".encode() * 1000})
                answer = in_ledger(workspace, ingest, str(given))
                assert answer.verdict is Verdict.WELL
        yield house


@pytest.fixture
def house(filled: House, tmp_path: Path) -> House:
    shutil.copytree(filled.folder, tmp_path / "house")
    return replace(filled, folder=tmp_path / "house")


def plan(house: House, more: str = "", *, cron: str = "0 1 * * *") -> None:
    house.policy("default", POLICY.format(more=more, cron=cron))


@contextmanager
def after(house: House, days: float) -> Iterator[Workspace]:
    """The workspace so many days after ingest."""
    began = time.monotonic()
    with house.open() as workspace:
        workspace.clock = lambda: INGESTED + timedelta(days=days) + timedelta(seconds=time.monotonic() - began)
        yield workspace


def read(workspace: Workspace, **asked: str) -> list[DueAudited]:
    return in_ledger(workspace, audit_due, **asked)


def outcomes(done: list[DueAudited]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in done:
        total.update(each.outcomes)
    return total


def used(workspace: Workspace) -> list[audit_days.AuditDay]:
    return audit_days.days(workspace.catalog.database, since=datetime(2020, 1, 1, tzinfo=UTC).date())


def test_nothing_is_due_after_ingest(house: House) -> None:
    with after(house, 1) as workspace:
        done = read(workspace)
        assert not outcomes(done)
        assert worst_of(done) is Verdict.WELL
        assert not any(each.copies for each in plan_due(workspace))


def test_what_is_due_is_read_once_and_the_next_run_of_the_day_knows(house: House) -> None:
    with after(house, 80) as workspace:
        planned = plan_due(workspace)
        assert sum(each.copies for each in planned) == 2 * AIPS
        done = read(workspace)
        assert outcomes(done) == {"intact": 2 * AIPS}
        assert sum(each.bytes for each in done) == sum(int(each.use.bytes) for each in planned)
        assert all(each.waiting == 0 and each.held is None for each in done)
        assert not outcomes(read(workspace))
    with after(house, 80) as workspace:
        assert sum(day.copies for day in used(workspace)) == 2 * AIPS


def test_the_days_before_the_due_date_are_level(house: House) -> None:
    """Three copies that fall due together are read on three days, the last of them on the due date."""
    shares = []
    for day in (70, 74, 75, 76, 77):
        with after(house, day) as workspace:
            shares.append(outcomes(read(workspace, store="a"))["intact"])
    assert shares == [0, 0, 1, 1, 1]


def test_a_budget_holds_over_several_runs_of_a_day_and_the_oldest_come_first(house: House) -> None:
    with after(house, 0) as workspace:
        size = max(each.object_bytes for each in workspace.catalog.versions())
        first = next(iter(workspace.catalog.due("a", Grade.BYTES, before=INGESTED + timedelta(days=99))))
    plan(house, f", budget: {{bytes_per_day: {size + 100}}}")
    with after(house, 80) as workspace:
        done = read(workspace, store="a")
        assert outcomes(done) == {"intact": 1}
        assert [(each.held, each.waiting) for each in done if each.copies] == [("budget", 2)]
        assert worst_of(done) is Verdict.WELL
        assert not outcomes(read(workspace, store="a"))
        (day,) = used(workspace)
        assert (day.copies, day.waiting, day.held) == (1, 2, "budget")
        proved = workspace.catalog.replicas(first.identifier, first.version)[0].evidence[Grade.BYTES]
        assert proved.at > INGESTED + timedelta(days=79)
    with after(house, 81) as workspace:
        assert outcomes(read(workspace, store="a")) == {"intact": 1}


def test_a_copy_above_the_budget_is_read_alone_and_the_next_days_pay(house: House) -> None:
    plan(house, ", budget: {bytes_per_day: 5000}")
    days = []
    for day in range(78, 86):
        with after(house, day) as workspace:
            done = read(workspace, store="a")
            days.append(outcomes(done)["intact"])
    assert days[0] == 1
    assert max(days) == 1
    assert 0 in days
    assert sum(days) >= 2


def test_money_is_counted_by_the_price_table(house: House) -> None:
    house.stores["a"]["prices"] = {}
    text = (house.folder / "vankho.toml").read_text("utf-8").replace("prices = {}\n", "")
    text += '\n[stores.a.prices]\ncurrency = "USD"\nper_gib_read = 1073.741824\n'  # a dollar a megabyte
    (house.folder / "vankho.toml").write_text(text, "utf-8")
    plan(house, ", budget: {money_per_day: 0.04}")
    with after(house, 80) as workspace:
        done = [each for each in read(workspace, store="a") if each.copies]
        assert done[0].currency == "USD"
        assert 0 < done[0].money <= 0.04
        assert done[0].held == "budget"


def test_while_the_window_is_shut_nothing_is_read_and_when_it_opens_is_said(house: House) -> None:
    now = INGESTED + timedelta(days=80)
    here = now + timedelta(hours=7)  # Asia/Ho_Chi_Minh
    begin, end = (here + timedelta(hours=2)).strftime("%H:00"), (here + timedelta(hours=4)).strftime("%H:00")
    plan(house, f', window: {{from: "{begin}", to: "{end}"}}')
    with after(house, 80) as workspace:
        (done,) = [each for each in read(workspace, store="a") if each.grade is Grade.BYTES]
        assert not done.outcomes
        assert done.held == "window"
        assert done.waiting == AIPS
        assert done.opens is not None
        assert timedelta(0) < done.opens - now <= timedelta(hours=3)
        assert done.verdict is Verdict.WELL
    with after(house, 80 + 2.5 / 24) as workspace:
        assert outcomes(read(workspace, store="a")) == {"intact": AIPS}


def test_the_run_ends_when_it_is_to_end(house: House) -> None:
    with after(house, 80) as workspace:
        done = read(workspace, store="a", until=(workspace.clock() - timedelta(seconds=1)).isoformat())
        assert not outcomes(done)
        assert [each.held for each in done if each.waiting] == ["stopped"]


def test_damage_is_found_and_told(house: House) -> None:
    damage(next((house.store_folder("a") / "aip").rglob("trang.txt")))
    with after(house, 80) as workspace:
        done = read(workspace)
        assert outcomes(done) == {"intact": 2 * AIPS - 1, "damaged": 1}
        assert worst_of(done) is Verdict.FOUND
        (wrong,) = [each for of in done for each in of.wrong]
        assert codes(wrong.report.findings) == ["object-altered"]


def test_a_store_that_is_away_is_asked_once_and_its_copies_stay_due(house: House) -> None:
    folder = house.store_folder("b")
    folder.rename(folder.with_name("elsewhere"))
    with after(house, 80) as workspace:
        done = read(workspace)
        (away,) = [each for each in done if each.store == "b" and each.grade is Grade.BYTES]
        assert away.outcomes == {"unreadable": 1}
        assert (away.held, away.waiting, away.verdict) == ("store-away", AIPS, Verdict.FAILED)
        assert outcomes([each for each in done if each.store == "a"]) == {"intact": AIPS}
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name("elsewhere").rename(folder)
    with after(house, 80.1) as workspace:
        assert outcomes(read(workspace)) == {"intact": AIPS}


def test_a_copy_that_cannot_be_read_is_tried_after_longer_and_longer_pauses(house: House) -> None:
    """An hour, four, twenty, forty …, told by the plan and as the reason for being late; a person's audit tries at once."""
    page = next((house.store_folder("a") / "aip").rglob("trang.txt")).relative_to(house.store_folder("a"))
    tried = []
    for hour in (0, 0.5, 2, 3, 7, 24, 31, 48, 72, 168):
        with after(house, 80 + hour / 24) as workspace:
            workspace._stores["a"] = Locked(workspace.erasable_store("a"), str(page))
            planned = [each for each in plan_due(workspace, store="a") if each.grade is Grade.BYTES]
            done = [each for each in read(workspace, store="a") if each.grade is Grade.BYTES]
            tried.append(outcomes(done)["unreadable"])
            assert [each.paused for each in (*planned, *done)] == [1 - tried[-1]] * 2
            if not tried[-1]:
                assert (done[0].held, done[0].waiting) == ("failed", 1)
                assert planned[0].again == done[0].again
                assert done[0].again is not None
                assert done[0].again > workspace.clock()
    assert tried == [1, 0, 1, 0, 1, 0, 1, 0, 1, 1], tried
    late = {("a", Grade.BYTES): 1}
    with after(house, 111) as workspace:
        assert late_because(workspace, overdue=late) == {("a", Grade.BYTES): {"failed": 1}}
        assert worst_of(in_ledger(workspace, audit, [page.parts[1]], store="a")) is Verdict.WELL
        assert late_because(workspace, overdue=late) == {("a", Grade.BYTES): {"not-run": 1}}


class Locked(PacedErasableStore):
    """A store that answers and does not give one object."""

    def __init__(self, store: ErasableStore, key: str) -> None:
        super().__init__(store, Pace())
        self._locked = key

    def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
        yield from (None for _ in wanted)

    @contextmanager
    def open(self, key: str) -> Iterator[Reader]:
        if key == self._locked:
            raise StorageDenied(say("Locked."), where=key)
        with super().open(key) as reader:
            yield reader


def test_an_interrupted_run_keeps_what_was_read_and_the_next_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.auditing.due_reading as due

    whole, calls = due.prove_copy, []

    def twice(*args: object, **more: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args, **more)

    monkeypatch.setattr(due, "prove_copy", twice)
    with after(house, 80) as workspace, pytest.raises(KeyboardInterrupt):
        read(workspace, store="a")
    with after(house, 80) as workspace:
        (day,) = used(workspace)
        assert (day.copies, day.held) == (1, "stopped")
        assert day.bytes > 0
        assert outcomes(read(workspace, store="a")) == {"intact": AIPS - 1}


def test_two_audits_of_one_store_at_once_read_no_copy_twice(house: House) -> None:
    """The second finds the store taken, says who reads there, and is no failure."""
    with after(house, 80) as one, after(house, 80) as other:
        with one.lease_now("audit a 1"):
            done = read(other, store="a")
        assert not outcomes(done)
        assert [each.busy is not None for each in done if each.grade is Grade.BYTES] == [True]
        assert worst_of(done) is Verdict.WELL
        assert outcomes(read(other, store="a")) == {"intact": AIPS}


def test_as_many_audits_as_the_settings_say_share_the_copies(house: House) -> None:
    text = (house.folder / "vankho.toml").read_text("utf-8")
    text = text.replace("[stores.a]\n", "[stores.a]\naudits_at_once = 2\n")
    (house.folder / "vankho.toml").write_text(text, "utf-8")
    found: list[Counter[str]] = []

    def run() -> None:
        with after(house, 80) as workspace:
            found.append(outcomes(audit_due(workspace, store="a")))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(found, Counter()) == {"intact": AIPS}


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_jumps_skips_nothing(house: House, years: int) -> None:
    """A run under a clock that is years wrong may read; what it proves does not keep a right clock from reading."""
    with after(house, 365 * years) as workspace:
        read(workspace)
    with after(house, 80) as workspace:
        done = read(workspace)
        again = list(workspace.catalog.due("a", Grade.BYTES, before=workspace.clock()))
        assert not again
        assert outcomes(done) == {"intact": 2 * AIPS}
        assert len(list(workspace.catalog.all_replicas())) == 2 * AIPS


def test_a_policy_that_is_broken_leaves_the_one_in_force_in_force(house: House) -> None:
    (house.folder / "policies" / "default.yaml").write_text("audit: {defaults: {bytes: {interval: soon}}}\n", "utf-8")
    with after(house, 80) as workspace:
        done = read(workspace)
        assert outcomes(done) == {"intact": 2 * AIPS}, done
        assert "policy-not-in-force" in codes(workspace.notices)
    with after(house, 80) as workspace:
        assert not outcomes(read(workspace))


def test_late_because_of_a_budget_a_store_that_is_away_and_nobody_are_three_things(house: House) -> None:
    plan(house, ", budget: {bytes_per_day: 40000}")
    folder = house.store_folder("b")
    folder.rename(folder.with_name("elsewhere"))
    overdue = {("a", Grade.BYTES): 2, ("b", Grade.BYTES): 3}
    with after(house, 110) as workspace:
        assert late_because(workspace, overdue=overdue) == {
            ("a", Grade.BYTES): {"not-run": 2},
            ("b", Grade.BYTES): {"not-run": 3},
        }
        read(workspace)
        assert late_because(workspace, overdue=overdue) == {
            ("a", Grade.BYTES): {"throttled": 2},
            ("b", Grade.BYTES): {"away": 3},
        }
        copy = next(iter(workspace.catalog.due("b", Grade.BYTES, before=workspace.clock())))
        failed = failed_since(workspace, copy.identifier, copy.version, "b", Grade.BYTES)
        assert failed is not None
        assert failed.times == 1
        assert overview(workspace).late["b", Grade.BYTES] == {"away": AIPS}


def test_what_people_audit_on_demand_counts_for_the_budget(house: House) -> None:
    plan(house, ", budget: {bytes_per_day: 40000}")
    with after(house, 80) as workspace:
        reference = next(iter(workspace.catalog.versions())).identifier
        in_ledger(workspace, audit, [reference], store="a")
        done = read(workspace, store="a")
        assert outcomes(done)["intact"] < 2
        assert sum(day.bytes for day in used(workspace)) <= 40000


def test_a_year_ahead_says_what_it_takes_and_what_a_draft_would_change(house: House, tmp_path: Path) -> None:
    with after(house, 0) as workspace:
        seen = look_ahead(workspace, days=365)
        assert {each.store: each.copies for each in seen.in_force} == {"a": 4 * AIPS, "b": 4 * AIPS}
        assert not any(each.overdue or each.too_small for each in seen.in_force)
        assert max(each.longest for each in seen.in_force) < timedelta(days=90)
        draft = tmp_path / "default.yaml"
        budget = ", budget: {bytes_per_day: 900}"
        draft.write_text(POLICY.format(more=budget, cron="0 1 * * 0").replace("P90D", "P5D"), "utf-8")
        compared = look_ahead(workspace, draft=draft, days=365)
        assert compared.in_force == seen.in_force
        assert compared.replaces == "default"
        assert compared.draft is not None
        assert all(each.overdue for each in compared.draft)
        assert set(codes(compared.findings)) == {"policy-cannot-be-kept", "policy-copy-above-budget"}
        assert codes(check_file(draft)).count("policy-cannot-be-kept") == 1
