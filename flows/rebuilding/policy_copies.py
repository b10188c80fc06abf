"""Policies that the ledger keeps, brought back into a workspace that lost them. A file that is there stays."""

from __future__ import annotations

import hashlib

from flows.ledger import policy_texts
from flows.workspace import Workspace
from preservation.findings import Finding, Severity
from preservation.ledger.layout import policy_key
from preservation.ledger.records import Checkpoint
from storage_adapters.errors import ObjectNotFound
from storage_adapters.store import Store
from wording import say

_LARGEST = 16 << 20


def bring_back(
    workspace: Workspace, store: Store, end: Checkpoint | None
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Write the policies in force at the checkpoint that the workspace does not have; their names, and what could
    not be brought back. Raises StorageError, OSError.
    """
    if end is None:
        return (), ()
    folder = workspace.folder / "policies"
    have = policy_texts(workspace)
    written, findings = [], []
    for name, digest in sorted(end.policies.items()):
        if name in have and hashlib.sha256(have[name]).hexdigest() == digest:
            continue
        file = folder / f"{name}.yaml"
        if file.exists():
            findings.append(_other(name, str(file.relative_to(workspace.folder))))
            continue
        text = _text(store, policy_key(end.book, name, digest))
        if text is None or hashlib.sha256(text).hexdigest() != digest:
            findings.append(_lost(name, store.name))
            continue
        folder.mkdir(exist_ok=True)
        file.write_bytes(text)
        written.append(name)
        have = policy_texts(workspace)  # those that extend it may be what they were by this alone
    return tuple(written), tuple(findings)


def _text(store: Store, key: str) -> bytes | None:
    try:
        with store.open(key) as reader:
            content = b""
            while len(content) <= _LARGEST and (chunk := reader.read(1 << 20)):
                content += chunk
            return content
    except ObjectNotFound:
        return None


def _other(name: str, file: str) -> Finding:
    message = say(
        "The policy {name} of the workspace is not the one that the ledger keeps; the workspace's stays.", name=name
    )
    return Finding("policy-differs", Severity.INFO, message, file)


def _lost(name: str, store: str) -> Finding:
    message = say("The policy {name} is not in store {store} as its ledger names it.", name=name, store=store)
    return Finding("policy-lost", Severity.WARNING, message, name)
