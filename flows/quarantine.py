"""What is left of a rejected package: the reasons. Its bytes stay with the producer, untouched; ours are let go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from flows.workspace import Workspace
from preservation.findings import Finding, as_json


def leave_reasons(workspace: Workspace, source: str, submission: str, findings: Sequence[Finding]) -> Path:
    """Write `quarantine/<submission>.json`: the source and every finding. Returns the file."""
    workspace.quarantine.mkdir(exist_ok=True)
    file = workspace.quarantine / f"{submission}.json"
    reasons = {
        "source": source,
        "submission": submission,
        "at": workspace.clock().isoformat(),
        "findings": [as_json(finding) for finding in findings],
    }
    file.write_text(json.dumps(reasons, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return file
