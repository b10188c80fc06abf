"""Keys: what every store can hold, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.errors import KeyRefused, StorageError
from storage_adapters.keys import MAX_KEY_BYTES, UNFINISHED, _fault, _plain, check_key, check_prefix

GOOD = [
    "a",
    "aip/0b7e/v1/data/Quốc ngữ/trang 1.tif",
    "Quo\u0302\u0301c",
    "a b+c%20d&e'#?.txt",
    "back\\slash",
    "...",
    ".hidden",
    "C:/x",
    "k" * 255,
    "/".join(["k" * 255] * 3) + "/" + "k" * 132,
    "ắ" * 85,
]
BAD = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "./a",
    "a\nb",
    "a\0",
    "\x85",
    "\x7f",
    "\udc80",
    "\ufffe",
    "\uffff",
]
BAD += ["k" * 256, "ắ" * 86, "/".join(["k" * 255] * 3) + "/" + "k" * 133, "a/" + UNFINISHED + "x", UNFINISHED]


@pytest.mark.parametrize("key", GOOD)
def test_good_keys(key: str):
    check_key(key)


@pytest.mark.parametrize("key", BAD)
def test_bad_keys(key: str):
    with pytest.raises(KeyRefused) as refused:
        check_key(key)
    assert isinstance(refused.value, StorageError)
    assert not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in str(refused.value)
    )
    assert refused.value.next_step


def test_the_longest_key_is_nine_hundred_bytes():
    longest = [key for key in GOOD if len(key.encode()) == MAX_KEY_BYTES]
    assert longest


@given(st.text(st.characters(), max_size=1000))
def test_a_key_that_passes_survives_a_file_system_and_xml(key: str):
    try:
        check_key(key)
    except KeyRefused:
        return
    encoded = key.encode("utf-8")
    assert 0 < len(encoded) <= MAX_KEY_BYTES
    assert all(0 < len(part) <= 255 and part not in {b".", b".."} for part in encoded.split(b"/"))
    assert not any(byte < 0x20 or byte == 0x7F for byte in encoded)


@pytest.mark.parametrize("prefix", ["", "a/", "aip/x/v1/"])
def test_good_prefixes(prefix: str):
    check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["a", "/", "//", "a//", "../", "a\n/", "aip/x/v1"])
def test_bad_prefixes(prefix: str):
    with pytest.raises(KeyRefused):
        check_prefix(prefix)


@given(st.one_of(st.text("ab./-\x00\x7fộ ", max_size=12), st.text(max_size=300)))
def test_what_is_passed_at_a_glance_has_no_fault(key: str):
    assert not _plain(key) or _fault(key) is None
