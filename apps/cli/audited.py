"""What `vankho audit` says of its answers: tables of stores, each copy that is not intact, what was left and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.cli import shapes
from apps.cli.answer import Cell, Line, Table
from apps.cli.copies import copy_line
from preservation.facts import Outcome
from wording import say
from wording.times import moment
from wording.translate import translate

if TYPE_CHECKING:
    from flows.audit import Audited
    from flows.auditing.due_plan import Planned
    from flows.auditing.due_reading import DueAudited
    from preservation.replicas.verify import ReplicaReport


def due_lines(done: Sequence[DueAudited], soonest: datetime | None, language: str) -> list[Line]:
    """What was read of each store and grade, what was found, what is left and why."""
    worked = [each for each in done if each.copies]
    lines: list[Line] = []
    headings = (
        *(say("Store"), say("Evidence"), say("Intact"), say("Damaged"), say("Unreadable")),
        *(say("Read"), say("Still due")),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(each.store, shapes.GRADES[each.grade]),
            *(each.outcomes.get(word.value, 0) for word in (Outcome.INTACT, Outcome.DAMAGED, Outcome.UNREADABLE)),
            *(shapes.size(each.bytes), each.waiting),
        )
        for each in worked
    ]
    if rows:
        lines.append(Table(headings, rows))
    for each in done:
        if each.busy is not None:
            lines.append(say("{store}: another audit reads there. {who}", store=each.store, who=each.busy))
        if each.away is not None:
            lines += shapes.finding_lines([each.away], language, about=each.away.path or "")
        for wrong in each.wrong:
            if wrong.away is None:
                report = wrong.report
                lines.append(copy_line(report.identifier, report.version, report.store, wrong.word))
                lines += shapes.finding_lines(report.findings, language)
        lines += _left(each)
    if not lines:
        lines += _nothing(soonest)
    if any(each.outcomes.get(Outcome.DAMAGED.value) for each in done):
        lines.append(say("Next: `vankho repair` brings damaged copies back from proved ones."))
    if any(each.outcomes.get(Outcome.UNREADABLE.value) for each in done):
        lines.append(say("Unreadable is no evidence of damage. See to the store, then audit again."))
    return lines


def _left(each: DueAudited | Planned) -> list[Line]:
    """Why copies that are due were left."""
    lines: list[Line] = []
    gaps: dict[str, Any] = {"store": each.store, "evidence": shapes.GRADES[each.grade]}
    if each.paused and each.again is not None:
        gaps |= {"count": each.paused, "at": moment(each.again)}
        lines.append(
            say(
                "{store}, {evidence}: {count} copies could not be read; they are tried again after {at}, or at once "
                "by `vankho audit ID`.",
                **gaps,
            )
        )
    waiting = each.waiting - each.paused
    return [*lines, _waits(each.held, each.opens, gaps | {"count": waiting})] if each.held and waiting > 0 else lines


def _waits(held: str, opens: datetime | None, gaps: dict[str, Any]) -> Line:
    if opens is not None:
        gaps["at"] = moment(opens)
        return say("{store}, {evidence}: {count} copies are due and wait for the window, from {at}.", **gaps)
    match held:
        case "budget":
            return say("{store}, {evidence}: {count} copies are due and wait: today's budget is used up.", **gaps)
        case "throttled":
            return say("{store}, {evidence}: {count} copies are due and wait: the throttle is too slow.", **gaps)
        case "store-away":
            return say("{store}, {evidence}: {count} copies are due and wait: the store is away.", **gaps)
        case "window":
            return say("{store}, {evidence}: {count} copies are due and wait for the next window.", **gaps)
        case "failed":
            return say("{store}, {evidence}: {count} copies are due still; they could not be read.", **gaps)
        case _:
            return say("{store}, {evidence}: {count} copies are due and wait: the run was to end.", **gaps)


def due_json(each: DueAudited, language: str) -> dict[str, Any]:
    """One store and grade, as documented."""
    return {
        "store": each.store,
        "evidence": each.grade.value,
        "copies": each.copies,
        "outcomes": {word.value: each.outcomes.get(word.value, 0) for word in Outcome},
        "objects": each.objects,
        "bytes": each.bytes,
        "requests": each.requests,
        "money": round(each.money, 6),
        "currency": each.currency,
        "seconds": round(each.seconds, 3),
        "waiting": each.waiting,
        "held": each.held,
        "paused": each.paused,
        "again": each.again.isoformat() if each.again is not None else None,
        "busy": translate(each.busy, language) if each.busy is not None else None,
        "opens": each.opens.isoformat() if each.opens is not None else None,
        "wrong": [report_json(wrong.report, language) for wrong in each.wrong],
    }


def planned_lines(planned: Sequence[Planned], soonest: datetime | None) -> list[Line]:
    """Today's share without reading it."""
    if not any(each.copies or each.waiting for each in planned):
        return _nothing(soonest)
    headings = (
        *(say("Store"), say("Evidence"), say("Policy"), say("Copies"), say("Early"), say("Size")),
        *(say("Requests"), say("Cost"), say("Time"), say("Left")),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(each.store, shapes.GRADES[each.grade], each.policy, each.copies, each.early),
            *(shapes.size(int(each.use.bytes)), int(each.use.requests), shapes.money(each.use.money, each.currency)),
            *(shapes.length(each.seconds), each.waiting),
        )
        for each in planned
        if each.copies or each.waiting
    ]
    lines: list[Line] = [Table(headings, rows)]
    for each in planned:
        lines += _left(each)
    if any(each.early for each in planned):
        lines.append(say("Early: not due yet, and read now to keep the days level."))
    return lines


def _nothing(soonest: datetime | None) -> list[Line]:
    if soonest is None:
        return [say("Nothing is due today.")]
    return [say("Nothing is due today. The next copy falls due on {at}.", at=moment(soonest))]


def audit_lines(done: list[Audited], language: str) -> list[Line]:
    """How many copies of each store are intact; each one that is not, with what was seen; what to do next."""
    if not done:
        return [say("There is no copy to audit.")]
    outcomes = Counter((each.report.store, each.word) for each in done)
    stores = sorted({store for store, _ in outcomes})
    rows: list[tuple[Cell, ...]] = [
        (store, *(outcomes[store, word] for word in (Outcome.INTACT, Outcome.DAMAGED, Outcome.UNREADABLE)))
        for store in stores
    ]
    lines: list[Line] = [Table((say("Store"), say("Intact"), say("Damaged"), say("Unreadable")), rows)]
    away: set[str] = set()
    for each in done:
        report = each.report
        if each.away is not None:
            if report.store not in away:  # once for the store, not for every copy in it
                lines += shapes.finding_lines([each.away], language, about=each.away.path or "")
            away.add(report.store)
            continue
        if report.outcome is not Outcome.INTACT:
            lines.append(copy_line(report.identifier, report.version, report.store, each.word))
        lines += shapes.finding_lines(report.findings, language)
    words = {each.report.outcome for each in done}
    if Outcome.DAMAGED in words:
        lines.append(say("Next: `vankho repair` brings damaged copies back from proved ones."))
    if any(each.report.outcome is Outcome.UNREADABLE and not each.without_checksum for each in done):
        lines.append(say("Unreadable is no evidence of damage. See to the store, then audit again."))
    return lines


def report_json(report: ReplicaReport, language: str) -> dict[str, Any]:
    """One copy, as documented."""
    return {
        "identifier": report.identifier,
        "version": report.version,
        "store": report.store,
        "evidence": report.grade.value,
        "outcome": report.outcome.value,
        "objects": report.counts,
        "findings": shapes.findings_json(report.findings, language),
    }
