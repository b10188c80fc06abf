"""What of a release is asked of a file, and in which order: worked out once, before the first file.

Every signature stands where the cheapest thing that it cannot do without rules it out: under the first bytes that
its files may have, and there in a table of what stands at one place, or among the literals of one stretch. What else
it cannot do without is asked before its expressions are. All this only rules out; only expressions say yes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from preservation.formats.edges import Tail
from preservation.formats.pronom.facts import NO_END, WINDOW, Demand, Format, Release, Signature

KEY = 8  # bytes of a literal that a table is asked for; more would only split the tables
SHORT = 576  # bytes of a stretch that is looked through in about the time that asking takes
WIDE = 4608  # bytes of a longer stretch are looked through only when nothing else rules out, and once for all
PREFIX = 3  # first bytes that short literals of wide stretches share
STEM = 8  # first bytes that literals of wide stretches share; how they begin is looked for before each of them
ALIKE = 4  # the same for those of short ones
LONG = 32  # bytes: a longer literal is found no faster
ASKED = 4  # literals of one signature that are asked for before its expressions
SOON = 1024  # bytes of a wide stretch that are looked through first: much of what is there at all is there soon
HEAD, ENDING, TAIL = 0, 1, 2  # the first 128 KiB, the last 8 KiB, the last 128 KiB: few files are asked for these
EMPTY = 256  # the plan of a file without a first byte

FEW = 2  # candidates behind one question; more are asked further questions together before each is asked alone
TESTED = 3  # bytes of a literal that are looked for before a wide stretch is searched for all of it

_BOUNDS = [9 << power for power in range(10)]  # where short stretches end: just beyond the powers that PRONOM likes
# Bytes from the most frequent on, as they stand in the beginnings of texts and of binary files. The others are rarer.
_FREQUENT = (
    b"\0 etaoinsrlcd\n\xff\"=/<>.-:mpuhgfvwxy1b0\r2k4356789\1\2,'()\3TEASCDPFRIONLMU;_BHG\4\x08\x10\x80VW#qzj+*?!&X"
)
_RANK = {byte: rank for rank, byte in enumerate(_FREQUENT)}
# Bytes that stand in nearly every text or nearly every binary file.
_USUAL = frozenset(b"\0\xff\n\r \"'()*+,-./0123456789:;<=>ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

Wanted = tuple[bool, Demand]  # whether of the tail; what
Then = tuple[Sequence[int], Sequence["Plan"]]  # what a hit leads to: candidates, and further questions
Table = tuple[int, int, Mapping[bytes, Then]]  # from, to, what may stand there
# From, to, what may lie between: its rarest byte, and all of it. A byte that is nowhere is missed at once.
Stretch = tuple[int, int, Sequence[tuple[int, bytes, Then]]]
Wide = tuple[Sequence[int], bytes, int, int, Then]  # a wide stretch: rare bytes of the literal, all of it, from, to
# Of which window, and then the same; before its end, how far is looked first, None where the stretch is short.
Ask = tuple[int, Sequence[int], bytes, int, int | None, int]
Questions = tuple[Sequence[Table], Sequence[Stretch], Sequence[Wide]]
_Entry = tuple[int, Sequence[Wanted]]  # a candidate, and what it can be asked for together with others


@dataclass(slots=True)
class Candidate:
    """A signature of a format, with the numbers of what is asked before its expressions, which are compiled at
    first use. `order` is the format's place in the release.
    """

    order: int
    format: Format
    signature: Signature
    asks: Sequence[int]
    searches: Sequence[Callable[[bytes, Tail], object]] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a file's windows (HEAD, ENDING, TAIL): every answer leads to candidates. Some always are."""

    always: Sequence[int]
    windows: Sequence[tuple[int, Questions]]


@dataclass(frozen=True, slots=True)
class Plans:
    """All candidates in the release's order, all questions, the plan for all files, and one more for each first byte,
    then that for EMPTY.
    """

    candidates: Sequence[Candidate]
    asks: Sequence[Ask]
    common: Plan
    by_first: Sequence[Plan]


def plans_of(release: Release) -> Plans:
    """The plans for the byte signatures of the release."""
    signatures = [(order, known, each) for order, known in enumerate(release.formats) for each in known.signatures]
    shared = Counter(wanted for _, _, signature in signatures for wanted in _wanted(signature))
    drafts: list[list[_Entry]] = [[] for _ in range(EMPTY + 1)]
    common: list[_Entry] = []
    asked = []
    for number, (_, _, signature) in enumerate(signatures):
        firsts = _first_bytes(signature)
        asks, steps = _steps(_in_order(signature, shared))
        asked.append(asks)
        for draft in [common] if firsts is None else [drafts[byte] for byte in firsts]:
            draft.append((number, steps))
    stems = _stems({wanted for each in asked for wanted in each})
    numbers: dict[Wanted, int] = {}
    candidates = [
        Candidate(order, known, signature, [_number(wanted, numbers) for wanted in _after_stems(each, stems)])
        for (order, known, signature), each in zip(signatures, asked, strict=True)
    ]
    return Plans(candidates, [_ask(wanted) for wanted in numbers], _plan(common), [_plan(draft) for draft in drafts])


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


def _steps(wanted: list[Wanted]) -> tuple[list[Wanted], list[Wanted]]:
    """What is asked of the candidate alone, in order; and what it is asked for together with others: first what
    stands at one place, then the rest.
    """
    fixed = max((each for each in wanted if each[1].fixed), key=_selectivity, default=None)
    if fixed is not None and len(fixed[1].literal) <= KEY:
        wanted.remove(fixed)  # the table says all of it
    asked = [each for each in wanted if _worth_asking(each[1])][:ASKED]
    if fixed is None:
        return asked, asked
    return asked, [fixed, *_last_of(*fixed), *(each for each in asked if each != fixed)]


