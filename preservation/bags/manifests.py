"""What the manifests of a bag promise (RFC 8493 sections 2.1.3, 2.2.1): every line is judged, none is skipped."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import IO

from preservation.bags.digests import ALGORITHMS, REGISTERED
from preservation.bags.paths import Bag, decoded, escaped, is_safe
from preservation.bags.report import NOTHING
from preservation.bags.tag_grammar import lines_of, note_blank_line
from wording import say

_HEX_LENGTH = {name: 2 * new().digest_size for name, new in ALGORITHMS.items()}
_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+([^ \t].*)", re.DOTALL)
# What an operating system leaves behind. Most names are known by a look not to be such a one; the pattern says.
_LITTER = re.compile(r"(^|/)(Thumbs\.db|desktop\.ini|\.DS_Store|\._[^/]*)$", re.IGNORECASE)

IN_MEMORY = 100_000  # files whose digests are kept in memory; those of more wait in a nameless file


class Manifest:
    """One manifest: what it promises of the files that are there, and (`absent`) of those that are not.

    The digests lie end to end, by the numbers of the files: in memory, or for a very large bag in a temporary file.
    """

    def __init__(self, name: str, algorithm: str, files: Mapping[str, int]) -> None:
        self.name = name
        self.algorithm = algorithm
        self.new = ALGORITHMS[algorithm]
        self.listed = bytearray(len(files))  # by the numbers of the files: 1 for those that stand in this manifest
        self.absent: dict[str, bytes] = {}
        self._files = files
        self._length = _HEX_LENGTH[algorithm] // 2
        self._apart: IO[bytes] | None = None
        if len(files) > IN_MEMORY:
            import tempfile  # late: no other bag needs it

            self._apart = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it goes with the manifest
        self._digests = bytearray(0 if self._apart else len(files) * self._length)

    def promise(self, path: str, digest: bytes) -> None:
        """Enter the digest of a file that is there."""
        number = self._files[path]
        if self._apart is not None:
            os.pwrite(self._apart.fileno(), digest, number * self._length)
        else:
            self._digests[number * self._length : (number + 1) * self._length] = digest
        self.listed[number] = 1

    def promised(self, path: str) -> bytes | None:
        """The digest of a file that is there; None when this manifest does not list it."""
        number = self._files[path]
        return self.of_number(number) if self.listed[number] else None

    def of_number(self, number: int) -> bytes:
        """The digest of the file with this number, which is listed."""
        if self._apart is not None:
            return os.pread(self._apart.fileno(), self._length, number * self._length)
        return bytes(self._digests[number * self._length : (number + 1) * self._length])


def read_manifests(bag: Bag, kind: str) -> list[Manifest]:
    """All manifests of one kind: "manifest" (payload) or "tagmanifest"."""
    manifests: list[Manifest] = []
    missing: set[str] = set()
    for name in sorted(path for path in bag.view.files if "/" not in path):
        match = re.fullmatch(rf"{kind}-(.*)\.txt", name, re.IGNORECASE | re.DOTALL)
        if match is None:
            continue
        if match[1] in _HEX_LENGTH and name.startswith(f"{kind}-"):
            _judge_registered(bag, name, match[1])
            manifest = Manifest(name, match[1], bag.view.files)
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


def _judge_registered(bag: Bag, name: str, algorithm: str) -> None:
    if algorithm not in REGISTERED:
        text = say("The digest algorithm of this manifest is not in IANA's registry of named hash algorithms.")
        bag.notes.warning(
            "algorithm-unregistered", text, name, expected=", ".join(sorted(REGISTERED)), seen=algorithm
        )


def _read(bag: Bag, manifest: Manifest, missing: set[str], *, payload: bool) -> None:
    for number, line in lines_of(bag.view, manifest.name, bag.declared, bag.notes):
        match = _LINE.fullmatch(line)
        if line.strip(" \t") == "":
            note_blank_line(bag.notes, manifest.name, number)
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
                expected=f"{_HEX_LENGTH[manifest.algorithm]} × 0–9 a–f, data/…",
                seen=line,
            )
            continue
        path = _listed_path(bag, manifest.name, match[2], payload=payload)
        if path is not None:
            _enter(bag, manifest, path, bytes.fromhex(match[1]), missing, payload=payload)


def _listed_path(bag: Bag, manifest: str, path: str, *, payload: bool) -> str | None:
    """The path that a manifest line means; None (noted) when it may not be looked at."""
    notes = bag.notes
    if path.startswith("*") and path not in bag.view.files:
        written, path = path, path[1:]
        text = say("The manifest marks this path with an asterisk, as md5sum does.")
        notes.warning("manifest-md5sum-style", text, path, expected=path, seen=written)
    if path.startswith("./"):
        written, path = path, path[2:]
        text = say("The manifest writes this path with a leading “./”.")
        notes.warning("manifest-path-dot-slash", text, path, expected=path, seen=written)
    if not is_safe(path):
        notes.error(
            "manifest-path-unsafe",
            say("This path in {manifest} could lead out of the bag; nothing was opened.", manifest=manifest),
            path,
            expected="data/…" if payload else "…",
            seen=path,
        )
        return None
    if payload and not path.startswith("data/"):
        notes.error(
            "manifest-path-outside-payload",
            say("{manifest} lists this path, which is not in the payload folder data/.", manifest=manifest),
            path,
            expected="data/…",
            seen=path,
        )
        return None
    if not payload and path.startswith("data/"):
        notes.rule(
            bag.declared.strict,
            "tagmanifest-lists-payload",
            say("{manifest} lists this payload file; a tag manifest lists tag files only.", manifest=manifest),
            path,
            expected=NOTHING,
            seen=path,
        )
    if not payload and path.lower().startswith("tagmanifest-"):
        notes.rule(
            bag.declared.strict,
            "tagmanifest-lists-tagmanifest",
            say("{manifest} lists a tag manifest, which it must not.", manifest=manifest),
            path,
            expected=NOTHING,
            seen=path,
        )
    return decoded(bag, path, manifest)


def _enter(bag: Bag, manifest: Manifest, path: str, digest: bytes, missing: set[str], *, payload: bool) -> None:
    """Enter the promised digest under the name of the file that is there; report an absent file once."""
    found = bag.names.find(path)
    known = manifest.absent.get(path) if found is None else manifest.promised(found)
    if known is not None:
        text = say("{manifest} lists this path more than once.", manifest=manifest.name)
        broken = bag.declared.strict or known != digest
        bag.notes.rule(broken, "manifest-lists-twice", text, path, expected=known.hex(), seen=digest.hex())
    elif found is None:
        manifest.absent[path] = digest
        if path not in missing and not bag.view.is_refused(path):
            missing.add(path)
            _report_absent(bag, manifest, path, payload=payload)
    else:
        manifest.promise(found, digest)
    if found is not None and found != path:
        text = say("{manifest} writes this name in another Unicode normalisation.", manifest=manifest.name)
        bag.notes.warning("name-normalised", text, path, expected=escaped(path), seen=escaped(found))
    if payload and known is None and _may_be_litter(path) and _LITTER.search(path):
        text = say("This file was left by an operating system and is hardly content.")
        bag.notes.warning("system-file", text, path, expected=NOTHING, seen=path.rpartition("/")[2])


def _may_be_litter(path: str) -> bool:
    return path[-1:] in "bBiIeE" or "._" in path


def _report_absent(bag: Bag, listed: Manifest, path: str, *, payload: bool) -> None:
    manifest, promised = listed.name, f"{listed.algorithm} {listed.absent[path].hex()}"
    if path.rstrip("/") in bag.view.folders:
        bag.notes.error(
            "manifest-lists-folder",
            say("{manifest} lists this folder; it must list files only.", manifest=manifest),
            path,
            expected="regular file",
            seen="folder",
        )
    elif not payload:
        text = say("{manifest} lists this tag file, but it is not there.", manifest=manifest)
        bag.notes.error("tag-file-missing", text, path, expected=promised, seen=NOTHING)
    elif path in bag.fetched:
        bag.notes.error(
            "file-missing",
            say(
                "{manifest} lists this file, but it is not there; fetch.txt names {url}. Nothing is ever fetched.",
                manifest=manifest,
                url=bag.fetched[path],
            ),
            path,
            expected=promised,
            seen=NOTHING,
        )
    elif other := bag.names.other_case(path):
        text = say("A file {other} is there, whose name differs only in upper and lower case.", other=other)
        bag.notes.warning("names-differ-in-case", text, path, expected=path, seen=other)
        bag.notes.error(
            "file-missing",
            say(
                "{manifest} lists this file, but it is not there; a file {other} is.", manifest=manifest, other=other
            ),
            path,
            expected=promised,
            seen=other,
        )
    else:
        text = say("{manifest} lists this file, but it is not there.", manifest=manifest)
        bag.notes.error("file-missing", text, path, expected=promised, seen=NOTHING)
