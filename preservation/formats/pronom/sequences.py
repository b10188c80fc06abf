"""PRONOM's way of writing byte sequences, as regular expressions over bytes (DROID's signature syntax).

Hex pairs, 'text', sets [A:B] [A-B] [!A] [&mask] [~mask], choices (a|b), gaps {n} {n-m} {n-*} * ??, and fragments to
the left and right of a sequence, each at its own distance. What is not understood raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from preservation.formats.pronom.facts import NO_END

_TOKEN = re.compile(
    r"(?P<blank>\s+)|'(?P<text>[^']*)'|(?P<hex>[0-9A-Fa-f]{2})|(?P<set>\[)|(?P<choice>\()|(?P<any>\?\?)"
    r"|\{\s*(?P<low>\d+)\s*(?:-\s*(?P<high>\d+|\*)\s*)?\}|(?P<rest>\*)"
)
_CLOSING = {"set": "]", "choice": ")"}


def sequence(text: str) -> bytes:
    """The regular expression of one sequence. Raises ValueError."""
    out, place = [], 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"no byte sequence: {text[place : place + 20]!r}")
        place = token.end()
        kind = token.lastgroup
        if kind in _CLOSING:
            end = _closing(text, place, _CLOSING[kind])
            inner, place = text[place:end], end + 1
            out.append(_set(inner) if kind == "set" else _choice(_split(inner, "|")))
        else:
            out.append(_plain(token))
    return b"".join(out)


def byte_sequence(element: ElementTree.Element) -> tuple[bytes, bool, bool]:
    """(regular expression, whether it is for the file's end, whether it is anchored at the start) of a ByteSequence.

    Sub-sequences stand in order, each so far from the end of the one before (from the file's end, for EOFoffset).
    """
    reference = element.get("Reference")
    parts = sorted(element.findall("SubSequence"), key=lambda each: int(each.get("Position", "1")))
    pieces = [(_reach(part), _with_fragments(part)) for part in parts]
    if reference == "EOFoffset":
        body = b"".join(piece + gap(*reach) for reach, piece in reversed(pieces))
        return b"(?s)" + body + rb"\Z", True, False
    if reference == "BOFoffset":
        return rb"(?s)\A" + b"".join(gap(*reach) + piece for reach, piece in pieces), False, True
    first, *others = pieces  # anywhere: the offset of the first says nothing
    return b"(?s)" + first[1] + b"".join(gap(*reach) + piece for reach, piece in others), False, False


def gap(low: int, high: int) -> bytes:
    """So many bytes of any value."""
    if high <= 0:
        return b""
    return b".{%d,%b}" % (low, b"" if high >= NO_END else b"%d" % high)


def literal(value: bytes) -> bytes:
    """The bytes, escaped."""
    return b"".join(b"\\x%02x" % byte for byte in value)


def _reach(part: ElementTree.Element) -> tuple[int, int]:
    low, high = int(part.get("SubSeqMinOffset") or 0), part.get("SubSeqMaxOffset")
    return low, NO_END if high is None else max(low, int(high))


def _with_fragments(part: ElementTree.Element) -> bytes:
    """The sequence with its fragments; those of the same position are choices, position 1 stands next to it."""
    body = sequence(part.findtext("Sequence") or "")
    for choices in _by_position(part.findall("LeftFragment")):
        body = _choice_of(sequence(each.text or "") + gap(*_distance(each)) for each in choices) + body
    for choices in _by_position(part.findall("RightFragment")):
        body += _choice_of(gap(*_distance(each)) + sequence(each.text or "") for each in choices)
    return body


def _by_position(fragments: Iterable[ElementTree.Element]) -> list[list[ElementTree.Element]]:
    places: dict[int, list[ElementTree.Element]] = {}
    for fragment in fragments:
        places.setdefault(int(fragment.get("Position", "1")), []).append(fragment)
    return [places[place] for place in sorted(places)]


def _distance(fragment: ElementTree.Element) -> tuple[int, int]:
    low = int(fragment.get("MinOffset") or 0)
    return low, max(low, int(fragment.get("MaxOffset") or low))


def _plain(token: re.Match[str]) -> bytes:
    if token["text"] is not None:
        return literal(token["text"].encode())
    if token["hex"]:
        return literal(bytes.fromhex(token["hex"]))
    if token["low"]:
        low = int(token["low"])
        return gap(low, low if token["high"] is None else NO_END if token["high"] == "*" else int(token["high"]))
    return b"" if token["blank"] else b"." if token["any"] else b".*"


def _choice(texts: Iterable[str]) -> bytes:
    return _choice_of(sequence(text) for text in texts)


def _choice_of(expressions: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(expressions) + b")"


def _split(text: str, separator: str) -> list[str]:
    """Split outside quotation marks."""
    parts, quoted = [""], False
    for letter in text:
        quoted ^= letter == "'"
        if letter == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _closing(text: str, start: int, bracket: str) -> int:
    quoted = False
    for place in range(start, len(text)):
        quoted ^= text[place] == "'"
        if text[place] == bracket and not quoted:
            return place
    raise ValueError(f"not closed: {text[start : start + 20]!r}")


def _set(text: str) -> bytes:
    """One byte out of a set; or, for a range of longer values, that many bytes in the order of their values."""
    text = text.strip()
    negated, text = text.startswith("!"), text.removeprefix("!").strip()
    if text[:1] in ("&", "~"):
        mask = int(text[1:], 16)
        body = literal(bytes(byte for byte in range(256) if _masked(byte, mask, text[0])))
    else:
        ends = next((parts for parts in (_split(text, ":"), _split(text, "-")) if len(parts) == 2), None)
        if ends is None:
            body = literal(_value(text))
        else:
            low, high = _value(ends[0]), _value(ends[1])
            if len(low) != len(high) or low > high or (len(low) > 1 and negated):
                raise ValueError(f"no range: {text!r}")
            if len(low) > 1:
                return _between(low, high)
            body = literal(low) + b"-" + literal(high)
    return b"[" + (b"^" if negated else b"") + body + b"]"


def _masked(byte: int, mask: int, kind: str) -> bool:
    return (byte & mask) == mask if kind == "&" else bool(byte & mask)


def _value(text: str) -> bytes:
    text = text.strip()
    return text.strip("'").encode() if text.startswith("'") else bytes.fromhex(text)


def _between(low: bytes, high: bytes) -> bytes:
    """Values of several bytes from `low` to `high`, both included."""
    if not low:
        return b""
    if low[0] == high[0]:
        return literal(low[:1]) + _between(low[1:], high[1:])
    rest = len(low) - 1
    lowest = literal(low[:1]) + _between(low[1:], b"\xff" * rest)
    highest = literal(high[:1]) + _between(bytes(rest), high[1:])
    choices = [lowest, highest]
    if high[0] - low[0] > 1:
        choices.append(b"[%b-%b]" % (literal(bytes([low[0] + 1])), literal(bytes([high[0] - 1]))) + gap(rest, rest))
    return _choice_of(choices)
