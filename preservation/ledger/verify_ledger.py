"""Check the history (the "ledger") that Vankho writes into every store. Needs Python 3.8 or later and nothing else.

    python3 verify_ledger.py                                the store that this file lies in
    python3 verify_ledger.py /mnt/disk-a /mnt/disk-b        several stores, and that they agree
    python3 verify_ledger.py /mnt/disk-a catalog.db         a store and an SQLite catalog

What is checked. ledger/<9999-N>-book-N/ is book N; only the highest counts. events/<first>-<last>.jsonl has one event
a line: a digest, a space, the event as JSON. The digest is SHA-256 over the 32 bytes of the digest before (zeros for
event 1) and the bytes of the JSON. A file checkpoints/*/*-<last>.json was written after the events that it names: it
has the digest of the last of them, the SHA-256 of the checkpoint before it, and the SHA-256 of itself without that
member. An event that admits a package has the SHA-256 of its object list, which lies in objects/ (packed by gzip).

It writes nothing. Exit code: 0 nothing is wrong, 1 something was changed or is missing, 2 it could not be checked.
"""
# ruff: noqa
# mypy: ignore-errors

import gzip
import hashlib
import json
import re
import sqlite3
import sys
from pathlib import Path

ZEROS = "0" * 64  # the digest before event 1
FIELDS = ("id", "type", "at", "agent", "outcome", "submission", "identifier", "version", "store", "detail")
ROWS = "SELECT seq, digest, " + ", ".join(FIELDS) + " FROM events ORDER BY seq"
LINE = 1 << 26  # bytes; no line of an object list is longer, but an unpacked bomb is
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Wrong(Exception):
    """Something does not hold: (number of the first event concerned, what a person should read)."""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def canonical(value):
    """The one way in which a JSON value is written before it is hashed."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def follow(digests, seq, digest, record):
    """Hold one event against the one before it; `digests` grows by what this event really gives."""
    number = len(digests) + 1
    if seq != number:
        raise Wrong(number, "event %d should stand here, but event %s does" % (number, seq))
    digests.append(sha256(bytes.fromhex(digests[-1] if digests else ZEROS) + record))
    if digests[-1] != digest:
        raise Wrong(seq, "event %d is not what its digest says: it, or the event before it, was changed" % seq)


def checkpoints(book):
    """Every checkpoint of the book, oldest first, as (last event, its members, SHA-256 of the file)."""
    found = []
    for path in book.glob("checkpoints/*/*.json"):
        name = re.fullmatch(r"(\d{8})/(\d{4})-(\d+)\.json", path.parent.name + "/" + path.name)
        if name and int(name[1] + name[2]) + int(name[3]) == 999999999999:
            found.append((int(name[3]), path))
    for last, path in sorted(found):
        content = path.read_bytes()
        try:
            members = json.loads(content)
            whole = canonical(members) + b"\n" == content and members.pop("sha256") == sha256(canonical(members))
            sound = whole and members["last"] == last and 1 <= members["first"] <= last
        except UNREADABLE:
            sound = False
        if not sound:
            raise Wrong(last, "the checkpoint %s is not as it was written" % path)
        yield last, members, sha256(content)


def check_segment(book, members, digests):
    """The events that one checkpoint names, and the object lists of the packages that they admit."""
    first, last, admitted = members["first"], members["last"], []
    path = book / "events" / ("%012d-%012d.jsonl" % (first, last))
    if not path.is_file():
        raise Wrong(first, "%s is missing" % path)
    if members["previous"] != (digests[first - 2] if first > 1 else ZEROS):
        raise Wrong(first, "the checkpoint of event %d does not follow from the events before it" % last)
    known = digests[first - 1 :]  # a segment may begin with events that another one has already
    del digests[first - 1 :]
    with path.open("rb") as lines:
        for line in lines:
            try:
                record, digest = json.loads(line[65:-1]), line[:64].decode("ascii")
                seq, admits = record["seq"], record["detail"].get("aip")
                if line[64:65] != b" " or line[-1:] != b"\n" or type(seq) is not int:
                    raise ValueError
            except UNREADABLE:
                raise Wrong(len(digests) + 1, "event %d in %s cannot be read" % (len(digests) + 1, path)) from None
            follow(digests, seq, digest, line[65:-1])
            if admits:
                admitted.append((seq, record["detail"]))
    if len(digests) != last:
        number = min(len(digests), last) + 1
        raise Wrong(number, "%s ends with event %d, its checkpoint with event %d" % (path, len(digests), last))
    again = digests[first - 1 :][: len(known)]
    if (digests[0], digests[-1], again) != (members["catalog"], members["digest"], known):
        raise Wrong(last, "the events in %s are not those that the checkpoints name" % path)
    if admitted:
        check_objects(book / "objects" / (path.name + ".gz"), admitted)


def check_objects(path, admitted):
    """The object list of each package: one line that says whose it is, then one line an object."""
    try:
        with gzip.open(path, "rb") as lines:
            for seq, detail in admitted:
                head, digest = json.loads(lines.readline(LINE)), hashlib.sha256()
                for _ in range(detail["aip"]["objects"]):
                    digest.update(lines.readline(LINE) or b"missing")
                if head["seq"] != seq or digest.hexdigest() != detail["objects_digest"]:
                    raise Wrong(seq, "the object list of event %d in %s was changed" % (seq, path))
            if lines.read(1):  # to the end, where gzip keeps its own check
                raise ValueError("more stands there than was written")
    except (OSError, EOFError, gzip.zlib.error) + UNREADABLE as error:
        raise Wrong(admitted[0][0], "the object lists in %s cannot be read: %s" % (path, error)) from error


def check_store(folder, digests):
    """The highest book of one store; older ones were set aside by a decision and are only told of."""
    names = [re.fullmatch(r"(\d{4})-book-([1-9]\d*)", path.name) for path in (folder / "ledger").iterdir()]
    books = {int(n[2]): folder / "ledger" / n[0] for n in names if n and int(n[1]) + int(n[2]) == 9999}
    if not books:
        raise OSError("there is no book in %s" % (folder / "ledger"))
    for number in sorted(books)[:-1]:
        print("%s: book %d was set aside when book %d was opened; it is not checked" % (folder, number, max(books)))
    book, ends, texts = books[max(books)], {0: None}, {}
    for last, members, own in checkpoints(book):
        before = members["first"] - 1
        if before not in ends:
            raise Wrong(len(digests) + 1, "the checkpoint of event %d is missing" % before)
        if members["before"] != ends[before]:
            raise Wrong(before, "the checkpoint of event %d is not the one that the next one names" % before)
        check_segment(book, members, digests)
        ends[last] = own
        texts.update({(name, digest): last for name, digest in members["policies"].items()})
    for (name, digest), last in texts.items():
        path = book / "policies" / ("%s-%s.yaml" % (name, digest[:16]))
        if not path.is_file() or sha256(path.read_bytes()) != digest:
            raise Wrong(last, "the policy text %s is missing or was changed" % path)


def check_catalog(file, digests):
    """An SQLite catalog. Without a -wal file beside it, it is whole and can be read on a disk that takes no writing."""
    mode = "ro" if Path(str(file) + "-wal").exists() else "ro&immutable=1"
    database, seq = sqlite3.connect("%s?mode=%s" % (file.resolve().as_uri(), mode), uri=True), 0
    for seq, digest, *values in database.execute(ROWS):
        try:
            record = dict(zip(FIELDS, values), seq=seq, detail=json.loads(values[-1]))
            follow(digests, seq, digest, canonical(record))
        except UNREADABLE:
            raise Wrong(seq, "event %s cannot be read" % seq) from None
    if database.execute("SELECT seq, digest FROM chain_head").fetchone() != (seq, digests[-1] if digests else ZEROS):
        raise Wrong(seq + 1, "the catalog remembers another end than event %d: events were deleted or put in" % seq)


def compare(known):
    """The first event that is not the same in all places, else the places that end before others do."""
    longest = max(known, key=lambda place: len(known[place]))
    for number in range(1, len(known[longest]) + 1):
        have = {place: digests[number - 1] for place, digests in known.items() if len(digests) >= number}
        if len(set(have.values())) > 1:
            groups = [" and ".join(str(place) for place in have if have[place] == one) for one in set(have.values())]
            return [(number, "event %d is not the same in: %s" % (number, "; in: ".join(sorted(groups))))]
    text = "%s ends with event %d, but %s goes on to event %d: it is an older copy, or was not reached since"
    short = {place: len(digests) for place, digests in known.items() if len(digests) < len(known[longest])}
    return [(end + 1, text % (place, end, longest, len(known[longest]))) for place, end in short.items()]


def main(arguments):
    known, wrong, unread = {}, [], False
    for place in [Path(each) for each in arguments] or [Path(__file__).resolve().parent]:
        digests = known[place] = []
        try:
            (check_catalog if place.is_file() else check_store)(place, digests)
            end = digests[-1] if digests else ZEROS
            print("%s: %d events hold; the digest of the last is %s" % (place, len(digests), end))
        except Wrong as error:
            wrong.append((error.args[0], "%s: %s" % (place, error.args[1])))
        except (OSError, sqlite3.Error) + UNREADABLE as error:
            unread = True
            del known[place]
            print("%s could not be checked: %s" % (place, error))
    wrong += [each for each in (compare(known) if known else []) if not wrong or "same" in each[1]]
    for _, text in sorted(wrong):
        print("WRONG: " + text)
    if wrong or not unread:
        print("The first event that is wrong or missing: %d" % min(wrong)[0] if wrong else "Nothing is wrong.")
    return 1 if wrong else 2 if unread else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
