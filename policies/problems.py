"""What is wrong with a policy: findings with a place, and the error that carries all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from preservation.errors import RulesInvalid
from preservation.findings import Finding, Severity
from wording import Message, say

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value was written: a file as it was named to us, and a line from 1; no line for a built-in value."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class PolicyInvalid(RulesInvalid):
    """A policy is wrong; `findings` hold everything that is, the error itself shows the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(
            findings,
            next_step=say("Correct the policy, check it with `vankho policy check`, and run the command again."),
        )


def wrong(
    code: str, message: Message, source: Source, *, expected: str | None = None, seen: object = None
) -> Finding:
    """A mistake that keeps a policy from being used."""
    return Finding(code, Severity.ERROR, message, str(source), expected, None if seen is None else short(seen))


def doubtful(code: str, message: Message, source: Source, *, expected: str | None = None) -> Finding:
    """Something that can be used and is probably not meant."""
    return Finding(code, Severity.WARNING, message, str(source), expected)


def short(value: object) -> str:
    """A value as it was written, cut to what a line can hold."""
    text = {"True": "true", "False": "false", "None": "null"}.get(str(value), str(value))
    return text if len(text) <= 80 else text[:77] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), None)


def field_name(path: FieldPath) -> str:
    """`audit.stores.cloud-a.bytes` or `acceptance.waivers[0].code`, counted from 1 for people: `waivers[1]`."""
    parts = ""
    for step in path:
        parts += f"[{step + 1}]" if isinstance(step, int) else (f".{step}" if parts else step)
    return parts
