"""What kept the system from doing its work, said once and alike wherever it happens."""

from __future__ import annotations

import errno

from preservation.errors import CatalogError, FixityError
from preservation.findings import Finding, Severity
from preservation.replicas.repair import RepairFailed
from storage_adapters.errors import StorageDenied, StorageError, StorageFull, StorageUnavailable
from wording import Explained, Message, say
from wording.secrets import veiled

_CODES: tuple[tuple[type[Explained], str], ...] = (
    (StorageFull, "store-full"),
    (StorageDenied, "store-denied"),
    (StorageUnavailable, "store-unavailable"),
    (RepairFailed, "repair-failed"),
    (StorageError, "store-failed"),
    (FixityError, "bytes-changed"),
    (CatalogError, "catalog-failed"),
)


_OS_CODES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "disk-full"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "denied"),
}


def as_finding(error: BaseException) -> Finding:
    """The finding that stands for an error of the system: its sentence, its place, and what to do next."""
    if isinstance(error, Explained):
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
        text = error.what
        if error.next_step is not None:
            text = say("{what} {next_step}", what=error.what, next_step=error.next_step)
        return Finding(code, Severity.ERROR, text, path=error.where, expected=error.expected, seen=error.seen)
    if isinstance(error, OSError):
        path = str(error.filename) if error.filename else None
        return Finding(_os_code(error), Severity.ERROR, _os_sentence(error), path=path, seen=error.strerror)
    return Finding(
        "failed", Severity.ERROR, say("Something unforeseen happened: {reason}", reason=veiled(repr(error)))
    )


def _os_code(error: OSError) -> str:
    return _OS_CODES.get(error.errno or 0, "disk-failed")


def _os_sentence(error: OSError) -> Message:
    match _os_code(error):
        case "disk-full":
            return say("The disk of the workspace is full. Nothing half done was kept. Make room, then run it again.")
        case "denied":
            return say("The workspace cannot be written to. Check the rights of its folder, then run it again.")
        case _:
            return say(
                "Reading or writing failed ({reason}). Check the disk, then run it again.",
                reason=error.strerror or "?",
            )
