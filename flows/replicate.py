"""Replicate: make the copies that policy asks for and that are missing or not yet proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.copies import Copies, make_copies
from flows.outcomes import Verdict
from flows.references import versions_named
from flows.steps import Step, each, plain_step
from flows.tidy import tidy
from flows.workspace import Workspace
from preservation.facts import AIPVersion, Replica


@dataclass(frozen=True, slots=True)
class Replicated:
    """What became of the copies of one version, and all its replicas now."""

    version: AIPVersion
    copies: Copies
    replicas: tuple[Replica, ...]

    @property
    def verdict(self) -> Verdict:
        """That of its copies."""
        return self.copies.verdict

    @property
    def word(self) -> str:
        """In one word."""
        return {Verdict.WELL: "replicated", Verdict.FOUND: "damaged"}.get(self.verdict, "failed")


def replicate(workspace: Workspace, references: Sequence[str], *, step: Step = plain_step) -> list[Replicated]:
    """Fill what is missing, version by version. A store that fails is a finding; the others go on."""
    tidy(workspace)
    return each(step, _title, _one, versions_named(workspace, references), workspace)


def _title(version: AIPVersion) -> str:
    return f"replicate {version.identifier} v{version.version}"


def _one(version: AIPVersion, workspace: Workspace, step: Step) -> Replicated:
    copies = make_copies(workspace, version, workspace.policy(version.policy), step)
    return Replicated(version, copies, tuple(workspace.catalog.replicas(version.identifier, version.version)))
