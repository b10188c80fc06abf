"""What another release of signatures would say of files that are known already. Pure: facts in, differences out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from preservation.facts import Basis, FormatFact
from preservation.formats.pronom.facts import Pattern, Release


class Kind(StrEnum):
    """How the answer of another release stands to the recorded one."""

    SAME = "same"
    FIRMER = "other-basis"  # the same format, on another basis
    OTHER = "other-format"
    NOW_KNOWN = "now-known"
    NOW_UNKNOWN = "now-unknown"
    FAILED = "failed"  # the file could not be identified this time


@dataclass(frozen=True, slots=True)
class Turn:
    """One way in which answers change: from what to what, with their bases."""

    kind: Kind
    old: str | None
    old_basis: Basis
    new: str | None
    new_basis: Basis
    name: str | None  # of the new format


def turn(old: FormatFact, new: FormatFact) -> Turn:
    """How the new answer stands to the old one."""
    return Turn(_kind(old, new), old.puid, old.basis, new.puid, new.basis, new.name)


def _kind(old: FormatFact, new: FormatFact) -> Kind:
    if new.basis is Basis.FAILED and old.basis is not Basis.FAILED:
        return Kind.FAILED
    if old.puid == new.puid:
        return Kind.SAME if old.basis is new.basis else Kind.FIRMER
    if old.puid is None:
        return Kind.NOW_KNOWN
    return Kind.NOW_UNKNOWN if new.puid is None else Kind.OTHER


class Aspect(StrEnum):
    """What of a format differs between two releases."""

    GONE = "gone"
    NAME = "name"
    VERSION = "version"
    MIME = "mime"
    EXTENSIONS = "extensions"
    SIGNATURES = "signatures"
    CONTAINERS = "containers"
    PRIORITY = "priority"


class Compared:
    """Two releases side by side, for questions about single formats."""

    def __init__(self, old: Release, new: Release) -> None:
        self._old, self._new = _Digest(old), _Digest(new)

    def aspects(self, puid: str) -> tuple[Aspect, ...]:
        """What differs about the format, () when nothing does or the old release does not know it either."""
        old, new = self._old.formats.get(puid), self._new.formats.get(puid)
        if old is None:
            return ()
        if new is None:
            return (Aspect.GONE,)
        sides = {
            Aspect.NAME: (old.name, new.name),
            Aspect.VERSION: (old.version, new.version),
            Aspect.MIME: (old.mime, new.mime),
            Aspect.EXTENSIONS: (set(old.extensions), set(new.extensions)),
            Aspect.SIGNATURES: (self._old.signatures(puid), self._new.signatures(puid)),
            Aspect.CONTAINERS: (self._old.containers.get(puid), self._new.containers.get(puid)),
            Aspect.PRIORITY: (self._old.ranks(puid), self._new.ranks(puid)),
        }
        return tuple(aspect for aspect, (before, after) in sides.items() if before != after)


class _Digest:
    """A release by PUID."""

    def __init__(self, release: Release) -> None:
        self.formats = {known.puid: known for known in release.formats}
        self.containers: dict[str, frozenset[object]] = {}
        for kind, signatures in release.containers.items():
            for each in signatures:
                parts = (kind, *((part.path, tuple(map(_plain, part.patterns))) for part in each.parts))
                self.containers[each.puid] = self.containers.get(each.puid, frozenset()) | {parts}
        self._outranked: dict[str, set[str]] = {}
        for known in release.formats:
            for lower in known.better_than:
                self._outranked.setdefault(lower, set()).add(known.puid)

    def signatures(self, puid: str) -> frozenset[object]:
        return frozenset(tuple(map(_plain, each.patterns)) for each in self.formats[puid].signatures)

    def ranks(self, puid: str) -> tuple[frozenset[str], frozenset[str]]:
        """What it outranks, and what outranks it: a new, more exact format takes files from it."""
        return self.formats[puid].better_than, frozenset(self._outranked.get(puid, ()))


def _plain(pattern: Pattern) -> tuple[bytes, bool]:
    return pattern.regex, pattern.tail
