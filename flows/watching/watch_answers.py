"""What is said of a package that a watcher took: to its producer, beside the package, and to whoever watches here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flows.failures import as_finding
from flows.ingest import Ingested
from flows.watching import fetched, outcome_files
from flows.watching.drop_folder import key_of
from flows.watching.outcome_files import Told
from flows.watching.watched import Watched
from flows.workspace import Workspace
from preservation.findings import Finding
from storage_adapters.errors import StorageError
from wording import Message, say
from wording.times import moment


def for_producers(workspace: Workspace, source: str, name: str, done: Ingested) -> tuple[Finding, ...]:
    """What a producer has to know: nothing of our stores, and no path of this machine."""
    theirs = [
        each
        for each in done.findings
        if each.path not in workspace.settings.stores and not each.code.startswith("store-")
    ]
    local = {source, str(fetched.where(workspace.folder, source)[0])}
    return tuple(replace(each, path=name) if each.path in local else each for each in theirs)


_OUTCOMES = {
    "accepted": say("accepted"),
    "already-here": say("already here"),
    "rejected": say("rejected"),
    "failed": say("failed"),
}


def line(name: str, done: Ingested, again: datetime | None) -> Message:
    """What became of the package, in one line; `again` is when it is tried again."""
    word = _OUTCOMES[done.outcome]
    if again is not None:
        reason = done.findings[0].message if done.findings else say("unknown")
        return say("{name}: failed; tried again at {at}. {reason}", name=name, at=moment(again), reason=reason)
    if done.identifier is not None:
        return say("{name}: {outcome}, AIP {identifier}", name=name, outcome=word, identifier=done.identifier)
    reason = done.findings[0].message if done.findings else say("unknown")
    return say("{name}: {outcome}. {reason}", name=name, outcome=word, reason=reason)


def answer(watched: Watched, name: str, what: Told, *, tell: Callable[[Message], None]) -> str | None:
    """Where the outcome was written: beside the package, else in the folder for outcomes; None when nowhere."""
    if not watched.apart:
        try:
            return key_of(watched.place.answer(name, what))
        except (OSError, StorageError) as error:
            reason = as_finding(error).message
            tell(
                say(
                    "The outcome of {name} cannot be written beside it and goes into {folder}: {reason}",
                    name=key_of(name),
                    folder=watched.outcomes,
                    reason=reason,
                )
            )
    try:
        watched.outcomes.mkdir(parents=True, exist_ok=True)
        return key_of(str(outcome_files.write(watched.outcomes, name, what)))
    except OSError as error:
        reason = as_finding(error).message
        tell(say("The outcome of {name} could not be written: {reason}", name=key_of(name), reason=reason))
        return None
