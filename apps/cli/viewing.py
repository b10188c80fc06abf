"""`vankho show` and `vankho events`: what there is, how it stands, and what happened to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import documents, shapes
from apps.cli.answer import Answer, Line, Table
from apps.cli.command import Session, command
from flows.outcomes import Verdict
from preservation.facts import AIPVersion, FileFact, FormatFact, Role
from wording import say
from wording.times import moment

if TYPE_CHECKING:
    from flows.standing import Shown
    from flows.workspace import Workspace
    from preservation.catalog.chain import RecordedEvent


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app)(show)
    command(app)(events)


def show(
    session: Session,
    reference: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="AIP, by identifier or its beginning; everything when none is named."),
    ] = None,
    standing: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="List the versions that are safe, overdue, unknown, under-replicated or damaged; or all.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Go on in the list from here.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many to list.")] = 100,
) -> Answer:
    """Show how everything stands, in one table; the versions of a standing, in pages; or one AIP with its copies."""
    from flows.references import versions_named
    from flows.standing import shown

    with session.open() as workspace:
        if reference is None:
            return _everything(session, workspace, standing, after=after, limit=limit)
        seen = shown(workspace, versions_named(workspace, [reference]))
    data = [documents.version_standing(each, session.language) for each in seen]
    return Answer(data, _in_full(seen), _verdict(any(each.grave for each in seen)))


def _everything(session: Session, workspace: Workspace, word: str | None, *, after: str | None, limit: int) -> Answer:
    from apps.cli import overview
    from flows import standing
    from flows.storing.retire import findings

    if word is None:
        told = standing.overview(workspace)
        few = told.summary.versions.number <= shapes.SHOWN
        listed = standing.page(workspace, standing.ALL).versions if few else []
        lines = [*overview.lines(told), *_list(standing.shown(workspace, listed))]
        lines += shapes.finding_lines(findings(told.gone), session.language)
        return Answer(standing.as_plain(told), lines, _verdict(told.grave))
    page = standing.page(workspace, word, after=after, limit=limit)
    seen = standing.shown(workspace, page.versions)
    lines = overview.page(_list(seen), word, then=page.next, unjudged=page.unjudged)
    data = documents.standing_page(word, page, seen, session.language)
    return Answer(data, lines, _verdict(any(each.grave for each in seen)))


def _verdict(grave: bool) -> Verdict:
    return Verdict.FOUND if grave else Verdict.WELL


def _list(seen: Sequence[Shown]) -> list[Line]:
    headings = (say("AIP"), say("Version"), say("Title or source"), say("Files"), say("Copies"), say("Standing"))
    rows = [
        (
            each.version.identifier[: shapes.SHORT],
            each.version.version,
            each.version.title or each.version.source.rsplit("/", 1)[-1],
            each.version.files,
            each.standing.proved,
            shapes.outcome(each.standing.word.value),
        )
        for each in seen
    ]
    return [Table(headings, rows)] if rows else []


def _in_full(seen: Sequence[Shown]) -> list[Line]:
    from flows.reporting.incidents import sentence

    lines: list[Line] = []
    for each in seen:
        version, stand = each.version, each.standing
        word = shapes.outcome(stand.word.value)
        lines += [
            say(
                "AIP {identifier} version {version}: {standing}",
                identifier=version.identifier,
                version=version.version,
                standing=word,
            ),
            *(say("  because: {reason}", reason=reason) for reason in stand.reasons),
            say("  title: {title}", title=version.title or "–"),
            say("  producer identifier: {identifier}", identifier=version.producer_identifier or "–"),
            say("  collection: {collection}", collection=version.collection or "–"),
            say("  source: {source}", source=version.source),
            say("  admitted: {at}, policy {policy}", at=moment(version.admitted_at), policy=version.policy),
            say("  payload: {files} files, {size}", files=version.files, size=shapes.size(version.bytes)),
            shapes.replica_table(each.replicas),
        ]
        lines += [
            say(
                "  next audit: {store}, {grade}, due {at}",
                store=due.store,
                grade=shapes.GRADES[due.grade],
                at=moment(due.due_at),
            )
            for due in stand.due[:1]
        ]
        lines += [
            say(
                "  incident {incident}: {message} First seen {since}, {times} times; "
                "`vankho incident show {incident}`.",
                incident=trouble.id[: shapes.SHORT],
                message=sentence(trouble),
                since=moment(trouble.first_seen),
                times=trouble.times,
            )
            for trouble in each.incidents
        ]
    return lines


class Form(StrEnum):
    """How events are printed."""

    TEXT = "text"
    JSON = "json"
    PREMIS = "premis"


def events(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="ID", help="AIP, by identifier or its beginning.")],
    form: Annotated[Form, typer.Option("--format", help="text, json or premis.")] = Form.TEXT,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="Only this version.", show_default=False)
    ] = None,
) -> Answer:
    """Show the history of an AIP; premis prints PREMIS 3 XML of its files and events."""
    from flows.references import version_named

    with session.open() as workspace:
        wanted = version_named(workspace, reference, version)
        if form is Form.PREMIS and not session.as_json:
            _print_premis(workspace, wanted)
            return Answer(None, [])
        recorded = [
            each
            for each in workspace.catalog.events(identifier=wanted.identifier)
            if version is None or each.event.version == version
        ]
    data = [_event_json(each) for each in recorded]
    rows = [
        (
            each.seq,
            moment(each.event.at),
            shapes.EVENTS[each.event.type],
            shapes.EVENT_OUTCOMES[each.event.outcome],
            each.event.store or "–",
            each.event.agent,
        )
        for each in recorded
    ]
    headings = (say("No."), say("Time"), say("Event"), say("Outcome"), say("Store"), say("Agent"))
    return Answer(data, [Table(headings, rows)], always_json=form is Form.JSON)


def _event_json(each: RecordedEvent) -> dict[str, Any]:
    event = asdict(each.event)
    return {
        **event,
        "type": each.event.type.value,
        "outcome": each.event.outcome.value,
        "at": each.event.at.isoformat(),
        "seq": each.seq,
        "previous": each.previous,
        "digest": each.digest,
    }


def _print_premis(workspace: Workspace, version: AIPVersion) -> None:
    from preservation.bags.premis import write_premis

    def files() -> Iterator[tuple[FileFact, FormatFact | None]]:
        for fact in workspace.catalog.objects(version.identifier, version.version):
            if fact.role is Role.PAYLOAD:
                path = fact.path.removeprefix("data/")
                yield FileFact(path, fact.size, {"sha256": fact.sha256}, fact.original_name), fact.format

    write_premis(
        sys.stdout.buffer,
        identifier=version.identifier,
        version=version.version,
        files=files(),
        events=(each.event for each in workspace.catalog.events(identifier=version.identifier)),
    )
    sys.stdout.buffer.write(b"\n")
