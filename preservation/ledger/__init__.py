"""The ledger: the catalog's history, written whole into every store, so that one store alone proves and rebuilds it.

Promises: events in the chain they have in the catalog, object lists bound to it by digests, a checkpoint after each
push that is put last. Refuses to write beside a store whose checkpoint is not on the catalog's chain.
"""

from preservation.ledger.admissions import read_admissions
from preservation.ledger.reading import LedgerBroken, books, checkpoints, highest, newest, read_events
from preservation.ledger.records import Checkpoint, LedgerEvent

__all__ = [
    "Checkpoint",
    "LedgerBroken",
    "LedgerEvent",
    "books",
    "checkpoints",
    "highest",
    "newest",
    "read_admissions",
    "read_events",
]
