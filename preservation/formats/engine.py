"""What a file is, by the signatures of a PRONOM release. Loaded only inside the worker process.

Byte signatures first, container signatures on top of them, the extension when neither knows, the XML namespace last.
Looks at the file's first and last 128 KiB, and of a container at what its signatures ask for, up to a bound.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import IO, Any

from preservation.facts import Basis, FormatFact
from preservation.formats.edges import Tail
from preservation.formats.limits import Limits
from preservation.formats.namespaces import XmlRoot, sniff
from preservation.formats.pronom.containers import Containers, ContainerUnreadable
from preservation.formats.pronom.facts import Format, Release
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
        self._formats = {known.puid: known for known in release.formats}
        self._by_extension: dict[str, Matches] = {}
        for known in release.formats:
            for extension in dict.fromkeys(known.extensions):
                self._by_extension.setdefault(extension, []).append((known, "External"))
        self._listed = {known.puid: {each.lower() for each in known.extensions} for known in release.formats}
        self._answer = lru_cache(maxsize=4096)(self._work_out)  # few answers differ: a book's pages are all alike

    def identify(self, head: bytes, tail: bytes | Tail, name: str, whole: Callable[[], IO[bytes]]) -> FormatFact:
        """What the regular file is that begins and ends with these bytes (all of it where it has no more than a
        window); `name` serves for its extension only, and `whole` opens it when it proves to be a container.

        Raises LimitReached, and MemoryError when the process has no more.
        """
        extension = os.path.splitext(name)[1].lower().lstrip(".")  # noqa: PTH122 - FIDO's own rule
        if not head:
            return self._answer(Basis.EMPTY, (), extension)
        matches = self._matcher.match(head, tail)
        basis, note = Basis.SIGNATURE if matches else Basis.EXTENSION, None
        if kind := self._containers.kind_of(matches):
            try:
                with whole() as file:
                    by_parts = self._containers.match(file, kind)
                basis, matches = (Basis.CONTAINER, by_parts) if by_parts else (basis, matches)
            except ContainerUnreadable as error:
                note = f"the container could not be read: {error}"[:300]
        return self._answer(basis, tuple([known.puid for known, _ in matches]), extension, note, sniff(head))

    def _work_out(
        self,
        basis: Basis,
        puids: Sequence[str],
        extension: str,
        note: str | None = None,
        root: XmlRoot | None = None,
    ) -> FormatFact:
        """The answer that follows from what matched. A known root element proves XML even where PRONOM's signature,
        which wants an XML declaration, does not match.
        """
        if root is not None and basis is Basis.EXTENSION and XML_PUID in self._formats:
            basis, puids = Basis.SIGNATURE, (XML_PUID,)
        elif basis is Basis.EXTENSION:
            puids = [known.puid for known, _ in without_inferior(self._by_extension.get(extension, []))]
        fact = self._choose(list(dict.fromkeys(puids)), basis, extension, note)
        if root is None:
            return fact
        return replace(fact, basis=Basis.NAMESPACE, xml_format=root.format, xml_namespace=root.namespace)

    def _choose(self, puids: list[str], basis: Basis, extension: str, note: str | None) -> FormatFact:
        """One answer of several equally good ones; docs/reference/formats.md gives the rules."""
        if not puids:
            return self._fact(basis if basis is Basis.EMPTY else Basis.NONE, note=note)
        ranked = sorted(puids, key=lambda puid: (extension not in self._listed[puid], puid.startswith("fido-")))
        chosen = self._formats[ranked[0]]
        expected = set().union(*(self._listed[puid] for puid in puids))
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

    def _fact(self, basis: Basis, **known: Any) -> FormatFact:  # noqa: ANN401 - the fields of FormatFact
        known = {"puid": None, "name": None, **known}
        return FormatFact(path="", basis=basis, tool=self.tool, signatures=self.signatures, **known)
