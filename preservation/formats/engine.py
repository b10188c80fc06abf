"""FIDO's class, made fit for hostile files: what one open file is, by PRONOM's signatures.

The answers are FIDO's. Changed is how they are reached: patterns are compiled once instead of for every file;
a file that shrinks ends instead of hanging; running out of memory is an error, not "no match"; and the parts of
a container are unpacked up to a bound. Loaded only inside the worker process.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeAlias
from xml.etree import ElementTree

import olefile
from fido import CONFIG_DIR
from fido.fido import Fido
from fido.versions import get_local_versions

from preservation.facts import Basis, FormatFact
from preservation.formats.limits import Limits
from preservation.formats.namespaces import sniff

XML_PUID = "fmt/101"

Match: TypeAlias = tuple[Any, str]  # FIDO's <format> element and the name of the signature that matched
_Signature: TypeAlias = tuple[str, list[tuple[Callable[[bytes], object], bool]]]

# What a damaged or encrypted container makes its reader raise. The byte signature stands then.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, LookupError)


class LimitReached(Exception):
    """The file asks for more than the limits allow; the text says what."""


class Engine(Fido):  # type: ignore[misc]  # FIDO has no types
    """One set of loaded signatures. Not for sharing between threads, as FIDO keeps state in itself."""

    def __init__(self, limits: Limits) -> None:
        versions = get_local_versions()
        super().__init__(
            quiet=True,
            format_files=[versions.pronom_signature, versions.fido_extension_signature],
            handle_matches=lambda *_: None,
        )
        self.limits = limits
        self.tool = f"fido {version('opf-fido')}"
        self.signatures = f"PRONOM v{versions.pronom_version}, containers {_date_of(self.containersignature_file)}"
        self._compiled = [(each, self.get_puid(each), self._compile(each)) for each in self.formats]
        self._containers: dict[str, dict[str, Any]] = {}

    def identify(self, file: IO[bytes], name: str) -> FormatFact:
        """What the open regular file is; `name` serves for its extension only. Reads its first and last 128 KiB.

        Raises LimitReached, and MemoryError when the process has no more.
        """
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return self._fact(Basis.EMPTY)
        head, tail, _ = self.get_buffers(file, size, seekable=True)
        by_bytes = self.match_formats(head, tail)
        by_parts, note = self._match_parts(file, self.container_type(by_bytes))
        if matches := by_parts or by_bytes:
            fact = self._choose(matches, Basis.CONTAINER if by_parts else Basis.SIGNATURE, name, note)
        else:
            fact = self._choose(self.match_extensions(name), Basis.EXTENSION, name, note)
        return self._with_namespace(fact, head, name)

    # -- FIDO's methods, replaced

    def blocking_read(self, file: IO[bytes], bytes_to_read: int) -> bytes:
        """Exactly so many bytes. FIDO's own asks again for ever when a file is shorter than it was said to be."""
        data = file.read(bytes_to_read)
        if len(data) < bytes_to_read:
            raise LimitReached("the file became shorter while it was read")
        return data

    def match_formats(self, bofbuffer: bytes, eofbuffer: bytes) -> list[Match]:
        """FIDO's matching with its rules of priority. FIDO's own takes any exception for "no match"."""
        result: list[Match] = []
        for element, puid, signatures in self._compiled:
            if signatures and self._as_good_as_any(puid, result):
                result.extend(
                    (element, name)
                    for name, patterns in signatures
                    if all(found(eofbuffer if at_end else bofbuffer) for found, at_end in patterns)
                )
        return self._without_inferior(result)

    # -- ours

    def _compile(self, element: ElementTree.Element) -> list[_Signature]:
        signatures: list[_Signature] = []
        for signature in self.get_signatures(element):
            patterns: list[tuple[Callable[[bytes], object], bool]] = []
            for pattern in self.get_patterns(signature):
                regex, position = re.compile(self.get_regex(pattern)), self.get_pos(pattern)
                patterns.append((regex.match if position == "BOF" else regex.search, position == "EOF"))
            signatures.append((signature.findtext("name"), patterns))
        return signatures

    def _as_good_as_any(self, puid: str, matches: list[Match]) -> bool:
        return not any(puid in self.puid_has_priority_over_map[self.get_puid(other)] for other, _ in matches)

    def _without_inferior(self, matches: list[Match]) -> list[Match]:
        return [match for match in matches if self._as_good_as_any(self.get_puid(match[0]), matches)]

    def _match_parts(self, file: IO[bytes], kind: str | bool) -> tuple[list[Match], str | None]:
        """Container signatures that match, and a note when the container could not be read."""
        if kind not in ("zip", "ole"):
            return [], None
        wanted = self._container_signatures("ZIP" if kind == "zip" else "OLE2")
        read_parts = _zip_parts if kind == "zip" else _ole_parts
        matches: list[Match] = []
        try:
            for path, data in read_parts(file, wanted, self.limits.member):
                for puid, signatures in wanted[path].items():
                    if any(re.search(signature["signature"], data) for signature in signatures):
                        matches.append((self.puid_format_map[puid], path))
        except _UNREADABLE as error:
            return [], f"the container could not be read: {type(error).__name__}: {error}"[:300]
        return self._without_inferior(matches), None

    def _container_signatures(self, kind: str) -> dict[str, Any]:
        if kind not in self._containers:
            document = ElementTree.parse(Path(CONFIG_DIR) / self.containersignature_file)  # noqa: S314 - FIDO's own file
            self._containers[kind] = self.extract_signatures(document, signature_type=kind)
        return self._containers[kind]

    def _choose(self, matches: list[Match], basis: Basis, name: str, note: str | None) -> FormatFact:
        """One answer of several equally good ones; docs/reference/formats.md gives the rules."""
        formats = {self.get_puid(element): element for element, _ in matches}
        if not formats:
            return self._fact(Basis.NONE, note=note)
        extension = os.path.splitext(name)[1].lower().lstrip(".")  # noqa: PTH122 - FIDO's own rule
        listed = {
            puid: {(each.text or "").lower() for each in element.findall("extension")}
            for puid, element in formats.items()
        }
        ranked = sorted(formats, key=lambda puid: (extension not in listed[puid], puid.startswith("fido-")))
        chosen = formats[ranked[0]]
        expected = set().union(*listed.values())
        return self._fact(
            basis,
            puid=ranked[0],
            name=chosen.findtext("name") or None,
            mime=chosen.findtext("mime") or None,
            version=chosen.findtext("version") or None,
            candidates=tuple(ranked[1:]),
            extension_mismatch=basis is not Basis.EXTENSION
            and bool(extension and expected)
            and extension not in expected,
            note=note,
        )

    def _with_namespace(self, fact: FormatFact, head: bytes, name: str) -> FormatFact:
        """The fact with the XML format on top. A known root element proves XML even where PRONOM's signature,
        which wants an XML declaration, does not match.
        """
        root = sniff(head)
        if root is None:
            return fact
        if fact.basis not in (Basis.SIGNATURE, Basis.CONTAINER):
            fact = self._choose([(self.puid_format_map[XML_PUID], "")], Basis.SIGNATURE, name, fact.note)
        return replace(fact, basis=Basis.NAMESPACE, xml_format=root.format, xml_namespace=root.namespace)

    def _fact(self, basis: Basis, **known: Any) -> FormatFact:  # noqa: ANN401 - the fields of FormatFact
        known = {"puid": None, "name": None, **known}
        return FormatFact(path="", basis=basis, tool=self.tool, signatures=self.signatures, **known)


