"""The values that travel along the main path, from a package to its proved replicas.

Frozen facts. Every time is an aware datetime in UTC; every size is in bytes; every digest is lower-case hex;
every path is relative, `/`-separated and encodable as UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Form(StrEnum):
    """How a package was delivered."""

    FOLDER = "folder"
    ZIP = "zip"
    TAR = "tar"


@dataclass(frozen=True, slots=True)
class FileFact:
    """One received file. `original_name` holds the producer's bytes of the path when ours differs from them."""

    path: str
    size: int
    digests: Mapping[str, str]
    original_name: bytes | None = None


class Basis(StrEnum):
    """What an identification rests on."""

    SIGNATURE = "signature"  # a PRONOM byte signature matched
    CONTAINER = "container"  # a PRONOM container signature matched
    NAMESPACE = "namespace"  # the XML root element's namespace, on top of what PRONOM says
    EXTENSION = "extension"  # only the file name; weak
    EMPTY = "empty"  # the file has no bytes, so nothing can be said of its format
    NONE = "none"  # nothing matched: the format is unknown
    FAILED = "failed"  # the identifier could not finish this file within its limits


@dataclass(frozen=True, slots=True)
class FormatFact:
    """What one file was identified as. `puid` is None for unknown, empty and failed ones."""

    path: str
    puid: str | None
    name: str | None
    basis: Basis
    tool: str  # "fido 1.6.1"
    signatures: str  # release, "PRONOM v109, containers 2020-01-21"
    mime: str | None = None
    version: str | None = None
    candidates: tuple[str, ...] = ()  # further PUIDs that matched equally well
    extension_mismatch: bool = False  # the signature says one format, the extension another
    xml_format: str | None = None  # "METS", "ALTO", "PAGE", "MODS", "PREMIS", "EAD"
    xml_namespace: str | None = None
    note: str | None = None  # why it failed, in English, for the sysadmin


class Role(StrEnum):
    """What a file of a bag is, in the words of RFC 8493."""

    PAYLOAD = "payload"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class ObjectFact:
    """One file of a written bag, as every store must hold it. `path` is relative to the bag (`data/0001.tif`)."""

    path: str
    size: int
    sha256: str
    role: Role
    original_name: bytes | None = None
    format: FormatFact | None = None


class Grade(StrEnum):
    """What a proof rests on; grades are never mixed."""

    BYTES = "bytes"  # every byte read back and hashed by us
    PROVIDER = "provider"  # the store's own checksum over the bytes it received
    PRESENCE = "presence"  # listed, with the right size


class Outcome(StrEnum):
    """The answer of an audit of one replica. UNREADABLE is no evidence of damage."""

    INTACT = "intact"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


class ObjectOutcome(StrEnum):
    """The answer for one object of a replica."""

    INTACT = "intact"
    ALTERED = "altered"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    UNEXPECTED = "unexpected"


class EventType(StrEnum):
    """PREMIS event types, Library of Congress values; only the screen translates them."""

    INGESTION_START = "ingestion start"
    UNPACKING = "unpacking"
    FILENAME_CHANGE = "filename change"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    FIXITY_CHECK = "fixity check"
    FORMAT_IDENTIFICATION = "format identification"
    VALIDATION = "validation"
    POLICY_ASSIGNMENT = "policy assignment"
    QUARANTINE = "quarantine"
    PACKAGE_CREATION = "information package creation"
    INGESTION_END = "ingestion end"
    REPLICATION = "replication"
    RECOVERY = "recovery"
    DISSEMINATION = "dissemination"
    DELETION = "deletion"


class EventOutcome(StrEnum):
    """PREMIS event outcomes."""

    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with time, agent and outcome (PREMIS 3, Event). Only ever added.

    `submission` names the delivery; `identifier` and `version` the AIP once there is one; `store` the replica
    concerned. `detail` is JSON: counts, tools, findings (`findings.as_json`), never file contents or secrets.
    """

    id: str  # UUID
    type: EventType
    at: datetime
    agent: str  # "vankho 0.1.0", "fido 1.6.1"
    outcome: EventOutcome
    submission: str | None = None
    identifier: str | None = None
    version: int | None = None
    store: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last proof of one replica at one grade."""

    identifier: str
    version: int
    store: str
    grade: Grade
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Replica:
    """One whole AIP version in one store: claimed when copied, verified by its evidence."""

    identifier: str
    version: int
    store: str
    claimed_at: datetime
    evidence: Mapping[Grade, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AIPVersion:
    """One version of an AIP as the catalog knows it. `files` and `bytes` count the payload, `objects` and
    `object_bytes` the whole bag. `staged` is the bag in the workspace until enough copies are proved.
    """

    identifier: str
    version: int
    content_digest: str
    files: int
    bytes: int
    objects: int
    object_bytes: int
    policy: str
    admitted_at: datetime
    submission: str
    source: str  # the producer's path or archive name, for people
    producer_identifier: str | None = None
    collection: str | None = None
    title: str | None = None
    staged: str | None = None
