"""Puts together, where a service would replace: looks are spared only as long as a list proves itself."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from storage_adapters import s3_together
from storage_adapters.conformance_trial import sha256
from storage_adapters.errors import ObjectExists, StorageUnavailable, already_exists
from storage_adapters.s3_together import Page, PutsTogether
from wording import Message

PREFIX = "aip/x/v1/"


@dataclass
class Bucket:
    """A service that replaces in silence; `lacks`: keys that its lists do not show."""

    name: str = "weak"
    objects: dict[str, bytes] = field(default_factory=dict)
    lacks: set[str] = field(default_factory=set)
    knows_where_to_begin: bool = True
    answers_md5: bool = True
    page_size: int = 1000
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    clock: float = 0.0

    def put(self, key, source, *, size, sha256):
        self.asked.append("put")
        self.refuse_taken(key)
        self.objects[key] = source.read()

    def send(self, key, source, *, size, sha256, free):
        free(key)
        self.sent += 1
        self.objects[key] = source.read()
        return self.answers_md5

    def page(self, prefix, *, after):
        self.asked.append("page")
        begin = after if self.knows_where_to_begin else ""
        names = sorted(
            key for key in self.objects if key.startswith(prefix) and key > begin and key not in self.lacks
        )
        shown = names[: self.page_size]
        upto = shown[-1] if len(names) > len(shown) else None
        return Page(after, upto, {key: len(self.objects[key]) for key in shown}, self.clock)

    def refuse_taken(self, key):
        self.asked.append("look before")
        if key in self.objects:
            raise already_exists(self.name, key)

    def look_after(self, key, size):
        self.asked.append("look after")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket()
    monkeypatch.setattr(s3_together.time, "monotonic", lambda: made.clock)
    return made


def puts(bucket: Bucket, *, replaces: bool = True) -> PutsTogether:
    return PutsTogether(bucket, PREFIX, replaces=replaces, whole=100)


def put(to: PutsTogether, name: str, data: bytes = b"x") -> None:
    to.put(PREFIX + name, io.BytesIO(data), size=len(data), sha256=sha256(data))


def many(to: PutsTogether, first: int, last: int) -> None:
    for number in range(first, last):
        put(to, f"data/{number:05}")


def test_the_first_is_looked_for_and_one_page_does_for_the_rest(bucket: Bucket):
    many(puts(bucket), 0, 2500)
    assert bucket.asked == ["look before", "page"]
    assert len(bucket.objects) == 2500


def test_what_stands_there_is_not_replaced_wherever_it_stands(bucket: Bucket):
    theirs = {f"{PREFIX}data/{number:05}" for number in (0, 3, 1100, 2400)}
    bucket.objects.update(dict.fromkeys(theirs, b"theirs"))
    to, refused = puts(bucket), set()
    for number in range(2500):
        try:
            put(to, f"data/{number:05}")
        except ObjectExists:
            refused.add(f"{PREFIX}data/{number:05}")
    assert refused == theirs
    assert {bucket.objects[key] for key in theirs} == {b"theirs"}


def test_a_page_that_ends_is_followed_by_another(bucket: Bucket):
    bucket.page_size = 10
    bucket.objects.update({f"{PREFIX}data/{number:05}": b"theirs" for number in range(1, 3000, 2)})
    to = puts(bucket)
    for number in range(0, 3000, 2):
        put(to, f"data/{number:05}")
    with pytest.raises(ObjectExists):
        put(to, "data/02999")


def test_what_came_since_is_seen_after_a_minute(bucket: Bucket):
    to = puts(bucket)
    many(to, 0, 10)
    bucket.objects[PREFIX + "data/00020"] = b"theirs"
    bucket.clock = 61.0
    many(to, 10, 20)
    with pytest.raises(ObjectExists):
        put(to, "data/00020")
    assert bucket.asked == ["look before", "page", "page"]


def test_a_list_that_lacks_what_was_just_put_is_never_believed(bucket: Bucket):
    to = puts(bucket)
    bucket.lacks = {PREFIX + "data/00000", PREFIX + "data/00005"}
    bucket.objects[PREFIX + "data/00005"] = b"theirs"
    many(to, 0, 5)
    with pytest.raises(ObjectExists):
        put(to, "data/00005")
    assert bucket.asked.count("page") == 1
    assert bucket.asked.count("look before") == 6


def test_a_list_that_does_not_begin_where_it_was_told_is_not_believed(bucket: Bucket):
    bucket.knows_where_to_begin, bucket.page_size = False, 10
    bucket.objects.update({f"{PREFIX}a/{number:05}": b"before" for number in range(100)})
    bucket.objects[PREFIX + "data/00007"] = b"theirs"
    to = puts(bucket)
    many(to, 0, 7)
    with pytest.raises(ObjectExists):
        put(to, "data/00007")
    assert bucket.asked.count("page") == 1


@pytest.mark.parametrize("later", [0.0, 61.0])
def test_the_same_key_twice_is_refused(bucket: Bucket, later: float):
    to = puts(bucket)
    many(to, 0, 30)
    bucket.clock = later
    many(to, 30, 31)
    for number in (0, 1, 15, 29, 30):
        with pytest.raises(ObjectExists):
            put(to, f"data/{number:05}")
    assert bucket.sent == 31


def test_without_the_md5_in_the_answer_each_is_looked_at(bucket: Bucket):
    bucket.answers_md5 = False
    many(puts(bucket), 0, 50)
    assert bucket.asked.count("look after") == 50


def test_where_the_service_refuses_by_itself_nothing_is_asked(bucket: Bucket):
    many(puts(bucket, replaces=False), 0, 50)
    assert bucket.asked == []


def test_what_goes_in_parts_and_what_lies_elsewhere_goes_the_usual_way(bucket: Bucket):
    to = puts(bucket)
    put(to, "large", b"x" * 101)
    to.put("aip/y/v1/a", io.BytesIO(b"x"), size=1, sha256=sha256(b"x"))
    assert bucket.asked == ["put", "look before"] * 2


def test_after_an_error_the_key_is_looked_at_and_not_called_taken(bucket: Bucket, monkeypatch: pytest.MonkeyPatch):
    to = puts(bucket)
    many(to, 0, 5)

    def away(key, size):
        raise StorageUnavailable(Message("away"))

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "answers_md5", False)
        patch.setattr(bucket, "look_after", away)
        with pytest.raises(StorageUnavailable):
            put(to, "data/00009")
    del bucket.objects[PREFIX + "data/00009"]
    put(to, "data/00009")


def test_many_threads_replace_nothing(bucket: Bucket):
    theirs = {f"{PREFIX}data/{number:05}" for number in range(0, 3000, 7)}
    bucket.objects.update(dict.fromkeys(theirs, b"theirs"))
    to = puts(bucket)

    def one(number: int) -> bool:
        try:
            put(to, f"data/{number:05}", b"y")
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        done = sum(pool.map(one, range(3000)))
    assert done == 3000 - len(theirs)
    assert all(bucket.objects[key] == b"theirs" for key in theirs)
