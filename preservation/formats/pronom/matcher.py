"""Which formats' byte signatures match a file's first and last bytes.

Literals at fixed places, gathered from all signatures, are looked up first; only signatures that nothing rules out
reach a regular expression. The answers, their order and their priorities are those of FIDO's `match_formats`.
Not for sharing between threads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from preservation.formats.pronom.demands import says_no_more
from preservation.formats.pronom.facts import NO_END, WINDOW, Demand, Format, Pattern, Release, Signature

KEY = 4  # bytes of a literal that a table is asked for; more would only split the tables
NARROW = 512  # places to stand in: about so many are looked through in the time that asking takes
WIDE = 65000  # a literal with more places than this is looked for everywhere, once for all signatures that want it
STEM = 8  # first bytes that such literals share: what they have in common is looked for before each of them
LONG = 32  # bytes: a longer literal is found no faster
DEMANDS_ASKED = 4  # further demands of one signature that are tried before its expression

_Place = tuple[bool, bool, int, int]  # tail, from the end, offset, length
_Wanted = tuple[bool, Demand]  # tail, demand


@dataclass(slots=True)
class _Candidate:
    """A signature with what is asked before its expressions are, which are compiled at first use."""

    order: int
    format: Format
    signature: Signature
    demands: tuple[int, ...]
    searches: tuple[tuple[Callable[[bytes], object], bool], ...] | None = None


class Matcher:
    """The byte signatures of one release, sorted by what can rule them out."""

    def __init__(self, release: Release) -> None:
        self._candidates: list[_Candidate] = []
        self._demands: list[_Wanted] = []
        self._always: list[int] = []
        self._by_first: dict[int, list[int]] = {}  # demand without a fixed place → signatures
        tables: dict[_Place, dict[bytes, list[int]]] = {}
        numbers: dict[_Wanted, int] = {}
        signatures = [(known, signature) for known in release.formats for signature in known.signatures]
        shared = Counter(each for _, signature in signatures for each in set(_wanted(signature)))
        orders = {known.puid: order for order, known in enumerate(release.formats)}
        for known, signature in signatures:
            wanted = sorted(_wanted(signature), key=lambda each: _cost(each, shared[each]))
            self._add(orders[known.puid], known, signature, wanted, tables=tables, numbers=numbers)
        self._stem_bytes, self._stems = _stems(self._demands)
        firsts = [(number, *self._demands[number], numbers) for number, numbers in self._by_first.items()]
        self._near = [
            (demand.literal, demand.low, demand.high + len(demand.literal), numbers)
            for _, in_tail, demand, numbers in firsts
            if not (in_tail or demand.from_end or demand.high == NO_END)
        ]
        self._far = [
            (number, numbers)
            for number, in_tail, demand, numbers in firsts
            if in_tail or demand.from_end or demand.high == NO_END
        ]
        self._heads = [
            (place[2], place[2] + place[3], table) for place, table in tables.items() if not (place[0] or place[1])
        ]
        self._others = [(place, table) for place, table in tables.items() if place[0] or place[1]]

    def match(self, head: bytes, tail: bytes) -> list[tuple[Format, str]]:
        """(Format, name of its signature) of every match that no other match rules out, in the release's order."""
        held: dict[int, bool] = {}
        found = self._possible(head, tail, held)
        found.sort()
        matches: list[tuple[Format, str]] = []
        order, wanted = -1, True
        for number in found:
            candidate = self._candidates[number]
            if candidate.order != order:
                order, puid = candidate.order, candidate.format.puid
                wanted = not any(puid in other.better_than for other, _ in matches)
            if wanted and self._matches(candidate, head, tail, held=held):
                matches.append((candidate.format, candidate.signature.name))
        return without_inferior(matches)

    def _add(
        self,
        order: int,
        known: Format,
        signature: Signature,
        wanted: list[_Wanted],
        *,
        tables: dict[_Place, dict[bytes, list[int]]],
        numbers: dict[_Wanted, int],
    ) -> None:
        fixed = max((each for each in wanted if each[1].low == each[1].high), key=_selectivity, default=None)
        if fixed is not None and len(fixed[1].literal) <= KEY:
            wanted.remove(fixed)
        rest = [each for each in dict.fromkeys(wanted) if _worth_asking(each[1])][:DEMANDS_ASKED]
        for each in rest:
            if each not in numbers:
                numbers[each] = len(self._demands)
                self._demands.append(each)
        number = len(self._candidates)
        self._candidates.append(_Candidate(order, known, signature, tuple(numbers[each] for each in rest)))
        if fixed is not None:
            tail, demand = fixed
            key = demand.literal[:KEY]
            tables.setdefault((tail, demand.from_end, demand.low, len(key)), {}).setdefault(key, []).append(number)
        elif rest:
            self._by_first.setdefault(numbers[rest[0]], []).append(number)
        else:
            self._always.append(number)

    def _possible(self, head: bytes, tail: bytes, held: dict[int, bool]) -> list[int]:
        """The signatures that the tables do not rule out."""
        found = list(self._always)
        for start, end, table in self._heads:
            if numbers := table.get(head[start:end]):
                found += numbers
        for (in_tail, from_end, offset, length), table in self._others:
            window = tail if in_tail else head
            start = len(window) - offset if from_end else offset
            if start >= 0 and (numbers := table.get(window[start : start + length])):
                found += numbers
        for literal, low, end, numbers in self._near:
            if head.find(literal, low, end) >= 0:
                found += numbers
        for demand, numbers in self._far:
            if self._holds(demand, head, tail, held=held):
                found += numbers
        return found

    def _matches(self, candidate: _Candidate, head: bytes, tail: bytes, *, held: dict[int, bool]) -> bool:
        for demand in candidate.demands:
            if not self._holds(demand, head, tail, held=held):
                return False
        if candidate.searches is None:
            in_order = sorted(
                candidate.signature.patterns, key=lambda pattern: not pattern.anchored
            )  # quick ones first
            candidate.searches = tuple((search_of(pattern), pattern.tail) for pattern in in_order)
        return all(search(tail if in_tail else head) for search, in_tail in candidate.searches)

    def _holds(self, number: int, head: bytes, tail: bytes, *, held: dict[int, bool]) -> bool:
        """Whether the literal stands where it must; asked once for a file."""
        answer = held.get(number)
        if answer is None:
            in_tail, demand = self._demands[number]
            window = tail if in_tail else head
            stem = self._stems[number]
            answer = (stem is None or self._has_stem(stem, window, held)) and _stands(demand, window)
            held[number] = answer
        return answer

    def _has_stem(self, stem: int, window: bytes, held: dict[int, bool]) -> bool:
        answer = held.get(stem)
        if answer is None:
            answer = held[stem] = self._stem_bytes[stem] in window
        return answer


