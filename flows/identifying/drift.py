"""Format drift: what another release of signatures would say of the holdings, without ingesting anything again.

Reads the beginning and the end of each payload file, and parts of containers, from a proved copy on a disk of ours;
changes nothing, neither in the catalog nor in a store. Files only of stores that are no local folder are counted as
not looked at. In flat memory; whoever interrupts it loses nothing but the answer.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from flows.identifying.signatures import release_named
from flows.settings import LocalStoreSettings
from flows.workspace import Workspace
from preservation.catalog.answers import Held
from preservation.facts import AIPVersion, Basis, FileFact, FormatFact, ObjectFact, Outcome, Role
from preservation.formats import kept
from preservation.formats.drift import Aspect, Compared, Kind, Turn, turn
from preservation.formats.identify import Identifier
from preservation.formats.kept import Kept
from preservation.formats.pronom.chosen import load
from preservation.formats.pronom.facts import Release, SignatureFiles
from preservation.replicas.layout import replica_prefix

EXAMPLES = 5  # files shown for each turn; the list has all


@dataclass
class Drift:
    """`turns` counts files by how their answer changes, `examples` names a few (AIP, version, path) of each.

    `skipped` counts the files of AIPs without a proved copy on a disk of ours, by store names joined.
    """

    release: Kept
    began: datetime
    looked: int = 0
    turns: Counter[Turn] = field(default_factory=Counter)
    examples: dict[Turn, list[tuple[str, int, str]]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, kind: Kind) -> int:
        """Files whose answer changes in this way."""
        return sum(files for each, files in self.turns.items() if each.kind is kind)

    @property
    def changed(self) -> int:
        """Files that would be named otherwise."""
        return sum(self.count(kind) for kind in (Kind.OTHER, Kind.NOW_KNOWN, Kind.NOW_UNKNOWN))


@dataclass(frozen=True, slots=True)
class ToLookAt:
    """A format of the holdings that differs between the release it was identified by and another one."""

    held: Held
    aspects: tuple[Aspect, ...]


@dataclass(frozen=True, slots=True)
class Quick:
    """`unnamed` counts files that are unknown or known by name only: only their bytes can tell. `not_compared` are
    files that were identified by signatures that are kept nowhere here, by label.
    """

    release: Kept
    files: int
    differing: tuple[ToLookAt, ...]
    unnamed: int
    not_compared: dict[str, int]


def drift(
    workspace: Workspace,
    release: Kept,
    files: SignatureFiles | None,
    *,
    collection: str | None = None,
    sample: int | None = None,
    listed: TextIO | None = None,
) -> Drift:
    """Identify again what is kept, by another release, and count what changes. `sample` takes about so many files of
    each recorded format, the same ones every time; `listed` gets every changed file as a line of JSON.
    """
    seen = Drift(release, workspace.clock())
    share = _shares(workspace, collection, sample)
    workspace.progress.begin(
        "look for drift", sum(v.files for v in workspace.catalog.versions(collection=collection))
    )
    with Identifier(signatures=files) as identifier:
        for version in workspace.catalog.versions(collection=collection):
            bag = _proved_copy(workspace, version)
            if bag is None:
                stores = [
                    replica.store for replica in workspace.catalog.replicas(version.identifier, version.version)
                ]
                seen.skipped[", ".join(stores) or "–"] += version.files
                workspace.progress.advance(version.files)
                continue
            for known, answer in _again(workspace, identifier, version, bag, share):
                _note(seen, version, known, answer, listed)
    return seen


def _again(
    workspace: Workspace, identifier: Identifier, version: AIPVersion, bag: Path, share: dict[tuple[str, str], float]
) -> Iterator[tuple[ObjectFact, FormatFact]]:
    """Each chosen payload file with its new answer. Only as many wait for theirs as are asked for ahead."""
    waiting: deque[ObjectFact] = deque()

    def chosen() -> Iterator[FileFact]:
        for known in workspace.catalog.objects(version.identifier, version.version):
            if known.role is not Role.PAYLOAD:
                continue
            workspace.progress.advance(1)
            if known.format is not None and _in_sample(known, share):
                waiting.append(known)
                yield FileFact(known.path, known.size, {})

    for answer in identifier.identify(bag, chosen()):
        yield waiting.popleft(), answer


def _note(seen: Drift, version: AIPVersion, known: ObjectFact, answer: FormatFact, listed: TextIO | None) -> None:
    assert known.format is not None
    change = turn(known.format, answer)
    seen.looked += 1
    seen.turns[change] += 1
    if change.kind is Kind.SAME:
        return
    examples = seen.examples.setdefault(change, [])
    if len(examples) < EXAMPLES:
        examples.append((version.identifier, version.version, known.path))
    if listed is not None:
        line = {
            "identifier": version.identifier,
            "version": version.version,
            "path": known.path,
            "change": change.kind.value,
            "from": {"puid": change.old, "basis": change.old_basis.value, "signatures": known.format.signatures},
            "to": {"puid": change.new, "basis": change.new_basis.value, "signatures": answer.signatures},
            "note": answer.note,
        }
        listed.write(json.dumps(line) + "\n")


def _proved_copy(workspace: Workspace, version: AIPVersion) -> Path | None:
    """The staged bag, or a copy in a local folder whose bytes or checksums were last seen intact."""
    places = [workspace.folder / version.staged] if version.staged is not None else []
    for replica in workspace.catalog.replicas(version.identifier, version.version):
        settings = workspace.settings.stores.get(replica.store)
        proofs = [proof for proof in replica.evidence.values() if proof.outcome is not Outcome.UNREADABLE]
        whole = bool(proofs) and all(proof.outcome is Outcome.INTACT for proof in proofs)
        if isinstance(settings, LocalStoreSettings) and whole:
            prefix = replica_prefix(version.identifier, version.version)
            places.append(workspace.folder / settings.path / prefix)
    return next((place for place in places if (place / "bagit.txt").is_file()), None)


def _shares(workspace: Workspace, collection: str | None, sample: int | None) -> dict[tuple[str, str], float]:
    """Of each recorded format, which share of its files is looked at; {} for all of everything."""
    if sample is None:
        return {}
    held: Counter[tuple[str, str]] = Counter()
    for each in workspace.catalog.answers(collection=collection):
        held[_kind(each.answer)] += each.files
    return {kind: sample / files for kind, files in held.items()}


def _kind(answer: FormatFact) -> tuple[str, str]:
    return answer.puid or "", answer.basis.value


def _in_sample(known: ObjectFact, share: dict[tuple[str, str], float]) -> bool:
    """By the file's digest, so that the choice is spread over everything and is the same the next time."""
    assert known.format is not None
    return not share or int(known.sha256[:13], 16) / (1 << 52) < share.get(_kind(known.format), 1.0)