def _last_of(tail: bool, demand: Demand) -> list[Wanted]:
    """Of what a table does not ask for whole, how it ends."""
    if len(demand.literal) <= KEY or demand.from_end:
        return []
    return [(tail, replace(demand, literal=demand.literal[-KEY:], near=demand.far - KEY))]


def _selectivity(wanted: Wanted) -> tuple[int, bool]:
    """Longer is rarer, up to the length of a key; the head is asked in one go."""
    tail, demand = wanted
    return min(len(demand.literal), KEY), not tail


def _worth_asking(demand: Demand) -> bool:
    """A single byte stands nearly anywhere: it rules out only in a short stretch, or when it is unusual."""
    return len(demand.literal) > 1 or demand.far - demand.near <= SHORT or bool(_rare(demand))


def _rare(demand: Demand) -> bytes:
    return bytes([byte for byte in demand.literal if byte not in _USUAL][:1])


def _rarest(literal: bytes) -> list[int]:
    """The bytes of it, the rarest first."""
    return sorted(set(literal), key=lambda byte: -_RANK.get(byte, len(_RANK)))


def _stems(wanted: Iterable[Wanted]) -> dict[Wanted, Wanted]:
    """For literals that lie in the same wide stretch and begin alike: how they begin."""
    groups: dict[tuple[bool, bytes], list[Wanted]] = {}
    for tail, demand in wanted:
        if _is_wide(demand) and len(demand.literal) > STEM:
            groups.setdefault((tail, demand.literal[:STEM]), []).append((tail, demand))
    return {each: (group[0][0], _shared(group)) for group in groups.values() if len(group) > 1 for each in group}


def _shared(group: Sequence[Wanted]) -> Demand:
    """What all of them demand: how they begin, somewhere in a stretch that takes in all of theirs."""
    columns = zip(*(demand.literal for _, demand in group), strict=False)
    beginning = bytes(column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns))
    if len({demand.from_end for _, demand in group}) > 1:
        return Demand(beginning, 0, NO_END, False)
    near, far = min(demand.near for _, demand in group), max(demand.far for _, demand in group)
    return Demand(beginning, near, far, group[0][1].from_end)


def _after_stems(asked: Iterable[Wanted], stems: Mapping[Wanted, Wanted]) -> list[Wanted]:
    return [each for wanted in asked for each in ([stems[wanted], wanted] if wanted in stems else [wanted])]


def _number(wanted: Wanted, numbers: dict[Wanted, int]) -> int:
    return numbers.setdefault(wanted, len(numbers))


def _ask(wanted: Wanted) -> Ask:
    demand = wanted[1]
    start, end = demand.between
    soon = start + SOON if _is_wide(demand) else None
    return _window(wanted), _rarest(demand.literal)[:TESTED], demand.literal, start, soon, end


def _plan(entries: Iterable[_Entry]) -> Plan:
    always: list[int] = []
    asked: dict[Wanted, list[_Entry]] = {}
    for number, steps in entries:
        if steps:
            asked.setdefault(steps[0], []).append((number, steps[1:]))
        else:
            always.append(number)
    windows: dict[int, dict[Wanted, list[_Entry]]] = {}
    for wanted, entries_of in asked.items():
        windows.setdefault(_window(wanted), {})[wanted] = entries_of
    return Plan(always, [(window, _questions(windows[window])) for window in sorted(windows)])


def _window(wanted: Wanted) -> int:
    """Where it lies, so that no more of a file is read than is asked for."""
    tail, demand = wanted
    return HEAD if not tail else ENDING if demand.from_end and demand.far <= WIDE else TAIL


def _then(entries: Sequence[_Entry]) -> Then:
    """Few are asked singly."""
    if len(entries) > FEW and any(steps for _, steps in entries):
        return (), (_plan(entries),)
    return [number for number, _ in entries], ()


def _questions(asked: Mapping[Wanted, list[_Entry]]) -> Questions:
    tables: dict[tuple[int, int], dict[bytes, list[_Entry]]] = {}
    for wanted in (each for each in asked if each[1].fixed):
        demand = wanted[1]
        key, start = demand.literal[:KEY], demand.between[0]
        end = (start + len(key) or NO_END) if demand.from_end else start + len(key)
        tables.setdefault((start, end), {}).setdefault(key, []).extend(asked[wanted])
    stretches: dict[tuple[int, int], list[tuple[int, bytes, Then]]] = {}
    wide: list[Wide] = []
    for group in _alike(wanted for wanted in asked if not wanted[1].fixed):
        shared = _shared(group)
        rarest, then = _rarest(shared.literal), _then([entry for each in group for entry in asked[each]])
        if _is_wide(shared):
            wide.append((rarest[:TESTED], shared.literal, *shared.between, then))
        else:
            stretches.setdefault(shared.between, []).append((rarest[0], shared.literal, then))
    return (
        [(*place, {key: _then(entries) for key, entries in table.items()}) for place, table in tables.items()],
        [(*place, literals) for place, literals in stretches.items()],
        wide,
    )


def _alike(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """Those together that begin with the same bytes, in stretches of the same kind."""
    groups: dict[tuple[bool | None, int, bytes], list[Wanted]] = {}
    for tail, demand in wanted:
        length = ALIKE
        if wide := _is_wide(demand):
            length = PREFIX if len(demand.literal) < STEM else STEM
        kind = (None, 0) if wide else (demand.from_end, demand.far)
        groups.setdefault((*kind, demand.literal[:length]), []).append((tail, demand))
    return list(groups.values())


def _is_wide(demand: Demand) -> bool:
    return demand.far - demand.near > WIDE
