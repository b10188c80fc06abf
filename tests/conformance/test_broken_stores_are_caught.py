"""Stores broken on purpose, each caught by the clause that is there for it: a checker must be able to say no."""

from __future__ import annotations

import contextlib
import hashlib
import io
import unicodedata
from collections.abc import Iterator

import pytest

from storage_adapters import conformance
from storage_adapters.conformance_trial import read_all
from storage_adapters.errors import (
    ObjectDamaged,
    ObjectExists,
    ObjectNotFound,
    StorageUnavailable,
    already_exists,
    not_found,
)
from storage_adapters.memory import MemoryStore
from storage_adapters.store import ObjectStat
from wording import Message


class Broken(MemoryStore):
    def keep(self, key: str, data: bytes) -> None:
        super().put(key, io.BytesIO(data), size=len(data), sha256=hashlib.sha256(data).hexdigest())

    def replace(self, key: str, data: bytes) -> None:
        with contextlib.suppress(ObjectNotFound):
            self.erase(key)
        self.keep(key, data)


class Overwrites(Broken):
    def put(self, key, source, *, size, sha256):
        try:
            super().put(key, source, size=size, sha256=sha256)
        except ObjectExists:
            self.erase(key)
            super().put(key, source, size=size, sha256=sha256)


class SameBytesAreWelcome(Broken):
    def put(self, key, source, *, size, sha256):
        with contextlib.suppress(ObjectNotFound):
            if self.stat(key).checksums["sha256"] == sha256:
                return
        super().put(key, source, size=size, sha256=sha256)


class KeepsPartial(Broken):
    def put(self, key, source, *, size, sha256):
        seen = io.BytesIO()

        class Tee:
            def read(self, n=-1, /):
                chunk = source.read(n)
                seen.write(chunk)
                return chunk

        try:
            super().put(key, Tee(), size=size, sha256=sha256)
        except ObjectExists:
            raise
        except Exception:
            with contextlib.suppress(Exception):
                self.keep(key, seen.getvalue())
            raise


class TruncatesReads(Broken):
    def open(self, key):
        with super().open(key) as reader:
            data = reader.read()
        return io.BytesIO(data[: max(0, len(data) - 1)])


class FirstPageOnly(Broken):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        yield from list(super().list(prefix))[:10]


class StoresOtherBytes(Broken):
    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        with super().open(key) as reader:
            data = reader.read()
        self.replace(key, data[::-1])


class DamagesLargeOnes(Broken):
    """As a service that puts the parts of a multipart upload together in the wrong order."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        if size > 8 << 20:
            with super().open(key) as reader:
                data = reader.read()
            self.replace(key, data[8 << 20 : 16 << 20] + data[: 8 << 20] + data[16 << 20 :])


class PrefixIsObject(Broken):
    def stat(self, key):
        try:
            return super().stat(key)
        except ObjectNotFound:
            if any(True for _ in super().list(key + "/")):
                return ObjectStat(key, 0)
            raise


class Unsorted(Broken):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        yield from reversed(list(super().list(prefix)))


class SortsByLetters(Broken):
    """Sorted, but as a person would, not by bytes."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        yield from sorted(super().list(prefix), key=lambda each: each.key.lower())


class WrongDigestAccepted(Broken):
    def put(self, key, source, *, size, sha256):
        data = read_all(source)
        if len(data) != size:
            raise ObjectDamaged(Message("damaged"))
        super().put(key, io.BytesIO(data), size=size, sha256=hashlib.sha256(data).hexdigest())


class WrongLengthAccepted(Broken):
    def put(self, key, source, *, size, sha256):
        data = read_all(source)
        super().put(key, io.BytesIO(data), size=len(data), sha256=sha256)


class ReadsOnlyWhatWasAnnounced(Broken):
    """Never notices that the source goes on."""

    def put(self, key, source, *, size, sha256):
        data = source.read(size) if size else b""
        while len(data) < size and (more := source.read(size - len(data))):
            data += more
        digest = hashlib.sha256(data).hexdigest()
        super().put(key, io.BytesIO(data), size=size, sha256=digest if digest[:1] != sha256[:1] else sha256)


class ClosesTheSource(Broken):
    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        getattr(source, "close", lambda: None)()


class SwallowsTheSourcesError(Broken):
    def put(self, key, source, *, size, sha256):
        try:
            super().put(key, source, size=size, sha256=sha256)
        except Exception as error:
            if "source broke" in str(error):
                raise ObjectDamaged(Message("damaged")) from error
            raise


class AbsentIsEmpty(Broken):
    def open(self, key):
        try:
            return super().open(key)
        except ObjectNotFound:
            return io.BytesIO(b"")


class NormalisesNames(Broken):
    def put(self, key, source, *, size, sha256):
        super().put(unicodedata.normalize("NFC", key), source, size=size, sha256=sha256)

    def open(self, key):
        return super().open(unicodedata.normalize("NFC", key))

    def erase(self, key):
        super().erase(unicodedata.normalize("NFC", key))


