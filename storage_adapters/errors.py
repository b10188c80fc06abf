"""Why a store could not do its work. One class per different reaction.

StorageError
├── KeyRefused          the key is one that no store of ours takes; nothing was asked of the store
├── ObjectNotFound      nothing stands under this key
├── ObjectExists        something stands there already; a store never replaces
├── ObjectDamaged       the bytes are not the ones promised; nothing was stored
├── StorageFull         no room left; a person makes room
├── StorageDenied       the store refuses us: credentials, rights, no such bucket, clock; a person mends it
└── StorageUnavailable  not reachable or not answering now; the only one worth trying again later
"""

from __future__ import annotations

from wording import Explained, say


class StorageError(Explained):
    """A store could not do its work."""


class KeyRefused(StorageError, ValueError):
    """The key breaks the rules of `keys.check_key`; refused before any I/O, alike in every adapter."""


class ObjectNotFound(StorageError):
    """Nothing stands under this key. A prefix is not an object."""


class ObjectExists(StorageError):
    """Something stands under this key already, be it the same bytes."""


class ObjectDamaged(StorageError):
    """Length or digest differ from what was promised; nothing was stored."""


class StorageFull(StorageError):
    """No room left in the store."""


class StorageDenied(StorageError):
    """The store refuses: wrong credentials, missing rights, no such bucket, or our clock is off."""


class StorageUnavailable(StorageError):
    """The store cannot be reached or does not answer; the flow may try again."""


def not_found(store: str, key: str, *, detail: str | None = None) -> ObjectNotFound:
    """The same words in every adapter for a key under which nothing stands."""
    return ObjectNotFound(
        say("The store “{store}” has no object “{key}”.", store=store, key=key),
        where=place(store, key),
        next_step=say("Audit this replica; if the object is missing, repair it from another replica."),
        detail=detail,
    )


def already_exists(store: str, key: str, *, detail: str | None = None) -> ObjectExists:
    """The same words in every adapter for a key that is taken."""
    return ObjectExists(
        say("The store “{store}” already has an object “{key}”; it was left as it is.", store=store, key=key),
        where=place(store, key),
        next_step=say("Nothing is lost. Audit this replica to learn whether the object is the right one."),
        detail=detail,
    )


def place(store: str, key: str) -> str:
    """Where, for `Explained.where`: the store's name and the key."""
    return f"{store}: {key}"
