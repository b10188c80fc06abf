"""Read back, from the bag alone, what the catalog would know of an AIP version: for an AIP that no ledger knows.

Promises: every tag file is read and held against the tag manifest, and the payload's names, sizes and listed digests
together give the content digest that bag-info names; flat memory. Reads no payload: that is the audit's work.
Refuses (NotAdoptable) whatever contradicts itself or is no bag of ours. It does not tell when it was admitted
nor what happened since the bag was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from lxml import etree

from preservation.bags.plan import load_object
from preservation.catalog.projections import KEY
from preservation.catalog.replay import ADMITS
from preservation.errors import PreservationError
from preservation.facts import AIPVersion, Event, EventOutcome, EventType, FormatFact, ObjectFact, Role
from preservation.findings import Finding, Severity
from preservation.inventory import FactFile, load_format, write_facts
from preservation.ledger.guard import LEDGER_EVENTS
from storage_adapters.errors import ObjectNotFound
from storage_adapters.store import ObjectStat, Reader, Store
from wording import Message, say

MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
FORMATS = "metadata/formats.json"
NAMES = "metadata/original-names.json"
PREMIS = "metadata/premis.xml"
_CHUNK = 1 << 20
_LONGEST_LINE = 16 << 20
_LARGEST = 16 << 20  # of bag-info.txt and the tag manifest, which are read at once
_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.DOTALL)
_ENCODED = {"%25": "%", "%0D": "\r", "%0A": "\n"}
_PREMIS = "{http://www.loc.gov/premis/v3}"
_OURS_ALONE = (KEY, ADMITS)  # in details that prove copies and admit AIPs: a bag was made before either


class NotAdoptable(PreservationError):
    """The bag is not whole, contradicts itself or is none of ours; `finding` says which."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message, where=finding.path, expected=finding.expected, seen=finding.seen)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class FromBag:
    """An AIP version as its own bag tells it: the events that its PREMIS holds, the objects in a file of facts."""

    version: AIPVersion
    objects: FactFile[ObjectFact]
    events: tuple[Event, ...]


def read_bag(store: Store, prefix: str, *, now: datetime, spool: Path) -> FromBag:
    """Read the bag below the prefix; `spool` is a folder for the list of objects, `now` the time of admission.

    Raises NotAdoptable, StorageError, OSError.
    """
    info = _info(_small(store, prefix + "bag-info.txt"), prefix)
    promised = dict(_manifest_lines(_split(_small(store, prefix + TAG_MANIFEST)), prefix + TAG_MANIFEST))
    counts = _Counts()
    with _opened(store, prefix, promised) as payload:
        objects = write_facts(
            spool / "objects.jsonl", _objects(store, prefix, promised, payload, counts=counts), load_object
        )
    if promised:
        raise _refusal(say("A file that the bag lists is not there."), prefix + min(promised))
    digest = f"sha256:{counts.digest.hexdigest()}"
    if info.get("vankho-content-digest") != digest:
        raise _refusal(
            say("The payload is not the one that bag-info.txt was written for."),
            prefix,
            expected=info.get("vankho-content-digest"),
            seen=digest,
        )
    version = _version(info, counts, prefix, now)
    events = tuple(_events(store, prefix, version))
    begun = next((event for event in events if event.type is EventType.INGESTION_START), None)
    source = str(begun.detail.get("source", prefix)) if begun is not None else prefix
    return FromBag(replace(version, source=source), objects, events)


@dataclass(slots=True)
class _Counts:
    objects: int = 0
    bytes: int = 0
    files: int = 0
    payload: int = 0
    digest: Any = None

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()


@dataclass(frozen=True, slots=True)
class _Payload:
    """What is said of the payload, in the order of its paths."""

    manifest: Iterator[tuple[str, str]]
    formats: Iterator[FormatFact]
    names: Mapping[str, bytes]


