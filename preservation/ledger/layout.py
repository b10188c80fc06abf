"""Where the ledger lies inside a store. Keys only; no bytes are read here.

    verify_ledger.py                                           the stand-alone checker
    ledger/9998-book-1/checkpoints/99999999/9987-12.json       newest first in a sorted list: both parts count down
    ledger/9998-book-1/events/000000000001-000000000012.jsonl
    ledger/9998-book-1/objects/000000000001-000000000012.jsonl.gz
    ledger/9998-book-1/policies/standard-3f2b8c1e6d4a4c8f.yaml

Books and checkpoints count down, so that one page of a list from `ledger/` on holds the highest book and its newest
checkpoint. Checkpoints lie in folders of 10,000 events, so that a disk never has to list all of them for that.
"""

from __future__ import annotations

import re

LEDGER = "ledger/"
BOOKS = 9999
EVENTS = 999_999_999_999
_BOOK = re.compile(r"ledger/(?P<down>[0-9]{4})-book-(?P<book>[1-9][0-9]{0,3})/.+", re.DOTALL)
_CHECKPOINT = re.compile(r"checkpoints/(?P<high>[0-9]{8})/(?P<low>[0-9]{4})-(?P<last>[1-9][0-9]{0,11})\.json")


def book_prefix(book: int) -> str:
    """The prefix below which a whole book lies."""
    return f"{LEDGER}{BOOKS - book:04}-book-{book}/"


def checkpoints_prefix(book: int) -> str:
    """The prefix below which a book's checkpoints lie, newest first."""
    return f"{book_prefix(book)}checkpoints/"


def checkpoint_key(book: int, last: int) -> str:
    """The key of the checkpoint that ends with event `last`."""
    down = f"{EVENTS - last:012}"
    return f"{checkpoints_prefix(book)}{down[:8]}/{down[8:]}-{last}.json"


def events_key(book: int, first: int, last: int) -> str:
    """The key of a segment of events."""
    return f"{book_prefix(book)}events/{first:012}-{last:012}.jsonl"


def objects_key(book: int, first: int, last: int) -> str:
    """The key of the object lists that a segment of events admits."""
    return f"{book_prefix(book)}objects/{first:012}-{last:012}.jsonl.gz"


def policy_key(book: int, name: str, sha256: str) -> str:
    """The key of a policy's effective text."""
    return f"{book_prefix(book)}policies/{name}-{sha256[:16]}.yaml"


def book_of(key: str) -> int | None:
    """The book that a key belongs to, None when it is no key of a book."""
    match = _BOOK.fullmatch(key)
    return int(match["book"]) if match and int(match["down"]) + int(match["book"]) == BOOKS else None


def checkpoint_of(key: str) -> tuple[int, int] | None:
    """(book, last event) of a checkpoint's key, None when it is none."""
    book = book_of(key)
    match = _CHECKPOINT.fullmatch(key.removeprefix(book_prefix(book))) if book is not None else None
    if book is None or match is None or int(match["high"] + match["low"]) + int(match["last"]) != EVENTS:
        return None
    return book, int(match["last"])
