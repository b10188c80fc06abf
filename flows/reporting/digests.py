"""What a run tells people when it is over: a digest for the officer, another for the system administrator.

The officer reads of the content: standing, damage, rejected packages. The sysadmin reads of the machinery: what
failed, stores that are away, copies that wait, notices that do not get through. Who has nothing to read gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows.reporting import incidents as troubles
from flows.reporting.notices import DIGEST, OFFICER, SYSADMIN, Line, put, recipients
from flows.reporting.report_files import message_of
from flows.reporting.report_text import FLOWS, OUTCOMES, WORDS, moment
from flows.workspace import Workspace
from preservation.catalog import incidents, outbox
from preservation.catalog.incidents import Incident
from wording import say

_OFFICERS = (incidents.DAMAGE, incidents.UNREADABLE, incidents.TOO_FEW, incidents.OVERDUE, incidents.AUDITOR_SILENT)
_OF_CONTENT = frozenset({"damaged", "rejected", "altered", "disagrees", "accepted", "already-here"})
_STANDINGS = {
    "safe": say("safe"),
    "under-replicated": say("under-replicated"),
    "overdue": say("overdue"),
    "damaged": say("damaged"),
    "unknown": say("unknown"),
}
AT_MOST = 20


def after_run(workspace: Workspace, head: Mapping[str, Any], refused: Sequence[tuple[str, str]]) -> None:
    """Put the digests of the run into the outbox. `head` is what report.json says before its rows, `refused` are
    outcome and source of the first packages that were not taken in.
    """
    database, counts = workspace.catalog.database, head["counts"]
    open_now = incidents.listed(database, limit=AT_MOST * 10)
    failing = [each for each in outbox.waiting(database) if each[2]]
    if head["word"] == "well" and not counts["rows"]:
        return  # nothing was done and nothing is new
    for role in (OFFICER, SYSADMIN):
        mine = [each for each in open_now if (each.kind in _OFFICERS) == (role == OFFICER)]
        if role == SYSADMIN and head["word"] in ("well", "found") and not mine and not failing:
            continue
        body = [*_run(head), *_reasons(head, role), *_refused(refused, role), *_open(mine)]
        body += _standing(workspace) if role == OFFICER else _waiting(workspace, failing)
        body += ["", say("The report: {report}", report=head["report"] or "–")]
        subject = say("Vankho: {flow}, {word}", flow=FLOWS.get(head["flow"], head["flow"]), word=WORDS[head["word"]])
        content = [
            *(head["flow"], head["word"], counts["packages"], counts["copies"], counts["stores"]),
            *([each["outcome"], each["code"], each["rows"]] for each in counts["reasons"]),
            *([each.id, each.acknowledged_at is not None] for each in mine),
            [channel for channel, *_ in failing] if role == SYSADMIN else [],
            [list(each) for each in refused],
        ]
        to = recipients(workspace, head["policies"], role)
        put(workspace, to, DIGEST, subject, body, content=content, run=head["run"])


def _run(head: Mapping[str, Any]) -> Iterator[Line]:
    counts = head["counts"]
    yield say(
        "Run {run}, began {began}, ended {ended}. {word}",
        run=head["run"],
        began=moment(head["began"]),
        ended=moment(head["ended"]),
        word=WORDS[head["word"]],
    )
    if (reason := message_of(head["reason"])) is not None:
        yield reason
    for what, title in (("packages", say("Packages")), ("copies", say("Copies")), ("stores", say("Stores"))):
        if counts[what]["checked"]:
            yield say("{title}: {count} checked", title=title, count=counts[what]["checked"])
            for word, count in counts[what].items():
                if word != "checked" and count:
                    yield say("  {count} {outcome}", count=count, outcome=OUTCOMES.get(word, word))


def _reasons(head: Mapping[str, Any], role: str) -> Iterator[Line]:
    mine = [
        each
        for each in head["counts"]["reasons"]
        if each["outcome"] not in ("accepted", "already-here", "intact", "repaired")
        and (each["outcome"] in _OF_CONTENT) == (role == OFFICER)
    ]
    if mine:
        yield ""
        yield say("Why:")
    for each in mine[:AT_MOST]:
        text = message_of(each["first"]["message"]) if each["first"] else None
        outcome = OUTCOMES.get(each["outcome"], each["outcome"])
        yield say("  {count} {outcome}: {text}", count=each["rows"], outcome=outcome, text=text or each["code"])


def _refused(refused: Sequence[tuple[str, str]], role: str) -> Iterator[Line]:
    """Which packages; a rejected one is the officer's matter, a failed one the sysadmin's."""
    mine = [each for each in refused if (each[0] in _OF_CONTENT) == (role == OFFICER)]
    if mine:
        yield ""
        yield say("Packages that were not taken in:")
    for outcome, source in mine:
        yield say("  {outcome}: {source}", outcome=OUTCOMES.get(outcome, outcome), source=source)


def _open(mine: list[Incident]) -> Iterator[Line]:
    if mine:
        yield ""
        yield say("Open incidents: {count}", count=len(mine))
    for each in mine[:AT_MOST]:
        since = moment(each.first_seen)
        line = say("  {incident} since {since}: {text}", incident=each.id, since=since, text=troubles.sentence(each))
        if each.acknowledged_at is None:
            yield line
        else:
            why = each.acknowledged_why
            yield say("{line} Acknowledged by {by}: {why}", line=line, by=each.acknowledged_by, why=why)


def _standing(workspace: Workspace) -> list[Line]:
    summary = workspace.catalog.standing(workspace.clock())
    lines: list[Line] = ["", say("AIPs: {count}, by standing:", count=summary.aips)]
    for word, count in summary.words.items():
        if count.number:
            lines.append(say("  {count} {outcome}", count=count.number, outcome=_STANDINGS.get(word, str(word))))
    return lines


def _waiting(workspace: Workspace, failing: list[tuple[str, int, int]]) -> list[Line]:
    lines: list[Line] = [""]
    for store in workspace.settings.stores:
        waiting = workspace.catalog.waiting(store)
        if waiting.absent.number or waiting.unproved.number:
            count, size = (
                waiting.absent.number + waiting.unproved.number,
                waiting.absent.bytes + waiting.unproved.bytes,
            )
            since = moment(waiting.oldest)
            text = say(
                "{store}: {count} copies wait ({size} bytes), the oldest since {since}",
                store=store,
                count=count,
                size=size,
                since=since,
            )
            lines.append(text)
    for channel, count, _tried in failing:
        lines.append(say("Channel {channel}: {count} notices could not be sent", channel=channel, count=count))
    return lines