def _stands(demand: Demand, window: bytes) -> bool:
    length = len(demand.literal)
    if not demand.from_end:
        return window.find(demand.literal, demand.low, demand.high + length) >= 0
    low, high = max(0, len(window) - demand.high), len(window) - demand.low + length
    return high > 0 and window.find(demand.literal, low, high) >= 0


def search_of(pattern: Pattern) -> Callable[[bytes], object]:
    """How to look for the pattern: by its one literal where it says no more than that, else by its expression."""
    if len(pattern.demands) == 1 and says_no_more(pattern.regex):
        return partial(_stands, pattern.demands[0])
    compiled = re.compile(pattern.regex)
    return compiled.match if pattern.anchored else compiled.search


def without_inferior(matches: list[tuple[Format, str]]) -> list[tuple[Format, str]]:
    """The matches that no other match has priority over."""
    if len(matches) < 2:
        return matches
    return [match for match in matches if not any(match[0].puid in other.better_than for other, _ in matches)]


def _stems(wanted: Sequence[_Wanted]) -> tuple[dict[int, bytes], list[int | None]]:
    """The beginnings that several wide demands share, under numbers of their own (below zero), and each demand's."""
    sharing: dict[tuple[bool, bytes], list[int]] = {}
    for number, (in_tail, demand) in enumerate(wanted):
        if demand.high == NO_END and len(demand.literal) > STEM:
            sharing.setdefault((in_tail, demand.literal[:STEM]), []).append(number)
    stems: dict[int, bytes] = {}
    of: list[int | None] = [None] * len(wanted)
    for numbers in sharing.values():
        if len(numbers) > 1:
            stems[-1 - len(stems)] = _shared([wanted[number][1].literal for number in numbers])
            for number in numbers:
                of[number] = -len(stems)
    return stems, of


def _shared(literals: Sequence[bytes]) -> bytes:
    """How all of them begin."""
    return bytes(
        column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*literals, strict=False))
    )


def _selectivity(wanted: _Wanted) -> tuple[int, bool]:
    """Longer is rarer, up to the length of a key; the head is asked in one go."""
    tail, demand = wanted
    return min(len(demand.literal), KEY), not tail


def _worth_asking(demand: Demand) -> bool:
    """A single byte stands nearly anywhere; only where it has few places does asking rule anything out."""
    return len(demand.literal) > 1 or demand.high - demand.low < NARROW


def _cost(wanted: _Wanted, shared: int) -> tuple[int, int, int, bytes]:
    """Cheap first; of the dear ones what most signatures want, for it is asked once; then rare."""
    demand = wanted[1]
    dear = demand.high == NO_END
    return (
        (demand.high - demand.low) // NARROW,
        -shared if dear else 0,
        -min(len(demand.literal), LONG),
        demand.literal,
    )


def _wanted(signature: Signature) -> list[_Wanted]:
    return [(pattern.tail, _anywhere(each)) for pattern in signature.patterns for each in pattern.demands]


def _anywhere(demand: Demand) -> Demand:
    """The same without its bounds when they are wide: less is demanded, of more signatures alike."""
    bounded = demand.high - demand.low <= WIDE or (demand.low == 0 and demand.high < WINDOW)
    return demand if bounded else Demand(demand.literal, 0, NO_END, False)
