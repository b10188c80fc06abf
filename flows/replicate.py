"""Replicate: make the copies that policy asks for and that are missing or not yet proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.copies import Copies, make_copies
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation.facts import AIPVersion


@dataclass(frozen=True, slots=True)
class Replicated:
    """What became of the copies of one version."""

    version: AIPVersion
    copies: Copies


def replicate(workspace: Workspace, versions: Sequence[AIPVersion], *, step: Step = plain_step) -> list[Replicated]:
    """Fill what is missing, version by version. A store that fails is a finding; the others go on."""
    return [
        Replicated(version, make_copies(workspace, version, workspace.policy(version.policy), step))
        for version in versions
    ]
