"""Two identifiers asked about the same file: the second one, and when their answers contradict each other.

A disagreement is worth a person's time, so it is called one only when both tools recognised the bytes and neither
answer can be the other one said more or less exactly. docs/reference/formats.md gives the rules in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from preservation.facts import Basis, FormatFact
from preservation.formats.identify import Identifier
from preservation.formats.limits import Limits
from preservation.formats.process import Tool
from preservation.formats.pronom.facts import Release

# Go sets aside much more address space than it uses; time is given by size, this is the most for one file.
LIMITS = Limits(seconds=6 * 3600.0, memory=4 << 30)
_BY_BYTES = frozenset({Basis.SIGNATURE, Basis.CONTAINER, Basis.NAMESPACE})
_PLAIN_TEXT = "x-fmt/111"


@dataclass(frozen=True, slots=True)
class Kinship:
    """What a release knows of its formats: `above`, the formats each one is a more exact answer than, however many
    steps away; `mere`, those that only say what kind of container or text a file is.
    """

    above: Mapping[str, frozenset[str]]
    mere: frozenset[str]


def installed() -> bool:
    """Whether Siegfried can be asked."""
    return find_spec("pygfried") is not None


def siegfried(*, workers: int = 2) -> Identifier:
    """Siegfried as an identifier like ours: processes of their own, limits, one answer for each file in order."""
    return Identifier(limits=LIMITS, workers=workers, tool=Tool.SIEGFRIED)


def kinship(release: Release) -> Kinship:
    """The relations in a release."""
    direct = {known.puid: known.better_than for known in release.formats}
    above: dict[str, frozenset[str]] = {}
    for puid in direct:
        seen: set[str] = set()
        ahead = list(direct[puid])
        while ahead:
            lower = ahead.pop()
            if lower not in seen:
                seen.add(lower)
                ahead.extend(direct.get(lower, ()))
        above[puid] = frozenset(seen)
    return Kinship(above, frozenset({_PLAIN_TEXT, *release.triggers}))


def disagree(ours: FormatFact, theirs: FormatFact, known: Kinship) -> bool:
    """Whether the two answers contradict each other."""
    if ours.basis not in _BY_BYTES or theirs.basis not in _BY_BYTES:
        return False  # one of them did not recognise the bytes: unknown, empty, failed, or the name alone
    mine, other = _all(ours), _all(theirs)
    if mine & other or (mine | other) & known.mere:
        return False
    if not other & known.above.keys():
        return False  # formats that our release does not know yet; drift tells what a newer one says
    return not any(a in known.above.get(b, ()) or b in known.above.get(a, ()) for a in mine for b in other)


def disagreements(
    ours: Iterable[FormatFact], theirs: Iterable[FormatFact], known: Kinship
) -> Iterator[tuple[FormatFact, FormatFact]]:
    """The pairs that contradict each other, of two answers for each file in the same order."""
    return ((mine, other) for mine, other in zip(ours, theirs, strict=True) if disagree(mine, other, known))


def _all(fact: FormatFact) -> set[str]:
    return {puid for puid in (fact.puid, *fact.candidates) if puid is not None and not puid.startswith("fido-")}
