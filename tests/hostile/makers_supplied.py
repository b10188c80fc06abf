"""Hostile things that our own parsers read: descriptors, checksum lists, the tag files of given bags."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bags.bag_maker import DECLARED, lines
from tests.hostile.case import Case, Make, a_file, case, folder, lazy
from tests.hostile.makers_tars import entry, gzipped_zeros
from tests.hostile.raw_zip import Raw, raw_zip

MIB = 1 << 20
PAGE = {"trang 1.txt": b"Chu tai chu menh kheo la ghet nhau"}
WRONG = "descriptor-field-wrong"
UNREADABLE = "descriptor-unreadable"


def described(content: bytes | str, name: str = "metadata.json") -> Make:
    return folder({**PAGE, name: content if isinstance(content, bytes) else content.encode()})


def descriptors() -> Iterator[Case]:
    yield case("rejected--json-100000-deep", lazy(lambda: described('{"title":' + "[" * 100_000)), UNREADABLE)
    yield case("rejected--json-900-deep", lazy(lambda: described('{"title":' + "[" * 900 + "]" * 900 + "}")), WRONG)
    yield case(
        "rejected--json-number-of-100000-digits",
        lazy(lambda: described('{"title": "a", "pages": ' + "9" * 100_000 + "}")),
        UNREADABLE,
    )
    yield case(
        "accepted--json-number-of-4000-digits", lazy(lambda: described('{"title": "a", "pages": ' + "9" * 4000 + "}"))
    )
    yield case(
        "rejected--json-number-beyond-all-bounds",
        lazy(lambda: described('{"title": "a", "scan": {"resolution_ppi": -1e999}}')),
        WRONG,
    )
    yield case("rejected--json-nan", lazy(lambda: described('{"title": NaN}')), UNREADABLE)
    yield case("rejected--json-key-twice", lazy(lambda: described('{"title": "a", "title": "b"}')), UNREADABLE)
    yield case("rejected--json-50000-keys-and-one-twice", lazy(lambda: described(many_keys(5_000))), UNREADABLE)
    yield case(
        "accepted--json-5000-unknown-keys",
        lazy(lambda: described("{" + ", ".join(f'"k{n}": 1' for n in range(5_000)) + ', "title": "a"}')),
    )
    yield case(
        "rejected--json-20000-wrong-values",
        lazy(lambda: described(json.dumps({"title": "a", "subject": [1] * 20_000}))),
        WRONG,
    )
    yield case(
        "rejected--json-of-2-mebibytes", lazy(lambda: described('{"title": "' + "a" * (2 * MIB) + '"}')), UNREADABLE
    )
    yield case("rejected--json-not-utf-8", lazy(lambda: described(b'{"title": "\xff\xfe"}')), UNREADABLE)
    yield case("rejected--json-utf-16", lazy(lambda: described('{"title": "a"}'.encode("utf-16"))), UNREADABLE)
    yield case("rejected--json-half-a-character", lazy(lambda: described('{"title": "\\ud800"}')), UNREADABLE)
    yield case(
        "rejected--json-half-a-character-in-a-key",
        lazy(lambda: described('{"title": "a", "\\udc00": 1}')),
        UNREADABLE,
    )
    yield case("accepted--json-nul-in-the-title", lazy(lambda: described('{"title": "nul\\u0000b"}')))
    yield case(
        "rejected--json-line-break-in-the-identifier",
        lazy(lambda: described('{"title": "a", "identifier": "x\\nPayload-Oxum: 0.0"}')),
        WRONG,
    )
    yield case(
        "accepted--json-title-with-a-forged-row",
        lazy(lambda: described('{"title": "a\\nPayload-Oxum: 0.0\\rerror: forged"}')),
    )
    yield case(
        "accepted--json-title-with-escapes",
        lazy(lambda: described('{"title": "\\u001b[2J\\u202e=HYPERLINK()<img src=x onerror=alert(1)>"}')),
    )
    yield case("accepted--json-title-with-gaps", lazy(lambda: described('{"title": "{what} {0} %s"}')))
    yield case("rejected--json-is-a-list", lazy(lambda: described("[]")), UNREADABLE)
    yield case("rejected--json-empty", lazy(lambda: described(b"")), UNREADABLE)
    yield case(
        "rejected--two-descriptors",
        lazy(lambda: folder({**PAGE, "metadata.json": b'{"title": "a"}', "metadata.yaml": b"title: a"})),
        "descriptor-ambiguous",
    )
    yield case("rejected--yaml-billion-laughs", lazy(lambda: described(yaml_laughs(), "metadata.yaml")), UNREADABLE)
    yield case("rejected--yaml-alias-to-itself", lazy(lambda: described("&a [*a]", "metadata.yaml")), UNREADABLE)
    yield case(
        "rejected--yaml-python-object",
        lazy(lambda: described("title: !!python/object/apply:os.system ['touch evil']", "metadata.yaml")),
        UNREADABLE,
    )
    yield case(
        "rejected--yaml-100000-deep", lazy(lambda: described("title: " + "[" * 100_000, "metadata.yaml")), UNREADABLE
    )
    yield case(
        "rejected--yaml-30000-mappings-deep",
        lazy(lambda: described("".join(" " * n + "a:\n" for n in range(400)), "metadata.yaml")),
        UNREADABLE,
    )
    yield case(
        "rejected--yaml-of-a-million-lines", lazy(lambda: described("- a\n" * 260_000, "metadata.yaml")), UNREADABLE
    )
    yield case(
        "rejected--yaml-key-twice", lazy(lambda: described("title: a\ntitle: b\n", "metadata.yaml")), UNREADABLE
    )
    yield case(
        "rejected--yaml-merge-key",
        lazy(lambda: described("title: a\n<<: {pages: 1}\n? [a]\n: b\n", "metadata.yaml")),
        UNREADABLE,
    )
    yield case(
        "rejected--yaml-number-of-5000-digits",
        lazy(lambda: described("title: a\npages: " + "9" * 5000, "metadata.yaml")),
        UNREADABLE,
    )
    yield case(
        "rejected--yaml-two-documents",
        lazy(lambda: described("title: a\n---\ntitle: b\n", "metadata.yaml")),
        UNREADABLE,
    )


def lists() -> Iterator[Case]:
    digest = "0" * 64
    page = hashlib.sha256(PAGE["trang 1.txt"]).hexdigest()
    bad = "supplied-list-unreadable"
    yield case("rejected--list-of-blank-lines", lazy(lambda: listed(b"\n" * (32 * MIB))), "supplied-list-too-long")
    yield case(
        "rejected--list-of-junk-lines", lazy(lambda: listed(b"a\n" * (8 * MIB))), "supplied-list-too-long", bad
    )
    yield case("rejected--list-of-comments", lazy(lambda: listed(b"#\n" * (8 * MIB))), "supplied-list-too-long")
    yield case(
        "rejected--list-of-a-million-absent-files",
        lazy(lambda: listed(b"".join(b"%s  %07d\n" % (digest.encode(), n) for n in range(300_000)))),
        "supplied-list-too-long",
        "supplied-file-missing",
    )
    yield case("rejected--list-line-of-16-mebibytes", lazy(lambda: listed(b"0" * (16 * MIB))), bad)
    yield case(
        "rejected--list-line-of-blanks-behind-a-digest",
        lazy(lambda: listed((digest + " " * 60_000 + "\n").encode() * 20)),
        bad,
    )
    yield case(
        "rejected--list-line-of-blanks-behind-a-word",
        lazy(lambda: listed(("x" + " " * 60_000 + "y\n").encode() * 20)),
        bad,
    )
    yield case(
        "rejected--list-line-of-blanks-after-powershell",
        lazy(lambda: listed((f"sha256 {digest} x" + " " * 60_000 + "y\n").encode() * 20)),
        "supplied-list-unreadable",
    )
    yield case(
        "rejected--list-line-of-brackets", lazy(lambda: listed(("a(" + ")=" * 30_000 + "\n").encode() * 20)), bad
    )
    yield case(
        "rejected--list-of-paths-30000-deep",
        lazy(lambda: listed((f"{digest}  /" + "a/" * 30_000 + "b\n").encode() * 20)),
        "supplied-list-unreadable",
    )
    yield case(
        "rejected--list-path-leads-out",
        lazy(lambda: listed(f"{page}  ../../../../etc/passwd\n{page}  trang 1.txt\n")),
        "supplied-file-missing",
    )
    yield case(
        "rejected--list-path-with-nul",
        lazy(lambda: listed(f"{page}  a\0b\n{page}  trang 1.txt\n")),
        "supplied-file-missing",
    )
    yield case(
        "rejected--list-path-with-escapes",
        lazy(lambda: listed(f"{page}  \x1b[2J\u202e\rforged\n{page}  trang 1.txt\n")),
        "supplied-file-missing",
        bad,
    )
    yield case("rejected--list-digest-of-an-odd-length", lazy(lambda: listed(f"{'0' * 63}  trang 1.txt\n")), bad)
    yield case(
        "rejected--list-two-digests-for-one-file",
        lazy(lambda: listed(f"{page}  trang 1.txt\n{digest}  trang 1.txt\n")),
        "supplied-digest-differs",
    )
    yield case(
        "rejected--list-20000-digests-for-one-file",
        lazy(lambda: listed("".join(f"{n:064x}  trang 1.txt\n" for n in range(20_000)))),
        "supplied-digest-differs",
    )
    yield case("rejected--list-empty", lazy(lambda: listed(b"")), bad)
    yield case(
        "rejected--list-utf-16-cut-in-half", lazy(lambda: listed(b"\xff\xfe0\0" + b"\0\xd8" * 99 + b"\0")), bad
    )
    yield case(
        "rejected--list-table-of-5000-columns",
        lazy(lambda: listed(",".join(["trang 1.txt", *[digest] * 5_000]) + "\n")),
        "supplied-digest-differs",
        "supplied-file-missing",
        "supplied-list-unreadable",
    )
    yield case(
        "accepted-with-event--list-of-itself-and-nothing-else",
        lazy(lambda: listed("0" * 64 + "  SHA256SUMS\n")),
        "supplied-file-unlisted",
    )
    yield case("accepted--list-that-is-right", lazy(lambda: listed(f"{page}  trang 1.txt\n")))


def bags() -> Iterator[Case]:
    yield case(
        "accepted-with-event--bag-with-litter-beside-it",
        lazy(lambda: a_bag(beside={"._x": b"1", "Thumbs.db": b"2"})),
        "system-litter",
    )
    yield case(
        "accepted-with-event--bag-beside-a-folder-called-like-litter",
        lazy(lambda: a_bag(beside={"._kho/a.txt": b"1"})),
        "supplied-file-unlisted",
    )
    for word, url in {
        "loopback": "http://127.0.0.1:{port}/x", "metadata-service": "http://169.254.169.254/latest/meta-data",
        "private": "http://10.0.0.1/x", "local-file": "file:///etc/passwd", "ipv6": "http://[::1]:{port}/x",
        "name-of-this-machine": "http://localhost:{port}/x", "ftp": "ftp://127.0.0.1:{port}/x",
    }.items():  # fmt: skip
        yield case(f"rejected--fetch-{word}", fetching(url), "file-missing")
    yield case(
        "rejected--fetch-leads-out",
        lazy(lambda: fetching("http://127.0.0.1:{port}/x", path="../../evil")),
        "fetch-path-unsafe",
    )
    yield case(
        "rejected--bag-manifest-leads-out",
        lazy(lambda: a_bag({"manifest-sha256.txt": manifest("data/../../../etc/passwd")})),
        "file-unexpected",
        "manifest-path-unsafe",
    )
    yield case(
        "rejected--bag-manifest-of-a-million-absent-files",
        absent_many,
        "file-missing",
        "findings-not-shown",
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-fetch-of-a-million-lines",
        lazy(lambda: a_bag({"fetch.txt": b"http://127.0.0.1/ - data/x\n" * 400_000})),
        "fetch-not-in-manifest",
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-info-of-a-million-lines",
        lazy(lambda: a_bag({"bag-info.txt": b"A: b\n" * 1_000_000})),
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-info-of-64-mebibytes",
        lazy(lambda: a_bag({"bag-info.txt": b"A: " + b"b" * (64 * MIB)})),
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-manifest-of-blank-lines",
        lazy(lambda: a_bag({"manifest-sha256.txt": b"\n" * (32 * MIB)})),
        "file-unexpected",
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-manifest-line-of-16-mebibytes",
        lazy(lambda: a_bag({"manifest-sha256.txt": b"0" * (16 * MIB)})),
        "file-unexpected",
        "tag-file-malformed",
    )
    yield case(
        "rejected--bag-declares-10-mebibytes",
        lazy(lambda: a_bag({"bagit.txt": DECLARED + b"\n" * (10 * MIB)})),
        "tag-file-too-long",
    )
    yield case(
        "rejected--bag-declares-rot13",
        lazy(lambda: a_bag({"bagit.txt": DECLARED.replace(b"UTF-8", b"rot13")})),
        "encoding-unsupported",
    )
    yield case(
        "rejected--bag-oxum-of-5000-digits",
        lazy(lambda: a_bag({"bag-info.txt": b"Payload-Oxum: " + b"9" * 5000 + b".1\n"})),
        "oxum-differs",
    )
    yield case(
        "accepted--bag-identifier-with-a-forged-row",
        lazy(lambda: a_bag({"bag-info.txt": b"External-Identifier: x\r\n Payload-Oxum: 0.0\n"}, page=b"forged")),
    )
    yield case("rejected--bag-with-a-link-in-its-payload", bag_with_a_link, "link-leaves-package")
    yield case(
        "rejected--bag-in-a-zip-with-dots",
        lazy(lambda: a_file("b.zip", lambda _: bag_in_zip())),
        "manifest-missing",
        "name-unsafe",
    )
    yield case(
        "rejected--bag-in-a-tar-bomb", lazy(lambda: a_file("b.tgz", lambda _: bag_bomb())), "package-too-large"
    )


def many_keys(count: int) -> str:
    return "{" + ", ".join(f'"k{n}": 1' for n in [*range(count), count - 1]) + "}"


def yaml_laughs() -> str:
    rows = ["a0: &a0 [ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join([*rows, "title: *a11"])


def listed(content: bytes | str, name: str = "SHA256SUMS") -> Make:
    return folder({**PAGE, name: content if isinstance(content, bytes) else content.encode()})


def manifest(*paths: str) -> bytes:
    return lines(dict.fromkeys(paths, b""))


def a_bag(
    tags: Mapping[str, bytes] | None = None,
    *,
    beside: Mapping[str, bytes] | None = None,
    page: bytes = PAGE["trang 1.txt"],
) -> Make:
    """A bag of one page in a folder; `beside` stands next to it."""
    payload = {"data/trang 1.txt": page}
    written = {"bagit.txt": DECLARED, "manifest-sha256.txt": lines(payload), **(tags or {}), **payload}
    top = "túi/" if beside else ""
    return folder({**{top + path: content for path, content in written.items()}, **(beside or {})})


def fetching(url: str, *, path: str = "data/x.txt") -> Make:
    def make(room: Path) -> Path:
        port = (room.parents[1] / "port").read_text()
        payload = {f"data/{name}": content for name, content in PAGE.items()}
        promised = lines({**payload, **({path: b"x"} if path.startswith("data/") else {})})
        fetch = f"{url.replace('{port}', port)} 1 {path}\n".encode()
        return a_bag({"manifest-sha256.txt": promised, "fetch.txt": fetch})(room)

    return make


def absent_many(room: Path) -> Path:
    rows = lines({f"data/{path}": content for path, content in PAGE.items()})
    rows += b"".join(b"%064x  data/%d\n" % (0, n) for n in range(1_000_000))
    return a_file("b.zip", bag_zip({"manifest-sha256.txt": rows}))(room)


def bag_zip(tags: Mapping[str, bytes]) -> bytes:
    payload = {f"data/{path}": content for path, content in PAGE.items()}
    files = {"bagit.txt": DECLARED, "manifest-sha256.txt": lines(payload), **tags, **payload}
    return raw_zip([Raw(path.encode(), content, method=8) for path, content in files.items()])


def bag_with_a_link(room: Path) -> Path:
    top = a_bag()(room)
    (top / "data" / "l").symlink_to("/etc/passwd")
    return top


def bag_in_zip() -> bytes:
    return raw_zip([Raw(b"bagit.txt", DECLARED), Raw(b"data/../../evil"), Raw(b"data/a")])


def bag_bomb() -> bytes:
    zeros = tarfile.TarInfo("data/zeros")
    zeros.size = 1024 * MIB
    return gzipped_zeros(entry("bagit.txt", DECLARED) + zeros.tobuf(), 1024)


CASES = [*descriptors(), *lists(), *bags()]
