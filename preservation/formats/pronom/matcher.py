"""Which formats' byte signatures match a file's first and last bytes.

The plan for the file's first byte leaves few signatures, the literals that these cannot do without leave fewer, and
only what nothing rules out reaches a regular expression. The answers, their order and their priorities are those of
FIDO's `match_formats`. Not for sharing between threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from preservation.formats.pronom.demands import links, says_no_more
from preservation.formats.pronom.facts import Format, Pattern, Release
from preservation.formats.pronom.plans import EMPTY, Candidate, plans_of


class Matcher:
    """The byte signatures of one release."""

    def __init__(self, release: Release) -> None:
        plans = plans_of(release)
        self._candidates, self._asks = plans.candidates, plans.asks
        self._common, self._by_first = plans.common, plans.by_first

    def match(self, head: bytes, tail: bytes) -> list[tuple[Format, str]]:
        """(Format, name of its signature) of every match that no other match rules out, in the release's order."""
        held: dict[int, bool] = {}
        matches: list[tuple[Format, str]] = []
        order, wanted = -1, True
        for number in sorted(self._possible(head, tail)):
            candidate = self._candidates[number]
            for ask in candidate.asks:
                if not (held[ask] if ask in held else self._holds(ask, head, tail, held)):
                    break
            else:
                if candidate.order != order:
                    order, puid = candidate.order, candidate.format.puid
                    wanted = not any(puid in other.better_than for other, _ in matches)
                if wanted and _matches(candidate, head, tail):
                    matches.append((candidate.format, candidate.signature.name))
        return without_inferior(matches)

    def _possible(self, head: bytes, tail: bytes) -> list[int]:
        """The candidates that the plans leave. Python searches backwards in half the time that it takes forwards."""
        found: list[int] = []
        for plan in (self._by_first[head[0] if head else EMPTY], self._common):
            found += plan.always
            for window, (tables, stretches, wide) in zip((head, tail), plan.windows, strict=True):
                for start, end, table in tables:
                    if numbers := table.get(window[start:end]):
                        found += numbers
                for start, end, literals in stretches:
                    find = window[start:end].rfind
                    for literal, numbers in literals:
                        if find(literal) >= 0:
                            found += numbers
                for rare, literal, start, end, numbers in wide:
                    if rare in window and window.rfind(literal, start, end) >= 0:
                        found += numbers
        return found

    def _holds(self, ask: int, head: bytes, tail: bytes, held: dict[int, bool]) -> bool:
        """Whether the literal lies where it must; remembered for this file."""
        in_tail, rare, literal, start, soon, end = self._asks[ask]
        window = tail if in_tail else head
        held[ask] = answer = rare in window and (
            window.find(literal, start, soon) >= 0 or window.rfind(literal, start, end) >= 0
        )
        return answer


def _matches(candidate: Candidate, head: bytes, tail: bytes) -> bool:
    if candidate.searches is None:
        patterns = sorted(candidate.signature.patterns, key=lambda pattern: not pattern.anchored)  # quick ones first
        candidate.searches = [(search_of(pattern), pattern.tail) for pattern in patterns]
    return all(search(tail if in_tail else head) for search, in_tail in candidate.searches)


def search_of(pattern: Pattern) -> Callable[[bytes], object]:
    """How to look for the pattern: by its one literal where it says no more than that, else by its expression."""
    if len(pattern.demands) == 1 and says_no_more(pattern.regex):
        (demand,) = pattern.demands
        return lambda window: window.rfind(demand.literal, *demand.between) >= 0
    if pattern.tail and len(chain := links(pattern.regex)) == 2:
        before, last = chain
        return partial(_linked, before, last)
    compiled = re.compile(pattern.regex)
    return compiled.match if pattern.anchored else compiled.search


def _linked(before: tuple[bytes, int, int], last: tuple[bytes, int, int], window: bytes) -> bool:
    """Whether the two literals stand at their distances from each other and from the end. An expression would try
    every place of the one against every place of the other: in the directory of a large ZIP that takes a second.
    """
    literal, low, high = last
    place = window.rfind(literal, max(0, len(window) - high - len(literal)), max(0, len(window) - low))
    while place >= 0:
        first, least, most = before
        if place >= least and window.rfind(first, max(0, place - most - len(first)), place - least) >= 0:
            return True
        place = window.rfind(literal, max(0, len(window) - high - len(literal)), place + len(literal) - 1)
    return False


def without_inferior(matches: list[tuple[Format, str]]) -> list[tuple[Format, str]]:
    """The matches that no other match has priority over."""
    if len(matches) < 2:
        return matches
    return [match for match in matches if not any(match[0].puid in other.better_than for other, _ in matches)]
