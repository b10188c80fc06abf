"""Why a store could not do its work. One class per different reaction.

StorageError
├── ObjectNotFound      nothing stands under this key
├── ObjectExists        something stands there already; a store never replaces
├── ObjectDamaged       the bytes are not the ones promised; nothing was stored
├── StorageFull         no room left; a person makes room
├── StorageDenied       the store refuses us: credentials, rights, no such bucket, clock; a person mends it
└── StorageUnavailable  not reachable or not answering now; the only one worth trying again later
"""

from __future__ import annotations

from wording import Explained


class StorageError(Explained):
    """A store could not do its work."""


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
