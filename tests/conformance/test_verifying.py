"""The verifying reader: the last bytes are handed on only when length and digest agreed."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.conformance_trial import Stream, read_all
from storage_adapters.errors import ObjectDamaged
from storage_adapters.verifying import VerifyingReader


def reader(source, data: bytes, *, size: int | None = None) -> VerifyingReader:
    size = len(data) if size is None else size
    return VerifyingReader(source, size=size, sha256=hashlib.sha256(data).hexdigest(), store="s", key="k")


@given(data=st.binary(max_size=3000), steps=st.integers(1, 500), ask=st.integers(1, 700))
def test_true_bytes_pass_whatever_the_pieces(data: bytes, steps: int, ask: int):
    verifying = reader(Stream(data, step=steps), data)
    pieces = []
    while piece := verifying.read(ask):
        assert len(piece) <= ask
        pieces.append(piece)
    verifying.finish()
    assert b"".join(pieces) == data


@given(
    data=st.binary(min_size=1, max_size=3000), at=st.integers(0), ask=st.integers(1, 700), steps=st.integers(1, 500)
)
def test_one_changed_byte_is_caught_before_the_end(data: bytes, at: int, ask: int, steps: int):
    changed = bytearray(data)
    changed[at % len(data)] ^= 1
    verifying = reader(Stream(bytes(changed), step=steps), data)
    given_on = 0
    with pytest.raises(ObjectDamaged):
        while piece := verifying.read(ask):
            given_on += len(piece)
    assert given_on < len(data)


@given(data=st.binary(max_size=300), wrong=st.integers(-300, 300).filter(bool))
def test_another_length_is_caught(data: bytes, wrong: int):
    size = max(0, len(data) + wrong)
    if size == len(data):
        return
    verifying = reader(Stream(data), data[:size] if size < len(data) else data, size=size)
    with pytest.raises(ObjectDamaged):
        read_all(verifying)
        verifying.finish()


def test_an_empty_object_is_verified_too():
    verifying = VerifyingReader(io.BytesIO(b""), size=0, sha256="0" * 64, store="s", key="k")
    with pytest.raises(ObjectDamaged):
        verifying.finish()


def test_a_digest_in_capitals_is_the_same_digest():
    data = b"x"
    verifying = VerifyingReader(
        io.BytesIO(data), size=1, sha256=hashlib.sha256(data).hexdigest().upper(), store="s", key="k"
    )
    assert read_all(verifying) == data


def test_finishing_before_the_end_is_a_mistake_of_the_adapter():
    verifying = reader(io.BytesIO(b"abc"), b"abc")
    with pytest.raises(AssertionError):
        verifying.finish()


def test_blocks_are_filled_from_short_reads():
    data = bytes(range(250))
    verifying = reader(Stream(data, step=7), data)
    assert bytes(verifying.read_block(100)) == data[:100]
    assert bytes(verifying.read_block(150)) == data[100:]
    verifying.finish()
