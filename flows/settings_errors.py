"""What is wrong with a setting, in words: file, key, reason, and what is accepted. Values, which may be secrets, are
never repeated.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flows.settings import (
    BandwidthSettings,
    CatalogSettings,
    ChannelSettings,
    CircuitSettings,
    LocalStoreSettings,
    LogSettings,
    NoticesSettings,
    PrefectSettings,
    PriceSettings,
    S3StoreSettings,
    Settings,
    WatchdogSettings,
    WatchSettings,
    WebSettings,
    WorkSettings,
)
from preservation.errors import PolicyError
from wording import Message, say

KINDS = "local, s3"  # of stores


def explained(error: ValidationError, file: Path) -> PolicyError:
    """The first of what is wrong."""
    # A misspelt key first: that the right one is missing is only what comes of it.
    first = min(
        error.errors(include_input=False, include_url=False), key=lambda each: each["type"] != "extra_forbidden"
    )
    # The discriminator stands in pydantic's location as if it were a key; it is none in the file.
    place = [str(part) for part in first["loc"]]
    if len(place) > 2 and place[0] == "stores" and place[2] in ("local", "s3"):
        del place[2]
    field = ".".join(place) or "-"
    return PolicyError(
        say("{file}: setting {field} is wrong: {reason}", file=file.name, field=field, reason=_reason(first, place)),
        where=f"{file}: {field}",
        expected=KINDS if first["type"].startswith("union_tag") else _accepted(place),
        next_step=say("Correct the setting in {file} or in the environment.", file=file.name),
    )


def _reason(error: ErrorDetails, place: list[str]) -> Message:
    match error["type"]:
        case "extra_forbidden":
            near = get_close_matches(place[-1], _known(place), n=1)
            if near:
                return say("there is no such setting; the nearest is {near}.", near=near[0])
            return say("there is no such setting.")
        case "missing":
            return say("it is needed and not there.")
        case "union_tag_not_found" | "union_tag_invalid":
            return say(
                "a store needs kind = local or kind = s3. One that was taken out of vankho.toml must be taken out of "
                "vankho.secrets.toml and the environment too."
            )
        case "too_short" | "string_too_short":
            return say("it needs at least {least} characters.", least=error.get("ctx", {}).get("min_length", 1))
        case "value_error" if place[:1] == ["watch"]:
            return say("a watched place needs either folder or bucket.")
        case _:
            return say("the value does not fit.")


def _known(place: list[str]) -> list[str]:
    if place[:1] == ["stores"] and len(place) > 3 and place[2] == "prices":
        return sorted(PriceSettings.model_fields)
    if place[:1] == ["stores"] and len(place) > 3 and place[2] == "bandwidth":
        return sorted(BandwidthSettings.model_fields)
    if place[:1] == ["stores"] and len(place) > 2:
        return sorted({*LocalStoreSettings.model_fields, *S3StoreSettings.model_fields})
    part: dict[str, type[BaseModel]] = {
        "catalog": CatalogSettings,
        "prefect": PrefectSettings,
        "work": WorkSettings,
        "notices": ChannelSettings if len(place) > 2 else NoticesSettings,
        "log": LogSettings,
        "watchdog": WatchdogSettings,
        "circuit": CircuitSettings,
        "watch": WatchSettings,
        "web": WebSettings,
    }
    return sorted(part.get(place[0], Settings).model_fields)


def _accepted(place: list[str]) -> str:
    return ", ".join(_known(place)) if place else ""
