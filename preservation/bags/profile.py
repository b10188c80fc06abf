"""A bag profile (BagIt Profiles 1.1 to 1.4): what two parties agreed on that RFC 8493 leaves open, read from JSON.

Fails closed: a profile with a field that is not known here, or in which anything is wrong, is not used at all,
because a demand that is not understood cannot be checked. Nothing is ever fetched from a profile's address.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from preservation.bags.digests import ALGORITHMS
from preservation.errors import RulesInvalid
from preservation.findings import Finding, Severity
from wording import Message, say

LONGEST = 1 << 20  # bytes of a profile
_SERIALIZATIONS = ("forbidden", "required", "optional")
_SPECIFICATION = re.compile(r"1\.[1-4](\.[0-9]+)?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class LabelRule:
    """What is asked of one label of bag-info.txt; no `values` means that any will do."""

    required: bool = False
    recommended: bool = False
    repeatable: bool = True
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile. Algorithms, versions, MIME types and paths as it writes them; an `allowed` of None allows all."""

    identifier: str
    labels: Mapping[str, LabelRule]
    versions: tuple[str, ...]
    manifests_required: tuple[str, ...] = ()
    manifests_allowed: tuple[str, ...] | None = None
    tag_manifests_required: tuple[str, ...] = ()
    tag_manifests_allowed: tuple[str, ...] | None = None
    tag_files_required: tuple[str, ...] = ()
    tag_files_allowed: tuple[str, ...] | None = None
    payload_files_required: tuple[str, ...] = ()
    payload_files_allowed: tuple[str, ...] | None = None
    allow_fetch: bool = True
    fetch_required: bool = False
    data_empty: bool = False
    serialization: str = "optional"
    accept_serialization: tuple[str, ...] | None = None


