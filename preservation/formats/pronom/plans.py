"""What of a release is asked of a file, and in which order: worked out once, before the first file.

Every signature stands where the cheapest thing that it cannot do without rules it out: under the first bytes that
its files may have, and there in a table of what stands at one place, or among the literals of one stretch. What else
it cannot do without is asked before its expressions are. All this only rules out; only expressions say yes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from preservation.formats.pronom.facts import NO_END, WINDOW, Demand, Format, Release, Signature

KEY = 8  # bytes of a literal that a table is asked for; more would only split the tables
SHORT = 576  # bytes of a stretch that is looked through in about the time that asking takes
WIDE = 4608  # bytes of a longer stretch are looked through only when nothing else rules out, and once for all
STEM = 8  # first bytes that literals of wide stretches share; how they begin is looked for before each of them
ALIKE = 4  # the same for those of short ones
LONG = 32  # bytes: a longer literal is found no faster
ASKED = 4  # literals of one signature that are asked for before its expressions
SOON = 1024  # bytes of a wide stretch that are looked through first: much of what is there at all is there soon
EMPTY = 256  # the plan of a file without a first byte

_BOUNDS = [9 << power for power in range(10)]  # where short stretches end: just beyond the powers that PRONOM likes
# Bytes that stand in nearly every text or nearly every binary file.
_USUAL = frozenset(b"\0\xff\n\r \"'()*+,-./0123456789:;<=>ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

Wanted = tuple[bool, Demand]  # whether of the tail; what
Table = tuple[int, int, Mapping[bytes, Sequence[int]]]  # from, to, what may stand there → candidates
Stretch = tuple[int, int, Sequence[tuple[bytes, Sequence[int]]]]  # from, to, what may lie between → candidates
# A wide stretch: an unusual byte of the literal or none, the literal, from, to → candidates. The unusual byte is
# looked for first, because a byte that is nowhere is missed at the speed of memory.
Wide = tuple[bytes, bytes, int, int, Sequence[int]]
Ask = tuple[bool, bytes, bytes, int, int, int]  # whether of the tail, and then the same; before its end, SOON
Questions = tuple[Sequence[Table], Sequence[Stretch], Sequence[Wide]]


@dataclass(slots=True)
class Candidate:
    """A signature of a format, with the numbers of what is asked before its expressions, which are compiled at
    first use. `order` is the format's place in the release.
    """

    order: int
    format: Format
    signature: Signature
    asks: Sequence[int]
    searches: Sequence[tuple[Callable[[bytes], object], bool]] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a file's head, and of its tail; every answer leads to candidates. Some are always left."""

    always: Sequence[int]
    windows: tuple[Questions, Questions]


@dataclass(frozen=True, slots=True)
class Plans:
    """All candidates in the release's order, all questions, the plan for all files, and one more for each first byte,
    then that for EMPTY.
    """

    candidates: Sequence[Candidate]
    asks: Sequence[Ask]
    common: Plan
    by_first: Sequence[Plan]


@dataclass(slots=True)
class _Draft:
    """The candidates of one plan, by what rules them out."""

    always: list[int] = field(default_factory=list)
    fixed: dict[Wanted, list[int]] = field(default_factory=dict)
    found: dict[Wanted, list[int]] = field(default_factory=dict)


def plans_of(release: Release) -> Plans:
    """The plans for the byte signatures of the release."""
    signatures = [(order, known, each) for order, known in enumerate(release.formats) for each in known.signatures]
    shared = Counter(wanted for _, _, signature in signatures for wanted in _wanted(signature))
    drafts, common = [_Draft() for _ in range(EMPTY + 1)], _Draft()
    asked = []
    for number, (_, _, signature) in enumerate(signatures):
        firsts = _first_bytes(signature)
        here = [common] if firsts is None else [drafts[byte] for byte in firsts]
        asked.append(_placed(number, _in_order(signature, shared), here))
    stems = _stems({wanted for each in asked for wanted in each})
    numbers: dict[Wanted, int] = {}
    candidates = [
        Candidate(order, known, signature, [_number(wanted, numbers) for wanted in _after_stems(each, stems)])
        for (order, known, signature), each in zip(signatures, asked, strict=True)
    ]
    plan, *plans = [_plan(draft) for draft in (common, *drafts)]
    return Plans(candidates, [_ask(wanted) for wanted in numbers], plan, plans)


def _wanted(signature: Signature) -> dict[Wanted, None]:
    return dict.fromkeys((pattern.tail, _rounded(each)) for pattern in signature.patterns for each in pattern.demands)


def _rounded(demand: Demand) -> Demand:
    """The same with a stretch that others share: less is demanded, of more signatures alike."""
    if demand.far >= WINDOW:
        return Demand(demand.literal, 0, NO_END, False)
    if demand.fixed or demand.far > WIDE:
        return demand
    return replace(demand, near=0, far=_BOUNDS[bisect_left(_BOUNDS, demand.far)])


def _in_order(signature: Signature, shared: Mapping[Wanted, int]) -> list[Wanted]:
    """Short stretches first, the shortest costing all the same. Of wide ones, literals long enough to be rare; of
    these what most signatures want, for it is asked once; then what is found soonest.
    """

    def cost(wanted: Wanted) -> tuple[bool, int, float, int, bytes]:
        demand = wanted[1]
        length, stretch = min(len(demand.literal), LONG), min(demand.far, WINDOW) - demand.near
        wide = _is_wide(demand)
        dear = stretch / length if stretch > SHORT else 0
        return wide and length < ALIKE, -shared[wanted] if wide else -NO_END, dear, -length, demand.literal

    return sorted(_wanted(signature), key=cost)


