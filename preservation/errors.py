"""Exceptions say "I could not do my work"; findings say "I did, and this is what I saw".

PreservationError
├── PackageError        the package is at fault: the officer acts
│   ├── PackageUnreadable   it cannot be read as a package at all (carries one finding)
│   └── PackageRejected     it was read and is refused (carries all findings)
├── NoGoodCopy          every place asked was read and none has the right bytes: damage found; the officer acts
├── FixityError         bytes changed under us; stop, record, never retry
├── UsageError          what was asked for cannot be done as asked; nothing was begun
├── PolicyError         a policy is wrong: file, line, field, reason, accepted value
│   └── RulesInvalid        a whole document of rules is (carries all findings)
└── CatalogError        the catalog could not be read or written
"""

from __future__ import annotations

from collections.abc import Sequence

from preservation.findings import Finding
from wording import Explained, Message, say


class PreservationError(Explained):
    """Vankho could not do its work."""


class PackageError(PreservationError):
    """The package is at fault; `findings` say why. The producer's bytes are untouched."""

    def __init__(self, findings: Sequence[Finding], *, detail: str | None = None) -> None:
        first = findings[0]
        super().__init__(
            first.message,
            where=first.path,
            expected=first.expected,
            seen=first.seen,
            next_step=say("Ask the producer for a corrected package, then run the same command again."),
            detail=detail,
        )
        self.findings = tuple(findings)


class PackageUnreadable(PackageError):
    """It cannot be read as a package: cut short, encrypted, empty, not a package."""


class PackageRejected(PackageError):
    """It was read whole and is refused."""


class NoGoodCopy(PreservationError):
    """Every place that was asked answered, and none has the right bytes any more. Trying again does not help."""


class FixityError(PreservationError):
    """Bytes changed under us. Stop and record; trying again would hide it."""


class UsageError(PreservationError):
    """What was asked for cannot be done as asked: no such AIP, a folder that is not empty. Nothing was begun."""


class PolicyError(PreservationError):
    """A policy or setting is wrong."""


class RulesInvalid(PolicyError):
    """A document of rules (a policy, a bag profile) is wrong; `findings` hold all that is."""

    def __init__(self, findings: Sequence[Finding], *, next_step: Message) -> None:
        first = findings[0]
        super().__init__(
            first.message,
            where=first.path,
            expected=first.expected,
            seen=first.seen,
            next_step=next_step,
            detail="\n".join(f"{finding.path}: {finding.message}" for finding in findings),
        )
        self.findings = tuple(findings)


class CatalogError(PreservationError):
    """The catalog could not be read or written."""
