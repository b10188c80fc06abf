"""Many objects put below one prefix of a bucket whose service has no conditions or no checksums.

A look at each object before and after its put is spared where something else says as much: a page of a list, not
older than a minute, that shows what we have put just before and not this key; and a put that was answered with the
MD5 of its bytes. Whatever these do not say is asked of the object itself. What goes in parts goes the usual way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from storage_adapters.errors import ObjectExists, already_exists
from storage_adapters.keys import check_key, check_prefix
from storage_adapters.store import Reader

FRESH = 60.0  # seconds for which a page is believed that a key is free


@dataclass(frozen=True, slots=True)
class Page:
    """What a list says of the keys beyond `after`, as far as `upto` (None: of all that follow): their sizes."""

    after: str
    upto: str | None
    objects: Mapping[str, int]
    asked: float  # before the question went out; by the clock that only goes on

    def tells_of(self, key: str) -> bool:
        """Whether a key that is not in the page was free."""
        return self.after < key and (self.upto is None or key <= self.upto)


class Asked(Protocol):
    """What is asked of the bucket. All raise StorageError."""

    name: str

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put, with its own looks."""

    def send(self, key: str, source: Reader, *, size: int, sha256: str, free: Callable[[str], None]) -> bool:
        """Put in one request, without a look but what `free` does just before; whether the service answered with a
        digest of what it took.
        """

    def page(self, prefix: str, *, after: str) -> Page:
        """One page of a list, of what follows that key."""

    def refuse_taken(self, key: str) -> None:
        """Raise ObjectExists when an object stands there."""

    def look_after(self, key: str, size: int) -> None:
        """Raise StorageUnavailable unless an object of that size stands there; one of another size is erased."""


class PutsTogether:
    """Puts by any number of threads. `replaces`: the service would replace an object, so that a key must be known to
    be free. `whole`: how many bytes go in one request.
    """

    def __init__(self, bucket: Asked, prefix: str, *, replaces: bool, whole: int) -> None:
        check_prefix(prefix)
        self._whole = whole
        self._bucket = bucket
        self._prefix = prefix
        self._replaces = replaces
        self._page: Page | None = None
        self._standing: tuple[str, int] | None = None  # the last key, in their order, that was put here, and its size
        self._mine: set[str] = set()  # put or being put since a page was asked for
        self._changing = threading.Lock()
        self._asking = threading.Lock()  # for a page: one at a time
        self._believed = True  # no list was seen to lack anything

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put."""
        check_key(key)
        if size > self._whole or not key.startswith(self._prefix):
            self._bucket.put(key, source, size=size, sha256=sha256)
            return
        try:
            if not self._bucket.send(key, source, size=size, sha256=sha256, free=self._refuse_taken):
                self._bucket.look_after(key, size)
        except ObjectExists:
            raise
        except BaseException:  # it is not there, or who knows: the next one looks
            with self._changing:
                self._mine.discard(key)
            raise
        with self._changing:
            self._standing = max(self._standing or (key, size), (key, size))

    def _refuse_taken(self, key: str) -> None:
        """Raise ObjectExists unless the key was free a minute ago, and is not ours since."""
        if not self._replaces:
            return
        page = self._page_for(key)
        if page is None or not page.tells_of(key):
            self._bucket.refuse_taken(key)
        with self._changing:
            if key in self._mine or (page is not None and key in page.objects):
                raise already_exists(self._bucket.name, key)
            if self._believed:
                self._mine.add(key)

    def _page_for(self, key: str) -> Page | None:
        """The last page, or a new one when that is old or ended before the key; None where no list is believed."""
        if self._serves(key):
            return self._page
        with self._asking:
            if not self._serves(key):
                self._page = self._new_page()
            return self._page

    def _serves(self, key: str) -> bool:
        page = self._page
        if page is None:
            return not self._believed
        return time.monotonic() - page.asked < FRESH and (page.upto is None or key <= page.upto)

    def _new_page(self) -> Page | None:
        """A page that begins where we have put last, and must show that: so it is of now, and begins where it should.

        Before anything was put there is none, and a list that lacks what was put is never asked again.
        """
        with self._changing:
            standing = self._standing
        if standing is None or not self._believed:
            return None
        key, size = standing
        page = self._bucket.page(self._prefix, after=key[:-1])
        self._believed = page.objects.get(key) == size
        with self._changing:
            self._mine = {each for each in self._mine if each > key[:-1]}
        return page if self._believed else None
