"""A client of boto3 for one bucket, as our contract needs it: one request each, no retry, no hidden request.

Keeps what it finds of credentials out of logs. Promises that a body never goes without a checksum or an MD5.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.handlers import add_expect_header

from storage_adapters.errors import StorageDenied
from storage_adapters.pacing import Line
from storage_adapters.s3_pacing import keep_pace
from storage_adapters.settings import S3Settings
from wording import say
from wording.secrets import keep_secret

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 32  # kept open; more requests at once than that open their own


def connect(
    name: str, settings: S3Settings, line: Line | None = None
) -> tuple[S3Client, Callable[[], ReadOnlyCredentials | None]]:
    """The client, and what its credentials are now: some change by the hour.

    Raises botocore's errors, and StorageDenied for an endpoint that is no address.
    """
    # when_required: the checksums that SDKs add by themselves break many services; we send the SHA-256 that we
    # know, and sign the payload, so that a service without checksums too refuses a body that changed on the way.
    config = Config(
        signature_version="s3v4",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": settings.addressing_style, "payload_signing_enabled": True},
    )
    session = boto3.session.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        profile_name=settings.profile,
        region_name=settings.region_name,
    )
    _keep_secret(session)
    verify: bool | str = str(settings.ca_bundle) if settings.verify and settings.ca_bundle else settings.verify
    try:
        client = session.client("s3", endpoint_url=settings.endpoint_url, config=config, verify=verify)
    except ValueError as error:
        raise StorageDenied(
            say(
                "The endpoint “{url}” of the store “{store}” is not an address.",
                url=settings.endpoint_url,
                store=name,
            ),
            where=name,
            next_step=say("Write it as https://host or http://host:port in vankho.toml."),
            detail=str(error),
        ) from error
    keep_pace(client, read_timeout=settings.read_timeout, line=line)
    client.meta.events.unregister("before-call.s3", add_expect_header)  # many services never answer "100 Continue"
    client.meta.events.register("before-call.s3", _stay_here)
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"provide-client-params.s3.{operation}", _with_a_check)
    found = session.get_credentials()
    return client, lambda: None if found is None else found.get_frozen_credentials()


def _keep_secret(session: boto3.session.Session) -> None:
    """Hide what the session found, wherever it found it; credentials that change by the hour are hidden by shape."""
    found = session.get_credentials()
    if type(found) is Credentials:
        keep_secret(found.access_key, found.secret_key, found.token)


def _stay_here(context: dict[str, Any], **_: object) -> None:
    """No hidden requests: botocore would look for a bucket in other regions; for us the settings are at fault."""
    context.get("s3_redirect", {})["redirected"] = True


def _with_a_check(params: dict[str, Any], **_: object) -> None:
    """A body that goes without its SHA-256 goes with its MD5: buckets that lock every object demand one of the two,
    the first put of a probe included, and services that know nothing newer compare it.
    """
    if "ChecksumSHA256" not in params:
        digest = hashlib.md5(params["Body"], usedforsecurity=False).digest()
        params["ContentMD5"] = base64.b64encode(digest).decode("ascii")