def quick(
    workspace: Workspace, release: Kept, files: SignatureFiles | None, *, collection: str | None = None
) -> Quick:
    """Which formats of the holdings differ between the release that named them and another one; reads no file."""
    target = _comparable(files)
    held = workspace.catalog.answers(collection=collection)
    known: dict[str, Compared | None] = {}
    differing, not_compared, unnamed = [], Counter[str](), 0
    for each in held:
        label = each.answer.signatures
        if each.answer.basis in (Basis.NONE, Basis.EXTENSION, Basis.FAILED):
            unnamed += each.files
        if label not in known:
            old = _release_labelled(workspace, label)
            known[label] = None if old is None else Compared(old, target)
        compared = known[label]
        if compared is None:
            not_compared[label] += each.files
        elif each.answer.puid is not None and (aspects := compared.aspects(each.answer.puid)):
            differing.append(ToLookAt(each, aspects))
    return Quick(release, sum(each.files for each in held), tuple(differing), unnamed, dict(not_compared))


def _comparable(files: SignatureFiles | None) -> Release:
    """The release in PRONOM's own spelling, also that of FIDO, so that signatures can be compared as text."""
    return load(files or kept.fido_as_droid())


def _release_labelled(workspace: Workspace, label: str) -> Release | None:
    """The kept release that is recorded under this label."""
    names = [kept.FIDO, *kept.kept_names(workspace.folder / "formats")]
    for name in names:
        found, files = release_named(workspace, name)
        if found.label == label:
            return _comparable(files)
    return None
