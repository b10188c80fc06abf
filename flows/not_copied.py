"""Why a copy could not be made or proved, as a person is told: what kept us, and who is not to blame for it."""

from __future__ import annotations

from flows.failures import as_finding
from flows.workspace import Workspace
from preservation.catalog.errors import Overtaken
from preservation.facts import AIPVersion
from preservation.findings import Finding, Severity
from preservation.replicas.verify import answers
from storage_adapters.errors import StorageError, StorageUnavailable
from wording import say


def store_failed(store: str, error: StorageError | OSError) -> Finding:
    """The finding for a store that could not be used, or for our own disk that kept us from it, with the reason."""
    reason = as_finding(error)
    if isinstance(error, DonorAway):  # it is not this store that is away
        return Finding("donor-away", Severity.ERROR, reason.message, path=reason.path)
    return Finding(
        reason.code,
        Severity.ERROR,
        say("Store {store} could not be used: {reason}", store=store, reason=reason.message),
        path=reason.path,
        expected=reason.expected,
        seen=reason.seen,
    )


def is_there(workspace: Workspace, store: str) -> bool:
    """Whether the store can be opened and answers, so that what failed is a matter of one copy."""
    try:
        return answers(workspace.store(store))
    except StorageError:
        return False


class DonorAway(StorageUnavailable):
    """The store to copy from could not be asked, and no other has a good copy; the one to copy to is not to blame."""

    of_donor = True

    def __init__(self, version: AIPVersion, donor: str, error: StorageError) -> None:
        super().__init__(
            say(
                "Store {store}, from which {identifier} was to be copied, could not be used: {reason}",
                store=donor,
                identifier=version.identifier,
                reason=error.what,
            ),
            where=donor,
            next_step=error.next_step,
            detail=error.detail,
        )


class NoDonor(StorageError):
    """Nothing to copy from: no bag in the workspace, and no replica that gives the right bytes."""

    def __init__(self, version: AIPVersion, decayed: Exception | None) -> None:
        super().__init__(
            say("No place has a good copy of {identifier} to copy from.", identifier=version.identifier),
            next_step=say("Run `vankho audit {identifier}` to see what is left.", identifier=version.identifier),
            detail=str(decayed) if decayed is not None else None,
        )


class CopyInUse(StorageError):
    """Whenever the copy had been read, another run had worked on it meanwhile; nothing was recorded."""

    def __init__(self, version: AIPVersion, store: str, error: Overtaken) -> None:
        super().__init__(
            say(
                "Others kept working on the copy of {identifier} in {store} while it was read.",
                identifier=version.identifier,
                store=store,
            ),
            where=version.identifier,
            next_step=say("Run the audit again when nothing else runs on this AIP."),
            detail=str(error),
        )
