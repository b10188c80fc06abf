"""What a regular expression demands of a file before it can match: literals and where they must stand.

A demand that fails proves that the pattern fails; one that holds proves nothing. So an error here can only be to
demand too much, and the tests hold every answer against FIDO, which demands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from preservation.formats.pronom.facts import NO_END, Demand

MANY = 32  # first bytes: a pattern that may begin with more is as good as one that may begin with any

_START = (codes.AT, codes.AT_BEGINNING_STRING)
_END = (codes.AT, codes.AT_END_STRING)
_ANY = frozenset(range(256))
_NO_WIDTH = {codes.AT, codes.ASSERT, codes.ASSERT_NOT}
_ONE_WIDE = {codes.ANY, codes.IN, codes.NOT_LITERAL}


def demands(regex: bytes, *, anchored: bool) -> tuple[Demand, ...]:
    """The literals of the expression with where they must lie. Raises re.error for what is no expression."""
    tree = parser.parse(regex)
    items = list(tree)
    if tree.state.flags & re.IGNORECASE:
        return ()
    if anchored or items[:1] == [_START]:
        return _demands(_literals(items), from_end=False)
    if items[-1:] == [_END]:
        found = _literals(items[::-1], backwards=True)
        return _demands(((text[::-1], low, high) for text, low, high in found), from_end=True)
    return tuple(Demand(text, 0, NO_END, False) for text, _, _ in _literals(items))


def _demands(literals: Iterable[tuple[bytes, int, int]], *, from_end: bool) -> tuple[Demand, ...]:
    return tuple(Demand(text, low, min(high + len(text), NO_END), from_end) for text, low, high in literals)


def opening(regex: bytes) -> bytes:
    """The bytes that what the expression matches may begin with, in order; none when it may be any."""
    tree = parser.parse(regex)
    firsts, empty = _first_bytes(tree)
    return b"" if empty or tree.state.flags & re.IGNORECASE or len(firsts) > MANY else bytes(sorted(firsts))


def reach(regex: bytes) -> int:
    """The most bytes that a match of the expression can take in."""
    return _bounded(parser.parse(regex).getwidth())[1]


def says_no_more(regex: bytes) -> bool:
    """Whether the expression is one literal at some distance from the start or from the end, and nothing else, so
    that its demand is all it says.
    """
    tree = parser.parse(regex)
    items = list(tree)
    if not tree.state.flags & re.DOTALL or tree.state.flags & re.IGNORECASE:
        return False
    if items[:1] == [_START]:
        items = items[2:] if _is_gap(items[1]) else items[1:]
    elif items[-1:] == [_END]:
        items = items[:-2] if _is_gap(items[-2]) else items[:-1]
    else:
        return False
    return bool(items) and all(code is codes.LITERAL for code, _ in items)


def links(regex: bytes) -> tuple[tuple[bytes, int, int], ...]:
    """Of an expression for the end that is literals at distances and nothing else: each literal with the least and
    the greatest distance to what follows it. None of any other expression.
    """
    tree = parser.parse(regex)
    items = list(tree)
    if items[-1:] != [_END] or not tree.state.flags & re.DOTALL or tree.state.flags & re.IGNORECASE:
        return ()
    chain: list[tuple[bytes, int, int]] = []
    for item in items[:-1]:
        code, argument = item
        text, low, high = chain.pop() if chain else (b"", 0, 0)
        if code is codes.LITERAL and (low, high) == (0, 0):
            chain.append((text + bytes([argument]), 0, 0))
        elif code is codes.LITERAL:
            chain += [(text, low, high), (bytes([argument]), 0, 0)]
        elif _is_gap(item) and text:
            chain.append((text, low + argument[0], _bounded((0, high + argument[1]))[1]))
        else:
            return ()
    return tuple(chain)


def _is_gap(item: tuple[Any, Any]) -> bool:
    """So many bytes of any value."""
    code, argument = item
    return code is codes.MAX_REPEAT and list(argument[2]) == [(codes.ANY, None)]


def _literals(
    items: Iterable[tuple[Any, Any]], *, backwards: bool = False, low: int = 0, high: int = 0
) -> list[tuple[bytes, int, int]]:
    """Runs of literal bytes that every match has, each with the least and the greatest offset of its first byte."""
    found: list[tuple[bytes, int, int]] = []
    run, start = bytearray(), (0, 0)
    for code, argument in [*items, (codes.AT, None)]:
        if code is codes.LITERAL:
            start = start if run else (low, high)
            run.append(argument)
            low, high = low + 1, min(high + 1, NO_END)
            continue
        if run:
            found.append((bytes(run), *start))
            run.clear()
        if code is codes.SUBPATTERN:
            inner = list(argument[3])
            found += _literals(inner[::-1] if backwards else inner, backwards=backwards, low=low, high=high)
        least, most = _width(code, argument)
        low, high = low + least, min(high + most, NO_END)
    return found


def _first_bytes(items: Iterable[tuple[Any, Any]]) -> tuple[frozenset[int], bool]:
    """The bytes that a match may begin with, and whether it may be empty."""
    firsts: frozenset[int] = frozenset()
    for code, argument in items:
        mine, empty = _first_of(code, argument)
        firsts |= mine
        if not empty:
            return firsts, False
    return firsts, True


def _first_of(code: object, argument: Any) -> tuple[frozenset[int], bool]:  # noqa: ANN401 - the parser's own shapes
    if code in _NO_WIDTH:
        return frozenset(), True
    if code is codes.LITERAL:
        return frozenset([argument]), False
    if code is codes.IN and all(kind in (codes.LITERAL, codes.RANGE) for kind, _ in argument):
        return frozenset(chain.from_iterable(_listed(kind, value) for kind, value in argument)), False
    if code is codes.SUBPATTERN:
        return _first_bytes(argument[3])
    if code is codes.BRANCH:
        choices = [_first_bytes(choice) for choice in argument[1]]
        return frozenset().union(*(firsts for firsts, _ in choices)), any(empty for _, empty in choices)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        firsts, empty = _first_bytes(argument[2])
        return firsts, empty or argument[0] == 0
    return _ANY, code not in _ONE_WIDE


def _listed(kind: object, value: Any) -> Iterable[int]:  # noqa: ANN401 - the parser's own shapes
    return range(value[0], value[1] + 1) if kind is codes.RANGE else (value,)


def _width(code: object, argument: Any) -> tuple[int, int]:  # noqa: ANN401 - the parser's own shapes
    """How many bytes this item may take, at least and at most."""
    if code in _NO_WIDTH:
        return 0, 0
    if code in _ONE_WIDE:
        return 1, 1
    if code is codes.SUBPATTERN:
        return _bounded(argument[3].getwidth())
    if code is codes.BRANCH:
        widths = [branch.getwidth() for branch in argument[1]]
        return _bounded((min(least for least, _ in widths), max(most for _, most in widths)))
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most = argument[2].getwidth()
        times_least, times_most = argument[0], argument[1]
        return _bounded((times_least * least, NO_END if times_most is codes.MAXREPEAT else times_most * most))
    return 0, NO_END


def _bounded(width: tuple[int, int]) -> tuple[int, int]:
    """The parser's own "without end" is a number that depends on the machine."""
    return width[0], NO_END if width[1] >= int(codes.MAXREPEAT) else width[1]
