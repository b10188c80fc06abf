"""Names as bytes, as people see them, and as a search compares them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.catalog.names import displayed, searchable, storable

any_text = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Địa chí Huế", "dia chi hue"),
        ("ĐIỆN BIÊN", "dien bien"),
        ("đường", "duong"),
        ("Trang_001.TIF", "trang_001.tif"),
        ("hòa", "hoa"),
        ("hoà", "hoa"),
        ("Thuý", "thuy"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("日本", "日本"),
    ],
)
def test_search_key(name: str, key: str) -> None:
    for form in "NFC", "NFD":
        assert searchable(unicodedata.normalize(form, name)) == key


@given(any_text)
def test_a_search_key_is_its_own_search_key_for_plain_letters(name: str) -> None:
    key = searchable(name)
    if key.isascii():
        assert searchable(key) == key


def test_people_see_one_form() -> None:
    assert displayed("Hue\u0302\u0301.tif") == "Huế.tif"
    assert displayed("a.tif") == "a.tif"


@given(any_text)
def test_storable_text_is_utf8_without_nul_and_plain_text_is_untouched(name: str) -> None:
    stored = storable(name)
    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return
    if "\x00" not in name:
        assert stored == name
