"""`vankho report`, `incident`, `notices`, `watchdog`: what runs left, what is wrong, who was told."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import documents, shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from flows.outcomes import Verdict
from preservation.errors import UsageError
from wording import Message, say
from wording.times import moment

if TYPE_CHECKING:
    from preservation.catalog.incidents import Incident
    from preservation.catalog.outbox import Notice
    from preservation.catalog.runs import RunFact

AllOption = Annotated[bool, typer.Option("--all", help="Closed or sent ones too.", show_default=False)]
IncidentArgument = Annotated[str, typer.Argument(metavar="ID", help="Incident, by its id or the beginning of it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app, "report")(report)
    incident = typer.Typer(help="Incidents: what is wrong, since when, who knows.", no_args_is_help=True)
    command(incident, "list")(incident_list)
    command(incident, "show")(incident_show)
    command(incident, "acknowledge")(incident_acknowledge)
    app.add_typer(incident, name="incident")
    notices = typer.Typer(help="Notices: what people are told, and whether it got through.", no_args_is_help=True)
    command(notices, "list")(notices_list)
    command(notices, "show")(notices_show)
    command(notices, "test")(notices_test)
    app.add_typer(notices, name="notices")
    command(app, "watchdog")(watchdog)


def report(
    session: Session,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Run, by its id; else the last.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--list", help="The last runs, one a line.", show_default=False)] = False,
) -> Answer:
    """Show what a run did: what was checked, what came of it, what was skipped and why."""
    from flows.reporting.show_reports import last_runs, of_run, size_of_reports

    with session.open() as workspace:
        if every:
            found = last_runs(workspace)
            count, size = size_of_reports(workspace)
            return Answer([documents.run(each) for each in found], _runs(found, count, size))
        shown = of_run(workspace, run, language=session.language)
    if shown is None:
        return Answer(None, [say("Nothing has run yet.")])
    return Answer(shown.head, list(shown.lines))


def _runs(found: list[RunFact], count: int, size: int) -> list[Line]:
    from flows.reporting.report_text import FLOWS, WORDS, moment

    rows: list[tuple[Cell, ...]] = [
        (
            each.id,
            FLOWS.get(each.flow, each.flow),
            moment(each.began_at),
            moment(each.ended_at),
            WORDS.get(each.word or "", say("running")),
            (each.counts or {}).get("rows", 0),
        )
        for each in found
    ]
    if not rows:
        return [say("Nothing has run yet.")]
    headings = (say("Run"), say("What"), say("Began"), say("Ended"), say("How"), say("Rows"))
    total = say("{count} reports are kept in the folder reports, {size}.", count=count, size=shapes.size(size))
    return [Table(headings, rows), total]


def incident_list(session: Session, every: AllOption = False) -> Answer:
    """What is wrong now: since when, how often it was seen, who knows of it."""
    from preservation.catalog import incidents

    with session.open() as workspace:
        found = incidents.listed(workspace.catalog.database, closed=every)
    rows: list[tuple[Cell, ...]] = []
    for each in found:
        since, last = moment(each.first_seen), moment(each.last_seen)
        rows.append((each.id, since, last, each.times, _how_it_stands(each), _sentence(each)))
    lines: list[Line] = [say("Nothing is wrong that is known.")]
    if rows:
        columns = (say("Incident"), say("Since"), say("Last seen"), say("Times"), say("Stands"), say("What"))
        lines = [Table(columns, rows)]
    unanswered = any(each.closed_at is None and each.acknowledged_at is None for each in found)
    return Answer(
        [documents.incident(each, session.language) for each in found],
        lines,
        Verdict.FOUND if unanswered else Verdict.WELL,
    )


def incident_show(session: Session, incident: IncidentArgument) -> Answer:
    """Everything about one incident."""
    from flows.reporting.incidents import one

    with session.open() as workspace:
        found = one(workspace, incident)
    return Answer(documents.incident(found, session.language), _incident_lines(found))


def incident_acknowledge(
    session: Session,
    incident: IncidentArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it stays for now; it is recorded.")],
) -> Answer:
    """Say that you know of it and why it stays for now. Recorded as an event; only proof closes it."""
    from flows.reporting.incidents import acknowledge

    with session.open() as workspace:
        found = acknowledge(workspace, incident, reason=reason)
    return Answer(documents.incident(found, session.language), _incident_lines(found))


def _sentence(found: Incident) -> Message:
    from flows.reporting.incidents import sentence

    return sentence(found)


def _how_it_stands(found: Incident) -> Message:
    if found.closed_at is not None:
        return say("closed")
    return say("acknowledged") if found.acknowledged_at is not None else say("open")


def _incident_lines(found: Incident) -> list[Line]:
    from flows.reporting.incidents import CLOSED, KINDS

    lines: list[Line] = [
        say("{incident}: {kind}, {stands}", incident=found.id, kind=KINDS[found.kind], stands=_how_it_stands(found)),
        _sentence(found),
        say(
            "First seen {first}, last seen {last}, {times} times.",
            first=moment(found.first_seen),
            last=moment(found.last_seen),
            times=found.times,
        ),
    ]
    if found.acknowledged_at is not None:
        at = moment(found.acknowledged_at)
        why = found.acknowledged_why
        lines.append(say("Acknowledged {at} by {by}: {why}", at=at, by=found.acknowledged_by, why=why))
    if found.closed_at is not None:
        proof = CLOSED.get(found.closed_why or "", found.closed_why)
        lines.append(say("Closed {at}: {why}.", at=moment(found.closed_at), why=proof))
    return lines


def notices_list(session: Session, every: AllOption = False) -> Answer:
    """Notices that wait to be sent, with what kept them."""
    from preservation.catalog import outbox

    with session.open() as workspace:
        found = outbox.listed(workspace.catalog.database, limit=200, waiting_only=not every)
    rows: list[tuple[Cell, ...]] = [
        (each.id, each.channel, each.subject, each.attempts, each.trouble or _sent(each)) for each in found
    ]
    lines: list[Line] = [say("No notice waits.")]
    if rows:
        lines = [Table((say("Notice"), say("Channel"), say("Subject"), say("Tries"), say("Stands")), rows)]
    failing = any(each.sent_at is None and each.attempts for each in found)
    return Answer([_notice_json(each) for each in found], lines, Verdict.FAILED if failing else Verdict.WELL)


def _sent(each: Notice) -> Cell:
    return say("waits") if each.sent_at is None else say("sent {at}", at=moment(each.sent_at))


def notices_show(
    session: Session, notice: Annotated[str, typer.Argument(metavar="ID", help="Notice, by its id.")]
) -> Answer:
    """One notice, as it is sent."""
    from preservation.catalog import outbox

    with session.open() as workspace:
        found = outbox.find(workspace.catalog.database, notice)
    if len(found) != 1:
        raise UsageError(
            say("There is no notice {notice}.", notice=notice),
            where=notice,
            next_step=say("`vankho notices list --all` shows them."),
        )
    each = found[0]
    lines: list[Line] = [each.subject, "", *each.body.split("\n")]
    if each.trouble is not None:
        lines.append(say("Not sent after {tries} tries: {why}", tries=each.attempts, why=each.trouble))
    return Answer(_notice_json(each) | {"body": each.body}, lines)


def notices_test(
    session: Session, channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Channel of the settings.")]
) -> Answer:
    """Send a test notice through a channel, and say whether it was taken."""
    from flows.reporting.channels import NotSent
    from flows.reporting.notices import test_channel

    with session.open() as workspace:
        try:
            test_channel(workspace, channel, workspace.clock())
            why = None
        except NotSent as error:
            why = error.why
    data = {"channel": channel, "sent": why is None, "reason": None if why is None else str(why)}
    if why is None:
        return Answer(data, [say("{channel}: the notice was taken. See whether it arrived.", channel=channel)])
    return Answer(data, [say("{channel}: not sent. {why}", channel=channel, why=why)], Verdict.FAILED)


def _notice_json(each: Notice) -> dict[str, Any]:
    return {
        "notice": each.id,
        "channel": each.channel,
        "role": each.role,
        "kind": each.kind,
        "run": each.run,
        "subject": each.subject,
        "created_at": each.created_at.isoformat(),
        "tries": each.attempts,
        "next_try_at": _iso(each.next_try_at),
        "sent_at": _iso(each.sent_at),
        "reason": each.trouble,
    }


def watchdog(session: Session) -> Answer:
    """Alarm when an audit that was due did not run, copies are late or a run died. For cron and systemd."""
    from flows.reporting.watchdog import watch
    from wording.translate import translate

    with session.open() as workspace:
        seen = watch(workspace)
        workspace.notices += seen.findings
    lines: list[Line] = [say("Alarm: {text}", text=each.text) for each in seen.alarms]
    if not lines:
        lines = [say("All is well: every audit that was due has run, nothing is late, no run died.")]
    alarms = [{"kind": each.kind, "message": translate(each.text, session.language)} for each in seen.alarms]
    runs = [documents.run(each) for each in seen.last]
    return Answer({"at": seen.at.isoformat(), "alarms": alarms, "last_runs": runs}, lines, seen.verdict)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
