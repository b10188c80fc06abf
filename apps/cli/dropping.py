"""`vankho watch`: packages are taken from drop folders by themselves."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import interrupted, screen
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from apps.cli.ingesting import CollectionOption, PolicyOption, ingested_json
from flows.outcomes import worst_of
from wording import Message, printable_json, say
from wording.times import moment
from wording.translate import translate

if TYPE_CHECKING:
    from flows.watching.watch_state import Waits
    from flows.workspace import Workspace
    from preservation.catalog.deliveries import Delivery

NEWEST = 100  # deliveries that --list shows


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "watch")(take_from)


def take_from(
    session: Session,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Folder to watch; else those of the settings.", show_default=False),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Take what keeps still from now on, then end.", show_default=False)
    ] = False,
    settle: Annotated[
        str | None,
        typer.Option(
            "--settle", metavar="TIME", help="How long a package must keep still: 60s, 5m.", show_default=False
        ),
    ] = None,
    policy: PolicyOption = None,
    collection: CollectionOption = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what was taken, what waits, and why.", show_default=False)
    ] = False,
) -> Answer:
    """Take packages that keep still from drop folders, each once, and write the outcome beside them."""
    from flows.watching.watch import SettingsChanged

    if only_list:
        with session.open() as workspace:
            return _listed(workspace)
    try:
        with _ended_by_signals():
            while True:
                try:
                    return _watched(session, folder, once=once, settle=settle, policy=policy, collection=collection)
                except SettingsChanged:
                    _tell(session, say("The settings have changed and are read anew."))
    except KeyboardInterrupt:
        return Answer({"ended": "as asked"}, [say("Ended as asked.")])


def _watched(
    session: Session,
    folder: Path | None,
    *,
    once: bool,
    settle: str | None,
    policy: str | None,
    collection: str | None,
) -> Answer:
    from flows.watching import watch_places
    from flows.watching.watch import watch

    with session.open() as workspace:
        places = watch_places.places(workspace, folder, settle=settle, policy=policy, collection=collection)
        _tell(session, say("Watching {places}. Ctrl-C ends it.", places=", ".join(p.place.key for p in places)))
        taken, waits = watch(workspace, places, tell=lambda line: _tell(session, line), once=once)
        data = {
            "taken": [ingested_json(each, session.language) for each in taken],
            "waiting": {place: [_waits_json(each) for each in some] for place, some in waits.items()},
        }
        lines: list[Line] = [_waiting(waits)]
        lines.append(say("Taken: {taken}; waiting: {waiting}.", taken=len(taken), waiting=_count(waits)))
        return Answer(data, lines, worst_of(taken))


def _tell(session: Session, line: Message) -> None:
    """As it happens; with --json one document a line on standard error, for the answer comes at the end."""
    from flows import logs

    if session.as_json:
        sys.stderr.write(printable_json({"message": translate(line, session.language)}, indent=None) + "\n")
    else:
        sys.stdout.write(screen.in_words(line, session.language) + "\n")
        sys.stdout.flush()
    logs.note(str(line))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as Ctrl-C does, even where a shell has left that ignored. What follows at once says
    nothing new, and would break off what is just put away.
    """
    heard = -interrupted.SAME

    def asked(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if time.monotonic() - heard > interrupted.SAME:
            heard = time.monotonic()
            raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listed(workspace: Workspace) -> Answer:
    from flows.watching import watch_state
    from preservation.catalog import deliveries

    taken = deliveries.listed(workspace.catalog.database, limit=NEWEST)
    seen = watch_state.read(workspace.folder)
    waits = {place: some for place, (_, some) in seen.items()}
    data = {
        "deliveries": [_delivery_json(each) for each in taken],
        "watched": {place: count for place, (count, _) in seen.items()},
        "waiting": {place: [_waits_json(each) for each in some] for place, some in waits.items()},
    }
    rows: list[tuple[Cell, ...]] = [
        (
            each.name,
            _OUTCOMES[each.outcome],
            moment(each.ended_at or each.began_at),
            each.identifier or "–",
            each.attempts,
            each.place,
        )
        for each in taken
    ]
    headings = (say("Package"), say("Outcome"), say("When"), say("Identifier"), say("Tries"), say("Place"))
    lines: list[Line] = [Table(headings, rows)] if rows else [say("Nothing was taken yet.")]
    lines.append(_waiting(waits))
    lines.append(
        say("Packages that wait: {count}.", count=sum(count for count, _ in seen.values()))
        if seen
        else say("No watcher runs, so nobody knows what waits. `vankho watch` starts one.")
    )
    return Answer(data, lines)


_OUTCOMES = {
    "taking": say("being taken"),
    "accepted": say("accepted"),
    "already-here": say("already here"),
    "rejected": say("rejected"),
    "failed": say("failed"),
}


def _waiting(waits: dict[str, list[Waits]]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.name or "–", _why(each), place) for place, some in waits.items() for each in some[:NEWEST]
    ]
    return Table((say("Waits"), say("Why"), say("Place")), rows)


def _why(each: Waits) -> Message:
    since = moment(each.since)
    match each.why.value:
        case "changing":
            return say("has kept still only since {since}", since=since)
        case "unfinished":
            return say("a file in it is still being written: {file}", file=each.detail)
        case "empty":
            return say("there is nothing in it yet")
        case "marker":
            return say("waiting for its ready marker since {since}", since=since)
        case "later":
            return say("the system failed; tried again at {at}", at=since)
        case "held":
            return say("another watcher has it")
        case "no-package":
            return say("is no package: give a folder, a ZIP or a tar")
        case _:
            return say("the place cannot be looked into")


def _count(waits: dict[str, list[Waits]]) -> int:
    return sum(each.why.value != "no-package" for some in waits.values() for each in some)


def _waits_json(each: Waits) -> dict[str, Any]:
    return {"name": each.name, "why": each.why.value, "at": each.since.isoformat(), "detail": each.detail}


def _delivery_json(each: Delivery) -> dict[str, Any]:
    return {
        "place": each.place,
        "name": each.name,
        "outcome": each.outcome,
        "identifier": each.identifier,
        "version": each.version,
        "began_at": each.began_at.isoformat(),
        "ended_at": None if each.ended_at is None else each.ended_at.isoformat(),
        "attempts": each.attempts,
        "next_try_at": None if each.next_try_at is None else each.next_try_at.isoformat(),
        "run": each.run,
        "told": each.told,
    }
