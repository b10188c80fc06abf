"""What an S3 service has answered, in sentences for the officer, each with its error and the next step."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import botocore.auth
import botocore.exceptions as boto

from storage_adapters.errors import KeyRefused, StorageDenied, StorageError, StorageFull, StorageUnavailable
from storage_adapters.settings import S3Settings
from wording import Message, say

Meaning = tuple[type[StorageError], Message, Message]  # the error, what happened, what to do next


def no_bucket(store: str, settings: S3Settings) -> Meaning:
    """There is no such bucket."""
    return (
        StorageDenied,
        say("The bucket “{bucket}” of the store “{store}” does not exist.", bucket=settings.bucket, store=store),
        say("Create the bucket, or correct its name in vankho.toml."),
    )


def wrong_keys(store: str) -> Meaning:
    """Keys that are not known, or not right."""
    return (
        StorageDenied,
        say("The store “{store}” does not accept our credentials.", store=store),
        say("Correct the access key and the secret key of this store."),
    )


def no_rights(store: str, settings: S3Settings) -> Meaning:
    """Keys that may not do this."""
    return (
        StorageDenied,
        say("The store “{store}” does not allow this in the bucket “{bucket}”.", store=store, bucket=settings.bucket),
        say(
            "Ask whoever runs the store to allow these credentials to list, read and write in the bucket; "
            "repair needs to erase in it too."
        ),
    )


def wrong_region(store: str, settings: S3Settings) -> Meaning:
    """The bucket is elsewhere."""
    region = settings.region_name
    return (
        StorageDenied,
        say("The bucket of the store “{store}” is not in the region {region}.", store=store, region=region),
        say("Correct the region_name or the endpoint_url of this store in vankho.toml."),
    )


def clock(error: boto.ClientError, store: str) -> Meaning:
    """Our clock and theirs disagree; by how much, where the answer says it."""
    minutes = minutes_ahead(error)
    if minutes is None:
        what = say("The clock of this computer does not agree with that of the store “{store}”.", store=store)
    elif minutes >= 0:
        what = say(
            "The clock of this computer is {minutes} min ahead of the store “{store}”.", minutes=minutes, store=store
        )
    else:
        what = say(
            "The clock of this computer is {minutes} min behind the store “{store}”.", minutes=-minutes, store=store
        )
    return StorageDenied, what, say("Set the clock of this computer right (for example with NTP), then try again.")


def minutes_ahead(error: boto.ClientError) -> int | None:
    """By how much the clock that signs our requests is ahead of the `Date` of the answer; None when there is none."""
    headers: dict[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    ours: datetime = botocore.auth.get_current_datetime(remove_tzinfo=False)  # type: ignore[attr-defined]
    return round((ours - theirs.astimezone(UTC)).total_seconds() / 60)


def full(store: str) -> Meaning:
    """No room, or no quota."""
    return (
        StorageFull,
        say("There is no room left in the store “{store}”, or its quota is used up.", store=store),
        say("Make room or raise the quota, then run the same command again."),
    )


def changed(store: str) -> Meaning:
    """The body was not the promised one when it arrived."""
    return (
        StorageUnavailable,
        say("Bytes changed on the way to the store “{store}”; it noticed and kept nothing.", store=store),
        say("Run the same command again. If it happens again, look at the network between here and the store."),
    )


def in_cold_storage(store: str) -> Meaning:
    """It has to be restored first."""
    return (
        StorageDenied,
        say(
            "The store “{store}” has moved this object to cold storage, from which it cannot be read at once.",
            store=store,
        ),
        say("Have the object restored by whoever runs the store, then try again."),
    )


def bad_name(store: str) -> Meaning:
    """A key that the service cannot hold."""
    return (
        KeyRefused,
        say("The store “{store}” cannot hold an object of this name.", store=store),
        say("Rename the file in the package and deliver it again, or use another store."),
    )


def busy(store: str) -> Meaning:
    """Later, perhaps."""
    return (
        StorageUnavailable,
        say("The store “{store}” is busy or out of order.", store=store),
        say("Try again later."),
    )