@contextmanager
def _opened(store: Store, prefix: str, promised: Mapping[str, str]) -> Iterator[_Payload]:
    with ExitStack() as held:

        def lines(path: str) -> Iterator[str]:
            return _lines(held.enter_context(store.open(prefix + path)), prefix + path)

        formats = (load_format(_ours(each)) for each in _json_lines(lines(FORMATS)))
        names = {}
        if NAMES in promised:
            listed = _json_lines(lines(NAMES))
            names = {each["path"]: base64.b64decode(each["original_base64"]) for each in listed}
        try:
            yield _Payload(_manifest_lines(lines(MANIFEST), prefix + MANIFEST), formats, names)
        except ObjectNotFound as error:
            raise _refusal(say("A file that the bag lists is not there."), error.where or prefix) from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            broken = say("The bag's metadata cannot be read: {reason}", reason=type(error).__name__)
            raise _refusal(broken, prefix, seen=str(error)[:200]) from error


def _objects(
    store: Store, prefix: str, promised: dict[str, str], payload: _Payload, *, counts: _Counts
) -> Iterator[ObjectFact]:
    """Every object listed, held against what the manifests promise; the promises kept are taken out."""
    known = next(payload.formats, None)
    for stat in store.list(prefix):
        path = stat.key.removeprefix(prefix)
        counts.objects += 1
        counts.bytes += stat.size
        if not path.startswith("data/"):
            yield _tag(store, stat, path, promised, payload.names)
            continue
        listed, digest = next(payload.manifest, (None, ""))
        if listed != path:
            raise _refusal(
                say("The payload is not what the manifest lists."), stat.key, expected=listed or "-", seen=path
            )
        counts.files += 1
        counts.payload += stat.size
        counts.digest.update(f"{digest} {stat.size} {path.removeprefix('data/')}\n".encode())
        answer = None
        if known is not None and known.path == path:
            answer, known = known, next(payload.formats, None)
        yield ObjectFact(path, stat.size, digest, Role.PAYLOAD, payload.names.get(path), answer)
    rest = next(payload.manifest, None)
    if rest is not None:
        raise _refusal(say("A file that the bag lists is not there."), prefix + rest[0])


def _tag(
    store: Store, stat: ObjectStat, path: str, promised: dict[str, str], names: Mapping[str, bytes]
) -> ObjectFact:
    seen, size = hashlib.sha256(), 0
    with store.open(stat.key) as reader:
        while chunk := reader.read(_CHUNK):
            seen.update(chunk)
            size += len(chunk)
    digest = seen.hexdigest()
    expected = promised.pop(path, None)
    if not path.startswith("tagmanifest-") and expected != digest:
        raise _refusal(
            say("A tag file of the bag is not what its tag manifest lists."), stat.key, expected=expected, seen=digest
        )
    if size != stat.size:
        raise _refusal(say("The store lists another size than it gives back."), stat.key, seen=str(size))
    return ObjectFact(path, size, digest, Role.TAG, names.get(path))


def _version(info: Mapping[str, str], counts: _Counts, prefix: str, now: datetime) -> AIPVersion:
    try:
        if info["vankho-submission"] == LEDGER_EVENTS:  # its events would pass for decisions on the ledger
            raise ValueError(f"Vankho-Submission: {LEDGER_EVENTS}")
        return AIPVersion(
            identifier=info["external-identifier"],
            version=int(info["vankho-aip-version"]),
            content_digest=counts.digest.hexdigest(),
            files=counts.files,
            bytes=counts.payload,
            objects=counts.objects,
            object_bytes=counts.bytes,
            policy=info["vankho-policy"],
            admitted_at=now,
            submission=info["vankho-submission"],
            source=prefix,
            producer_identifier=info.get("vankho-producer-identifier"),
            collection=info.get("vankho-collection"),
            title=info.get("external-description"),
        )
    except (KeyError, ValueError) as error:
        lacks = say("bag-info.txt does not say what it says in bags of Vankho: {label}", label=str(error))
        raise _refusal(lacks, prefix + "bag-info.txt") from error


