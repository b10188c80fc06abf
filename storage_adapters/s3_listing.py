"""Lists of a bucket, page by page, refused when they are cut, out of order, or beside what was asked for.

Raises botocore's errors, and StorageError for a service that does not list completely and in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storage_adapters.errors import StorageError, place
from wording import say

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Entry = Mapping[str, Any]  # Key, Size, ETag and so on, as boto3 names them


def pages(client: S3Client, bucket: str, prefix: str, *, size: int, store: str) -> Iterator[Sequence[Entry]]:
    """Every page of what lies below the prefix; `size` entries in each, `store` is how messages call it."""
    last, token = b"", None
    while True:
        more: dict[str, Any] = {"ContinuationToken": token} if token else {}
        page: Mapping[str, Any] = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=size, **more)
        entries = _checked(page, prefix, last, store)
        yield entries
        if not page["IsTruncated"]:
            return
        last = entries[-1]["Key"].encode() if entries else last
        if page.get("NextContinuationToken") in {None, "", token}:
            raise _bad_list(store, prefix, "more was announced, but not how to ask for it")
        token = page["NextContinuationToken"]


def page_after(
    client: S3Client, bucket: str, prefix: str, after: str, *, size: int, store: str
) -> tuple[Sequence[Entry], bool]:
    """The page of what follows a key ("" for the beginning), and whether it is the last one.

    Some services do not know how to begin behind a key; then it is the first page.
    """
    more: dict[str, Any] = {"StartAfter": after} if after else {}
    page: Mapping[str, Any] = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=size, **more)
    return _checked(page, prefix, b"", store), not page["IsTruncated"]


def _checked(page: Mapping[str, Any], prefix: str, last: bytes, store: str) -> Sequence[Entry]:
    if "IsTruncated" not in page:
        raise _bad_list(store, prefix, "the answer is no list")
    entries: Sequence[Entry] = page.get("Contents", ())
    for entry in entries:
        key = entry["Key"]
        if not last < key.encode() or not key.startswith(prefix):
            raise _bad_list(store, key, f"{key!r} came after {last!r}")
        last = key.encode()
    return entries


def _bad_list(store: str, key: str, detail: str) -> StorageError:
    return StorageError(
        say("The store “{store}” does not list its objects completely and in order.", store=store),
        where=place(store, key),
        next_step=say("Check this store with: vankho store check {store}", store=store),
        detail=detail,
    )
