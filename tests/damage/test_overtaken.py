"""A reading that takes long while others work on the same copy: what it saw is read again, never recorded late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import flows.steps
from examples.servers import flip_byte
from flows import copies
from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.repair import repair
from flows.replicate import replicate
from flows.workspace import Workspace
from preservation.facts import EventOutcome, EventType, Grade, Outcome
from preservation.replicas.overtaken import overtaken
from preservation.replicas.report import ReplicaReport
from tests.flows.houses import House, package, proofs

PAGE = "data/Trang 0001.txt"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.steps, "RETRY_DELAYS", (0.01, 0.01))


class Interrupted:
    """After the replica was read and before the report is recorded, so many times, something else happens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *meanwhile: Callable[[], object]) -> None:
        self.meanwhile, self.readings, self.inside = list(meanwhile), 0, False
        self.read = copies.verify_replica
        monkeypatch.setattr(copies, "verify_replica", self)

    def __call__(self, *args: object, **kwargs: object) -> ReplicaReport:
        report = self.read(*args, **kwargs)  # type: ignore[arg-type]
        if self.inside:
            return report  # what the others read is not ours
        self.readings += 1
        if self.meanwhile:
            first, *self.meanwhile = self.meanwhile
            self.inside = True
            first()
            self.inside = False
        return report


def page(house: House, held: str) -> Path:
    file = house.store_folder("b") / f"aip/{held}/v1" / PAGE
    file.chmod(0o600)
    return file


def damaged(house: House, workspace: Workspace, tmp_path: Path) -> str:
    held = str(ingest(workspace, str(package(tmp_path / "p"))).identifier)
    flip_byte(page(house, held))
    audit(workspace, [held], store="b")
    return held


def mended(house: House) -> Callable[[], object]:
    """Another process that repairs."""

    def run() -> None:
        with house.open() as other:
            assert [each.verdict for each in repair(other, [])] == [Verdict.WELL]

    return run


def test_an_audit_that_ends_after_a_repair_does_not_record_the_old_damage(
    any_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with any_house.open() as workspace:
        held = damaged(any_house, workspace, tmp_path)
        long = Interrupted(monkeypatch, mended(any_house))
        (answer,) = audit(workspace, [held], store="b")
        assert (answer.word, long.readings) == ("intact", 2)  # read anew, after the repair
        assert proofs(workspace.catalog.replicas(held, 1))["b"] == "intact"
        *_, last = (each.event for each in workspace.catalog.events(identifier=held) if each.event.store == "b")
        assert (last.type, last.outcome) == (EventType.FIXITY_CHECK, EventOutcome.SUCCESS)
        assert repair(workspace, []) == []


def test_the_same_at_the_grade_of_presence(
    house: House, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Evidence of a weaker grade would have been dated after the proof of every byte."""
    held = damaged(house, workspace, tmp_path)
    page(house, held).unlink()
    Interrupted(monkeypatch, mended(house))
    (answer,) = audit(workspace, [held], store="b", evidence="presence")
    assert answer.word == "intact"
    assert repair(workspace, []) == []


def test_a_proof_that_ends_late_does_not_hide_damage_found_meanwhile(
    house: House, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = str(ingest(workspace, str(package(tmp_path / "p"))).identifier)

    def rot_that_another_audit_sees() -> None:
        flip_byte(page(house, held))
        with house.open() as other:
            assert [each.word for each in audit(other, [held], store="b")] == ["damaged"]

    long = Interrupted(monkeypatch, rot_that_another_audit_sees)
    (answer,) = audit(workspace, [held], store="b")
    assert (answer.word, long.readings) == ("damaged", 2)
    assert proofs(workspace.catalog.replicas(held, 1))["b"] == "damaged"


def test_two_audits_that_agree_do_not_disturb_each_other(
    house: House, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = damaged(house, workspace, tmp_path)

    def the_same_again() -> None:
        with house.open() as other:
            audit(other, [held], store="b")
            audit(other, [held], store="b", evidence="presence")  # sees less, and says so

    long = Interrupted(monkeypatch, the_same_again)
    assert [each.word for each in audit(workspace, [held], store="b")] == ["damaged"]
    assert long.readings == 1


def test_a_copy_that_is_worked_on_every_time_is_told_as_such(
    house: House, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = damaged(house, workspace, tmp_path)

    def mended_and_damaged() -> None:
        mended(house)()
        flip_byte(page(house, held))
        with house.open() as other:
            audit(other, [held], store="b")

    Interrupted(monkeypatch, *[mended_and_damaged] * copies.READINGS)
    (answer,) = audit(workspace, [held], store="b")
    assert (answer.word, answer.verdict) == ("unreadable", Verdict.FAILED)
    assert "kept working on the copy" in str(answer.report.findings[0].message)


def test_a_long_audit_holds_up_neither_ingest_nor_copying(
    house: House, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = damaged(house, workspace, tmp_path)
    done = []

    def others_go_on() -> None:
        with house.open() as other:
            other.patience = 0.0  # whoever had to wait for the audit would fail
            done.append(ingest(other, str(package(tmp_path / "q", {"q": b"q"}))).verdict)
            done.extend(each.verdict for each in replicate(other, [held]))
            done.extend(each.verdict for each in repair(other, []))

    Interrupted(monkeypatch, others_go_on)
    audit(workspace, [held], store="b")
    assert Verdict.FAILED not in done
    assert len(done) == 3


@pytest.mark.parametrize("report", list(Grade))
@pytest.mark.parametrize("said", list(Grade))
def test_what_overtakes(report: Grade, said: Grade):
    strength = [Grade.PRESENCE, Grade.PROVIDER, Grade.BYTES].index
    counts = dict.fromkeys(("intact", "altered", "missing", "unreadable", "unexpected"), 0)

    def stale(outcome: Outcome, event: EventOutcome, kind: EventType = EventType.FIXITY_CHECK) -> bool:
        ours = ReplicaReport("x", 1, "a", report, outcome, counts, 0, (), ())
        return overtaken(ours, kind, event, {"grade": said.value})

    assert stale(Outcome.DAMAGED, EventOutcome.SUCCESS) is (strength(said) >= strength(report))
    assert stale(Outcome.INTACT, EventOutcome.FAIL) is (strength(said) <= strength(report))
    assert not stale(Outcome.DAMAGED, EventOutcome.FAIL)
    assert not stale(Outcome.INTACT, EventOutcome.SUCCESS)
    assert not any(stale(outcome, EventOutcome.WARNING) for outcome in Outcome)  # unreadable is no news
    for kind in (EventType.REPLICATION, EventType.RECOVERY):
        assert all(stale(outcome, event, kind) for outcome in Outcome for event in EventOutcome)
    assert not stale(Outcome.INTACT, EventOutcome.FAIL, EventType.DISSEMINATION)
