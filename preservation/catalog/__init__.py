"""The catalog: which AIP versions there are, of which objects, where their replicas stand and what happened.

Promises: one transaction for each change, events only ever added and chained, the same on SQLite and PostgreSQL.
Refuses: a catalog made by a newer release, and a database that belongs to something else.
"""

from preservation.catalog.catalog import Catalog, open_catalog
from preservation.catalog.chain import ChainReport, RecordedEvent
from preservation.catalog.errors import AlreadyAdmitted, AmbiguousReference, LeaseHeld, LeaseLost, PlaceTaken
from preservation.catalog.leases import Lease
from preservation.catalog.reading import FormatCount

__all__ = [
    "AlreadyAdmitted",
    "AmbiguousReference",
    "Catalog",
    "ChainReport",
    "FormatCount",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "PlaceTaken",
    "RecordedEvent",
    "open_catalog",
]
