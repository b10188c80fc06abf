"""What an answer of an S3 service, or the lack of one, means: one reaction for each.

Promises that every error of botocore and urllib3 becomes a StorageError with a sentence for the officer, the
technical detail and the next step. Refuses to guess: what it does not know is a plain StorageError, which
nobody retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import BadStatusLine

import botocore.exceptions as boto
import urllib3.exceptions
from botocore.parsers import ResponseParserError

from storage_adapters import s3_meanings as meanings
from storage_adapters.errors import (
    StorageDenied,
    StorageError,
    StorageUnavailable,
    already_exists,
    not_found,
    place,
)
from storage_adapters.s3_meanings import Meaning
from storage_adapters.settings import S3Settings
from wording import say
from wording.secrets import veiled


class Unsaid(ResponseParserError):
    """A 2xx that lacks what such an answer always has."""


ERRORS = (boto.ClientError, boto.BotoCoreError, urllib3.exceptions.HTTPError, ResponseParserError)

_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity"}
_WRONG_KEYS |= {"TokenRefreshRequired", "NotSignedUp", "InvalidClientTokenId"}
_NO_RIGHTS = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403", "401", "UnauthorizedAccess"}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_MOST_SKEW = 15  # minutes
_WRONG_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "301", "307"}
_WRONG_REGION |= {"IllegalLocationConstraintException"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull", "AccountQuotaExceeded", "507"}
_CHANGED = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
}
_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException"}
_BUSY |= {
    "TooManyRequests",
    "ConditionalRequestConflict",
    "OperationAborted",
    "NoSuchUpload",
    "BandwidthLimitExceeded",
}
_BAD_NAME = {"KeyTooLongError", "KeyTooLong", "InvalidObjectName", "XMinioInvalidObjectName", "InvalidURI"}
_NO_KEYS_AT_ALL = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
)


@contextmanager
def explain_s3_errors(store: str, key: str, settings: S3Settings) -> Iterator[None]:
    """Inside, whatever botocore or urllib3 raises becomes a StorageError."""
    try:
        yield
    except ERRORS as error:
        raise translated(error, store=store, key=key, settings=settings) from error


def translated(error: Exception, *, store: str, key: str, settings: S3Settings) -> StorageError:
    """The one mapping from an error of botocore or urllib3 to ours."""
    detail = veiled(f"{type(error).__name__}: {error}")  # servers repeat what they were sent
    if isinstance(error, boto.ClientError):
        code, status = _code(error)
        if code in {"PreconditionFailed", "412"}:
            return already_exists(store, key, detail=detail)
        if code in {"NoSuchKey", "404", "NotFound"}:
            return not_found(store, key, detail=detail)
        kind, what, next_step = _answered(error, code, status, store=store, settings=settings)
    else:
        kind, what, next_step = _unanswered(error, store=store, settings=settings)
    return kind(what, where=place(store, key) if key else store, next_step=next_step, detail=detail)


def status_of(error: boto.ClientError) -> int:
    """The HTTP status of an answer, 0 when unknown."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: boto.ClientError) -> tuple[str, int]:
    return str(error.response.get("Error", {}).get("Code", "")), status_of(error)


def _answered(error: boto.ClientError, code: str, status: int, *, store: str, settings: S3Settings) -> Meaning:
    known: list[tuple[bool, Callable[[], Meaning]]] = [
        (code == "NoSuchBucket", lambda: meanings.no_bucket(store, settings)),
        (_is_about_clocks(error, code), lambda: meanings.clock(error, store)),
        (code in _WRONG_KEYS, lambda: meanings.wrong_keys(store)),
        (code in _WRONG_REGION or status in {301, 307}, lambda: meanings.wrong_region(store, settings)),
        (code in _FULL or status == 507, lambda: meanings.full(store)),
        (code in _NO_RIGHTS, lambda: meanings.no_rights(store, settings)),
        (code in _CHANGED, lambda: meanings.changed(store)),
        (code == "InvalidObjectState", lambda: meanings.in_cold_storage(store)),
        (code in _BAD_NAME, lambda: meanings.bad_name(store)),
        (code in _BUSY or (status >= 500 and status != 501) or status in {408, 429}, lambda: meanings.busy(store)),
        (status in {401, 403}, lambda: meanings.no_rights(store, settings)),
    ]
    for applies, meaning in known:
        if applies:
            return meaning()
    return (
        StorageDenied if 400 <= status < 500 or status == 501 else StorageError,
        say("The store “{store}” refused the request, and says: {code}.", store=store, code=veiled(code) or status),
        say("Show the technical detail to whoever runs the store."),
    )


