"""The policies in force: a policy that was edited and is wrong now changes nothing until it is right again.

Each run that writes keeps the effective text of every policy that is sound in the workspace's folder `in-force/`.
Audits, due dates and standings go by that text when the file is wrong, and say so; what decides anew about packages
(ingest, replicate) refuses instead, before anything runs. A policy that never was sound is not in force.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from policies.load import load_policy, read_kept
from policies.model import Policy
from policies.problems import PolicyInvalid
from preservation.findings import Finding, Severity
from wording import say

IN_FORCE = "in-force"


class HasNotices(Protocol):
    """A workspace, as far as it matters here."""

    folder: Path
    notices: list[Finding]


def keep(folder: Path, texts: Mapping[str, bytes]) -> None:
    """Write the effective texts of the sound policies where they are new. Each file is replaced as a whole."""
    place = folder / IN_FORCE
    for name, text in texts.items():
        file = place / f"{name}.yaml"
        if file.is_file() and file.read_bytes() == text:
            continue
        place.mkdir(exist_ok=True)
        half = place / f".{name}.{os.getpid()}"
        half.write_bytes(text)
        half.replace(file)


def kept_text(folder: Path, name: str) -> bytes | None:
    """The effective text of a policy as it was last kept; None when it never was."""
    file = folder / IN_FORCE / f"{name}.yaml"
    return file.read_bytes() if file.is_file() else None


def policy_in_force(workspace: HasNotices, name: str) -> Policy:
    """The policy of that name as its file says, or as it was when the file was last right; then the workspace's
    notices say so. Raises PolicyInvalid when it never was.
    """
    folder = workspace.folder / "policies"
    try:
        return load_policy(name, folder=folder)
    except PolicyInvalid as error:
        kept = workspace.folder / IN_FORCE / f"{name}.yaml"
        if not kept.is_file():
            raise
        policy = read_kept(kept, name=name, folder=folder).policy
        notice = _still(name, error)
        if notice not in workspace.notices:
            workspace.notices.append(notice)
        return policy


def _still(name: str, error: PolicyInvalid) -> Finding:
    first = error.findings[0]
    return Finding(
        "policy-not-in-force",
        Severity.WARNING,
        say(
            "The policy {name} is wrong ({reason}), so audits go on by what it said before. Correct it, and check it "
            "with `vankho policy check`.",
            name=name,
            reason=first.message,
        ),
        first.path,
    )
