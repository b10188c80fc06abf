"""What a run is called on Prefect's pages, in plain words: by the flow and what was asked of it, not by an animal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_EVERYTHING = {
    "replicate": ("replicate", "what is wanting"),
    "audit_due": ("audit", "what is due"),
    "repair": ("repair", "what is damaged"),
    "reconcile": ("reconcile", "catalog and stores"),
}
_MADE_UP = re.compile(r"[a-z]+(-[a-z]+)+")  # as Prefect makes names up


def name_of(flow: str, asked: Mapping[str, Any]) -> str:
    """The name of a run of this flow (as `flows.running.prefect_runs.FLOWS` names it) with these parameters."""
    match flow:
        case "ingest":
            return f"ingest {asked.get('source', '')}".rstrip()
        case "ingest_batch":
            return f"ingest {len(asked['sources'])} packages"
        case "audit":
            return f"audit {asked.get('evidence') or 'bytes'}"
        case "restore":
            return f"restore {asked['reference']}"
    verb, everything = _EVERYTHING.get(flow, (flow, ""))
    references = asked.get("references") or ()
    named = ", ".join(references) if len(references) < 4 else f"{len(references)} AIPs"
    place = f" in {asked['store']}" if asked.get("store") else ""
    return f"{verb} {named or everything}".rstrip() + place


def is_made_up(name: str) -> bool:
    """Whether Prefect gave the name, for want of a better one."""
    return _MADE_UP.fullmatch(name) is not None
