"""Many objects put below one prefix of a bucket whose service has no conditions or no checksums.

Pages of a list stand for the two looks at each object: what a page of the last minute does not have is free, and
what was put is looked for in pages afterwards, by its size and the ETag that its put was answered with. A list only
spares looks: whatever it does not say is asked of the object itself. Large objects go the usual way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from storage_adapters.errors import already_exists
from storage_adapters.keys import check_key, check_prefix
from storage_adapters.store import Reader

FRESH = 60.0  # seconds for which a page is believed that a key is free
LOOK = 900  # objects put before they are looked for; together with what is just being put they fit into a page
PAGES = 3  # for one look; what they do not reach, because much lies between, is asked for by its name
SMALL = 8 << 20  # bytes; beside more of them two looks cost nothing


@dataclass(frozen=True, slots=True)
class Page:
    """What a list says of the keys beyond `after`, as far as `upto` (None: of all that follow): size and ETag."""

    after: str
    upto: str | None
    objects: Mapping[str, tuple[int, str]]
    asked: float  # by the clock that only goes on

    def tells_of(self, key: str) -> bool:
        """Whether a key that is not in the page was free when it was asked for."""
        return self.after < key and (self.upto is None or key <= self.upto)


class Asked(Protocol):
    """What is asked of the bucket. All raise StorageError."""

    name: str

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put, with its own looks."""

    def send(self, key: str, source: Reader, *, size: int, sha256: str, free: Callable[[str], None]) -> str:
        """Put without a look, but what `free` does just before; the ETag of the answer. At most `SMALL` bytes."""

    def page(self, prefix: str, *, after: str) -> Page:
        """One page of a list, of what follows that key."""

    def refuse_taken(self, key: str) -> None:
        """Raise ObjectExists when an object stands there."""

    def look_after(self, key: str, size: int) -> None:
        """Raise StorageUnavailable unless an object of that size stands there; one of another size is erased."""


class PutsTogether:
    """Puts by any number of threads. They are believed only when the block has ended without an error.

    `replaces`: the service would replace an object, so that a key must be known to be free.
    """

    def __init__(self, bucket: Asked, prefix: str, *, replaces: bool) -> None:
        check_prefix(prefix)
        self._bucket = bucket
        self._prefix = prefix
        self._replaces = replaces
        self._sent: dict[str, tuple[int, str]] = {}  # size and ETag of what was not looked for yet
        self._sending = threading.Lock()
        self._page = Page("", "", {}, -FRESH)  # says nothing
        self._asking = threading.Lock()  # for a page: one at a time
        self._goes_on = False  # seen to list what follows a key
        self._believed = True  # no list was seen to lack anything

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._look()

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put."""
        check_key(key)
        if size > SMALL or not self._believed or not key.startswith(self._prefix):
            self._bucket.put(key, source, size=size, sha256=sha256)
            return
        etag = self._bucket.send(key, source, size=size, sha256=sha256, free=self._refuse_taken)
        with self._sending:
            self._sent[key] = size, etag
            enough = len(self._sent) >= LOOK
        if enough:
            self._look()

    def _refuse_taken(self, key: str) -> None:
        if not self._replaces:
            return
        page = self._page_for(key)
        if key in page.objects or key in self._sent:
            raise already_exists(self._bucket.name, key)
        if not page.tells_of(key):
            self._bucket.refuse_taken(key)

    def _page_for(self, key: str) -> Page:
        """The last page, or a new one when that is old, or says nothing of the key and a new one would."""
        page = self._page
        if self._serves(page, key):
            return page
        with self._asking:
            if not self._serves(self._page, key):
                self._page = self._bucket.page(self._prefix, after=_below(key) if self._goes_on else "")
                self._goes_on &= self._page.tells_of(key)
            return self._page

    def _serves(self, page: Page, key: str) -> bool:
        return time.monotonic() - page.asked < FRESH and (page.tells_of(key) or not self._goes_on)

    def _look(self) -> None:
        """Look for everything that was sent since the last look."""
        with self._asking:
            with self._sending:
                sent, self._sent = self._sent, {}
            for key in self._not_confirmed(sent) if sent else ():
                self._bucket.look_after(key, sent[key][0])

    def _not_confirmed(self, sent: Mapping[str, tuple[int, str]]) -> list[str]:
        """The keys that pages do not show as they were sent. What a page should have and has not ends our belief."""
        open_keys, last, after = dict(sent), max(sent), _below(min(sent))
        for _ in range(PAGES):
            page = self._bucket.page(self._prefix, after=after)
            for key, seen in page.objects.items():
                if open_keys.get(key) == seen:
                    del open_keys[key]
            if any(page.tells_of(key) and key not in page.objects for key in open_keys):
                self._believed = False
            if page.upto is None or not after < page.upto < last:
                break
            after = page.upto
        self._page, self._goes_on = page, self._believed
        return list(open_keys)


def _below(key: str) -> str:
    """A key that comes before this one, with few between."""
    return key[:-1]
