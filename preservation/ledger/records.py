"""The written forms: an event's line, an object's line, an AIP version in its admission event, a checkpoint.

Each has exactly one spelling (`chain.canonical`), so that digests follow from the facts alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from preservation.catalog.chain import canonical
from preservation.catalog.names import storable
from preservation.catalog.schema import written
from preservation.facts import AIPVersion, Basis, FormatFact, ObjectFact, Role
from preservation.ledger.layout import policy_key
from storage_adapters.errors import KeyRefused
from storage_adapters.keys import check_key

ZEROS = "0" * 64  # the digest before the first event
FORM = "vankho ledger 1"
_VERSION = tuple(field.name for field in fields(AIPVersion) if field.name != "staged")
_COUNTS = ("version", "files", "bytes", "objects", "object_bytes")
_FORMAT = tuple(field.name for field in fields(FormatFact) if field.name != "path")


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One event as a store has it. `record` holds chain.FIELDS (as the catalog writes them) and `detail`."""

    seq: int
    record: Mapping[str, Any]
    digest: str
    previous: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What commits a push: the events `first` to `last` of a book are in the store, and `digest` is that of `last`.

    `catalog` is the digest of event 1, `previous` that of the event before `first`, `policies` name → SHA-256,
    `before` the SHA-256 of the checkpoint before this one (None for the first of a book).
    """

    store: str
    catalog: str
    book: int
    first: int
    previous: str
    last: int
    digest: str
    at: datetime
    agent: str
    objects: bool
    policies: Mapping[str, str]
    before: str | None

    def written(self) -> bytes:
        """The checkpoint's bytes: canonical JSON with the SHA-256 of itself without that member, and a line's end."""
        members = {"form": FORM, **asdict(self), "at": written(self.at)}
        return canonical({**members, "sha256": hashlib.sha256(canonical(members)).hexdigest()}) + b"\n"


def parsed(content: bytes) -> dict[str, Any]:
    """The JSON object that these bytes are. Raises ValueError when they are none, however deep they are nested."""
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the content is wrong, not our call
    return value


def read_checkpoint(content: bytes) -> Checkpoint:
    """The checkpoint that these bytes are. Raises ValueError when they are none, or not as they were written."""
    members = parsed(content)
    own = members.pop("sha256", None)
    if members.pop("form", None) != FORM:
        raise ValueError("not of this form")
    try:
        checkpoint = Checkpoint(**{**members, "at": datetime.fromisoformat(members["at"])})
        again = checkpoint.written()
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from error
    if again != content or own != json.loads(again)["sha256"]:
        raise ValueError("its SHA-256 is not that of its own text")
    policies = checkpoint.policies
    if not isinstance(policies, dict) or not all(_is_policy(name, policies[name]) for name in policies):
        raise ValueError("policies without digests")
    numbers, digests = (checkpoint.first, checkpoint.last), (checkpoint.previous, checkpoint.digest)
    if not _are_counts(*numbers) or not 1 <= checkpoint.first <= checkpoint.last or not _is_digest(*digests):
        raise ValueError("numbers or digests that cannot be")
    return checkpoint


def _is_digest(*values: object) -> bool:
    return all(
        isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef") for value in values
    )


def _are_counts(*values: object) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def _is_policy(name: str, digest: object) -> bool:
    """Whether a store can hold this policy, and its file stands in a folder of policies and nowhere else."""
    if not isinstance(digest, str) or not _is_digest(digest) or "/" in name or "\\" in name:
        return False
    try:
        check_key(policy_key(1, name, digest))
    except KeyRefused:
        return False
    return True


def event_line(digest: str, record: bytes) -> bytes:
    """An event as a store has it: its digest, a space, the canonical JSON that is hashed, a line's end."""
    return digest.encode() + b" " + record + b"\n"


def version_detail(version: AIPVersion) -> dict[str, Any]:
    """The AIP version as its admission event carries it: every field but `staged`, as the catalog keeps it."""
    values = {name: getattr(version, name) for name in _VERSION}
    return {name: _kept(value) for name, value in values.items()}


def _kept(value: object) -> object:
    if isinstance(value, datetime):
        return written(value)
    return storable(value) if isinstance(value, str) else value


def version_of(detail: Mapping[str, Any]) -> AIPVersion:
    """The AIP version of an admission event's detail. Raises ValueError when it is none."""
    aip = detail["aip"]
    try:
        version = AIPVersion(**{**aip, "admitted_at": datetime.fromisoformat(aip["admitted_at"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"no AIP version: {error}") from error
    if not _are_counts(*(getattr(version, name) for name in _COUNTS)):
        raise ValueError("no AIP version: counts that are no numbers")
    return version


def object_lines(objects: Iterable[ObjectFact]) -> Iterator[bytes]:
    """Each object as one line of canonical JSON, as the catalog keeps it (a format's path is the object's own)."""
    known: dict[tuple[object, ...], str] = {}  # few formats, even among a million objects
    for fact in objects:
        answer = "null"
        if fact.format is not None:
            key = tuple(getattr(fact.format, name) for name in _FORMAT)
            if key not in known:
                known[key] = canonical(dict(zip(_FORMAT, map(_kept_format, key), strict=True))).decode()
            answer = known[key]
        name = None if fact.original_name is None else base64.b64encode(fact.original_name).decode("ascii")
        path = json.dumps(fact.path, ensure_ascii=False)
        yield (
            f'{{"format":{answer},"original_name":{json.dumps(name)},"path":{path},'
            f'"role":"{fact.role.value}","sha256":"{fact.sha256}","size":{fact.size}}}\n'
        ).encode()


def _kept_format(value: object) -> object:
    return storable(value) if isinstance(value, str) and not isinstance(value, Basis) else value


def object_of(line: bytes) -> ObjectFact:
    """The object of a line. Raises ValueError when it is none."""
    data = parsed(line)
    try:
        answer, name = data.pop("format"), data.pop("original_name")
        if answer is not None:
            answer = FormatFact(
                **{**answer, "basis": Basis(answer["basis"]), "candidates": tuple(answer["candidates"])},
                path=data["path"],
            )
        return ObjectFact(
            **{**data, "role": Role(data["role"])},
            original_name=None if name is None else base64.b64decode(name, validate=True),
            format=answer,
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no object: {error}") from error


def objects_digest(objects: Iterable[ObjectFact]) -> str:
    """SHA-256 over the object lines: what binds an object list to its admission event, and so to the chain."""
    digest = hashlib.sha256()
    for line in object_lines(objects):
        digest.update(line)
    return digest.hexdigest()


def admission_detail(version: AIPVersion, objects: Iterable[ObjectFact]) -> dict[str, Any]:
    """What an admission event carries so that the catalog can be made again from it and the object list."""
    return {"aip": version_detail(version), "objects_digest": objects_digest(objects)}
