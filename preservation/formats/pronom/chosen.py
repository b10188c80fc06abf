"""Which release identifies: the files of one that was chosen or, when none was, the one that FIDO brings along."""

from __future__ import annotations

from preservation.formats.pronom.cache import cached
from preservation.formats.pronom.facts import Release, SignatureFiles
from preservation.formats.pronom.releases import fido_files, fido_release, pronom_release


def load(files: SignatureFiles | None) -> Release:
    """The release in the files; FIDO's when there are none. Raises ReleaseUnreadable."""
    if files is None:
        return cached(fido_files(), fido_release)
    return cached((files.signatures, files.containers), lambda: pronom_release(files.signatures, files.containers))
