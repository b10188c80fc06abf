"""Stores broken on purpose: each lies, loses or forgets in one way of its own, and names the clause that must notice."""

from __future__ import annotations

import contextlib
import hashlib
import io
import unicodedata
import urllib.parse
from collections.abc import Iterator

from storage_adapters.conformance_trial import read_all
from storage_adapters.errors import (
    ObjectDamaged,
    ObjectExists,
    ObjectNotFound,
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


class StoresNothing(Broken):
    """Says yes to every put and keeps nothing: an error that was swallowed on the way."""

    def put(self, key, source, *, size, sha256):
        with contextlib.suppress(Exception):
            super().put(key, source, size=size, sha256=sha256)
            self.erase(key)


class SwallowsEveryError(Broken):
    """Refuses as it should, and tells nobody."""

    def put(self, key, source, *, size, sha256):
        with contextlib.suppress(Exception):
            super().put(key, source, size=size, sha256=sha256)


class ForgetsTheLastPart(Broken):
    """A multipart upload completed without its last part."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        if size > 16 << 20:
            self.replace(key, self._objects[key][: 16 << 20])


class RepeatsAPart(Broken):
    """A part sent twice and counted twice, of the right length in the end."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        if size > 16 << 20:
            data = self._objects[key]
            self.replace(key, data[: 8 << 20] + data[: 8 << 20] + data[16 << 20 :])


class LosesLater(Broken):
    """Keeps the newest twenty objects only."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        for old in list(self._objects)[:-20]:
            self.erase(old)


class RotsLater(Broken):
    """Changes a byte of an object that lies there for a while."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        for old in list(self._objects)[:-20]:
            if data := self._objects[old]:
                self._objects[old] = bytes([data[0] ^ 1]) + data[1:]


class ReturnsAnOldVersion(Broken):
    """A cache in front that never hears of an erased key."""

    def open(self, key):
        self.seen = getattr(self, "seen", {})
        if key not in self.seen or key not in self._objects:
            self.seen[key] = read_all(super().open(key))
        return io.BytesIO(self.seen[key])

    def erase(self, key):
        if key in self._objects:
            self.open(key)
        super().erase(key)


class ListLagsBehind(Broken):
    """A list that has not heard of the last put yet."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        newest = next(reversed(self._objects), None)
        yield from (each for each in super().list(prefix) if each.key != newest)


class ListStillHasTheErased(Broken):
    def erase(self, key):
        self.ghosts = [*getattr(self, "ghosts", []), ObjectStat(key, 3)]
        super().erase(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        ghosts = [each for each in getattr(self, "ghosts", []) if each.key.startswith(prefix)]
        yield from sorted([*super().list(prefix), *ghosts], key=lambda each: each.key.encode())


class ListsTwice(Broken):
    """The last of one page again as the first of the next."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        for number, each in enumerate(super().list(prefix)):
            yield each
            if number % 10 == 9:
                yield each


class SkipsAtThePage(Broken):
    """The first of every page but the first is lost."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        yield from (each for number, each in enumerate(super().list(prefix)) if number == 0 or number % 10)


class ListsWrongSizes(Broken):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        yield from (ObjectStat(each.key, each.size + 1) for each in super().list(prefix))


class ListsFoldersToo(Broken):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        told = set()
        for each in super().list(prefix):
            folder = each.key.rpartition("/")[0] + "/"
            if folder != prefix and folder not in told:
                told.add(folder)
                yield ObjectStat(folder, 0)
            yield each


class FoldsCase(Broken):
    def put(self, key, source, *, size, sha256):
        super().put(key.lower(), source, size=size, sha256=sha256)

    def open(self, key):
        return super().open(key.lower())

    def erase(self, key):
        super().erase(key.lower())


class TrimsNames(Broken):
    """As some file systems do with a blank or a dot at the end."""

    def put(self, key, source, *, size, sha256):
        super().put(key.rstrip(". "), source, size=size, sha256=sha256)

    def open(self, key):
        return super().open(key.rstrip(". "))

    def erase(self, key):
        super().erase(key.rstrip(". "))


class DecodesNames(Broken):
    """A gateway that takes %20 and + for blanks."""

    def put(self, key, source, *, size, sha256):
        super().put(urllib.parse.unquote_plus(key), source, size=size, sha256=sha256)

    def open(self, key):
        return super().open(urllib.parse.unquote_plus(key))

    def erase(self, key):
        super().erase(urllib.parse.unquote_plus(key))


class TextMode(Broken):
    def open(self, key):
        return io.BytesIO(read_all(super().open(key)).replace(b"\r\n", b"\n"))


class EmptyIsAbsent(Broken):
    def open(self, key):
        if not self._objects.get(key, b"x"):
            raise not_found(self.name, key)
        return super().open(key)


class EndsEarlyWhenLarge(Broken):
    """A connection that is cut looks like the end."""

    def open(self, key):
        return io.BytesIO(read_all(super().open(key))[: 10 << 20])


class StatLies(Broken):
    def stat(self, key):
        return ObjectStat(key, super().stat(key).size + 1)


class RewindsTheSource(Broken):
    def put(self, key, source, *, size, sha256):
        source.seek(0)
        super().put(key, source, size=size, sha256=sha256)


class LargeOnesAreNotChecked(Broken):
    def put(self, key, source, *, size, sha256):
        if size <= 8 << 20:
            super().put(key, source, size=size, sha256=sha256)
        else:
            data = read_all(source)
            super().put(key, io.BytesIO(data), size=len(data), sha256=hashlib.sha256(data).hexdigest())


class KeepsThePartsOfABrokenSource(Broken):
    """What was sent before the source broke becomes the object."""

    def put(self, key, source, *, size, sha256):
        data = b""
        try:
            while chunk := source.read(1 << 20):
                data += chunk
        except Exception:
            if len(data) > 8 << 20:
                self.keep(key, data)
            raise
        super().put(key, io.BytesIO(data), size=size, sha256=sha256)


class EraseDoesNothing(Broken):
    def erase(self, key):
        self.stat(key)


class ErasingTheAbsentIsFine(Broken):
    def erase(self, key):
        with contextlib.suppress(ObjectNotFound):
            super().erase(key)


class SecondReaderEndsTheFirst(Broken):
    def open(self, key):
        reader = io.BytesIO(read_all(super().open(key)))
        for other in getattr(self, "readers", []):
            other.seek(0, io.SEEK_END)
        self.readers = [reader]
        return reader


class GivesMoreThanAsked(Broken):
    def open(self, key):
        data = read_all(super().open(key))

        class Greedy(io.BytesIO):
            def read(self, _size=-1, /):
                return super().read(-1)

        return Greedy(data)


class CallsTheExistingDamaged(Broken):
    """The wrong class of error: nobody would look at what stands there."""

    def put(self, key, source, *, size, sha256):
        try:
            super().put(key, source, size=size, sha256=sha256)
        except ObjectExists:
            raise ObjectDamaged(Message("damaged")) from None


class NobodyWinsARace(Broken):
    def put(self, key, source, *, size, sha256):
        if "race/" in key:
            raise already_exists(self.name, key)
        super().put(key, source, size=size, sha256=sha256)


class MixesRacers(Broken):
    """Two writers at the same moment: the beginning of one and the end of the other."""

    def put(self, key, source, *, size, sha256):
        super().put(key, source, size=size, sha256=sha256)
        if "race/" in key:
            self.replace(key, self._objects[key][:-1] + b"?")


class CutsLongNames(Broken):
    def put(self, key, source, *, size, sha256):
        super().put(key[:400].rstrip("/"), source, size=size, sha256=sha256)


class CutsLongParts(Broken):
    """A file system that holds fewer bytes in a name."""

    def put(self, key, source, *, size, sha256):
        short = "/".join(part.encode()[:200].decode("utf-8", "ignore") for part in key.split("/"))
        super().put(short, source, size=size, sha256=sha256)


class ReadsTheSourceOfABadKey(Broken):
    def put(self, key, source, *, size, sha256):
        data = read_all(source)
        super().put(key, io.BytesIO(data), size=size, sha256=sha256)


# The store, and the clause that is there for its way of lying.
CAUGHT: list[tuple[type[Broken], str]] = [
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
    (StoresNothing, "keeps-bytes"),
    (SwallowsEveryError, "never-replaces"),
    (SwallowsEveryError, "refuses-wrong-length"),
    (ForgetsTheLastPart, "keeps-large"),
    (RepeatsAPart, "keeps-large"),
    (LosesLater, "keeps-what-it-took"),
    (RotsLater, "keeps-what-it-took"),
    (ReturnsAnOldVersion, "erasing-frees-the-key"),
    (ListLagsBehind, "lists-are-complete"),
    (ListStillHasTheErased, "erasing-frees-the-key"),
    (ListsTwice, "lists-are-complete"),
    (SkipsAtThePage, "lists-are-complete"),
    (ListsWrongSizes, "lists-are-complete"),
    (ListsFoldersToo, "lists-are-complete"),
    (FoldsCase, "names-are-exact"),
    (TrimsNames, "names-are-exact"),
    (DecodesNames, "names-are-exact"),
    (TextMode, "keeps-bytes"),
    (EmptyIsAbsent, "keeps-bytes"),
    (EndsEarlyWhenLarge, "keeps-large"),
    (StatLies, "stat-is-true"),
    (RewindsTheSource, "streams"),
    (LargeOnesAreNotChecked, "large-is-checked"),
    (KeepsThePartsOfABrokenSource, "source-error-passes"),
    (EraseDoesNothing, "erasing-frees-the-key"),
    (ErasingTheAbsentIsFine, "absence-is-an-error"),
    (SecondReaderEndsTheFirst, "reads-are-independent"),
    (GivesMoreThanAsked, "reads-are-independent"),
    (CallsTheExistingDamaged, "never-replaces"),
    (NobodyWinsARace, "one-racer-wins"),
    (MixesRacers, "one-racer-wins"),
    (CutsLongNames, "long-keys"),
    (CutsLongParts, "long-keys"),
    (ReadsTheSourceOfABadKey, "refuses-bad-keys"),
]
