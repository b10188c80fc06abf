"""Which formats' byte signatures match a file's first and last bytes.

The plan for the file's first byte leaves few signatures, the literals that these cannot do without leave fewer, and
only what nothing rules out reaches a regular expression. The answers, their order and their priorities are those of
FIDO's `match_formats`. Not for sharing between threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from preservation.formats.edges import NEAR, Tail
from preservation.formats.pronom.demands import links, reach, says_no_more
from preservation.formats.pronom.facts import NO_END, Format, Pattern, Release
from preservation.formats.pronom.plans import EMPTY, ENDING, HEAD, TAIL, Candidate, Plan, Questions, plans_of


class Matcher:
    """The byte signatures of one release."""

    def __init__(self, release: Release) -> None:
        plans = plans_of(release)
        self._candidates, self._asks = plans.candidates, plans.asks
        self._common, self._by_first = plans.common, plans.by_first

    def match(self, head: bytes, tail: bytes | Tail) -> list[tuple[Format, str]]:
        """(Format, name of its signature) of every match that no other match rules out, in the release's order."""
        last = tail if isinstance(tail, Tail) else Tail(tail)
        held: dict[int, bool] = {}
        matches: list[tuple[Format, str]] = []
        order, wanted = -1, True
        for number in sorted(self._possible(head, last)):
            candidate = self._candidates[number]
            for ask in candidate.asks:
                if not (held[ask] if ask in held else self._holds(ask, head, last, held)):
                    break
            else:
                if candidate.order != order:
                    order, puid = candidate.order, candidate.format.puid
                    wanted = not any(puid in other.better_than for other, _ in matches)
                if wanted and _matches(candidate, head, last):
                    matches.append((candidate.format, candidate.signature.name))
        return without_inferior(matches)

    def _possible(self, head: bytes, tail: Tail) -> list[int]:
        """The candidates that the plans leave."""
        found: list[int] = []
        plans = [self._by_first[head[0] if head else EMPTY], self._common]
        for plan in plans:  # what is found may append further ones
            found += plan.always
            for place, questions in plan.windows:
                window = head if place == HEAD else tail.ending if place == ENDING else tail.whole()
                _ask_for(window, questions, found, plans)
        return found

    def _holds(self, ask: int, head: bytes, tail: Tail, held: dict[int, bool]) -> bool:
        """Whether the literal lies where it must; remembered for this file."""
        place, rare, literal, start, soon, end = self._asks[ask]
        if place == TAIL and end == NO_END and tail.ending.rfind(literal) >= 0:  # enough, and the rest is not read
            held[ask] = True
            return True
        window = head if place == HEAD else tail.ending if place == ENDING else tail.whole()
        if soon is None:
            answer = window.find(literal, start, end) >= 0
        else:
            answer = all(map(window.__contains__, rare)) and (
                window.find(literal, start, soon) >= 0 or window.rfind(literal, start, end) >= 0
            )
        held[ask] = answer
        return answer


def _ask_for(window: bytes, questions: Questions, found: list[int], plans: list[Plan]) -> None:
    """Add the candidates that the window leaves, and what else is to be asked. Python searches backwards in half the
    time that it takes forwards.
    """
    tables, stretches, wide = questions
    for start, end, table in tables:
        if then := table.get(window[start:end]):
            found += then[0]
            plans += then[1]
    for start, end, literals in stretches:
        part = window[start:end]
        for byte, literal, then in literals:
            if byte in part and part.rfind(literal) >= 0:
                found += then[0]
                plans += then[1]
    for rare, literal, start, end, then in wide:
        for byte in rare:
            if byte not in window:
                break
        else:
            if window.rfind(literal, start, end) >= 0:
                found += then[0]
                plans += then[1]


def _matches(candidate: Candidate, head: bytes, tail: Tail) -> bool:
    if candidate.searches is None:
        patterns = sorted(candidate.signature.patterns, key=lambda pattern: not pattern.anchored)  # quick ones first
        candidate.searches = [_search_in(pattern) for pattern in patterns]
    return all(search(head, tail) for search in candidate.searches)


def _search_in(pattern: Pattern) -> Callable[[bytes, Tail], object]:
    """How to look for the pattern in a file, in no more of it than it can take in."""
    search = search_of(pattern)
    if not pattern.tail:
        return lambda head, _: search(head)
    if reach(pattern.regex) <= NEAR:
        return lambda _, tail: search(tail.ending)
    if says_no_more(pattern.regex) or links(pattern.regex):  # literals from the end: what is near is no less there
        return lambda _, tail: search(tail.ending) or search(tail.whole())
    return lambda _, tail: search(tail.whole())


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
