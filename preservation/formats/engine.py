"""What one open file is, by the signatures of a PRONOM release. Loaded only inside the worker process.

Byte signatures first, container signatures on top of them, the extension when neither knows, the XML namespace last.
Reads the file's first and last 128 KiB, and of a container what its signatures ask for, up to a bound.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import IO, Any

from preservation.facts import Basis, FormatFact
from preservation.formats.limits import Limits
from preservation.formats.namespaces import sniff
from preservation.formats.pronom.containers import Containers, ContainerUnreadable, LimitReached
from preservation.formats.pronom.facts import WINDOW, Format, Release
from preservation.formats.pronom.matcher import Matcher, without_inferior

XML_PUID = "fmt/101"

Matches = list[tuple[Format, str]]


class Engine:
    """One set of loaded signatures. Not for sharing between threads."""

    def __init__(self, release: Release, limits: Limits, *, tool: str) -> None:
        self.tool = tool
        self.signatures = release.label
        self._matcher = Matcher(release)
        self._containers = Containers(release, most=limits.member)
        self._by_extension: dict[str, Matches] = {}
        for known in release.formats:
            for extension in dict.fromkeys(known.extensions):
                self._by_extension.setdefault(extension, []).append((known, "External"))
        self._xml = next((known for known in release.formats if known.puid == XML_PUID), None)
        self._listed = {known.puid: {each.lower() for each in known.extensions} for known in release.formats}

    def identify(self, file: IO[bytes], name: str) -> FormatFact:
        """What the open regular file is; `name` serves for its extension only.

        Raises LimitReached, and MemoryError when the process has no more.
        """
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return self._fact(Basis.EMPTY)
        head, tail = windows(file, size)
        by_bytes = self._matcher.match(head, tail)
        by_parts, note = self._match_parts(file, by_bytes)
        extension = os.path.splitext(name)[1].lower().lstrip(".")  # noqa: PTH122 - FIDO's own rule
        if matches := by_parts or by_bytes:
            fact = self._choose(matches, Basis.CONTAINER if by_parts else Basis.SIGNATURE, extension, note)
        else:
            by_name = without_inferior(self._by_extension.get(extension, []))
            fact = self._choose(by_name, Basis.EXTENSION, extension, note)
        return self._with_namespace(fact, head, extension)

    def _match_parts(self, file: IO[bytes], by_bytes: Matches) -> tuple[Matches, str | None]:
        """Container signatures that match, and a note when the container could not be read."""
        kind = self._containers.kind_of(by_bytes)
        if kind is None:
            return [], None
        try:
            return self._containers.match(file, kind), None
        except ContainerUnreadable as error:
            return [], f"the container could not be read: {error}"[:300]

    def _choose(self, matches: Matches, basis: Basis, extension: str, note: str | None) -> FormatFact:
        """One answer of several equally good ones; docs/reference/formats.md gives the rules."""
        formats = {known.puid: known for known, _ in matches}
        if not formats:
            return self._fact(Basis.NONE, note=note)
        ranked = sorted(formats, key=lambda puid: (extension not in self._listed[puid], puid.startswith("fido-")))
        chosen = formats[ranked[0]]
        expected = set().union(*(self._listed[puid] for puid in formats))
        return self._fact(
            basis,
            puid=ranked[0],
            name=chosen.name or None,
            mime=chosen.mime,
            version=chosen.version,
            candidates=tuple(ranked[1:]),
            extension_mismatch=basis is not Basis.EXTENSION
            and bool(extension and expected)
            and extension not in expected,
            note=note,
        )

    def _with_namespace(self, fact: FormatFact, head: bytes, extension: str) -> FormatFact:
        """The fact with the XML format on top. A known root element proves XML even where PRONOM's signature,
        which wants an XML declaration, does not match.
        """
        root = sniff(head)
        if root is None:
            return fact
        if fact.basis not in (Basis.SIGNATURE, Basis.CONTAINER) and self._xml is not None:
            fact = self._choose([(self._xml, "")], Basis.SIGNATURE, extension, fact.note)
        return replace(fact, basis=Basis.NAMESPACE, xml_format=root.format, xml_namespace=root.namespace)

    def _fact(self, basis: Basis, **known: Any) -> FormatFact:  # noqa: ANN401 - the fields of FormatFact
        known = {"puid": None, "name": None, **known}
        return FormatFact(path="", basis=basis, tool=self.tool, signatures=self.signatures, **known)


def windows(file: IO[bytes], size: int) -> tuple[bytes, bytes]:
    """The first and the last bytes of the file. Raises LimitReached when it became shorter meanwhile."""
    head = _exactly(file, min(size, WINDOW))
    if size <= WINDOW:
        return head, head
    if size < 2 * WINDOW:  # the two overlap
        rest = size - WINDOW
        return head, head[rest:] + _exactly(file, rest)
    file.seek(size - WINDOW)
    return head, _exactly(file, WINDOW)


def _exactly(file: IO[bytes], wanted: int) -> bytes:
    data = file.read(wanted)
    if len(data) < wanted:
        raise LimitReached("the file became shorter while it was read")
    return data
