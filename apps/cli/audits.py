"""`vankho audit`: copies proved, those that are due today or those that are named; and what would be read, without
reading it.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import documents, shapes
from apps.cli.answer import Answer
from apps.cli.audited import audit_lines, due_json, due_lines, planned_lines, report_json
from apps.cli.command import Session, command
from apps.cli.copies import References, StoreOption
from flows.outcomes import Verdict, worst_of
from preservation.errors import UsageError
from preservation.facts import Grade
from wording import say
from wording.translate import translate

if TYPE_CHECKING:
    from flows.auditing.due_reading import DueAudited
    from flows.workspace import Workspace


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
    from flows.running.run import carry_out

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
    data = [report_json(each.report, session.language) for each in done]
    verdict = Verdict.FOUND if nothing_proved else worst_of(done)
    return Answer(data, audit_lines(done, session.language), verdict)


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
    from flows.running.run import carry_out

    with session.open() as workspace:
        end = _end(workspace, length, until)
        asked = {
            "store": store,
            "evidence": evidence.value if evidence is not None else None,
            "until": end.isoformat() if end is not None else None,
        }
        if dry_run:
            planned = plan_due(workspace, **asked)
            return Answer([documents.planned(each) for each in planned], planned_lines(planned, next_due(workspace)))
        done: list[DueAudited] = carry_out(workspace, audit_due, **asked)
        soonest = next_due(workspace)
    data = [due_json(each, session.language) for each in done]
    return Answer(data, due_lines(done, soonest, session.language), worst_of(done))


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
