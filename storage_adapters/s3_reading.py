"""Reading what an S3 service answers: bodies that may break off, checksums that may not be the file's.

Refuses to take a body that ends before its announced length for the end of the object.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.parsers import ResponseParserError

from storage_adapters.errors import StorageUnavailable, place
from storage_adapters.s3_errors import Unsaid, explain_s3_errors
from storage_adapters.s3_lean import Answer, explained_reading
from storage_adapters.settings import S3Settings
from wording import say

_HEADERS = {
    "ETag": "etag",
    "ContentLength": "content-length",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ChecksumType": "x-amz-checksum-type",
}


class OpenedBody:
    """An opened object; it knows how many bytes were announced."""

    def __init__(self, answer: Answer, *, store: str, key: str, settings: S3Settings) -> None:
        head = shown(answer.headers)
        self._answer = answer
        self._store = store
        self._key = key
        self._settings = settings
        try:
            self._left = length_of(head)
            said(head, "ETag")
        except ResponseParserError:
            answer.done()
            raise

    def read(self, size: int = -1, /) -> bytes:
        """See Reader.read. Raises StorageUnavailable when the connection was cut."""
        if size == 0:
            return b""
        with self._explained():
            chunk: bytes = self._answer.body.read(size if size > 0 else None)
        self._count(len(chunk), ended=size < 0 or not chunk)
        return chunk

    def readinto(self, buffer: memoryview, /) -> int:
        """The same into memory that is given; how many bytes."""
        with self._explained():
            count = int(self._answer.body.readinto(buffer) or 0)
        self._count(count, ended=not count)
        return count

    def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        self._answer.done()

    def _count(self, count: int, *, ended: bool) -> None:
        self._left -= count
        if self._left < 0 or (ended and self._left):
            raise StorageUnavailable(
                say("The connection to the store “{store}” broke off while an object was read.", store=self._store),
                where=place(self._store, self._key),
                next_step=say("Run the same command again; a broken connection says nothing about the object."),
                detail=f"{self._left} bytes were still to come",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with explain_s3_errors(self._store, self._key, self._settings), explained_reading():
            yield


def shown(headers: Mapping[str, str]) -> dict[str, Any]:
    """The headers of an object's answer under boto3's names for them."""
    answer: dict[str, Any] = {name: headers[header] for name, header in _HEADERS.items() if header in headers}
    if (length := answer.get("ContentLength")) is not None:
        if not length.isdecimal():
            raise ResponseParserError(f"the answer has the Content-Length {length!r}")
        answer["ContentLength"] = int(length)
    return answer


def said(answer: Mapping[str, Any], field: str) -> Any:  # noqa: ANN401 - text or number, as the service has it
    """What the answer of an S3 service always says. Raises Unsaid without it: a 200 with nothing in it, from whatever
    stands between, must not pass for a thing that was done.
    """
    if answer.get(field) in (None, ""):
        raise Unsaid(f"the answer has no {field}")
    return answer[field]


def length_of(answer: Mapping[str, Any]) -> int:
    """The length that the service announced. Raises ResponseParserError without one: its end could not be known."""
    if "ContentLength" not in answer:
        raise ResponseParserError("the answer has no Content-Length")
    return int(answer["ContentLength"])


def whole_sha256(answer: Mapping[str, Any]) -> str | None:
    """The SHA-256 (hex) that the service keeps of the whole object; that of a multipart upload is not the file's."""
    value = str(answer.get("ChecksumSHA256") or "")
    if not value or "-" in value or answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return base64.b64decode(value).hex()
