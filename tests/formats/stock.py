"""FIDO's class as it comes, and how our answer stands to its answer."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

from preservation.facts import Basis

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
    if theirs <= mere and our_basis is Basis.CONTAINER:
        return "more"  # a signature of several parts, or of a part that need only be there: FIDO leaves it out
    if basis is Basis.CONTAINER and ours <= mere:
        return "FIDO asked for less"  # it holds the first part for the whole signature
    return None
