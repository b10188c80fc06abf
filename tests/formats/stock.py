"""FIDO's class as it comes, and how our answer stands to its answer."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import olefile

from preservation.facts import Basis
from preservation.formats.pronom.facts import Release

Answer = tuple[Basis, list[tuple[str, str]]]  # what FIDO rests on; (PUID, name of the signature) in its order
AskFido = Callable[[Path], Answer]


def stock_fido() -> AskFido:
    """Ask FIDO's class, with its own signatures and its own settings."""
    from fido.fido import Fido
    from fido.versions import get_local_versions

    versions = get_local_versions()
    said = []
    fido = Fido(
        quiet=True,
        format_files=[versions.pronom_signature, versions.fido_extension_signature],
        handle_matches=lambda name, matches, seconds, matchtype="": said.append((matchtype, matches)),
    )

    def ask(path: Path) -> Answer:
        said.clear()
        with contextlib.redirect_stderr(io.StringIO()):
            fido.identify_file(str(path))
        ((kind, matches),) = said
        named = [(fido.get_puid(element), name) for element, name in matches]
        return (Basis(kind) if named else Basis.NONE), named

    return ask


def in_full(path: Path, release: Release) -> set[str]:
    """The PUIDs of all container signatures that hold, by the plainest reading: every part is there, and each of its
    expressions is found in the whole of it. Without those that another one outranks.
    """
    ole = olefile.isOleFile(path)
    parts = _ole_parts(path) if ole else _zip_parts(path)
    better = {known.puid: known.better_than for known in release.formats}
    found = {
        signature.puid
        for signature in release.containers["OLE2" if ole else "ZIP"]
        if signature.puid in better
        and all(
            part.path in parts and all(re.search(each.regex, parts[part.path]) for each in part.patterns)
            for part in signature.parts
        )
    }
    return {puid for puid in found if not any(puid in better[other] for other in found)}


def _zip_parts(path: Path) -> dict[str, bytes]:
    parts = {}
    with contextlib.suppress(zipfile.BadZipFile, ValueError), zipfile.ZipFile(path) as container:
        for name in container.namelist():
            parts[name] = b""
            broken = contextlib.suppress(zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, OSError, EOFError)
            with broken, container.open(name) as member:
                member._expected_crc = None  # of a part that was spoilt, all that can be unpacked is looked at
                while piece := member.read(64):
                    parts[name] += piece
    return parts


def _ole_parts(path: Path) -> dict[str, bytes]:
    parts = {}
    with contextlib.suppress(OSError, ValueError, LookupError), olefile.OleFileIO(path) as container:
        for name in container.listdir(storages=True):
            with contextlib.suppress(OSError):
                stream = container.get_type(name) == olefile.STGTY_STREAM
                parts["/".join(name)] = container.openstream(name).read() if stream else b""
    return {name.lstrip("\1\2\3\5"): content for name, content in parts.items()} | parts


def difference(basis: Basis, theirs: set[str], our_basis: Basis, ours: set[str]) -> str | None:
    """How our answer stands to FIDO's; None for one that it may not have."""
    if (basis, theirs) == (our_basis, ours):
        return "the same"
    if our_basis is Basis.EMPTY:
        return "an empty file is not guessed"
    if our_basis is Basis.NAMESPACE:
        return "the same" if theirs == ours else "a root element told more"
    if (basis, our_basis) == (Basis.CONTAINER, Basis.CONTAINER) and ours and ours < theirs:
        return "priorities applied"
    mere = {"x-fmt/263", "fmt/111"}
    if basis is Basis.SIGNATURE and theirs & mere and our_basis is Basis.CONTAINER:
        return "more"  # a signature of several parts, or of a part that need only be there: FIDO leaves it out
    if basis is Basis.CONTAINER and ours <= mere:
        return "FIDO asked for less"  # it holds the first part for the whole signature
    return None
