"""A store in a bucket of any S3-compatible service.

Promises the contract as far as the service goes: what it can do is probed once, and where it has no
conditions or checksums we look before we put and look again after. No retry inside, every wait has an end.
Refuses to trust an ETag as evidence, or a checksum that the service was not seen to verify.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from storage_adapters import s3_listing, s3_probing, s3_uploads
from storage_adapters.buffers import Buffers
from storage_adapters.errors import StorageDenied, StorageUnavailable, already_exists, not_found, place
from storage_adapters.keys import check_key, check_prefix
from storage_adapters.pacing import Line
from storage_adapters.s3_client import CONNECTIONS, connect
from storage_adapters.s3_errors import ERRORS, explain_s3_errors, status_of
from storage_adapters.s3_lean import LeanWay
from storage_adapters.s3_reading import OpenedBody, length_of, said, shown, whole_sha256
from storage_adapters.s3_together import Page, PutsTogether
from storage_adapters.settings import S3Settings
from storage_adapters.store import Capabilities, Lanes, ObjectStat, Puts, Reader, Unfinished
from storage_adapters.verifying import VerifyingReader
from wording import say

PARTS_AT_ONCE = 4  # of one large object; with it, how many parts of memory all puts together may take


@dataclass(frozen=True, slots=True)
class _Tag:
    """What a put was answered with, and whether it shows that the service took these bytes: it compared their
    SHA-256, or gives back their MD5.
    """

    etag: str
    is_digest: bool


class S3Store:
    """Objects in one bucket. `capabilities` as recorded by an earlier probe, or None to probe at first need."""

    def __init__(
        self, name: str, settings: S3Settings, *, capabilities: Capabilities | None = None, line: Line | None = None
    ) -> None:
        self.name = name
        self._settings = settings
        self._bucket = settings.bucket
        self._capabilities = capabilities
        self._probing = threading.Lock()
        self.lanes = Lanes(reads=settings.requests, puts=settings.requests)
        self._buffers = Buffers(PARTS_AT_ONCE * settings.part_size)
        with self._asking(""):
            self._client, credentials = connect(name, settings, line)
            self._lean = LeanWay(self._client, settings.bucket, credentials=credentials, kept=CONNECTIONS)

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put: one request up to `part_size`, a multipart upload above it."""
        check_key(key)
        can = self.capabilities()
        if size <= self._settings.part_size:
            self.send(key, source, size=size, sha256=sha256, free=self.refuse_taken)
        else:
            reader = VerifyingReader(source, size=size, sha256=sha256, store=self.name, key=key)
            self._put_parts(key, reader, size=size)
        if "sha256" not in can.checksums:
            self.look_after(key, size)

    def together(self, prefix: str) -> AbstractContextManager[Puts]:
        """See store.together: fewer looks than this service makes necessary for one object."""
        can = self.capabilities()
        if can.conditional_create and "sha256" in can.checksums:
            return nullcontext(self)
        whole = self._settings.part_size
        return nullcontext(PutsTogether(self, prefix, replaces=not can.conditional_create, whole=whole))

    @contextmanager
    def open(self, key: str) -> Iterator[Reader]:
        """See Store.open."""
        check_key(key)
        with self._asking(key):
            answer = self._lean.get(key)
            body = OpenedBody(answer, store=self.name, key=key, settings=self._settings)
        with closing(body):
            yield body

    def stat(self, key: str) -> ObjectStat:
        """See Store.stat."""
        check_key(key)
        answer = self._head(key)
        if answer is None:
            self._refuse_missing_bucket()
            raise not_found(self.name, key)
        return ObjectStat(key, length_of(answer), self._checksums(answer))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """See Store.list. Holds one page in memory; a list that is cut or out of order raises."""
        check_prefix(prefix)
        with self._asking(prefix):
            pages = s3_listing.pages(
                self._client, self._bucket, prefix, size=self._settings.page_size, store=self.name
            )
        while True:
            with self._asking(prefix):
                page = next(pages, None)
            if page is None:
                return
            yield from (ObjectStat(entry["Key"], entry["Size"]) for entry in page)

    def capabilities(self) -> Capabilities:
        """See Store.capabilities. Raises StorageDenied or StorageUnavailable when the probe cannot be made."""
        with self._probing:
            if self._capabilities is None:
                with self._asking(""):
                    self._capabilities = s3_probing.probe(self._client, self._bucket)
            return self._capabilities

    def erase(self, key: str) -> None:
        """See ErasableStore.erase. In a bucket with versions the older version stays behind a delete marker."""
        self.stat(key)
        with self._asking(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """See ErasableStore.unfinished: multipart uploads of keys below the prefix."""
        check_prefix(prefix)
        with self._asking(prefix):
            yield from s3_uploads.unfinished(self._client, self._bucket, prefix)

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:
        """See ErasableStore.drop_unfinished: aborts multipart uploads of keys below the prefix."""
        check_prefix(prefix)
        with self._asking(prefix):
            return s3_uploads.drop(self._client, self._bucket, prefix, started_before=started_before)

    def send(self, key: str, source: Reader, *, size: int, sha256: str, free: Callable[[str], None]) -> bool:
        """See s3_together.Asked. Where the service has the condition, `free` is not asked."""
        can = self.capabilities()
        reader = VerifyingReader(source, size=size, sha256=sha256, store=self.name, key=key)
        with self._buffers.lend(size) as body:
            reader.fill(body)
            reader.finish()
            if not can.conditional_create:
                free(key)
            with self._asking(key):
                condition = {"if-none-match": "*"} if can.conditional_create else {}
                return self._send(key, body, sha256=sha256.lower(), headers=condition).is_digest

    def page(self, prefix: str, *, after: str) -> Page:
        """See s3_together.Asked."""
        asked = time.monotonic()
        with self._asking(prefix):
            entries, is_last = s3_listing.page_after(
                self._client, self._bucket, prefix, after, size=self._settings.page_size, store=self.name
            )
        upto = None if is_last else entries[-1]["Key"] if entries else after
        return Page(after, upto, {each["Key"]: each["Size"] for each in entries}, asked)

    def _send(self, key: str, body: memoryview, *, sha256: str, headers: Mapping[str, str], query: str = "") -> _Tag:
        """Send an object or a part with a check that the service compares. Raises botocore's errors.

        A body that goes without its SHA-256 goes with its MD5: buckets that lock every object demand one of the two.
        """
        verified = "sha256" in self.capabilities().checksums
        if verified:
            md5, check = b"", {"x-amz-checksum-sha256": _base64(bytes.fromhex(sha256))}
        else:
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            check = {"content-md5": _base64(md5)}
        etag = str(
            said(shown(self._lean.put(key, body, sha256=sha256, headers={**headers, **check}, query=query)), "ETag")
        )
        return _Tag(etag, verified or etag.strip('"') == md5.hex())

    def _put_parts(self, key: str, reader: VerifyingReader, *, size: int) -> None:
        can = self.capabilities()
        self.refuse_taken(key)  # before gigabytes travel, even where completing is conditional
        algorithm: dict[str, Any] = {"ChecksumAlgorithm": "SHA256"} if "sha256" in can.checksums else {}
        with self._asking(key):
            begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **algorithm)
            upload = str(said(begun, "UploadId"))
        try:
            parts = self._upload_parts(key, upload, reader, size=size)
            reader.finish()
            if not can.conditional_multipart:
                self.refuse_taken(key)
            condition: dict[str, Any] = {"IfNoneMatch": "*"} if can.conditional_multipart else {}
            with self._asking(key):
                completed = self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **condition
                )
                said(completed, "Key")  # the ETag of a completed upload is empty on Ceph
        except BaseException as error:  # Ctrl-C too: nothing half-visible, nothing that goes on costing money
            self._abort(key, upload, error)
            raise

    def _upload_parts(self, key: str, upload: str, reader: VerifyingReader, *, size: int) -> Sequence[Any]:
        """Send the parts, several at once, while the next one is read and hashed; the first error ends it."""
        part_size = self._settings.part_size_for(size)
        begun: list[Future[Any]] = []
        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="part") as pool:
            for number, start in enumerate(range(0, size, part_size), start=1):
                for earlier in begun:
                    if earlier.done():
                        earlier.result()  # raises what one that failed raised
                with ExitStack() as lent:
                    block = lent.enter_context(self._buffers.lend(min(part_size, size - start)))
                    reader.fill(block)
                    begun.append(pool.submit(self._send_part, key, upload, number, block, lent.pop_all()))
            return [each.result() for each in begun]

    def _send_part(self, key: str, upload: str, number: int, block: memoryview, lent: ExitStack) -> dict[str, Any]:
        with lent, self._asking(key):
            sha256 = hashlib.sha256(block)
            query = f"partNumber={number}&uploadId={quote(upload, safe='')}"
            tag = self._send(key, block, sha256=sha256.hexdigest(), headers={}, query=query)
            part: dict[str, Any] = {"PartNumber": number, "ETag": tag.etag}
            if "sha256" in self.capabilities().checksums:
                part["ChecksumSHA256"] = _base64(sha256.digest())
            return part

    def _abort(self, key: str, upload: str, error: BaseException) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except ERRORS as failure:
            error.add_note(f"The unfinished upload {upload} of {key!r} could not be aborted: {failure}")

    def _head(self, key: str) -> Mapping[str, Any] | None:
        """The answer to HEAD, None when nothing stands there."""
        with self._asking(key):
            try:
                answer = shown(self._lean.head(key))
            except ClientError as error:
                if status_of(error) == 404:
                    return None
                # An answer to HEAD has no body, so it cannot say why; a list that fails the same way can.
                self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
                raise
            length_of(answer)
            said(answer, "ETag")
            return answer

    def _refuse_missing_bucket(self) -> None:
        """HEAD says 404 for a missing bucket too, and an audit must not take that for missing objects."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if status_of(error) == 404:
                error.response["Error"]["Code"] = "NoSuchBucket"
                with self._asking(""):
                    raise
        except ERRORS:
            with self._asking(""):
                raise

    def refuse_taken(self, key: str) -> None:
        """See s3_together.Asked."""
        if self._head(key) is not None:
            raise already_exists(self.name, key)

    def look_after(self, key: str, size: int) -> None:
        """See s3_together.Asked: where the service keeps no checksum, at least the size must be right."""
        answer = self._head(key)
        seen = None if answer is None else length_of(answer)
        if seen == size:
            return
        if seen is not None:
            with self._asking(key):
                self._client.delete_object(Bucket=self._bucket, Key=key)
        raise StorageUnavailable(
            say(
                "The store “{store}” said it had stored “{key}”, but it had not stored it whole.",
                store=self.name,
                key=key,
            ),
            where=place(self.name, key),
            expected=f"{size} bytes",
            seen="nothing" if seen is None else f"{seen} bytes",
            next_step=say("Run the same command again. If it happens again, do not use this store."),
        )

    def _checksums(self, answer: Mapping[str, Any]) -> dict[str, str]:
        sha256 = whole_sha256(answer)
        if sha256 is None:
            return {}
        try:
            verifies = "sha256" in self.capabilities().checksums
        except StorageDenied:  # we may only read, so it cannot be probed; what was not probed is not believed
            verifies = False
        return {"sha256": sha256} if verifies else {}

    def _asking(self, key: str) -> AbstractContextManager[None]:
        return explain_s3_errors(self.name, key, self._settings)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