def read_info(text: bytes) -> dict[str, str]:
    """The elements of a bag-info.txt that we wrote, each label in lower case with its first value."""
    found: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").split("\n"):
        label, colon, value = line.partition(": ")
        if colon:
            found.setdefault(label.lower(), value)
    return found


def _info(text: bytes, prefix: str) -> dict[str, str]:
    info = read_info(text)
    if "external-identifier" not in info:
        raise _refusal(say("bag-info.txt names no AIP."), prefix + "bag-info.txt")
    return info


def _events(store: Store, prefix: str, version: AIPVersion) -> Iterator[Event]:
    """What PREMIS tells of the reception, as it was recorded."""
    try:
        with store.open(prefix + PREMIS) as reader:
            parsed = etree.iterparse(
                cast(Any, reader),
                tag=(f"{_PREMIS}event", f"{_PREMIS}object"),
                resolve_entities=False,
                no_network=True,
            )
            for _, element in parsed:
                if element.tag == f"{_PREMIS}event":
                    yield _event(element, version)
                element.clear()
                while element.getprevious() is not None:  # what was read is not kept
                    del element.getparent()[0]
    except (etree.XMLSyntaxError, ValueError, TypeError, RecursionError) as error:
        broken = say("The bag's metadata cannot be read: {reason}", reason=type(error).__name__)
        raise _refusal(broken, prefix + PREMIS, seen=str(error)[:200]) from error


def _event(element: etree._Element, version: AIPVersion) -> Event:
    def said(*path: str) -> str:
        return element.findtext("/".join(_PREMIS + name for name in path)) or ""

    at = datetime.fromisoformat(said("eventDateTime"))
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    detail = json.loads(said("eventDetailInformation", "eventDetail"))
    if not isinstance(detail, dict) or any(name in detail for name in _OURS_ALONE):
        raise ValueError("a detail that no bag of ours has")  # else a stranger's bag could prove copies by its word
    return Event(
        id=said("eventIdentifier", "eventIdentifierValue"),
        type=EventType(said("eventType")),
        at=at,
        agent=said("linkingAgentIdentifier", "linkingAgentIdentifierValue"),
        outcome=EventOutcome(said("eventOutcomeInformation", "eventOutcome")),
        submission=version.submission,
        identifier=version.identifier,
        version=version.version,
        detail=detail,
    )


def _small(store: Store, key: str) -> bytes:
    content = b""
    try:
        with store.open(key) as reader:
            while chunk := reader.read(_CHUNK):
                content += chunk
                if len(content) > _LARGEST:
                    raise _refusal(say("This tag file is far too large."), key, seen=f"{len(content)} B")
    except ObjectNotFound as error:
        raise _refusal(say("A file that the bag lists is not there."), key) from error
    return content


def _split(content: bytes) -> Iterator[str]:
    return (line for line in content.decode("utf-8", "replace").split("\n") if line)


def _lines(reader: Reader, key: str) -> Iterator[str]:
    rest = b""
    while chunk := reader.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in lines)
        if len(rest) > _LONGEST_LINE:
            raise _refusal(say("A line of this tag file has no end."), key)
    if rest:
        yield rest.decode()


def _manifest_lines(lines: Iterator[str], key: str) -> Iterator[tuple[str, str]]:
    """(Path, SHA-256) of each line."""
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise _refusal(say("A line of this manifest cannot be read."), key, seen=line[:200])
        yield re.sub("%25|%0D|%0A", lambda code: _ENCODED[code[0]], match[2]), match[1]


def _json_lines(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The objects of a document of ours, which has one on each line between its first and last."""
    for line in lines:
        if line.startswith('{"path"'):
            yield json.loads(line.rstrip(","))


def _ours(answers: dict[str, Any]) -> dict[str, Any]:
    """Our answer about a file, without that of another identifier which may stand beside it."""
    return {key: value for key, value in answers.items() if key != "second_opinion"}


def _refusal(message: Message, where: str, *, expected: str | None = None, seen: str | None = None) -> NotAdoptable:
    return NotAdoptable(Finding("aip-not-adoptable", Severity.ERROR, message, where, expected, seen))
