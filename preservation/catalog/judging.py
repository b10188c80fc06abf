"""What the catalog asks of whoever knows the policies, and what it is told: judgements of AIP versions.

The catalog knows no policy. It hands the facts of a version to a Judge and keeps the answer, in the transaction of
the event that made it new: the standing in a word, when each copy falls due, which copies are wanting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from preservation.facts import AIPVersion, Grade, Replica

NEVER = datetime(9999, 12, 31, tzinfo=UTC)  # sorts after every moment
ONCE = datetime(1, 1, 1, tzinfo=UTC)  # and this one before
SAFE, OVERDUE = "safe", "overdue"
UNJUDGED = ""  # the digest and the word of a version that nobody has judged yet
ABSENT, UNPROVED, DAMAGED = "absent", "unproved", "damaged"  # why a wanted copy is wanting


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What there is to judge: a version, its replicas with their last evidence, and the moment of judging."""

    version: AIPVersion
    replicas: Sequence[Replica]
    now: datetime


@dataclass(frozen=True, slots=True)
class DueFact:
    """When one copy must be proved again at one grade; `proved_at` is the last proof that counts, if any."""

    store: str
    grade: Grade
    due_at: datetime
    overdue_at: datetime
    proved_at: datetime | None


@dataclass(frozen=True, slots=True)
class WantingFact:
    """A wanted copy that does not count: ABSENT, UNPROVED or DAMAGED. `grades` are audited there."""

    store: str
    state: str
    grades: tuple[Grade, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement. `word` is the standing as it would be if nothing were late: lateness is a matter of the clock and
    told by the dues (`overdue_at`: the first of them, NEVER without any). It holds while the clock is at
    `valid_from` or later and before `valid_until`: a proof from the future counts from its time on, and one that a
    clock set back has put into the future counts no longer.
    """

    word: str
    policy_digest: str
    proved: int
    dues: tuple[DueFact, ...]
    wanting: tuple[WantingFact, ...]
    valid_from: datetime
    valid_until: datetime = NEVER

    @property
    def overdue_at(self) -> datetime:
        """The first moment at which a copy is overdue."""
        return min((due.overdue_at for due in self.dues), default=NEVER)


@dataclass(frozen=True, slots=True)
class Judge:
    """`digest` names the rules for a policy, None when they cannot be read; `judge` applies them, and is only asked
    where there is a digest. A changed digest makes the judgements under the old one stale.
    """

    digest: Callable[[str], str | None]
    judge: Callable[[VersionFacts], Judged]
