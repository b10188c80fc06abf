"""What an S3 service really does, found out by doing it with small objects under a random prefix.

Promises to believe only what it saw: a condition counts when it refused, a checksum when a wrong one was
refused and the right one came back. Erases what it made; what it could not erase it says in the notes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from storage_adapters.s3_errors import status_of
from storage_adapters.store import Capabilities

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = ".vankho-probe/"

_BUSY = frozenset({408, 429, 502, 503, 504})
_FIRST = b"first"
_SECOND = b"second"


def probe(client: S3Client, bucket: str) -> Capabilities:
    """Put, ask and erase a few objects of some bytes. Raises botocore's errors when not even a plain put works."""
    notes: list[str] = []
    place = f"{PREFIX}{secrets.token_hex(8)}/"
    client.list_objects_v2(Bucket=bucket, Prefix=PREFIX, MaxKeys=1)  # says best what is wrong, if something is
    client.put_object(Bucket=bucket, Key=place + "plain", Body=_FIRST)
    if client.get_object(Bucket=bucket, Key=place + "plain")["Body"].read() != _FIRST:
        raise ResponseParserError("what was put did not come back")  # a web page that answers 200 to everything
    versioning = False
    try:
        versioning = _has_versions(client, bucket, notes)
        create = _refuses_second_put(client, bucket, place + "plain", notes)
        multipart = _refuses_second_completion(client, bucket, place + "parts", notes)
        sha256 = _verifies_sha256(client, bucket, place + "sum", notes)
        lock = _has_object_lock(client, bucket, notes)
    finally:
        _clean_up(client, bucket, place, notes, versioning=versioning)
    return Capabilities(
        conditional_create=create,
        conditional_multipart=multipart,
        checksums=("sha256",) if sha256 else (),
        object_lock=lock,
        versioning=versioning,
        notes=tuple(notes),
    )


def _refuses_second_put(client: S3Client, bucket: str, key: str, notes: list[str]) -> bool:
    with _noting("put_object If-None-Match", notes, wanted=412) as refused:
        client.put_object(Bucket=bucket, Key=key, Body=_SECOND, IfNoneMatch="*")
    return _holds(refused) and client.get_object(Bucket=bucket, Key=key)["Body"].read() == _FIRST


def _refuses_second_completion(client: S3Client, bucket: str, key: str, notes: list[str]) -> bool:
    client.put_object(Bucket=bucket, Key=key, Body=_FIRST)
    refused: list[int] = []
    with _noting("multipart upload", notes):
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        try:
            part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=_SECOND)
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            with _noting("complete_multipart_upload If-None-Match", notes, wanted=412) as refused:
                client.complete_multipart_upload(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload,
                    IfNoneMatch="*",
                    MultipartUpload=parts,  # type: ignore[arg-type]
                )
        finally:
            with _noting("", [], busy_too=True):  # gone already when it was completed
                client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    return _holds(refused) and client.get_object(Bucket=bucket, Key=key)["Body"].read() == _FIRST


def _verifies_sha256(client: S3Client, bucket: str, key: str, notes: list[str]) -> bool:
    right = base64.b64encode(hashlib.sha256(_FIRST).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(_SECOND).digest()).decode()
    with _noting("put_object with a wrong ChecksumSHA256", notes, wanted=400) as refused:
        client.put_object(Bucket=bucket, Key=key, Body=_FIRST, ChecksumSHA256=wrong)
    if refused != [400]:
        return False
    with _noting("put_object with the right ChecksumSHA256", notes) as refused:
        client.put_object(Bucket=bucket, Key=key, Body=_FIRST, ChecksumSHA256=right)
    if refused:
        return False
    answer = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    return answer.get("ChecksumSHA256") == right


def _has_versions(client: S3Client, bucket: str, notes: list[str]) -> bool:
    with _noting("get_bucket_versioning", notes):
        return client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
    return False


def _has_object_lock(client: S3Client, bucket: str, notes: list[str]) -> bool:
    with _noting("get_object_lock_configuration", notes, wanted=404):
        lock = client.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
        return lock.get("ObjectLockEnabled") == "Enabled"
    return False


def _holds(refused: list[int]) -> bool:
    return refused == [412]


@contextmanager
def _noting(what: str, notes: list[str], *, wanted: int = 0, busy_too: bool = False) -> Iterator[list[int]]:
    """Inside, a refusal is an answer: its status goes into the list given; an unwanted one into the notes.

    That the service is busy is no answer, and is raised: what is probed now is believed for years.
    """
    refused: list[int] = []
    try:
        yield refused
    except ClientError as error:
        if status_of(error) in _BUSY and not busy_too:
            raise
        refused.append(status_of(error))
        if refused != [wanted]:
            notes.append(f"{what}: {status_of(error)} {error.response.get('Error', {}).get('Code', '')}".strip())


def _clean_up(client: S3Client, bucket: str, place: str, notes: list[str], *, versioning: bool) -> None:
    for name in ("plain", "parts", "sum"):
        with _noting("delete_object", notes, busy_too=True):
            client.delete_object(Bucket=bucket, Key=place + name)
    if not versioning:
        return
    with _noting(
        "delete_object VersionId", notes, busy_too=True
    ):  # where versions are kept, a plain delete only hides
        answer = client.list_object_versions(Bucket=bucket, Prefix=place)
        for version in [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]:
            client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