def _first_bytes(signature: Signature) -> Iterable[int] | None:
    """The bytes that a matching file may begin with; None for any."""
    anchored = [pattern for pattern in signature.patterns if pattern.anchored]
    if any(pattern.reach == 0 for pattern in anchored):
        return [EMPTY]
    openings = [set(pattern.opening) for pattern in anchored if pattern.opening]
    return set.intersection(*openings) if openings else None


def _placed(number: int, wanted: list[Wanted], here: Sequence[_Draft]) -> list[Wanted]:
    """Put the candidate where it is ruled out first; what remains to be asked of it, in order."""
    fixed = max((each for each in wanted if each[1].fixed), key=_selectivity, default=None)
    if fixed is not None and len(fixed[1].literal) <= KEY:
        wanted.remove(fixed)
    asked = [each for each in wanted if _worth_asking(each[1])][:ASKED]
    for draft in here:
        if fixed is not None:
            draft.fixed.setdefault(fixed, []).append(number)
        elif asked:
            draft.found.setdefault(asked[0], []).append(number)
        else:
            draft.always.append(number)
    return asked


def _selectivity(wanted: Wanted) -> tuple[int, bool]:
    """Longer is rarer, up to the length of a key; the head is asked in one go."""
    tail, demand = wanted
    return min(len(demand.literal), KEY), not tail


def _worth_asking(demand: Demand) -> bool:
    """A single byte stands nearly anywhere: it rules out only in a short stretch, or when it is unusual."""
    return len(demand.literal) > 1 or demand.far - demand.near <= SHORT or bool(_rare(demand))


def _rare(demand: Demand) -> bytes:
    return bytes([byte for byte in demand.literal if byte not in _USUAL][:1])


def _stems(wanted: Iterable[Wanted]) -> dict[Wanted, Wanted]:
    """For literals that lie in the same wide stretch and begin alike: how they begin."""
    groups: dict[tuple[bool, Demand], list[Wanted]] = {}
    for tail, demand in wanted:
        if _is_wide(demand) and len(demand.literal) > STEM:
            groups.setdefault((tail, replace(demand, literal=demand.literal[:STEM])), []).append((tail, demand))
    return {each: (group[0][0], _shared(group)) for group in groups.values() if len(group) > 1 for each in group}


def _shared(group: Sequence[Wanted]) -> Demand:
    """What all of them demand: how they begin, somewhere in a stretch that takes in all of theirs."""
    columns = zip(*(demand.literal for _, demand in group), strict=False)
    beginning = bytes(column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns))
    near, far = min(demand.near for _, demand in group), max(demand.far for _, demand in group)
    return Demand(beginning, near, far, group[0][1].from_end)


def _after_stems(asked: Iterable[Wanted], stems: Mapping[Wanted, Wanted]) -> list[Wanted]:
    return [each for wanted in asked for each in ([stems[wanted], wanted] if wanted in stems else [wanted])]


def _number(wanted: Wanted, numbers: dict[Wanted, int]) -> int:
    return numbers.setdefault(wanted, len(numbers))


def _ask(wanted: Wanted) -> Ask:
    tail, demand = wanted
    start, end = demand.between
    rare, soon = (_rare(demand), start + SOON) if _is_wide(demand) else (b"", start)
    return tail, rare, demand.literal, start, soon, end


def _plan(draft: _Draft) -> Plan:
    return Plan(draft.always, (_questions(draft, tail=False), _questions(draft, tail=True)))


def _questions(draft: _Draft, *, tail: bool) -> Questions:
    tables: dict[tuple[int, int], dict[bytes, list[int]]] = {}
    for (of_tail, demand), numbers in draft.fixed.items():
        if of_tail == tail:
            key, start = demand.literal[:KEY], demand.between[0]
            end = (start + len(key) or NO_END) if demand.from_end else start + len(key)
            tables.setdefault((start, end), {}).setdefault(key, []).extend(numbers)
    stretches: dict[tuple[int, int], list[tuple[bytes, list[int]]]] = {}
    wide: list[Wide] = []
    for group in _alike(each for each in draft.found if each[0] == tail):
        shared = _shared(group)
        numbers = [number for each in group for number in draft.found[each]]
        if _is_wide(shared):
            wide.append((_rare(shared), shared.literal, *shared.between, numbers))
        else:
            stretches.setdefault(shared.between, []).append((shared.literal, numbers))
    return (
        [(start, end, table) for (start, end), table in tables.items()],
        [(start, end, literals) for (start, end), literals in stretches.items()],
        wide,
    )


def _alike(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """Those together that begin with the same bytes, in stretches of the same kind."""
    groups: dict[tuple[bool, int, bytes], list[Wanted]] = {}
    for tail, demand in wanted:
        kind, length = (0, STEM) if _is_wide(demand) else (demand.far, ALIKE)
        groups.setdefault((demand.from_end, kind, demand.literal[:length]), []).append((tail, demand))
    return list(groups.values())


def _is_wide(demand: Demand) -> bool:
    return demand.far - demand.near > WIDE
