"""Golden bags, made by code. The first word of a name is the verdict; the rest says what is special.

Each is a valid BagIt 1.0 bag in which one thing was changed and whose tag manifest was made afterwards, so that a
wrong digest never hides that the rule itself went unnoticed. Many are bags on which a trusted tool crashed, hung,
or gave the wrong answer.
"""

from __future__ import annotations

import os
import socket
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tests.bags.bag_maker import DECLARED, digest, lines, make_bag

A, B = b"mot", b"hai ba"
PAYLOAD = {"data/a.txt": A, "data/sub/b.txt": B}
NFC = unicodedata.normalize("NFC", "data/Nguyễn Đình Chiểu.tif")
NFD = unicodedata.normalize("NFD", NFC)
URL = "https://example.org/a.txt"

Make = Callable[[Path], object]


def bag(payload: dict[str, bytes] | None = None, /, algorithms=("sha256",), **tags: bytes | str | None) -> Make:
    """`bag_info=…` stands for bag-info.txt, and so on; text is written as UTF-8."""
    names = {"bag_info": "bag-info.txt", "bagit": "bagit.txt", "fetch": "fetch.txt"}
    written = {
        names.get(key, key): value.encode() if isinstance(value, str) else value for key, value in tags.items()
    }
    return lambda folder: make_bag(folder, payload, tags=written, algorithms=algorithms)


def old(payload: dict[str, bytes] | None = None, /, **tags: bytes | str | None) -> Make:
    return bag(payload, bagit="BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n", **tags)


def declared(text: str | bytes) -> Make:
    return bag(bagit=text)


def encoded(name: str, encoding: str | None = None, text: str | None = None) -> Make:
    manifest = (
        (text if text is not None else lines(PAYLOAD).decode()).encode(encoding) if encoding else lines(PAYLOAD)
    )
    return bag(
        bagit=f"BagIt-Version: 1.0\nTag-File-Character-Encoding: {name}\n",
        **{"manifest-sha256.txt": manifest, "tagmanifest-sha256.txt": None},
    )


def manifest(text: bytes | str, payload: dict[str, bytes] | None = None) -> Make:
    return bag(payload, **{"manifest-sha256.txt": text})


def plus(line: str) -> Make:
    """The right manifest and one more line."""
    return manifest(lines(PAYLOAD) + line.encode())


def then(make: Make, harm: Callable[[Path], object]) -> Make:
    def both(folder: Path) -> None:
        make(folder)
        harm(folder)

    return both


def written_as(listed: str, there: str, *, since: Callable[..., Make] = bag) -> Make:
    """One payload file that stands under one name and is listed under another."""
    return since({there: A}, **{"manifest-sha256.txt": f"{digest(A)}  {listed}\n"})


def fetching(line: str, *, present: bool = True) -> Make:
    make = bag(fetch=line)
    return make if present else then(make, lambda b: (b / "data/a.txt").unlink())


def fifo(path: str) -> Make:
    return then(bag(), lambda b: os.mkfifo(b / path))


def unix_socket(folder: Path) -> None:
    here = socket.socket(socket.AF_UNIX)
    home = Path.cwd()
    os.chdir(folder / "data")  # the name of a socket must be short
    try:
        here.bind("s")
    finally:
        os.chdir(home)
        here.close()