def _unanswered(error: Exception, *, store: str, settings: S3Settings) -> Meaning:
    where = settings.endpoint_url or "Amazon S3"
    if isinstance(error, _NO_KEYS_AT_ALL):
        return (
            StorageDenied,
            say("There are no credentials for the store “{store}”.", store=store),
            say("Set its access key and secret key in the environment, or name an AWS profile in vankho.toml."),
        )
    if isinstance(error, boto.SSLError):
        return (
            StorageDenied,
            say("The certificate of the store “{store}” at {where} cannot be trusted.", store=store, where=where),
            say("Set ca_bundle to the certificate of its authority, and see that the endpoint's name is right."),
        )
    if isinstance(error, boto.ReadTimeoutError | boto.ConnectTimeoutError | urllib3.exceptions.TimeoutError):
        return (
            StorageUnavailable,
            say("The store “{store}” at {where} did not answer in time.", store=store, where=where),
            say("See whether the store and the network work, then run the same command again."),
        )
    if isinstance(error, boto.ResponseStreamingError | boto.IncompleteReadError | urllib3.exceptions.ProtocolError):
        return (
            StorageUnavailable,
            say("The connection to the store “{store}” broke off while an object was read.", store=store),
            say("Run the same command again; a broken connection says nothing about the object."),
        )
    if isinstance(error, Unsaid):
        return (
            StorageUnavailable,
            say(
                "The store “{store}” answered without saying what it did, so nobody knows whether it did it.",
                store=store,
            ),
            say("Run the same command again. If it happens again, look at what stands between here and the store."),
        )
    return _unreachable(error, store=store, where=where)


def _unreachable(error: Exception, *, store: str, where: str) -> Meaning:
    if isinstance(error, ResponseParserError) or _is_not_http(error):
        return (
            StorageDenied,
            say("What answers at {where} for the store “{store}” is not an S3 service.", store=store, where=where),
            say("Correct the endpoint_url of this store in vankho.toml."),
        )
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | urllib3.exceptions.HTTPError):
        return (
            StorageUnavailable,
            say("The store “{store}” cannot be reached at {where}.", store=store, where=where),
            say("See whether the store is on, the network works, and the endpoint_url in vankho.toml is right."),
        )
    if isinstance(error, boto.ValidationError | boto.ParamValidationError | boto.InvalidRegionError):
        return (
            StorageDenied,
            say("The settings of the store “{store}” cannot be used.", store=store),
            say("Correct the bucket's name and the other settings of this store in vankho.toml."),
        )
    return (
        StorageError,
        say("The store “{store}” failed in a way that Vankho does not know.", store=store),
        say("Show the technical detail to your system administrator."),
    )


def _is_not_http(error: Exception) -> bool:
    """Whether an answer came that is not HTTP; a connection closed without a word (a subclass) is another thing."""
    cause = getattr(error, "kwargs", {}).get("error")
    return any(type(each) is BadStatusLine for each in getattr(cause, "args", ()))


def _is_about_clocks(error: boto.ClientError, code: str) -> bool:
    """Some services call it by its name; others only refuse, and then the clocks tell (S3 allows 15 minutes)."""
    return code in _CLOCK or (
        code in _NO_RIGHTS | _WRONG_KEYS and abs(meanings.minutes_ahead(error) or 0) >= _MOST_SKEW
    )