def _date_of(container_signatures: str) -> str:
    """`container-signature-20200121.xml` as `2020-01-21`; the name itself when it holds no date."""
    found = re.search(r"(\d{4})(\d\d)(\d\d)", container_signatures)
    return "-".join(found.groups()) if found else container_signatures


def _zip_parts(file: IO[bytes], wanted: Mapping[str, Any], limit: int) -> Iterator[tuple[str, bytes]]:
    """The wanted members that are there. Declared sizes are not believed: reading itself is bounded."""
    with zipfile.ZipFile(file) as container:
        for path in wanted:
            if path in container.NameToInfo:
                with container.open(path) as member:
                    yield path, _read_bounded(member, path, limit)


def _ole_parts(file: IO[bytes], wanted: Mapping[str, Any], limit: int) -> Iterator[tuple[str, bytes]]:
    """The wanted streams that are there, found by FIDO's rule: the name, or the name after one odd character."""
    with olefile.OleFileIO(file) as container:
        streams = ["/".join(parts) for parts in container.listdir()]
        for path in wanted:
            stream = next((each for each in streams if path in (each, each[1:])), None)
            if stream is None:
                continue
            if container.get_size(stream) > limit:
                raise _too_much(path, limit)
            yield path, container.openstream(stream).read()


def _read_bounded(member: IO[bytes], path: str, limit: int) -> bytes:
    data = bytearray()
    while piece := member.read(65536):
        data += piece
        if len(data) > limit:
            raise _too_much(path, limit)
    return bytes(data)


def _too_much(path: str, limit: int) -> LimitReached:
    return LimitReached(f"the part {path!r} of the container holds more than {limit >> 20} MiB")
