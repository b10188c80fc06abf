"""What the checker says: a report with every finding, bounded, and the verdict counted beside the list.

The verdict rests on the counts, never on the kept findings, so that a bag with a million faults stays invalid
when only the first thousand of a kind are kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from preservation.findings import Finding, Severity
from wording import Message, say

KEPT_PER_CODE = 1000  # findings of one code that a report holds; the rest is counted
NOTHING = "–"  # what was seen, or expected, where nothing is
_LONGEST_SEEN = 200  # characters of what was seen that a finding quotes
_ONLY_VALIDITY = frozenset({"digest-differs", "tag-digest-differs"})  # a bag can be complete and have these


@dataclass(frozen=True, slots=True)
class BagReport:
    """The answer about one bag (RFC 8493 section 3: complete, valid).

    `checked` counts payload files whose bytes were read and compared, `matched` those for which every listed
    digest agreed. `payload_files` and `payload_bytes` are what stands there, not what was promised. `profile` is
    the identifier of the bag profile that was asked for, None when none was, and `conforms` the answer about it: a
    matter of its own, for a bag can be valid and not conform.
    """

    path: Path
    version: str | None
    complete: bool
    valid: bool
    checked: int
    matched: int
    algorithms: tuple[str, ...]
    manifests: tuple[str, ...]
    payload_files: int
    payload_bytes: int
    bag_info: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    profile: str | None = None
    conforms: bool | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Payload files that a manifest names and that are not there (at most KEPT_PER_CODE)."""
        return tuple(f.path for f in self.findings if f.code == "file-missing" and f.path is not None)


def shown(text: str) -> str:
    """What was seen, cut to what a finding can quote."""
    return (text if len(text) <= _LONGEST_SEEN else text[: _LONGEST_SEEN - 1] + "…") or NOTHING


class Notes:
    """Collects findings, each with code, path, expected and seen; keeps KEPT_PER_CODE of a code, counts all."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[str, Severity]] = Counter()

    def error(self, code: str, message: Message, path: str, *, expected: str, seen: str) -> None:
        """A MUST is broken, or something could not be checked: the bag is not valid."""
        self._add(Finding(code, Severity.ERROR, message, path, expected, shown(seen)))

    def warning(self, code: str, message: Message, path: str, *, expected: str, seen: str) -> None:
        """A SHOULD is broken, or something a person ought to know."""
        self._add(Finding(code, Severity.WARNING, message, path, expected, shown(seen)))

    def remark(self, code: str, message: Message, path: str, *, expected: str, seen: str) -> None:
        """A recommendation for readers' comfort was not followed; nothing needs to be done."""
        self._add(Finding(code, Severity.INFO, message, path, expected, shown(seen)))

    def rule(self, broken: bool, code: str, message: Message, path: str, *, expected: str, seen: str) -> None:
        """An error where the bag's version makes it a MUST (`broken`), a warning where it does not."""
        (self.error if broken else self.warning)(code, message, path, expected=expected, seen=seen)

    def _add(self, finding: Finding) -> None:
        key = (finding.code, finding.severity)
        self._counts[key] += 1
        if self._counts[key] <= KEPT_PER_CODE:
            self._kept.append(finding)

    @property
    def complete(self) -> bool:
        """No error but differing digests."""
        return not any(s is Severity.ERROR and code not in _ONLY_VALIDITY for code, s in self._counts)

    @property
    def valid(self) -> bool:
        """No error at all."""
        return not any(severity is Severity.ERROR for _, severity in self._counts)

    def findings(self) -> tuple[Finding, ...]:
        """What was kept, and one finding for each code of which some were not kept."""
        return (
            *self._kept,
            *(
                Finding(
                    "findings-not-shown",
                    severity,
                    say(
                        "{count} more findings of the kind {code} are not shown.", count=n - KEPT_PER_CODE, code=code
                    ),
                    ".",
                    str(KEPT_PER_CODE),
                    str(n),
                )
                for (code, severity), n in self._counts.items()
                if n > KEPT_PER_CODE
            ),
        )
