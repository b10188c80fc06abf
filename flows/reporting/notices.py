"""Notices: one digest a run and role, at once only what cannot wait, and never the same twice in a day.

Each is put into the outbox first, in the catalog, and sent from there; one that cannot be sent stays, is seen, and is
tried again by the next runs. Sending never holds up a run for long and never changes how it ended.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows import logs
from flows.reporting import channels
from flows.reporting.channels import FOLDER, NotSent
from flows.reporting.incidents import sentence
from flows.workspace import Workspace
from policies.model import Notification
from preservation.catalog import incidents, outbox
from preservation.catalog.errors import LeaseHeld
from preservation.catalog.outbox import Notice
from preservation.errors import PolicyError, UsageError
from preservation.findings import Finding, Severity
from wording import Message, say
from wording.times import moment
from wording.translate import translate

OFFICER, SYSADMIN = "officer", "sysadmin"
ROLES = (OFFICER, SYSADMIN)
DIGEST = "digest"
SAME_WITHIN = timedelta(hours=24)  # the same again is not sent before
AT_ONCE = {  # kind of incident → word in a policy, and who is told
    incidents.DAMAGE: ("damage", (OFFICER,)),
    incidents.AUDITOR_SILENT: ("auditor-silent", ROLES),
    incidents.OVERDUE: ("auditor-silent", ROLES),
    incidents.CLOCK: ("auditor-silent", (SYSADMIN,)),
}
AT_MOST = 20  # incidents in one notice; the rest is counted
SENT_IN_A_RUN = 50
ONE_BY_ONE = 4  # more of one channel are one mail
PATIENCE = 30.0  # seconds that a run spends on sending

Line = Message | str


@dataclass(frozen=True, slots=True)
class Recipient:
    """One channel of one role, and its language."""

    channel: str
    role: str
    language: str


def recipients(workspace: Workspace, policies: Sequence[str], role: str) -> list[Recipient]:
    """Who is told, by the policies that a run worked by; the folder always is. The first policy settles languages."""
    found: dict[str, Recipient] = {}
    rules = list(_notifications(workspace, policies))
    for rule in rules:
        for name in rule.officer if role == OFFICER else rule.sysadmin:
            found.setdefault(name, Recipient(name, role, rule.language))
    return [*found.values(), Recipient(FOLDER, role, rules[0].language if rules else "vi")]


def _notifications(workspace: Workspace, policies: Sequence[str]) -> Sequence[Notification]:
    found = []
    for name in policies or [workspace.settings.policy]:
        try:
            found.append(workspace.policy(name).notification)
        except PolicyError:
            continue  # a policy that is wrong is told where it is used
    return found


def put(
    workspace: Workspace,
    to: Sequence[Recipient],
    kind: str,
    subject: Line,
    body: Sequence[Line],
    *,
    content: object,
    run: str | None = None,
) -> int:
    """Put the notice into the outbox for each; how many were new. `content` is what it says, as plain JSON, without
    what differs from run to run. Raises CatalogError.
    """
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    new = 0
    for each in to:
        new += outbox.put(
            workspace.catalog.database,
            uuid.uuid4().hex[:12],
            channel=each.channel,
            role=each.role,
            kind=kind,
            run=run,
            subject=_in(each.language, subject),
            body="\n".join(_in(each.language, line) for line in body) + "\n",
            content=digest,
            now=workspace.clock(),
            same_within=SAME_WITHIN,
        )
    return new


def _in(language: str, line: Line) -> str:
    return translate(line, language) if isinstance(line, Message) else line


def tell_at_once(workspace: Workspace, policies: Sequence[str]) -> int:
    """Put what cannot wait and was not told yet into the outbox: one notice for all of a kind; how many incidents."""
    database, told = workspace.catalog.database, 0
    wanted = {word for rule in _notifications(workspace, policies) for word in rule.immediate}
    for kind, (word, roles) in AT_ONCE.items():
        found = incidents.listed(database, kinds=[kind], untold=True)
        if not found or word not in wanted:
            continue
        body: list[Line] = [sentence(each) for each in found[:AT_MOST]]
        if len(found) > AT_MOST:
            body.append(say("… and {count} more.", count=len(found) - AT_MOST))
        body += ["", *_next_step(kind)]
        for role in roles:
            subject = _subject(kind, len(found))
            put(workspace, recipients(workspace, policies, role), word, subject, body, content=[e.id for e in found])
        incidents.told(database, [each.id for each in found], workspace.clock())
        told += len(found)
    return told


def _subject(kind: str, count: int) -> Message:
    match kind:
        case incidents.DAMAGE:
            return say("Vankho: {count} damaged copies found", count=count)
        case incidents.CLOCK:
            return say("Vankho: the clock of this machine is wrong")
        case incidents.OVERDUE:
            return say("Vankho: copies were not proved in time")
        case _:
            return say("Vankho: the audit that was due did not run")


def _next_step(kind: str) -> list[Line]:
    if kind == incidents.DAMAGE:
        return [
            say("`vankho incident list` shows them; `vankho repair` brings damaged copies back from proved ones."),
            say("Whoever knows why one stays: `vankho incident acknowledge ID --reason TEXT`."),
        ]
    return [say("`vankho watchdog` says how it stands now; `vankho report --list` shows the last runs.")]


def send_waiting(workspace: Workspace, *, patience: float = PATIENCE) -> list[Finding]:
    """Send what is due, as far as the patience goes; a finding for each channel that did not take its notices.

    Nobody else sends meanwhile; when another process does, it is left to that. Raises CatalogError.
    """
    database, until = workspace.catalog.database, time.monotonic() + patience
    waiting = outbox.due(database, workspace.clock(), limit=SENT_IN_A_RUN)
    if not waiting:
        return []
    troubles: dict[str, Message] = {}
    try:
        with workspace.catalog.lease("notices", owner="vankho", now=workspace.clock, wait=0.0):
            for mail in _mails(outbox.due(database, workspace.clock(), limit=SENT_IN_A_RUN)):
                channel = mail[0].channel
                if channel in troubles or time.monotonic() > until:
                    continue  # its turn comes with the next run
                trouble = _sent(workspace, mail)
                if trouble is not None:
                    troubles[channel] = trouble
    except LeaseHeld:
        return []
    return [_not_sent(name, why) for name, why in troubles.items()]


def _mails(due: Sequence[Notice]) -> list[list[Notice]]:
    """What is sent together: all that gathered for a channel while it was away is one mail, and no flood."""
    by_channel: dict[str, list[Notice]] = {}
    for notice in due:
        by_channel.setdefault(notice.channel, []).append(notice)
    mails: list[list[Notice]] = []
    for channel, gathered in by_channel.items():
        together = channel != FOLDER and len(gathered) > ONE_BY_ONE
        mails += [gathered] if together else [[notice] for notice in gathered]
    return mails


def _sent(workspace: Workspace, mail: Sequence[Notice]) -> Message | None:
    """Send it; why it could not be sent, None when it was."""
    database, first = workspace.catalog.database, mail[0]
    subject, body = first.subject, first.body
    if len(mail) > 1:
        gathered = say("Vankho: {count} notices that could not be sent before", count=len(mail))
        subject = translate(gathered, _language(workspace))
        body = "\n\n".join(f"{moment(each.created_at)} {each.subject}\n\n{each.body}" for each in mail)
    try:
        if first.channel == FOLDER:
            channels.write_down(workspace.folder, first)
        else:
            channel = workspace.settings.notices.channels.get(first.channel)
            channels.send(channel, subject, body, name=first.channel)
    except NotSent as error:
        logs.note("notices not sent", channel=first.channel, count=len(mail), why=str(error.why))
        for notice in mail:
            outbox.failed(database, notice, str(error.why), workspace.clock())
        return error.why
    for notice in mail:
        outbox.sent(database, notice, workspace.clock())
    return None


def _language(workspace: Workspace) -> str:
    """That of the workspace's own policy: mail gathered from many runs has no other."""
    return next((rule.language for rule in _notifications(workspace, [])), "vi")


def _not_sent(channel: str, why: Message) -> Finding:
    text = say(
        "Notices to channel {channel} could not be sent and wait; `vankho notices list` shows them. {why}",
        channel=channel,
        why=why,
    )
    return Finding("notice-not-sent", Severity.WARNING, text, path=channel)


def test_channel(workspace: Workspace, channel: str, now: datetime) -> None:
    """Send a short notice through the channel, now. Raises UsageError for an unknown one, NotSent."""
    known = workspace.settings.notices.channels
    if channel not in known:
        raise UsageError(
            say("There is no channel named {channel} in the settings.", channel=channel),
            where="vankho.toml: notices.channels",
            expected=", ".join(known) or "-",
            next_step=say("Add it as [notices.channels.NAME] with its url to vankho.secrets.toml."),
        )
    subject, body = say("Vankho: a test notice"), say("Sent {at} to see whether it arrives.", at=moment(now))
    lines = [translate(body, language) for language in ("vi", "en")]
    channels.send(known[channel], translate(subject, "vi"), "\n".join(lines), name=channel)