class EchoesOurLabel(Broken):
    """Gives our own promise back as its checksum, having stored something else: a label is no fixity check."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        self.labels = {**getattr(self, "labels", {}), key: sha256}

    def stat(self, key):
        return ObjectStat(key, super().stat(key).size, {"sha256": "0" * 64})


class HalfAPrefixMatches(Broken):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        below = prefix.rstrip("/")
        yield from (each for each in super().list("") if each.key.startswith(below))


class VisibleWhileWriting(Broken):
    def put(self, key, source, *, size, sha256):
        outer = self

        class Showing:
            def read(self, n=-1, /):
                chunk = source.read(n)
                if size > 1 << 20:
                    outer._objects[key] = chunk
                return chunk

        try:
            if size <= 1 << 20:
                return super().put(key, source, size=size, sha256=sha256)
            other = MemoryStore("other")
            other.put(key, Showing(), size=size, sha256=sha256)
            self._objects[key] = other._objects[key]
        except BaseException:
            if size > 1 << 20:
                self._objects.pop(key, None)
            raise


class LosesRaces(Broken):
    """Looks, then writes: two writers that look at the same moment both think that they won."""

    def put(self, key, source, *, size, sha256):
        if key in self._objects:
            raise already_exists(self.name, key)
        other = MemoryStore("other")
        other.put(key, source, size=size, sha256=sha256)
        if "race/" in key:
            import time

            time.sleep(0.02)
        self._objects[key] = other._objects[key]


class TakesBadKeys(Broken):
    def stat(self, key):
        try:
            return super().stat(key)
        except ValueError:
            raise not_found(self.name, key) from None


class ErasesNeighbours(Broken):
    def erase(self, key):
        super().erase(key)
        for each in list(super().list(key.rpartition("/")[0] + "/")):
            super().erase(each.key)


class SharesOneCursor(Broken):
    def open(self, key):
        self.cursors = getattr(self, "cursors", {})
        data = io.BytesIO(super().open(key).read())
        shared = self.cursors.setdefault(key, data)
        if shared.tell() == len(shared.getvalue()):
            shared.seek(0)
        return contextlib.nullcontext(shared)


class LetsOutForeignErrors(Broken):
    def open(self, key):
        try:
            return super().open(key)
        except ObjectNotFound:
            raise KeyError(key) from None


CAUGHT = [
    (Overwrites, "never-replaces"),
    (SameBytesAreWelcome, "never-replaces"),
    (KeepsPartial, "refuses-wrong-digest"),
    (KeepsPartial, "source-error-passes"),
    (TruncatesReads, "keeps-bytes"),
    (FirstPageOnly, "lists-are-complete"),
    (StoresOtherBytes, "keeps-bytes"),
    (DamagesLargeOnes, "keeps-large"),
    (PrefixIsObject, "prefix-is-no-object"),
    (Unsorted, "lists-are-complete"),
    (SortsByLetters, "lists-are-complete"),
    (WrongDigestAccepted, "refuses-wrong-digest"),
    (WrongDigestAccepted, "large-is-checked"),
    (WrongLengthAccepted, "refuses-wrong-length"),
    (ReadsOnlyWhatWasAnnounced, "refuses-wrong-length"),
    (ClosesTheSource, "streams"),
    (SwallowsTheSourcesError, "source-error-passes"),
    (AbsentIsEmpty, "absence-is-an-error"),
    (NormalisesNames, "names-are-exact"),
    (EchoesOurLabel, "stat-is-true"),
    (HalfAPrefixMatches, "lists-keep-to-prefix"),
    (VisibleWhileWriting, "nothing-half-visible"),
    (LosesRaces, "one-racer-wins"),
    (TakesBadKeys, "refuses-bad-keys"),
    (ErasesNeighbours, "erasing-frees-the-key"),
    (SharesOneCursor, "reads-are-independent"),
    (LetsOutForeignErrors, "absence-is-an-error"),
]


@pytest.mark.parametrize(("broken", "clause"), CAUGHT, ids=lambda each: getattr(each, "__name__", each))
def test_a_broken_store_is_caught(broken: type[MemoryStore], clause: str):
    results = conformance.run(broken("broken"))
    caught = {each.name: each.detail for each in results if not each.passed}
    assert clause in caught
    assert caught[clause]


def test_every_clause_but_long_keys_catches_a_store():
    from storage_adapters.conformance_clauses import CLAUSES

    assert {each.name for each in CLAUSES} - {clause for _, clause in CAUGHT} == {"long-keys"}


def test_long_keys_catches_a_store_that_cuts_names():
    class CutsNames(Broken):
        def put(self, key, source, *, size, sha256):
            super().put(key[:400].rstrip("/"), source, size=size, sha256=sha256)

    assert "long-keys" in {each.name for each in conformance.run(CutsNames("broken")) if not each.passed}


def test_a_store_that_stops_answering_is_no_verdict():
    class Stops(Broken):
        def stat(self, key):
            raise StorageUnavailable(Message("gone"))

    with pytest.raises(StorageUnavailable):
        conformance.run(Stops("broken"))
