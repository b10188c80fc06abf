"""From what a person types to AIP versions."""

from __future__ import annotations

from collections.abc import Sequence

from flows.workspace import Workspace
from preservation.errors import UsageError
from preservation.facts import AIPVersion
from wording import say


class UnknownReference(UsageError):
    """Nothing in the catalog goes by that name."""


def versions_named(workspace: Workspace, references: Sequence[str]) -> list[AIPVersion]:
    """All versions of the AIPs named, oldest first; of every AIP when none is named.

    A reference is an AIP identifier, the beginning of one, or the producer's identifier. Raises UnknownReference.
    """
    if not references:
        return list(workspace.catalog.versions())
    return [version for reference in references for version in _named(workspace, reference)]


def version_named(workspace: Workspace, reference: str, number: int | None) -> AIPVersion:
    """One version of one AIP; the newest when no number is given. Raises UnknownReference."""
    versions = _named(workspace, reference)
    if number is None:
        return versions[-1]
    for version in versions:
        if version.version == number:
            return version
    raise UnknownReference(
        say("{reference} has no version {number}.", reference=reference, number=number),
        where=versions[-1].identifier,
        expected=", ".join(str(version.version) for version in versions),
        seen=str(number),
        next_step=say("Leave out --version for the newest one."),
    )


def _named(workspace: Workspace, reference: str) -> list[AIPVersion]:
    versions = workspace.catalog.find(reference)
    if not versions:
        raise UnknownReference(
            say("There is no AIP that goes by {reference}.", reference=reference),
            seen=reference,
            next_step=say("`vankho show` lists what there is; the first letters of an identifier are enough."),
        )
    return versions
