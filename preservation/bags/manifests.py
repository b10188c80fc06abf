"""What the manifests of a bag promise (RFC 8493 sections 2.1.3, 2.2.1): every line is judged, none is skipped.

Names are matched byte for byte first; a name that differs only in Unicode normalisation counts as the same file,
with a warning, because file systems and ZIP tools change it on their own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from preservation.bags.bag_view import BagView
from preservation.bags.report import Notes
from preservation.bags.tag_grammar import Declaration, lines_of
from wording import say

_HEX_LENGTH = {
    name: 2 * hashlib.new(name).digest_size for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}
_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+([^ \t].*)", re.DOTALL)
_LITTER = re.compile(r"(^|/)(Thumbs\.db|desktop\.ini|\.DS_Store|\._[^/]*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest. `entries` maps the name of a file that is there to its promised digest; `absent`: the rest."""

    name: str
    algorithm: str
    entries: dict[str, bytes] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


class Names:
    """The names that are in the bag, and the ones that look alike."""

    def __init__(self, view: BagView) -> None:
        self.view = view

    def find(self, path: str) -> str | None:
        """The file of this name, else the only file whose name is the same after normalisation."""
        if path in self.view.files:
            return path
        alike = self._composed.get(unicodedata.normalize("NFC", path), [])
        return alike[0] if len(alike) == 1 else None

    def other_case(self, path: str) -> str | None:
        """A file whose name differs only in upper and lower case."""
        return self._folded.get(path.casefold())

    @cached_property
    def _composed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.view.files:
            if not name.isascii():
                found[unicodedata.normalize("NFC", name)].append(name)
        return found

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.view.files}


@dataclass(frozen=True, slots=True)
class Bag:
    """What judging one bag needs at hand. `fetched` maps a path to the URL under which fetch.txt has it."""

    view: BagView
    names: Names
    declared: Declaration
    notes: Notes
    fetched: dict[str, str] = field(default_factory=dict)


def read_manifests(bag: Bag, kind: str) -> list[Manifest]:
    """All manifests of one kind: "manifest" (payload) or "tagmanifest"."""
    manifests: list[Manifest] = []
    missing: set[str] = set()
    for name in sorted(bag.view.files):
        match = re.fullmatch(rf"{kind}-([^/]*)\.txt", name, re.IGNORECASE)
        if match is None:
            continue
        if match[1] in _HEX_LENGTH and name.startswith(f"{kind}-"):
            manifest = Manifest(name, match[1])
            _read(bag, manifest, missing, payload=kind == "manifest")
            manifests.append(manifest)
        else:
            bag.notes.error(
                "algorithm-unsupported",
                say("This manifest is not named after a known digest algorithm (lower case), so it is not checked."),
                name,
                expected=", ".join(sorted(_HEX_LENGTH)),
                seen=match[1],
            )
    return manifests


def _read(bag: Bag, manifest: Manifest, missing: set[str], *, payload: bool) -> None:
    listed: dict[str, bytes] = {}
    folded: set[str] = set()
    for number, line in lines_of(bag.view, manifest.name, bag.declared, bag.notes):
        match = _LINE.fullmatch(line)
        if line.strip(" \t") == "":
            bag.notes.warning("tag-file-blank-line", say("Line {number} is blank.", number=number), manifest.name)
            continue
        if match is None or len(match[1]) != _HEX_LENGTH[manifest.algorithm]:
            bag.notes.error(
                "manifest-malformed",
                say(
                    "Line {number} is not a {algorithm} digest, a blank and a path, so nothing is checked by it.",
                    number=number,
                    algorithm=manifest.algorithm,
                ),
                manifest.name,
                seen=line[:200],
            )
            continue
        path = _listed_path(bag, manifest.name, match[2], payload=payload)
        if path is not None and _listed_once(bag, manifest.name, path, bytes.fromhex(match[1]), listed, folded):
            _look_for(bag, manifest, path, listed[path], missing, payload=payload)


def _listed_path(bag: Bag, manifest: str, path: str, *, payload: bool) -> str | None:
    """The path that a manifest line means; None (noted) when it may not be looked at."""
    notes = bag.notes
    if path.startswith("*") and path not in bag.view.files:
        path = path[1:]
        notes.warning(
            "manifest-md5sum-style", say("The manifest marks this path with an asterisk, as md5sum does."), path
        )
    if path.startswith("./"):
        path = path[2:]
        notes.warning("manifest-path-dot-slash", say("The manifest writes this path with a leading “./”."), path)
    if not is_safe(path):
        notes.error(
            "manifest-path-unsafe",
            say("This path in {manifest} could lead out of the bag; nothing was opened.", manifest=manifest),
            path,
        )
        return None
    if payload and not path.startswith("data/"):
        notes.error(
            "manifest-path-outside-payload",
            say("{manifest} lists this path, which is not in the payload folder data/.", manifest=manifest),
            path,
        )
        return None
    if not payload and path.startswith("data/"):
        notes.rule(
            bag.declared.strict,
            "tagmanifest-lists-payload",
            say("{manifest} lists this payload file; a tag manifest lists tag files only.", manifest=manifest),
            path,
        )
    if not payload and path.lower().startswith("tagmanifest-"):
        notes.rule(
            bag.declared.strict,
            "tagmanifest-lists-tagmanifest",
            say("{manifest} lists a tag manifest, which it must not.", manifest=manifest),
            path,
        )
    return decoded(bag, path, manifest)


