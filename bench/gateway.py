"""Uploads to a Ceph RADOS Gateway, which has conditions, and back. Asked for by name: it takes some minutes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bench.measure import Result
from bench.room import Room
from bench.uploads import BUCKET, FEW, KEYS, address_of, small, some, to_and_from
from storage_adapters.settings import S3Settings
from tests.servers.ceph import ceph


def rows(room: Room) -> Iterable[Result]:
    """A few masters, for it keeps everything in memory, and small files."""
    os.environ.update(KEYS)
    for name, folder in (("masters", some(room, "L", FEW)), ("small files", small(room))):
        with address_of(_gateway()) as url:
            yield from to_and_from(room, "Ceph RADOS Gateway", name, folder, url)


@contextmanager
def _gateway() -> Iterator[S3Settings]:
    with ceph(bucket=BUCKET) as cluster:
        yield cluster.settings
