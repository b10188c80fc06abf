"""Finds, reads, checks and merges policy documents.

A policy in the workspace's folder comes before a built-in one of the same name; each says only what differs from the
policy it extends (`default` when it names none). Mappings are merged, lists and values replaced. Nothing is used
of a policy in which anything is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.build import build
from policies.check import contradictions, incomplete
from policies.model import Policy
from policies.problems import FieldPath, PolicyInvalid, Source, nearest, wrong
from policies.profiles import named_profiles
from policies.sentences import schema_findings
from policies.yaml_lines import Located, read_yaml
from preservation.findings import Finding, Severity
from wording import say

BUILT_IN = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy with its document (merged) and the place of every field; `findings` are warnings only."""

    policy: Policy
    document: Mapping[str, Any]
    sources: Mapping[FieldPath, Source]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Merged:
    value: dict[str, Any]
    sources: dict[FieldPath, Source]


def load_policy(name: str, *, folder: Path | None = None) -> Policy:
    """The policy called `name` from the workspace's `folder` or the built-in ones. Raises PolicyInvalid."""
    return read_policy(name, folder=folder).policy


def load_file(path: Path) -> Policy:
    """The policy in one file; policies it extends are looked for beside it. Raises PolicyInvalid."""
    return read_file(path).policy


def read_policy(name: str, *, folder: Path | None = None) -> Loaded:
    """As `load_policy`, with the places of all values and the warnings."""
    path = _find(name, folder=folder, without=frozenset(), source=Source(name))
    return _read(path, name=name, folder=folder)


def read_file(path: Path) -> Loaded:
    """As `load_file`, with the places of all values and the warnings."""
    return _read(path, name=path.stem, folder=path.parent)


def read_kept(path: Path, *, name: str, folder: Path) -> Loaded:
    """The policy `name` from an effective text that was kept elsewhere, which says everything and needs no other
    file of `folder` than the bag profiles there.
    """
    return _built(_chain(path, folder=None, seen=frozenset()), name=name, folder=folder)


def policy_names(*, folder: Path | None = None) -> list[str]:
    """The names of all policies that can be loaded, sorted."""
    folders = [BUILT_IN, *([folder] if folder is not None and folder.is_dir() else [])]
    return sorted({path.stem for each in folders for path in each.glob("*.yaml")})


def check_file(path: Path) -> tuple[Finding, ...]:
    """Everything wrong or doubtful about one policy file; empty when it is sound. Never raises for its content."""
    from policies.feasible import of_schedule  # late: whoever only uses a policy does not look two years ahead

    try:
        loaded = read_file(path)
    except PolicyInvalid as error:
        return error.findings
    return (*loaded.findings, *of_schedule(loaded.policy, loaded.sources))


def _read(path: Path, *, name: str, folder: Path | None) -> Loaded:
    return _built(_chain(path, folder=folder, seen=frozenset()), name=name, folder=folder)


def _built(merged: _Merged, *, name: str, folder: Path | None) -> Loaded:
    problems = incomplete(merged.value, merged.sources)
    if problems:
        raise PolicyInvalid(problems)
    profiles = named_profiles(merged.value, merged.sources, folder=folder)
    policy = build(merged.value, name=name, profiles=profiles)
    findings = contradictions(policy, merged.sources)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise PolicyInvalid(findings)
    return Loaded(policy, merged.value, merged.sources, tuple(findings))


def _chain(path: Path, *, folder: Path | None, seen: frozenset[Path]) -> _Merged:
    """The document merged over those it extends; each is checked alone first, so that mistakes have a place."""
    document = _document(path)
    place = path.resolve()
    if place == (BUILT_IN / "default.yaml").resolve():
        parent = _Merged({}, {})
    else:
        source = Source(_shown(path), document.lines.get(("extends",), 1))
        wanted = document.value.get("extends", "default")
        parent_path = _find(wanted, folder=folder, without=seen | {place}, source=source)
        parent = _chain(parent_path, folder=folder, seen=seen | {place})
    sources = {place: Source(_shown(path), line) for place, line in document.lines.items()}
    return _merge(parent, document.value, sources)


def _document(path: Path) -> Located:
    file = _shown(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        message = say("The policy file cannot be read: {reason}.", reason=error.strerror or str(error))
        raise PolicyInvalid([wrong("policy-unreadable", message, Source(file))]) from error
    document = read_yaml(content, file=file)
    problems = [] if path.parent == BUILT_IN else schema_findings(document, file=file)  # a test proves ours sound
    if problems:
        raise PolicyInvalid(problems)
    return document


def _find(name: str, *, folder: Path | None, without: frozenset[Path], source: Source) -> Path:
    """The file of a policy. One that is being read already is passed over, so a workspace's own `default`
    extends the built-in one, and a circle ends.
    """
    candidates = [each / f"{name}.yaml" for each in (folder, BUILT_IN) if each is not None]
    known = policy_names(folder=folder)
    if name in known:  # never a path: `../x` is no policy name
        for path in candidates:
            if path.is_file() and path.resolve() not in without:
                return path
        message = say("The policy extends itself, by way of `{name}`.", name=name)
        raise PolicyInvalid([wrong("policy-circle", message, source, expected="default")])
    meant = nearest(name, known)
    if meant is not None:
        message = say("There is no policy `{name}`. Probably meant: `{meant}`.", name=name, meant=meant)
    else:
        message = say("There is no policy `{name}`.", name=name)
    raise PolicyInvalid([wrong("policy-unknown", message, source, expected=" | ".join(known), seen=name)])


def _shown(path: Path) -> str:
    return f"built-in/{path.name}" if path.parent == BUILT_IN else str(path)


def _merge(parent: _Merged, child: Mapping[str, Any], sources: Mapping[FieldPath, Source]) -> _Merged:
    value = dict(parent.value)
    places = dict(parent.sources)
    _merge_into(value, child, (), places=places, sources=sources)
    value.pop("extends", None)
    return _Merged(value, places)


def _merge_into(
    value: dict[str, Any],
    child: Mapping[str, Any],
    path: FieldPath,
    *,
    places: dict[FieldPath, Source],
    sources: Mapping[FieldPath, Source],
) -> None:
    for key, new in child.items():
        here = (*path, key)
        if isinstance(new, dict) and isinstance(value.get(key), dict):
            value[key] = dict(value[key])
            _merge_into(value[key], new, here, places=places, sources=sources)
            if here in sources and not value[key]:  # `{}`, written here last
                places[here] = sources[here]
            continue
        value[key] = new
        for old in [place for place in places if place[: len(here)] == here]:
            del places[old]
        places.update({place: source for place, source in sources.items() if place[: len(here)] == here})
