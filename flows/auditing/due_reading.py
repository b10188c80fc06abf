"""The reading of one store at one grade: copy after copy of today's share, each recorded as soon as it is proved.

Promises that what was read counts for the day's budget, whatever ends the reading; that no copy is read twice where
several runs read. Memory is flat: of copies that are well only counts are kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.audit import FINDINGS_LEAST, FINDINGS_TOLD, Audited, prove_copy, shortened
from flows.auditing.by_store import Heed
from flows.auditing.due_account import Account
from flows.auditing.due_takings import WEAKEST_FIRST, Taking, candidates
from flows.outcomes import Verdict
from flows.references import version_named
from flows.workspace import Workspace
from policies.plan import Use, Why
from preservation.catalog.errors import LeaseHeld
from preservation.catalog.listing import DueCopy
from preservation.catalog.loads import count_due
from preservation.facts import Grade, Outcome
from preservation.findings import Finding
from preservation.progress import Progress
from wording import Message

NOTHING_DUE = "nothing due"
TOLD = 1000  # copies that are not intact, of one store and grade


@dataclass(frozen=True, slots=True)
class DueAudited:
    """What became of today's share in one store at one grade. `waiting` copies are due still, and `held` says why
    the first of them was left; `busy` names another run that reads there; `opens` is when the window opens next.
    `paused` of those waiting could not be read, and are tried again from `again` on.
    """

    store: str
    grade: Grade
    outcomes: Mapping[str, int]
    wrong: tuple[Audited, ...] = ()
    objects: int = 0
    bytes: int = 0
    requests: int = 0
    money: float = 0.0
    currency: str = ""
    seconds: float = 0.0
    waiting: int = 0
    held: Why | None = None
    away: Finding | None = None
    busy: Message | None = None
    opens: datetime | None = None
    paused: int = 0
    again: datetime | None = None

    @property
    def copies(self) -> int:
        """How many copies were looked at."""
        return sum(self.outcomes.values())

    @property
    def verdict(self) -> Verdict:
        """The gravest of its copies; a store that is away fails; what a budget or a window forbids does not."""
        gravest = max((each.verdict for each in self.wrong), default=Verdict.WELL)
        return max(gravest, Verdict.FAILED) if self.away else gravest

    @property
    def word(self) -> str:
        """The worst outcome among the copies, or that nothing was due."""
        for each in (Outcome.DAMAGED, Outcome.UNREADABLE, Outcome.INTACT):
            if self.outcomes.get(each.value):
                return each.value
        return NOTHING_DUE if self.held is None and self.busy is None else "waiting"


@dataclass(slots=True)
class Reading:
    """One reading of one store at one grade: what was seen so far, and what each policy still takes."""

    workspace: Workspace
    store: str
    grade: Grade
    shares: dict[str, Taking]
    until: datetime | None
    progress: Progress
    heed: Heed
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[Audited] = field(default_factory=list)
    room: int = FINDINGS_TOLD
    away: Finding | None = None
    stopped: Why | None = None
    accounts: dict[str, Account] = field(default_factory=dict)

    def read(self) -> DueAudited:
        """Read until the share is read, the time is up, or the store is away; the accounts are kept in every case."""
        began = time.monotonic()
        self.accounts = {name: self._account(taking) for name, taking in self.shares.items()}
        try:
            for copy, taking in candidates(self.workspace, self.store, self.grade, self.shares):
                if not self._goes_on():
                    break
                self._offer(copy, taking)
        except BaseException:
            self.stopped = Why.STOPPED
            raise
        finally:
            for account in self.accounts.values():
                account.conclude(self.stopped)
        return self._told(time.monotonic() - began)

    def _account(self, taking: Taking) -> Account:
        return Account(self.workspace, self.store, self.grade, taking, heed=self.heed)

    def _goes_on(self) -> bool:
        self.heed()
        if self.away is not None:
            self.stopped = Why.AWAY
        elif self.until is not None and self.workspace.clock() >= self.until:
            self.stopped = Why.STOPPED
        return self.stopped is None

    def _offer(self, copy: DueCopy, taking: Taking) -> None:
        now = self.workspace.clock()
        account = self.accounts[copy.policy]
        account.turn(now)
        need = taking.need(self.grade, copy)
        if taking.closes is None or now >= taking.closes or self._too_long(copy, taking, now):
            taking.today.pass_over(copy.due_at, Why.WINDOW)
        elif taking.today.offer(copy.due_at, need):
            with self._alone_with(copy) as free:
                if free and not self._proved_meanwhile(copy):
                    self._prove(copy, account, need)

    def _too_long(self, copy: DueCopy, taking: Taking, now: datetime) -> bool:
        """Whether reading the copy would surely end after the run; one that no window holds is begun all the same,
        as the first of a run.
        """
        ends = [each for each in (taking.closes, self.until) if each is not None]
        if not ends or not taking.speed or not self.outcomes or self.grade is not Grade.BYTES:
            return False
        return copy.object_bytes / taking.speed > (min(ends) - now).total_seconds()

    @contextmanager
    def _alone_with(self, copy: DueCopy) -> Iterator[bool]:
        """Whether nobody else is at this copy; asked only where several audits may read at once."""
        if self.workspace.settings.stores[self.store].audits_at_once == 1:
            yield True
            return
        key = f"audit {self.store} {self.grade.value} {copy.identifier}/v{copy.version}"
        with ExitStack() as held:
            try:
                held.enter_context(self.workspace.lease_now(key))
            except LeaseHeld:
                yield False
                return
            yield True

    def _proved_meanwhile(self, copy: DueCopy) -> bool:
        """Whether another run, or a person, has proved it since the list was read."""
        replicas = self.workspace.catalog.replicas(copy.identifier, copy.version)
        mine = next((each for each in replicas if each.store == self.store), None)
        if mine is None:
            return True
        stronger = WEAKEST_FIRST[WEAKEST_FIRST.index(self.grade) :]
        last = [mine.evidence[each] for each in stronger if each in mine.evidence]
        intact = max((each.at for each in last if each.outcome is Outcome.INTACT), default=None)
        began = self.shares[copy.policy].now
        return intact is not None and began <= intact <= self.workspace.clock()

    def _prove(self, copy: DueCopy, account: Account, need: Use) -> None:
        version = version_named(self.workspace, copy.identifier, copy.version)
        started = time.monotonic()
        through = account.through()
        answer = prove_copy(self.workspace, version, self.store, self.grade, through=through, progress=self.progress)
        self.away = answer.away
        self.outcomes[answer.word] += 1
        account.add(copy, need, seconds=time.monotonic() - started, failed=answer.verdict is Verdict.FAILED)
        if answer.verdict is not Verdict.WELL and len(self.wrong) < TOLD:
            room = max(self.room, FINDINGS_LEAST)
            self.wrong.append(replace(answer, report=shortened(answer.report, room)))
            self.room -= len(answer.report.findings)

    def _told(self, seconds: float) -> DueAudited:
        accounts = list(self.accounts.values())
        shares = list(self.shares.values())
        database, now = self.workspace.catalog.database, self.workspace.clock()
        paused = sum(each.paused for each in shares)
        held = next((each.today.held for each in shares if each.today.held), Why.FAILED if paused else None)
        return DueAudited(
            store=self.store,
            grade=self.grade,
            outcomes=dict(self.outcomes),
            wrong=tuple(self.wrong),
            objects=sum(each.objects for each in accounts),
            bytes=sum(each.pace.bytes_used for each in accounts),
            requests=sum(each.pace.requests_used for each in accounts),
            money=sum(each.money for each in accounts),
            currency=next((each.prices.currency for each in shares if each.prices), ""),
            seconds=seconds,
            waiting=count_due(database, self.store, self.grade, before=now),
            held=self.stopped or held,
            away=self.away,
            paused=paused,
            again=min((each.again for each in shares if each.again is not None), default=None),
            opens=min((each.opens for each in shares if each.opens is not None), default=None),
        )
