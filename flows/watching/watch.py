"""`vankho watch`: packages that keep still are taken from the watched places, each once, and answered beside them.

A place is looked at again and again; a package is quiet when two looks, the settle time apart by a clock that never
jumps, found the very same names, sizes and times, or when its producer says so by a marker. Who takes one holds the
lease on its name and looks once more; the catalog keeps what was taken in which state. Nothing of the producer's is
moved, renamed or changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.failures import as_finding
from flows.ingest import Ingested, ingest, ingest_batch
from flows.running.run import carry_out
from flows.settings_files import read_settings, settings_stamp
from flows.watching import outcome_files, watch_answers, watch_state
from flows.watching.drop_folder import Look, Why, key_of
from flows.watching.watch_state import Waits
from flows.watching.watched import Watched
from flows.workspace import Workspace
from preservation.catalog import deliveries
from preservation.catalog.deliveries import FAILED, Delivery
from preservation.catalog.errors import LeaseHeld
from preservation.errors import PackageError, PolicyError, PreservationError
from preservation.findings import Severity
from storage_adapters.errors import StorageError
from wording import Message, say

BATCH = 32  # packages taken together: each is a lease, and a batch ends before anything new is looked at
SHORTEST, SOON, LONGEST = 0.2, 1.0, 15.0  # seconds between two looks
# What keeps a package out although it may be whole: the disk, the rights, a copy that goes on.
_AGAIN = frozenset({"changed-while-read", "file-unreadable", "source-unreadable", "source-not-found"})


class SettingsChanged(Exception):
    """The settings were written and are sound; whoever watches opens the workspace anew and goes on."""


@dataclass(frozen=True, slots=True)
class _Still:
    """Since when a package looks as it does, by a clock that never jumps and by the one on the wall."""

    fingerprint: str
    since: float
    at: datetime


@dataclass(slots=True)
class _Watch:
    workspace: Workspace
    tell: Callable[[Message], None]
    taken: list[Ingested] = field(default_factory=list)
    known: dict[str, dict[str, Delivery]] = field(default_factory=dict)  # by place and name
    still: dict[str, dict[str, _Still]] = field(default_factory=dict)
    waits: dict[str, list[Waits]] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    settings: tuple[object, ...] = ()  # the stamp of those in force
    hurry: bool = False  # a package that its producer calls ready needs but a second look


def watch(
    workspace: Workspace,
    places: Sequence[Watched],
    *,
    tell: Callable[[Message], None],
    once: bool = False,
) -> tuple[list[Ingested], dict[str, list[Waits]]]:
    """Take what is quiet, for ever; with `once` what keeps still for the settle time from now on, and end.

    Gives what was taken and what waits, by place, when it ends; KeyboardInterrupt passes, and what was begun is taken
    by the next one. Raises CatalogError, PolicyError when the policy of a place is wrong at the start, and, but
    never with `once`, SettingsChanged between two packages.
    """
    it = _Watch(workspace, tell, settings=workspace.stamp)
    for each in places:
        workspace.policy(each.policy)
        it.known[each.place.key] = deliveries.newest(workspace.catalog.database, each.place.key)
    pause = max(SHORTEST, min(LONGEST, min(each.settle for each in places) / 4))
    began = time.monotonic()
    try:
        while True:
            more = it.hurry = False
            for each in places:
                quiet = _look(it, each)
                _take(it, each, quiet[:BATCH])
                more = more or len(quiet) > BATCH
                watch_state.write(workspace, each.place.key, it.waits[each.place.key])
            if once and not more and not _may_settle(it, began):
                return it.taken, it.waits
            if not once:
                it.taken.clear()
                _refuse_old_settings(it)
            if not more:
                time.sleep(min(pause, SOON) if it.hurry else pause)
    finally:
        for each in places:
            watch_state.forget(workspace, each.place.key)


def _refuse_old_settings(it: _Watch) -> None:
    """Keys of stores and of places may be other ones now. Raises SettingsChanged."""
    stamp = settings_stamp(it.workspace.folder)
    if stamp == it.settings:
        return
    it.settings = stamp
    try:
        read_settings(it.workspace.folder)
    except PolicyError as error:
        it.tell(say("The settings are wrong now, and those of before stay in force: {reason}", reason=error.what))
        return
    raise SettingsChanged


def _may_settle(it: _Watch, began: float) -> bool:
    """Whether a package that has kept still from the first look on needs only time."""
    first = began + LONGEST
    return any(
        each.why is Why.CHANGING and it.still[place][each.name].since <= first and each.unchanged
        for place, waits in it.waits.items()
        for each in waits
    )


def _look(it: _Watch, watched: Watched) -> list[Look]:
    """The packages of the place that are quiet; the others are put down as waiting, with why."""
    place, now, moment = watched.place, it.workspace.clock(), time.monotonic()
    known, before = it.known[place.key], it.still.get(place.key, {})
    still: dict[str, _Still] = {}
    waits: list[Waits] = []
    quiet: list[Look] = []
    try:
        for look in place.looks():
            key = key_of(look.name)
            delivery = known.get(key)
            if look.why is Why.NO_PACKAGE:
                waits.append(Waits(key, look.why, now))
                continue
            if delivery is not None and delivery.is_settled(look.fingerprint, now):
                if delivery.outcome == FAILED:
                    waits.append(Waits(key, Why.LATER, delivery.next_try_at or now))
                else:
                    place.settled(look.name, look.fingerprint)
                continue
            seen = before.get(key)
            same = seen is not None and seen.fingerprint == look.fingerprint
            still[key] = seen if same and seen is not None else _Still(look.fingerprint, moment, now)
            if look.why is not None:
                waits.append(Waits(key, look.why, still[key].at, look.detail))
            elif same and (look.marked or moment - still[key].since >= watched.settle):
                quiet.append(look)
            else:
                it.hurry = it.hurry or look.marked
                waits.append(Waits(key, Why.CHANGING, still[key].at, unchanged=seen is None or same))
    except (OSError, StorageError) as error:
        _is_away(it, watched, as_finding(error).message)
        it.waits[place.key] = [Waits("", Why.AWAY, now)]
        return []
    it.away.discard(place.key)
    it.still[place.key], it.waits[place.key] = still, waits
    return quiet


def _is_away(it: _Watch, watched: Watched, reason: Message) -> None:
    if watched.place.key not in it.away:
        it.away.add(watched.place.key)
        it.tell(say("{place} cannot be looked into: {reason}", place=watched.place.key, reason=reason))


def _take(it: _Watch, watched: Watched, quiet: Sequence[Look]) -> None:
    """Take these packages as one batch, those of them that nobody else has or had."""
    if not quiet:
        return
    workspace, place = it.workspace, watched.place
    with ExitStack() as held:
        begun: list[tuple[Look, int, int]] = []
        for look in quiet:
            if _is_mine(it, watched, look, held):
                number, attempt = deliveries.begin(
                    workspace.catalog.database, place.key, key_of(look.name), look.fingerprint, now=workspace.clock()
                )
                begun.append((look, number, attempt))
        if not begun:
            return
        it.tell(say("{place}: {count} packages are quiet and are taken in.", place=place.key, count=len(begun)))
        done = _ingested(it, watched, [look for look, _, _ in begun])
        for (look, number, attempt), each in zip(begun, done, strict=True):
            _conclude(it, watched, look, each, number=number, attempt=attempt)
    for notice in workspace.notices:
        it.tell(say("{place}: {notice}", place=notice.path or "-", notice=notice.message))
    workspace.notices.clear()
    workspace.reported.clear()


def _is_mine(it: _Watch, watched: Watched, look: Look, held: ExitStack) -> bool:
    """Whether the package is ours to take: nobody else has it, nobody took it meanwhile, and it is as it was."""
    workspace, place, key = it.workspace, watched.place, key_of(look.name)
    try:
        held.enter_context(workspace.lease_now(f"delivery {place.key} {key}"))
    except LeaseHeld:
        it.waits[place.key].append(Waits(key, Why.HELD, workspace.clock()))
        return False
    last = deliveries.last(workspace.catalog.database, place.key, key)
    if last is not None:
        it.known[place.key][key] = last
        if last.is_settled(look.fingerprint, workspace.clock()):
            return False
    try:
        again = place.look_at(look.name)
    except StorageError:
        return False
    return again is not None and again.fingerprint == look.fingerprint


def _ingested(it: _Watch, watched: Watched, looks: Sequence[Look]) -> list[Ingested]:
    """Take them in, a single one as a run of its own; whatever fails as a whole fails each of them."""
    workspace, place = it.workspace, watched.place
    asked = {"policy": watched.policy, "collection": watched.collection}
    sources = [place.source(look.name) for look in looks]
    failed: dict[str, Ingested] = {}
    try:
        for look, source in zip(looks, sources, strict=True):
            try:
                place.fetch(workspace, look.name)
            except PackageError as error:
                failed[source] = Ingested(source, "rejected", findings=error.findings)
            except (PreservationError, StorageError, OSError) as error:
                failed[source] = Ingested(source, "failed", findings=(as_finding(error),))
        wanted = [source for source in sources if source not in failed]
        if len(wanted) == 1:
            done = [carry_out(workspace, ingest, source=wanted[0], **asked)]
        else:
            done = carry_out(workspace, ingest_batch, sources=wanted, **asked) if wanted else []
    except Exception as error:  # noqa: BLE001 - the watch goes on, and tries again
        reason = as_finding(error)
        return [Ingested(source, "failed", findings=(reason,)) for source in sources]
    finally:
        for look in looks:
            with suppress(OSError):
                place.let_go(workspace, look.name)
    taken = dict(zip(wanted, done, strict=True)) | failed
    return [taken[source] for source in sources]


def _conclude(it: _Watch, watched: Watched, look: Look, done: Ingested, *, number: int, attempt: int) -> None:
    """Answer the producer, then note that it is over: a watcher killed in between is answered for once more."""
    workspace, place, key, now = it.workspace, watched.place, key_of(look.name), it.workspace.clock()
    errors = {each.code for each in done.findings if each.severity is Severity.ERROR}
    if done.outcome == "rejected" and errors and errors <= _AGAIN:
        done = replace(done, outcome="failed")
    again = deliveries.next_try(attempt, now) if done.outcome == "failed" else None
    policy = watched.policy or workspace.settings.policy
    shown = replace(done, findings=watch_answers.for_producers(workspace, place.source(look.name), look.name, done))
    what = outcome_files.told(shown, look.name, at=now, policy=policy, again=again)
    gone = any(each.code == "source-not-found" for each in done.findings)
    where = None if gone else watch_answers.answer(watched, look.name, what, tell=it.tell)
    reason = next((each.message for each in done.findings if each.severity is Severity.ERROR), None)
    run = workspace.reported[-1].get("run") if workspace.reported else None
    deliveries.end(
        workspace.catalog.database,
        number,
        done.outcome,
        now=now,
        identifier=done.identifier,
        version=done.version,
        run=str(run) if run is not None else None,
        reason=reason,
        told=where,
        again=again,
    )
    last = deliveries.last(workspace.catalog.database, place.key, key)
    if last is not None:
        it.known[place.key][key] = last
    if done.outcome != FAILED:
        place.settled(look.name, look.fingerprint)
    it.still[place.key].pop(key, None)
    it.taken.append(done)
    it.tell(watch_answers.line(key, done, again))