def is_safe(path: str) -> bool:
    """Whether a path written in a bag stays inside it on every system: relative, no `..`, no drive, no home."""
    return not _UNSAFE.search(path)


_UNSAFE = re.compile(r"^[/\\~]|^[A-Za-z]:|^%[A-Za-z]+%|(^|[/\\])\.{1,2}([/\\]|$)|//|\x00")


def decoded(bag: Bag, path: str, manifest: str) -> str:
    """The path with %25, %0A and %0D decoded as BagIt 1.0 asks (section 2.1.3); literally in older bags."""
    if "%" not in path:
        return path
    plain = re.sub(r"%(25|0[AaDd])", lambda match: chr(int(match[1], 16)), path)
    if not bag.declared.strict:
        return plain if bag.names.find(path) is None and bag.names.find(plain) is not None else path
    literal = bag.names.find(plain) is None and bag.names.find(path) is not None
    if literal or re.search(r"%(?!25|0[AaDd])", path):
        bag.notes.error(
            "manifest-path-encoding",
            say(
                "{manifest} holds a percent sign in this path that is not written as %25, as BagIt 1.0 demands.",
                manifest=manifest,
            ),
            path,
        )
    return path if literal else plain


def _listed_once(
    bag: Bag, manifest: str, path: str, digest: bytes, listed: dict[str, bytes], folded: set[str]
) -> bool:
    """Whether the path stands in this manifest for the first time; noted when not, or when only case differs."""
    if path in listed:
        bag.notes.rule(
            bag.declared.strict or listed[path] != digest,
            "manifest-lists-twice",
            say("{manifest} lists this path more than once.", manifest=manifest),
            path,
            expected=listed[path].hex(),
            seen=digest.hex(),
        )
        return False
    listed[path] = digest
    if path.casefold() in folded:
        text = say(
            "{manifest} lists this path and another that differs only in upper and lower case.", manifest=manifest
        )
        bag.notes.warning("names-differ-in-case", text, path)
    folded.add(path.casefold())
    return True


def _look_for(bag: Bag, manifest: Manifest, path: str, digest: bytes, missing: set[str], *, payload: bool) -> None:
    """Enter the promised digest under the name of the file that is there, or report it absent, once."""
    if payload and _LITTER.search(path):
        bag.notes.warning(
            "system-file", say("This file was left by an operating system and is hardly content."), path
        )
    found = bag.names.find(path)
    if found is None:
        if path not in missing and path not in bag.view.refused:
            _report_absent(bag, manifest.name, path, payload=payload)
        missing.add(path)
        manifest.absent.add(path)
        return
    if found != path:
        bag.notes.warning(
            "name-normalised",
            say(
                "The name of this file and its name in {manifest} differ in Unicode normalisation only.",
                manifest=manifest.name,
            ),
            path,
        )
    if found in manifest.entries:
        bag.notes.rule(
            bag.declared.strict or manifest.entries[found] != digest,
            "manifest-lists-twice",
            say("{manifest} lists this path more than once.", manifest=manifest.name),
            path,
            expected=manifest.entries[found].hex(),
            seen=digest.hex(),
        )
        return
    manifest.entries[found] = digest


def _report_absent(bag: Bag, manifest: str, path: str, *, payload: bool) -> None:
    if path.rstrip("/") in bag.view.folders:
        bag.notes.error(
            "manifest-lists-folder",
            say("{manifest} lists this folder; it must list files only.", manifest=manifest),
            path,
        )
    elif not payload:
        bag.notes.error(
            "tag-file-missing", say("{manifest} lists this tag file, but it is not there.", manifest=manifest), path
        )
    elif path in bag.fetched:
        bag.notes.error(
            "file-missing",
            say(
                "{manifest} lists this file, but it is not there; fetch.txt names {url}. Nothing is ever fetched.",
                manifest=manifest,
                url=bag.fetched[path],
            ),
            path,
        )
    elif other := bag.names.other_case(path):
        bag.notes.error(
            "file-missing",
            say(
                "{manifest} lists this file, but it is not there; a file {other} is.", manifest=manifest, other=other
            ),
            path,
        )
    else:
        bag.notes.error(
            "file-missing", say("{manifest} lists this file, but it is not there.", manifest=manifest), path
        )
