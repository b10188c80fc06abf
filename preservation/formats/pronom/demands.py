"""What a regular expression demands of a file before it can match: literals and where they must stand.

A demand that fails proves that the pattern fails; one that holds proves nothing. So an error here can only be to
demand too much, and the tests hold every answer against FIDO, which demands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from preservation.formats.pronom.facts import NO_END, Demand

_START = (codes.AT, codes.AT_BEGINNING_STRING)
_END = (codes.AT, codes.AT_END_STRING)
_NO_WIDTH = {codes.AT, codes.ASSERT, codes.ASSERT_NOT}
_ONE_WIDE = {codes.ANY, codes.IN, codes.NOT_LITERAL}


def demands(regex: bytes, *, anchored: bool) -> tuple[Demand, ...]:
    """The literals of the expression with where they must begin. Raises re.error for what is no expression."""
    tree = parser.parse(regex)
    items = list(tree)
    if tree.state.flags & re.IGNORECASE:
        return ()
    if anchored or items[:1] == [_START]:
        return tuple(Demand(text, low, high, False) for text, low, high in _literals(items))
    if items[-1:] == [_END]:
        return tuple(
            Demand(text[::-1], low + len(text), min(high + len(text), NO_END), True)
            for text, low, high in _literals(items[::-1], backwards=True)
        )
    return tuple(Demand(text, 0, NO_END, False) for text, _, _ in _literals(items))


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