class ProfileInvalid(RulesInvalid):
    """A profile cannot be used; `findings` hold everything that is wrong with it, the error itself the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings, next_step=say("Correct the profile, or name another one."))


def read_profile(content: bytes, *, file: str) -> Profile:
    """The profile in these bytes; `file` is what messages call it. Raises ProfileInvalid."""
    reading = _Reading(file)
    document = _document(content, reading)
    profile = _profile(document, reading) if document is not None else None
    if reading.findings or profile is None:
        raise ProfileInvalid(reading.findings)
    return profile


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern fits; an asterisk stands for any characters, "/" among them."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _document(content: bytes, reading: _Reading) -> Mapping[str, Any] | None:
    try:
        if len(content) > LONGEST:
            raise ValueError(f"> {LONGEST} bytes")
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        text = say("The profile cannot be read as JSON in UTF-8.")
        reading.wrong("", text, expected="{…}", seen=str(error))
        return None
    return reading.mapping(document, "")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"twice: {next(name for name in names if names.count(name) > 1)}")
    return dict(pairs)


@dataclass(slots=True)
class _Reading:
    """Takes values out of the document by their kind, and notes those of another one."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, place: str, message: Message, *, expected: str, seen: object) -> None:
        """A mistake that keeps the profile from being used."""
        where = f"{self.file}: {place}" if place else self.file
        self.findings.append(Finding("profile-malformed", Severity.ERROR, message, where, expected, str(seen)[:80]))

    def known(self, given: Mapping[str, Any], names: Iterable[str], place: str) -> None:
        """Note what is not among the known fields."""
        accepted = list(names)
        for name in given:
            if name not in accepted:
                text = say("This field of the profile is not known here, so what it asks cannot be checked.")
                self.wrong(f"{place}.{name}".lstrip("."), text, expected=" | ".join(accepted), seen=name)

    def mapping(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.wrong(place, say("This must hold fields of its own."), expected="{…}", seen=value)
        return {}

    def text(self, value: object, place: str) -> str:
        if isinstance(value, str) and value.strip():
            return value
        self.wrong(place, say("This must be text, and not empty."), expected='"…"', seen=value)
        return ""

    def flag(self, given: Mapping[str, Any], name: str, place: str, *, default: bool) -> bool:
        value = given.get(name, default)
        value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
        if isinstance(value, bool):
            return value
        self.wrong(
            f"{place}.{name}".lstrip("."), say("This must be true or false."), expected="true | false", seen=value
        )
        return default

    def texts(self, given: Mapping[str, Any], name: str, place: str = "") -> tuple[str, ...] | None:
        value = given.get(name)
        if name not in given:
            return None
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.wrong(f"{place}.{name}".lstrip("."), say("This must be a list of texts."), expected='["…"]', seen=value)
        return None


_FIELDS = (
    "BagIt-Profile-Info", "Bag-Info", "Manifests-Required", "Manifests-Allowed", "Tag-Manifests-Required",
    "Tag-Manifests-Allowed", "Tag-Files-Required", "Tag-Files-Allowed", "Payload-Files-Required",
    "Payload-Files-Allowed", "Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty", "Serialization",
    "Accept-Serialization", "Accept-BagIt-Version",
)  # fmt: skip


def _profile(document: Mapping[str, Any], reading: _Reading) -> Profile:
    reading.known(document, _FIELDS, "")
    lists = {name: reading.texts(document, name) for name in _FIELDS if name.endswith(("-Required", "-Allowed"))
             and name != "Fetch.txt-Required"}  # fmt: skip
    for kind in ("Manifests", "Tag-Manifests", "Tag-Files", "Payload-Files"):
        _judge_lists(kind, lists[f"{kind}-Required"] or (), lists[f"{kind}-Allowed"], reading)
    allow_fetch = reading.flag(document, "Allow-Fetch.txt", "", default=True)
    fetch_required = reading.flag(document, "Fetch.txt-Required", "", default=False)
    if fetch_required and not allow_fetch:
        text = say("The profile demands a fetch.txt and forbids it.")
        reading.wrong("Fetch.txt-Required", text, expected="false", seen="true")
    serialization, accepted = _serialization(document, reading)
    return Profile(
        identifier=_identifier(document, reading),
        labels=_labels(document, reading),
        versions=_versions(document, reading),
        manifests_required=lists["Manifests-Required"] or (),
        manifests_allowed=lists["Manifests-Allowed"],
        tag_manifests_required=lists["Tag-Manifests-Required"] or (),
        tag_manifests_allowed=lists["Tag-Manifests-Allowed"],
        tag_files_required=lists["Tag-Files-Required"] or (),
        tag_files_allowed=lists["Tag-Files-Allowed"],
        payload_files_required=lists["Payload-Files-Required"] or (),
        payload_files_allowed=lists["Payload-Files-Allowed"],
        allow_fetch=allow_fetch,
        fetch_required=fetch_required,
        data_empty=reading.flag(document, "Data-Empty", "", default=False),
        serialization=serialization,
        accept_serialization=accepted,
    )


def _identifier(document: Mapping[str, Any], reading: _Reading) -> str:
    """BagIt-Profile-Info; a profile that does not say its version of the specification follows 1.1.0."""
    place = "BagIt-Profile-Info"
    info = reading.mapping(document.get(place), place)
    for name in ("Source-Organization", "External-Description", "Version"):
        reading.text(info.get(name), f"{place}.{name}")
    specification = info.get("BagIt-Profile-Version", "1.1.0")
    if not isinstance(specification, str) or not _SPECIFICATION.fullmatch(specification):
        text = say("This version of the specification of profiles is not known here.")
        reading.wrong(f"{place}.BagIt-Profile-Version", text, expected="1.1.0–1.4.0", seen=specification)
    identifier = reading.text(info.get("BagIt-Profile-Identifier"), f"{place}.BagIt-Profile-Identifier")
    if identifier and not _URI.fullmatch(identifier):
        text = say("The identifier of a profile must be an absolute URI.")
        reading.wrong(f"{place}.BagIt-Profile-Identifier", text, expected="https://…", seen=identifier)
    return identifier


def _labels(document: Mapping[str, Any], reading: _Reading) -> dict[str, LabelRule]:
    labels: dict[str, LabelRule] = {}
    for label, rule in reading.mapping(document.get("Bag-Info", {}), "Bag-Info").items():
        place = f"Bag-Info.{label}"
        given = reading.mapping(rule, place)
        reading.known(given, ("required", "recommended", "repeatable", "values", "description"), place)
        labels[label] = LabelRule(
            required=reading.flag(given, "required", place, default=False),
            recommended=reading.flag(given, "recommended", place, default=False),
            repeatable=reading.flag(given, "repeatable", place, default=True),
            values=reading.texts(given, "values", place) or (),
        )
    return labels


def _versions(document: Mapping[str, Any], reading: _Reading) -> tuple[str, ...]:
    versions = reading.texts(document, "Accept-BagIt-Version")
    if "Accept-BagIt-Version" not in document or versions == ():
        text = say("The profile accepts no version of BagIt at all.")
        reading.wrong("Accept-BagIt-Version", text, expected='["1.0"]', seen=document.get("Accept-BagIt-Version"))
    return versions or ()


def _serialization(document: Mapping[str, Any], reading: _Reading) -> tuple[str, tuple[str, ...] | None]:
    serialization = document.get("Serialization", "optional")
    accepted = reading.texts(document, "Accept-Serialization")
    if serialization not in _SERIALIZATIONS:
        text = say("This must be one of the words that the specification names.")
        reading.wrong("Serialization", text, expected=" | ".join(_SERIALIZATIONS), seen=serialization)
    elif not accepted and serialization != "forbidden" and ("Serialization" in document or accepted is not None):
        text = say("The profile lets bags be packed and accepts no kind of archive.")
        reading.wrong("Accept-Serialization", text, expected='["application/zip"]', seen=accepted)
    return str(serialization), accepted


def _judge_lists(kind: str, required: Sequence[str], allowed: Sequence[str] | None, reading: _Reading) -> None:
    """What is required must be allowed; a digest algorithm must be one that can be checked."""
    if kind.endswith("Manifests"):
        for name in required:
            if name not in ALGORITHMS:
                text = say("A manifest of this algorithm cannot be checked here.")
                reading.wrong(f"{kind}-Required", text, expected=" | ".join(ALGORITHMS), seen=name)
    for name in required:
        covered = name in (allowed or ()) if kind.endswith("Manifests") else matches(name, allowed or ())
        if allowed is not None and not covered:
            text = say("The profile demands {name} and does not allow it.", name=name)
            reading.wrong(f"{kind}-Allowed", text, expected=name, seen=", ".join(allowed))
