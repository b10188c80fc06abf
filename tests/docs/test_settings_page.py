"""docs/reference/settings.md has every key of the settings, of the type and with the default that the code gives it."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from flows import settings

PAGE = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text("utf-8")
PARTS: dict[str, type[BaseModel]] = {
    "vankho.toml": settings.Settings,
    "[catalog]": settings.CatalogSettings,
    "[stores.NAME] with kind = local": settings.LocalStoreSettings,
    "[stores.NAME] with kind = s3": settings.S3StoreSettings,
    "[stores.NAME.prices]": settings.PriceSettings,
    "[stores.NAME.bandwidth]": settings.BandwidthSettings,
    "[prefect]": settings.PrefectSettings,
    "[work]": settings.WorkSettings,
    "[notices.channels.NAME]": settings.ChannelSettings,
    "[log]": settings.LogSettings,
    "[watchdog]": settings.WatchdogSettings,
    "[circuit]": settings.CircuitSettings,
    "[watch.NAME]": settings.WatchSettings,
    "[web]": settings.WebSettings,
}
_WORDS = {str: "text", SecretStr: "secret", bool: "true, false", int: "whole number", float: "number", Path: "path"}


def typed(field: FieldInfo) -> str:
    """The type as the page says it, its bounds behind it."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "list of texts"
    if get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "section"
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in rule.__slots__ if name != "pattern"}
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    told = [f"{word} {bounds[name]}" for name, word in words.items() if bounds.get(name) is not None]
    told += [f"at least {bounds['min_length']} characters"] if bounds.get("min_length") else []
    return ", ".join([_WORDS[kind], *told])


def default(field: FieldInfo) -> str:
    """The default as the page says it: as it would be written, – for none, `needed` where there is none."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value == {}:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return "`[]`" if value == () else f"`{value}`"


def said(part: str) -> dict[str, tuple[str, str]]:
    """The rows of the table below the heading: type and default by key. Every key says what it does."""
    table = PAGE.partition(f"## {part}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.+?) \|$", table, re.MULTILINE)
    return {key: (kind, usual) for key, kind, usual, _ in rows}


@pytest.mark.parametrize("part", PARTS)
def test_every_key_of(part: str) -> None:
    assert said(part) == {name: (typed(field), default(field)) for name, field in PARTS[part].model_fields.items()}


def test_every_part_of_the_settings_has_a_place() -> None:
    told = set(re.findall(r"^## (vankho\.toml|\[.*)$", PAGE, re.MULTILINE))
    assert told == set(PARTS)
    models = {each for each in vars(settings).values() if isinstance(each, type) and issubclass(each, BaseModel)}
    ours = {each for each in models if each.__module__ == settings.__name__ and not each.__name__.startswith("_")}
    assert ours - {settings.NoticesSettings} == set(PARTS.values())
