"""What follows from a run for people: incidents opened and closed, digests put into the outbox, notices sent.

Whatever goes wrong here is a notice on the screen and nothing else: the run has ended, and its verdict stands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flows.failures import as_finding
from flows.outcomes import Verdict
from flows.reporting import digests, incidents, notices
from flows.reporting.incidents import Seen
from flows.reporting.report_files import message_of
from flows.reporting.rows import Row
from flows.reporting.tally import Tally
from flows.workspace import Workspace
from preservation.catalog import incidents as kept
from preservation.findings import Finding, Severity, message_as_json
from wording import Message, say

AGAIN = 3600.0  # seconds between two notices at once of one run: the first damage is told now, the next together


@dataclass
class AtOnce:
    """Tells of damage while the run goes on. Safe to share between threads."""

    workspace: Workspace
    last: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, row: Row, policies: list[str]) -> None:
        """A row was told; never raises."""
        if row.outcome != "damaged":
            return
        with self.lock:
            if self.last is not None and time.monotonic() - self.last < AGAIN:
                return
            self.last = time.monotonic()
        with _only_a_notice(self.workspace):
            if notices.tell_at_once(self.workspace, policies):
                notices.send_waiting(self.workspace)


def after_run(workspace: Workspace, head: Mapping[str, Any], tally: Tally, not_compared: tuple[str, ...]) -> None:
    """Do what follows from the run that has just ended; never raises. `head` is what report.json says of it."""
    with _only_a_notice(workspace):
        incidents.after_run(workspace, _seen(head, tally, not_compared), workspace.clock())
    with _only_a_notice(workspace):
        notices.tell_at_once(workspace, head["policies"])
        digests.after_run(workspace, head, tally.refused)
    with _only_a_notice(workspace):
        workspace.notices += notices.send_waiting(workspace)


def broken_off(workspace: Workspace, run: str, flow: str) -> None:
    """A run died, and another one found it so. Raises CatalogError."""
    why = say("Its process died. What it had done stands; run the same command again to go on.")
    detail = message_as_json(say("Run {run} of {flow} failed. {reason}", run=run, flow=flow, reason=why))
    database, now = workspace.catalog.database, workspace.clock()
    kept.see(database, kept.RUN_FAILED, about=flow, flow=flow, detail=detail, now=now)


def _seen(head: Mapping[str, Any], tally: Tally, not_compared: tuple[str, ...]) -> Seen:
    away: dict[str, Message] = {store: say("It did not answer.") for store in not_compared}
    for store, reason in tally.away.items():
        sentence = message_of((reason or {}).get("message"))
        if sentence is not None:
            away[store] = sentence
    failed = None
    if head["verdict"] == Verdict.FAILED and (head["reason"] is not None or not away):
        failed = message_of(head["reason"]) or _first_failure(tally)
    return Seen(
        run=head["run"],
        flow=head["flow"],
        away=away,
        reached=frozenset(tally.reached),
        failed=failed,
        interrupted=head["word"] in ("interrupted", "usage"),
    )


def _first_failure(tally: Tally) -> Message:
    for word, code in tally.reasons:
        if word in ("failed", "unreadable"):
            found = message_of(tally.sentences.get(code, {}).get("message"))
            if found is not None:
                return found
    return say("Its report says why.")


@contextmanager
def _only_a_notice(workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - nothing that only tells of a run may change how it ended
        text = say("What follows from this run could not all be told: {reason}", reason=as_finding(error).message)
        workspace.notices.append(Finding("not-all-told", Severity.WARNING, text))