ZEROS = "0" * 64
GOLDEN: dict[str, tuple[Make, set[str]]] = {
    # --- valid ---
    "valid plain": (bag(), set()),
    "valid two manifests": (bag(algorithms=("sha256", "sha512"), **{"tagmanifest-sha256.txt": None}), set()),
    "warning two manifests, one tag manifest": (bag(algorithms=("sha256", "sha512")), {"tagmanifest-algorithms-differ"}),
    "valid md5 only": (bag(algorithms=("md5",), **{"tagmanifest-sha256.txt": None}), set()),
    "valid without a tag manifest": (bag(**{"tagmanifest-sha256.txt": None}), set()),
    "valid upper-case digest": (manifest(lines(PAYLOAD).upper().replace(b"DATA/A.TXT", b"data/a.txt").replace(b"DATA/SUB/B.TXT", b"data/sub/b.txt")), set()),
    "valid one blank or many or tabs": (manifest(f"{digest(A)} data/a.txt\n{digest(B)} \t  \tdata/sub/b.txt\n"), set()),
    "valid line ends CRLF": (manifest(lines(PAYLOAD).replace(b"\n", b"\r\n")), set()),
    "valid line ends CR": (manifest(lines(PAYLOAD).replace(b"\n", b"\r")), set()),
    "warning no last line end": (manifest(lines(PAYLOAD).rstrip()), {"tag-file-open-end"}),
    "warning no last line end in bagit.txt": (declared(DECLARED.rstrip()), {"tag-file-open-end"}),
    "valid empty payload": (bag({}), set()),
    "valid %25": (written_as("data/100%25.tif", "data/100%.tif"), set()),
    "valid %0a in lower case": (written_as("data/a%0ab", "data/a\nb"), set()),
    "valid %0D%0A": (written_as("data/a%0D%0Ab", "data/a\r\nb"), set()),
    "valid name that looks encoded": (written_as("data/a%250Ab", "data/a%0Ab"), set()),
    "valid name ends in a blank": (bag({"data/a ": A}), set()),
    "valid name ends in a tab": (bag({"data/a\t": A}), set()),
    "valid name begins with a blank": (bag({"data/ a": A}), set()),
    "valid name with U+0085": (bag({"data/a\u0085b": A}), set()),
    "valid name with U+001C": (bag({"data/a\u001cb": A}), set()),
    "valid name with U+2028": (bag({"data/a\u2028b": A}), set()),
    "valid name with a vertical tab": (bag({"data/a\x0bb": A}), set()),
    "valid name with a backslash": (bag({"data/a\\b": A}), set()),
    "valid names of two dots and more": (bag({"data/..a": A, "data/b..": A, "data/...": A}), set()),
    "warning twins NFC and NFD": (bag({NFC: A, NFD: B}), {"names-differ-in-normalisation"}),
    "valid value with a colon": (bag(bag_info="A: B: c\n"), set()),
    "valid value on several lines": (bag(bag_info="A: b\n  c\n\td\n"), set()),
    "valid label with blanks inside": (bag(bag_info="My own label: x\n"), set()),
    "valid Oxum": (bag(bag_info="Payload-Oxum: 9.2\n"), set()),
    "valid fetched already": (fetching(f"{URL} 3 data/a.txt\n"), set()),
    "valid fetch of unknown length": (fetching(f"{URL} - data/a.txt\n"), set()),
    "valid UTF-16 with a mark": (encoded("UTF-16", "utf-16"), {"encoding-not-utf8"}),
    "valid UTF-16BE": (encoded("UTF-16BE", "utf-16-be"), {"encoding-not-utf8"}),
    "valid windows-1258": (encoded("windows-1258", "cp1258"), {"encoding-not-utf8"}),
    "valid folder named like a manifest": (then(bag(), lambda b: (b / "manifest-md5.txt").mkdir()), set()),
    "valid manifest in a tag folder": (bag(**{"tags/manifest-sha256.txt": b"rubbish"}), set()),
    "valid 0.97 file in one of two manifests": (old(**{"manifest-md5.txt": lines({"data/a.txt": A}, "md5")}), {"tagmanifest-algorithms-differ"}),
    "valid 0.97 literal percent": (old({"data/100%.tif": A}), set()),
    "valid 0.97 blanks around the colon": (old(bag_info="A  :\t b\nA:b\n"), set()),
    # --- valid, with a warning ---
    "warning NFD manifest on an NFC disk": (written_as(NFD, NFC), {"name-normalised"}),
    "warning NFC manifest on an NFD disk": (written_as(NFC, NFD), {"name-normalised"}),
    "warning half-composed name": (written_as("data/tê\u0301t.tif", "data/tết.tif"), {"name-normalised"}),
    "warning names differ in case": (bag({"data/A.txt": A, "data/a.txt": A}), {"names-differ-in-case"}),
    "warning dot slash": (manifest(lines(PAYLOAD).replace(b"data/a", b"./data/a")), {"manifest-path-dot-slash"}),
    "warning md5sum asterisk": (manifest(lines(PAYLOAD).replace(b"  ", b" *")), {"manifest-md5sum-style"}),
    "warning blank line": (manifest(lines(PAYLOAD) + b"\n"), {"tag-file-blank-line"}),
    "warning date with a time": (bag(bag_info="Bagging-Date: 2026-11-22 10:00\n"), {"bagging-date-malformed"}),
    "warning date the Vietnamese way": (bag(bag_info="Bagging-Date: 22/11/2026\n"), {"bagging-date-malformed"}),
    "warning two dates": (bag(bag_info="Bagging-Date: 2026-11-22\nbagging-date: 2026-11-23\n"), {"bag-info-repeated"}),
    "warning a tag file nothing guards": (bag(notes=b"x", **{"tagmanifest-sha256.txt": lines({"bagit.txt": DECLARED, "manifest-sha256.txt": lines(PAYLOAD)})}), {"tag-file-unlisted"}),
    "warning fetch gives another length": (fetching(f"{URL} 4 data/a.txt\n"), {"fetch-length-differs"}),
    "warning fetch lists a file twice": (fetching(f"{URL} 3 data/a.txt\n{URL} 3 data/a.txt\n"), {"fetch-lists-twice"}),
    "warning blank line in fetch.txt": (fetching(f"{URL} 3 data/a.txt\n\n"), {"tag-file-blank-line"}),
    "warning 0.97 two Oxums": (old(bag_info="Payload-Oxum: 9.2\nPayload-Oxum: 9.2\n"), {"oxum-repeated"}),
    "warning 0.97 mark in a UTF-8 manifest": (old(**{"manifest-sha256.txt": b"\xef\xbb\xbf" + lines(PAYLOAD)}), {"tag-file-bom"}),
    "warning litter listed": (bag({"data/Thumbs.db": A}), {"system-file"}),
    # --- invalid: bagit.txt ---
    "invalid bagit.txt missing": (bag(bagit=None), {"bagit-txt-missing"}),
    "invalid bagit.txt empty": (declared(b""), {"bagit-txt-malformed"}),
    "invalid bagit.txt of nulls": (declared(bytes(55)), {"bagit-txt-malformed"}),
    "invalid bagit.txt third line": (declared(DECLARED + b"Extra: 1\n"), {"bagit-txt-malformed"}),
    "invalid bagit.txt blank third line": (declared(DECLARED + b"\n"), {"bagit-txt-malformed"}),
    "invalid bagit.txt lines reversed": (declared(b"\n".join(reversed(DECLARED.splitlines()))), {"bagit-txt-malformed"}),
    "invalid bagit.txt blank before colon": (declared(DECLARED.replace(b":", b" :")), {"bagit-txt-malformed"}),
    "invalid bagit.txt no blank after colon": (declared(DECLARED.replace(b": ", b":")), {"bagit-txt-malformed"}),
    "invalid bagit.txt version 1. 0": (declared(DECLARED.replace(b"1.0", b"1. 0")), {"bagit-txt-malformed"}),
    "invalid bagit.txt version in other digits": (declared(DECLARED.replace(b"1.0", "١.٠".encode())), {"bagit-txt-malformed"}),
    "invalid bagit.txt with a mark": (declared(b"\xef\xbb\xbf" + DECLARED), {"bagit-txt-malformed"}),
    "invalid bagit.txt in UTF-16": (declared(DECLARED.decode().encode("utf-16")), {"bagit-txt-malformed"}),
    "invalid bagit.txt not UTF-8": (declared(DECLARED.replace(b"UTF-8", b"UTF-8\xff")), {"bagit-txt-malformed", "encoding-unsupported"}),
    "invalid bagit.txt of ten megabytes": (declared(DECLARED + b"x" * 10_000_000), {"tag-file-too-long"}),
    "invalid version 1.1": (declared(DECLARED.replace(b"1.0", b"1.1")), {"version-unsupported"}),
    "invalid version 0.92": (declared(DECLARED.replace(b"1.0", b"0.92")), {"version-unsupported"}),
    "invalid bagit.txt is a folder": (then(bag(bagit=None), lambda b: (b / "bagit.txt").mkdir()), {"bagit-txt-missing"}),
    "invalid bagit.txt is a link": (then(bag(), lambda b: ((b / "bagit.txt").rename(b / "tag"), (b / "bagit.txt").symlink_to("tag"))), {"bagit-txt-missing", "link-in-bag"}),
    # --- invalid: character sets ---
    **{f"invalid charset {name}": (encoded(name), {"encoding-unsupported"}) for name in ("undefined", "rot13", "hex", "punycode", "utf-7", "unicode_escape", "idna", "zlib", "mbcs", "no-such")},
    "invalid charset with a null": (declared(DECLARED.replace(b"UTF-8", b"UTF\x00-8")), {"bagit-txt-malformed", "encoding-unsupported"}),
    "invalid UTF-16 without a mark": (encoded("UTF-16", "utf-16-le"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid manifest not UTF-8": (manifest(lines(PAYLOAD) + f"{ZEROS}  data/".encode() + b"\xff\n"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid manifest with a mark": (manifest(b"\xef\xbb\xbf" + lines(PAYLOAD)), {"tag-file-bom"}),
    # --- invalid: manifests ---
    "invalid no manifest": (bag(**{"manifest-sha256.txt": None, "tagmanifest-sha256.txt": None}), {"manifest-missing"}),
    "invalid manifest in upper case": (bag(**{"manifest-sha256.txt": None, "manifest-SHA256.txt": lines(PAYLOAD)}), {"algorithm-unsupported", "manifest-missing"}),
    "invalid algorithm nobody knows": (bag(**{"manifest-crc32.txt": b"00 data/a.txt\n"}), {"algorithm-unsupported"}),
    "invalid file in one of two manifests": (bag(**{"manifest-sha512.txt": lines({"data/a.txt": A}, "sha512")}), {"file-unlisted"}),
    "invalid file listed twice, same digest": (plus(f"{digest(A)}  data/a.txt\n"), {"manifest-lists-twice"}),
    "invalid file listed twice, other digest": (plus(f"{ZEROS}  data/a.txt\n"), {"manifest-lists-twice"}),
    "invalid file listed twice, NFC and NFD": (manifest(f"{digest(A)}  {NFC}\n{digest(A)}  {NFD}\n", {NFC: A}), {"manifest-lists-twice"}),
    "invalid 0.97 file listed twice, other digest": (old(**{"manifest-sha256.txt": lines(PAYLOAD) + f"{ZEROS}  data/a.txt\n".encode()}), {"manifest-lists-twice"}),
    "invalid line without path": (plus(f"{ZEROS}\n"), {"manifest-malformed"}),
    "invalid line without digest": (plus("data/a.txt\n"), {"manifest-malformed"}),
    "invalid line with a short digest": (plus(f"{ZEROS[1:]}  data/a.txt\n"), {"manifest-malformed"}),
    "invalid line begins with a blank": (plus(f" {ZEROS}  data/x\n"), {"manifest-malformed"}),
    "invalid line without a blank": (plus(f"{ZEROS}data/x\n"), {"manifest-malformed"}),
    "invalid line with a no-break space": (plus(f"{ZEROS}\u00a0data/x\n"), {"manifest-malformed"}),
    "invalid line that never ends": (plus("0" * 100_000), {"tag-file-malformed"}),
    "invalid comment": (plus("# made by hand\n"), {"manifest-malformed"}),
    "invalid unencoded percent": (written_as("data/100%.tif", "data/100%.tif"), {"manifest-path-encoding"}),
    "invalid letter encoded": (written_as("data/%61.txt", "data/a.txt"), {"manifest-path-encoding", "file-missing", "file-unexpected"}),
    "invalid name that looks encoded is not encoded": (written_as("data/a%0Ab", "data/a%0Ab"), {"manifest-path-encoding"}),
    "invalid lists a folder": (plus(f"{ZEROS}  data/sub\n"), {"manifest-lists-folder"}),
    "invalid lists a folder with a slash": (plus(f"{ZEROS}  data/sub/\n"), {"manifest-lists-folder"}),
    **{f"invalid path {path!r}": (plus(f"{ZEROS}  {path}\n"), {"manifest-path-unsafe"}) for path in ("../x", "/etc/passwd", "data/../../x", "data/../data/a.txt", "data/./a.txt", "data//a.txt", "~/x", "~root/x", "C:\\x", "C:/x", "\\\\server\\x", "\\\\?\\UNC\\x", "%HomeDrive%\\x", "data/a\0b", "data/..", "data\\..\\..\\x")},
    "invalid tag file in a payload manifest": (plus(f"{ZEROS}  bagit.txt\n"), {"manifest-path-outside-payload"}),
    "invalid backslash for slash": (written_as("data\\a.txt", "data/a.txt"), {"manifest-path-outside-payload", "file-unexpected"}),
    # --- invalid: payload ---
    "invalid one bit": (manifest(lines({**PAYLOAD, "data/a.txt": b"mou"})), {"digest-differs"}),
    "invalid file missing": (plus(f"{ZEROS}  data/c.txt\n"), {"file-missing"}),
    "invalid file missing that has another case": (written_as("data/A.txt", "data/a.txt"), {"file-missing", "file-unexpected"}),
    "invalid file unexpected": (then(bag(), lambda b: (b / "data/c.txt").touch()), {"file-unexpected"}),
    "invalid no data folder": (then(bag({}), lambda b: (b / "data").rmdir()), {"data-folder-missing"}),
    "invalid data is a file": (then(bag({}), lambda b: ((b / "data").rmdir(), (b / "data").touch())), {"data-folder-missing"}),
    "invalid pipe in the payload": (fifo("data/pipe"), {"special-file"}),
    "invalid pipe for a manifest": (fifo("manifest-md5.txt"), {"special-file"}),
    "invalid socket in the payload": (then(bag(), unix_socket), {"special-file"}),
    "invalid link that stays inside": (then(bag(), lambda b: (b / "data/link").symlink_to("a.txt")), {"link-in-bag"}),
    "invalid link to a folder": (then(bag(), lambda b: (b / "data/link").symlink_to("sub")), {"link-in-bag"}),
    "invalid link that leads out, listed": (then(plus(f"{ZEROS}  data/link\n"), lambda b: (b / "data/link").symlink_to("/etc/hostname")), {"link-in-bag"}),
    "invalid folder is a link": (then(bag(), lambda b: ((b / "data/sub").rename(b.parent / "away"), (b / "data/sub").symlink_to(b.parent / "away"))), {"link-in-bag"}),
    "invalid dangling link": (then(bag(), lambda b: (b / "data/link").symlink_to("nowhere")), {"link-in-bag"}),
    "invalid name not UTF-8": (then(bag(), lambda b: Path(os.fsdecode(os.fsencode(b) + b"/data/\xe1\xba")).touch()), {"name-not-utf8"}),
    # --- invalid: tag manifests ---
    "invalid tag manifest empty": (bag(**{"tagmanifest-sha256.txt": b""}), {"tagmanifest-incomplete"}),
    "invalid tag manifest lacks a manifest": (bag(algorithms=("sha256", "sha512"), **{"tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD)})}), {"tagmanifest-incomplete"}),
    "invalid tag manifest lists itself": (bag(**{"tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD)}) + f"{ZEROS}  tagmanifest-sha256.txt\n".encode()}), {"tagmanifest-lists-tagmanifest", "tag-digest-differs"}),
    "invalid tag manifest lists payload": (bag(**{"tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD), "data/a.txt": A})}), {"tagmanifest-lists-payload"}),
    "invalid tag file missing": (bag(**{"tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD), "x.txt": A})}), {"tag-file-missing"}),
    "invalid tag file changed": (then(bag(**{"x.txt": A}), lambda b: (b / "x.txt").write_bytes(B)), {"tag-digest-differs"}),
    "invalid tag file in a folder changed": (then(bag(**{"metadata/x.txt": A}), lambda b: (b / "metadata/x.txt").write_bytes(B)), {"tag-digest-differs"}),
    # --- invalid: bag-info.txt ---
    "invalid Oxum abc": (bag(bag_info="Payload-Oxum: abc\n"), {"oxum-malformed"}),
    "invalid Oxum of 5000 digits": (bag(bag_info=f"Payload-Oxum: {'9' * 5000}.2\n"), {"oxum-differs"}),
    "invalid Oxum bytes": (bag(bag_info="Payload-Oxum: 8.2\n"), {"oxum-differs"}),
    "invalid Oxum files": (bag(bag_info="Payload-Oxum: 9.3\n"), {"oxum-differs"}),
    "invalid Oxum in lower case": (bag(bag_info="payload-oxum: 9.9\n"), {"oxum-differs"}),
    "invalid Oxum twice": (bag(bag_info="Payload-Oxum: 9.2\nPayload-Oxum: 9.2\n"), {"oxum-repeated"}),
    "invalid bag-info blank before colon": (bag(bag_info="A : b\n"), {"bag-info-malformed"}),
    "invalid bag-info no blank after colon": (bag(bag_info="A:b\n"), {"bag-info-malformed"}),
    "invalid bag-info without colon": (bag(bag_info="just text\n"), {"bag-info-malformed"}),
    "invalid bag-info begins with a continuation": (bag(bag_info="  b\n"), {"bag-info-malformed"}),
    # --- invalid: fetch.txt ---
    "invalid fetch not fetched": (fetching(f"{URL} 3 data/a.txt\n", present=False), {"file-missing"}),
    "invalid fetch not in the manifest": (fetching(f"{URL} 3 data/c.txt\n"), {"fetch-not-in-manifest"}),
    "invalid fetch of a tag file": (fetching(f"{URL} - bagit.txt\n"), {"fetch-path-unsafe"}),
    "invalid fetch length abc": (fetching(f"{URL} abc data/a.txt\n"), {"fetch-malformed"}),
    "invalid fetch length negative": (fetching(f"{URL} -3 data/a.txt\n"), {"fetch-malformed"}),
    "invalid fetch without length": (fetching(f"{URL} data/a.txt\n"), {"fetch-malformed"}),
    "invalid fetch URL relative": (fetching("a.txt 3 data/a.txt\n"), {"fetch-malformed"}),
    **{f"invalid fetch to {path!r}": (fetching(f"{URL} - {path}\n"), {"fetch-path-unsafe"}) for path in ("../x", "/tmp/x", "data/../../x", "~/x", "C:\\x", "%HomeDrive%\\x", "\\\\?\\UNC\\x")},
}  # fmt: skip
