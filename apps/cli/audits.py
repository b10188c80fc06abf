"""`vankho audit`: copies proved, those that are due today or those that are named; and what would be read, without
reading it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import documents, shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from apps.cli.copies import References, StoreOption, copy_line
from flows.outcomes import Verdict, worst_of
from preservation.errors import UsageError
from preservation.facts import Grade, Outcome
from wording import say
from wording.translate import translate

if TYPE_CHECKING:
    from flows.audit import Audited
    from flows.due_plan import Planned
    from flows.due_reading import DueAudited
    from flows.workspace import Workspace
    from preservation.replicas.verify import ReplicaReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "audit")(prove)


def prove(
    session: Session,
    references: References = None,
    store: StoreOption = None,
    evidence: Annotated[
        Grade | None,
        typer.Option("--evidence", help="What the proof rests on; bytes, or with --due all.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every copy of every AIP.", show_default=False)] = False,
    due: Annotated[bool, typer.Option("--due", help="Today's share of what is due.", show_default=False)] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --due: only say what would be read.", show_default=False)
    ] = False,
    length: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", help="With --due: begin no copy after so long.", show_default=False
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="HH:MM", help="With --due: begin no copy after it.", show_default=False),
    ] = None,
) -> Answer:
    """Prove copies: read every byte back (or ask for less), and say what is intact, damaged or unreadable."""
    _refuse_contradictions(
        {"--all": every, "ID": bool(references), "--due": due},
        {"--dry-run": dry_run, "--for": length is not None, "--until": until is not None},
    )
    if due:
        return _prove_due(session, store, evidence, dry_run=dry_run, length=length, until=until)
    from flows.audit import audit
    from flows.run import carry_out

    with session.open() as workspace:
        if not references and not every:
            _warn_of_all(session, workspace, store)
        done = carry_out(
            workspace,
            audit,
            references=references or [],
            store=store,
            evidence=(evidence or Grade.BYTES).value,
        )
        nothing_proved = not done and next(workspace.catalog.versions(), None) is not None
    data = [_report_json(each.report, session.language) for each in done]
    verdict = Verdict.FOUND if nothing_proved else worst_of(done)
    return Answer(data, _audit_lines(done, session.language), verdict)


def _refuse_contradictions(one_of: dict[str, bool], of_due: dict[str, bool]) -> None:
    named = [name for name, given in one_of.items() if given]
    if len(named) > 1:
        raise UsageError(
            say("{one} and {other} do not go together.", one=named[0], other=named[1]),
            next_step=say("Leave out one of them."),
        )
    for name, given in of_due.items():
        if given and not one_of["--due"]:
            raise UsageError(
                say("{option} goes with --due only.", option=name),
                next_step=say("Add --due, or leave {option} out.", option=name),
            )
    if of_due["--for"] and of_due["--until"]:
        raise UsageError(
            say("{one} and {other} do not go together.", one="--for", other="--until"),
            next_step=say("Leave out one of them."),
        )


def _warn_of_all(session: Session, workspace: Workspace, store: str | None) -> None:
    """What a short command is about to do, before it does it, on standard error: the answer keeps its shape."""
    coverage = workspace.catalog.standing(workspace.clock()).coverage
    copies = [each for each in coverage if each.grade is Grade.BYTES and store in (None, each.store)]
    told = say(
        "No AIP is named, so every copy is audited, whatever is due: {count} copies, {size}. `vankho audit --due` "
        "reads today's share; --all says that you mean it.",
        count=sum(each.wanted.number - each.absent.number for each in copies),
        size=shapes.size(sum(each.wanted.bytes - each.absent.bytes for each in copies)),
    )
    if not session.as_json:
        sys.stderr.write(translate(told, session.language) + "\n")


def _prove_due(
    session: Session,
    store: str | None,
    evidence: Grade | None,
    *,
    dry_run: bool,
    length: str | None,
    until: str | None,
) -> Answer:
    from flows.due import audit_due, next_due, plan_due
    from flows.run import carry_out

    with session.open() as workspace:
        end = _end(workspace, length, until)
        asked = {
            "store": store,
            "evidence": evidence.value if evidence is not None else None,
            "until": end.isoformat() if end is not None else None,
        }
        if dry_run:
            planned = plan_due(workspace, **asked)
            return Answer([documents.planned(each) for each in planned], _planned_lines(planned, next_due(workspace)))
        done: list[DueAudited] = carry_out(workspace, audit_due, **asked)
        soonest = next_due(workspace)
    data = [_due_json(each, session.language) for each in done]
    return Answer(data, _due_lines(done, soonest, session.language), worst_of(done))


def _end(workspace: Workspace, length: str | None, until: str | None) -> datetime | None:
    """When the run is to end. Raises UsageError."""
    now = workspace.clock()
    if length is not None:
        return now + _duration(length)
    if until is None:
        return None
    from policies.hours import zone_of

    try:
        moment = time.fromisoformat(until)
    except ValueError:
        raise UsageError(
            say("{text} is no time of day.", text=until), expected="05:00", seen=until,
            next_step=say("Write hours and minutes."),
        ) from None  # fmt: skip
    here = now.astimezone(zone_of(workspace.policy().schedule))
    end = here.replace(hour=moment.hour, minute=moment.minute, second=0, microsecond=0)
    return end if end > here else end + timedelta(days=1)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(?:PT)?(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?", text.strip().upper())
    if found is None or not any(found.groups()):
        raise UsageError(
            say("{text} is no length of time.", text=text), expected="2h, 90m, 1h30m", seen=text,
            next_step=say("Write hours and minutes."),
        )  # fmt: skip
    hours, minutes, seconds = (int(group or 0) for group in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _due_lines(done: Sequence[DueAudited], soonest: datetime | None, language: str) -> list[Line]:
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
        lines += _left(each.store, each.grade, each.waiting, each.held, each.opens)
    if not lines:
        lines += _nothing(soonest)
    if any(each.outcomes.get(Outcome.DAMAGED.value) for each in done):
        lines.append(say("Next: `vankho repair` brings damaged copies back from proved ones."))
    if any(each.outcomes.get(Outcome.UNREADABLE.value) for each in done):
        lines.append(say("Unreadable is no evidence of damage. See to the store, then audit again."))
    return lines


def _left(store: str, grade: Grade, waiting: int, held: str | None, opens: datetime | None) -> list[Line]:
    """Why copies that are due were left."""
    if not held or not waiting:
        return []
    gaps: dict[str, Any] = {"store": store, "evidence": shapes.GRADES[grade], "count": waiting}
    if opens is not None:
        gaps["at"] = shapes.moment(opens)
        return [say("{store}, {evidence}: {count} copies are due and wait for the window, from {at}.", **gaps)]
    match held:
        case "budget":
            return [say("{store}, {evidence}: {count} copies are due and wait: today's budget is used up.", **gaps)]
        case "throttled":
            return [say("{store}, {evidence}: {count} copies are due and wait: the throttle is too slow.", **gaps)]
        case "store-away":
            return [say("{store}, {evidence}: {count} copies are due and wait: the store is away.", **gaps)]
        case "window":
            return [say("{store}, {evidence}: {count} copies are due and wait for the next window.", **gaps)]
        case _:
            return [say("{store}, {evidence}: {count} copies are due and wait: the run was to end.", **gaps)]


def _due_json(each: DueAudited, language: str) -> dict[str, Any]:
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
        "busy": translate(each.busy, language) if each.busy is not None else None,
        "opens": each.opens.isoformat() if each.opens is not None else None,
        "wrong": [_report_json(wrong.report, language) for wrong in each.wrong],
    }


def _planned_lines(planned: Sequence[Planned], soonest: datetime | None) -> list[Line]:
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
        lines += _left(each.store, each.grade, each.waiting, each.held, each.opens)
    if any(each.early for each in planned):
        lines.append(say("Early: not due yet, and read now to keep the days level."))
    return lines


def _nothing(soonest: datetime | None) -> list[Line]:
    if soonest is None:
        return [say("Nothing is due today.")]
    return [say("Nothing is due today. The next copy falls due on {at}.", at=shapes.moment(soonest))]


def _audit_lines(done: list[Audited], language: str) -> list[Line]:
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


def _report_json(report: ReplicaReport, language: str) -> dict[str, Any]:
    return {
        "identifier": report.identifier,
        "version": report.version,
        "store": report.store,
        "evidence": report.grade.value,
        "outcome": report.outcome.value,
        "objects": report.counts,
        "findings": shapes.findings_json(report.findings, language),
    }
