"""Multipart uploads that were begun in a bucket and neither completed nor aborted.

Promises to count one that ended meanwhile as gone. Raises botocore's errors, and Unsaid for a list that is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from storage_adapters.s3_reading import said
from storage_adapters.store import Unfinished

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def unfinished(client: S3Client, bucket: str, prefix: str) -> Iterator[Unfinished]:
    """Those of keys below the prefix, with the bytes of their parts so far."""
    for upload in _uploads(client, bucket, prefix):
        key, number = upload["Key"], upload["UploadId"]
        try:
            pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=number)
            size = sum(part["Size"] for page in pages for part in page.get("Parts", ()))
        except ClientError as error:
            if not _is_no_upload(error):
                raise
        else:
            yield Unfinished(key, size, upload["Initiated"])


def drop(client: S3Client, bucket: str, prefix: str, *, started_before: datetime) -> int:
    """Abort those of keys below the prefix that began before that time; how many there were."""
    dropped = 0
    for upload in _uploads(client, bucket, prefix):
        if upload["Initiated"] < started_before:
            try:
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                dropped += 1
            except ClientError as error:
                if not _is_no_upload(error):
                    raise
    return dropped


def _uploads(client: S3Client, bucket: str, prefix: str) -> Sequence[Any]:
    found: list[Any] = []
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            if page.keys().isdisjoint(("Bucket", "IsTruncated", "Uploads")):
                said(page, "IsTruncated")  # it is no list at all
            found += [upload for upload in page.get("Uploads", ()) if upload["Key"].startswith(prefix)]
    except ClientError as error:
        if not _is_no_upload(error):  # so rclone says that there is none in the whole bucket
            raise
    return found


def _is_no_upload(error: ClientError) -> bool:
    return str(error.response.get("Error", {}).get("Code")) == "NoSuchUpload"
