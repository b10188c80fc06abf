"""What mutation testing found unguarded in the verifying reader: its words, its limits, and what it leaves alone."""

from __future__ import annotations

import hashlib
import io

import pytest

from storage_adapters.errors import ObjectDamaged, place
from storage_adapters.verifying import CHUNK, VerifyingReader


class Recorded(io.BytesIO):
    """A source that remembers how much was asked of it each time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: list[int] = []

    def read(self, size: int = -1, /) -> bytes:
        self.asked.append(size)
        return super().read(size)


def verifying(data: bytes, promised: bytes) -> VerifyingReader:
    digest = hashlib.sha256(promised).hexdigest()
    return VerifyingReader(io.BytesIO(data), size=len(promised), sha256=digest, store="cloud", key="aip/x/v1/a")


def told(data: bytes, promised: bytes) -> ObjectDamaged:
    with pytest.raises(ObjectDamaged) as caught:
        verifying(data, promised).read_block(len(promised))
    error = caught.value
    assert error.where == place("cloud", "aip/x/v1/a")
    assert "aip/x/v1/a" in str(error.what)
    assert error.next_step is not None
    return error


def test_a_source_that_ends_early_is_told_with_both_lengths():
    error = told(b"abc", b"abcdef")
    assert (error.expected, error.seen) == ("6 bytes", "3 bytes")


def test_a_source_that_goes_on_is_told_with_both_lengths():
    error = told(b"abcdef", b"abc")
    assert (error.expected, error.seen) == ("3 bytes", "more than 3 bytes")


def test_other_bytes_are_told_with_both_digests():
    error = told(b"abX", b"abc")
    assert error.expected == f"SHA-256 {hashlib.sha256(b'abc').hexdigest()}"
    assert error.seen == f"SHA-256 {hashlib.sha256(b'abX').hexdigest()}"


def test_asked_for_nothing_it_reads_nothing():
    source = Recorded(b"abc")
    reader = VerifyingReader(source, size=3, sha256=hashlib.sha256(b"abc").hexdigest(), store="s", key="k")
    assert reader.read(0) == b""
    assert source.asked == []
    assert reader.read(3) == b"abc"


def test_without_a_size_it_reads_in_pieces_and_no_more_than_was_promised():
    data = bytes(CHUNK + 5)
    source = Recorded(data + b"what follows is another object's")
    reader = VerifyingReader(source, size=len(data), sha256=hashlib.sha256(data).hexdigest(), store="s", key="k")
    assert len(reader.read()) == CHUNK
    with pytest.raises(ObjectDamaged):
        reader.read(-1)
    assert source.asked == [CHUNK, 5, 1]  # one byte more tells that the source goes on


def test_after_the_end_the_source_is_left_alone():
    source = Recorded(b"abc")
    reader = VerifyingReader(source, size=3, sha256=hashlib.sha256(b"abc").hexdigest(), store="s", key="k")
    assert reader.read(3) == b"abc"
    asked = list(source.asked)
    assert (reader.read(), reader.read(7)) == (b"", b"")
    reader.finish()
    assert source.asked == asked


def test_an_empty_object_whose_source_is_not_empty_is_caught():
    with pytest.raises(ObjectDamaged):
        verifying(b"x", b"").finish()


def test_finishing_early_says_whose_mistake_it_is():
    reader = verifying(b"abc", b"abc")
    with pytest.raises(AssertionError, match=r"^an adapter tried to finish before the source was read to its end$"):
        reader.finish()
    assert reader.read(5) == b"bc"  # looking for the end took one byte and no more


def test_a_source_that_gives_more_than_it_was_asked_for_is_caught():
    class Overflowing(io.BytesIO):
        def read(self, size: int = -1, /) -> bytes:
            return super().read(size + 4 if size > 1 else size)

    reader = VerifyingReader(
        Overflowing(b"abcdefgh"), size=4, sha256=hashlib.sha256(b"abcdefgh").hexdigest(), store="s", key="k"
    )
    with pytest.raises(ObjectDamaged, match="more bytes than were promised"):
        reader.read(4)
