"""Adversarial bags by what their tag files say: names, encodings, declaration, manifests, Oxum, tag files, fetch."""

from __future__ import annotations

import unicodedata

from tests.bags.bag_maker import DECLARED, digest, lines
from tests.bags.cases import family
from tests.bags.golden import (
    NFC,
    NFD,
    PAYLOAD,
    URL,
    ZEROS,
    A,
    B,
    bag,
    declared,
    encoded,
    fetching,
    manifest,
    old,
    plus,
    then,
    written_as,
)

NFKC_TWIN = "data/\ufb01.txt"  # the ligature, which is not "fi" in NFC
TIENG = "data/Tiếng Việt/Quyển một — trang 1.tif"


def one(name: str):
    """One payload file of this name, listed as the RFC wants it."""
    listed = name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
    return written_as(listed, name)


def both(there: str, *listed: str):
    return bag({there: A}, **{"manifest-sha256.txt": "".join(f"{digest(A)}  {each}\n" for each in listed)})


def since(version: str, **tags):
    return bag(bagit=f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n", **tags)


NAMES = family("names", {
    "valid Vietnamese folders and dashes": (one(TIENG), set()),
    "valid 255 bytes": (one("data/" + "ế" * 85), set()),
    "valid 12 folders deep": (one("data/" + "thư mục/" * 12 + "x"), set()),
    "valid newline": (one("data/a\nb"), set()),
    "valid carriage return": (one("data/a\rb"), set()),
    "valid percent at the end": (one("data/a%"), set()),
    "valid %00 that is a name": (one("data/a%00b"), set()),
    "valid %2e%2e that is a name": (one("data/%2e%2e"), set()),
    "valid %2F that is a name": (one("data/a%2Fb"), set()),
    "valid escape sequence": (one("data/\x1b[31mred"), set()),
    "valid right-to-left override": (one("data/a\u202egnp.exe"), set()),
    "valid zero width": (one("data/a\u200bb"), set()),
    "valid formula": (one('data/=HYPERLINK("x")'), set()),
    "valid markup": (one("data/<img src=x onerror=alert(1)>"), set()),
    "valid reserved on Windows": (bag({"data/CON": A, "data/aux.txt": A, "data/a.": A, "data/a:b?*|": A}), set()),
    "valid begins with an asterisk": (one("data/*a"), set()),
    "valid begins with a dash": (one("data/-rf"), set()),
    "valid hidden": (one("data/.keep"), set()),
    "valid beyond the first plane": (one("data/\U0001f4d6\U00020000.txt"), set()),
    "valid only a blank": (one("data/ "), set()),
    "valid ~ inside": (one("data/~a/b~"), set()),
    "valid drive letter inside": (one("data/C:/x"), set()),
    "valid manifest-like in the payload": (one("data/manifest-sha256.txt"), set()),
    "valid bag in a bag": (bag({"data/bagit.txt": DECLARED, "data/data/a": A, "data/manifest-md5.txt": b"x"}), set()),
    "warning two cases in folders": (bag({"data/A/x": A, "data/a/x": A}), {"names-differ-in-case"}),
    "warning sharp s": (bag({"data/STRASSE": A, "data/straße": A}), {"names-differ-in-case"}),
    "warning resource fork": (bag({"data/._a.tif": A}), {"system-file"}),
    "warning Thumbs.db in capitals": (bag({"data/THUMBS.DB": A}), {"system-file"}),
    "invalid encoded dots that lead out": (plus(f"{ZEROS}  data/%2e%2e/%2e%2e/x\n"), {"manifest-path-encoding", "file-missing"}),
    "invalid dots with a backslash": (plus(f"{ZEROS}  data/..\\x\n"), {"manifest-path-unsafe"}),
    "invalid data in capitals": (plus(f"{ZEROS}  DATA/a.txt\n"), {"manifest-path-outside-payload"}),
    "invalid a folder that begins like data": (plus(f"{ZEROS}  data2/a.txt\n"), {"manifest-path-outside-payload"}),
    "invalid data itself": (plus(f"{ZEROS}  data\n"), {"manifest-path-outside-payload"}),
    "invalid data and a slash": (plus(f"{ZEROS}  data/\n"), {"manifest-lists-folder"}),
    "invalid home of another": (plus(f"{ZEROS}  ~postgres/.ssh/id\n"), {"manifest-path-unsafe"}),
    "invalid file URL": (plus(f"{ZEROS}  file:///etc/passwd\n"), {"manifest-path-unsafe"}),
    "invalid device namespace": (plus(f"{ZEROS}  \\\\.\\C:\\x\n"), {"manifest-path-unsafe"}),
    "invalid environment variable": (plus(f"{ZEROS}  %SystemRoot%\\x\n"), {"manifest-path-unsafe"}),
})  # fmt: skip

ENCODINGS = family("encodings", {
    "warning UTF-16LE by name": (encoded("UTF-16LE", "utf-16-le"), {"encoding-not-utf8"}),
    "warning UTF-32 with a mark": (encoded("UTF-32", "utf-32"), {"encoding-not-utf8"}),
    "warning ISO-8859-1": (encoded("ISO-8859-1", "latin-1"), {"encoding-not-utf8"}),
    "warning Shift_JIS": (encoded("Shift_JIS", "shift_jis"), {"encoding-not-utf8"}),
    "valid utf8 spelt otherwise": (encoded("utf8", "utf-8"), set()),
    "valid US-ASCII": (encoded("US-ASCII", "ascii"), set()),
    "invalid US-ASCII with a Vietnamese name": (encoded("US-ASCII", "utf-8", f"{digest(A)}  data/ế\n"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid overlong UTF-8": (manifest(lines(PAYLOAD) + f"{ZEROS}  data/".encode() + b"\xc0\xaf\n"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid surrogate in UTF-8": (manifest(lines(PAYLOAD) + f"{ZEROS}  data/".encode() + b"\xed\xa0\x80\n"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid UTF-32 without a mark": (encoded("UTF-32", "utf-32-le"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid UTF-16 manifest under UTF-8": (encoded("UTF-8", "utf-16"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid UTF-8 manifest under UTF-16": (encoded("UTF-16", "utf-8"), {"tag-file-undecodable", "file-unexpected"}),
    "invalid cut in the middle of a letter": (manifest(lines(PAYLOAD) + f"{ZEROS}  data/".encode() + "ế".encode()[:2]), {"tag-file-undecodable"}),
    "invalid charset empty": (declared("BagIt-Version: 1.0\nTag-File-Character-Encoding: \n"), {"bagit-txt-malformed"}),
    "invalid charset of a thousand letters": (declared(f"BagIt-Version: 1.0\nTag-File-Character-Encoding: {'u' * 900}\n"), {"encoding-unsupported"}),
    "invalid charset a path": (encoded("../../codecs"), {"bagit-txt-malformed", "encoding-unsupported"}),
    **{f"invalid charset {name}": (encoded(name), {"encoding-unsupported"}) for name in ("base64", "bz2", "uu", "quopri", "palmos", "raw_unicode_escape", "utf-8-sig", "oem")},
})  # fmt: skip

DECLARATION = family("declaration", {
    "valid line ends CRLF": (declared(DECLARED.replace(b"\n", b"\r\n")), set()),
    "valid line ends CR": (declared(DECLARED.replace(b"\n", b"\r")), set()),
    **{f"valid version {v}": (since(v), set()) for v in ("0.93", "0.94", "0.95", "0.96", "0.97")},
    "valid 0.97 blanks about the colon": (declared("BagIt-Version : 0.97\nTag-File-Character-Encoding\t:UTF-8\n"), set()),
    "invalid trailing blank": (declared(DECLARED.replace(b"1.0", b"1.0 ")), {"bagit-txt-malformed"}),
    "invalid leading blank line": (declared(b"\n" + DECLARED), {"bagit-txt-malformed"}),
    "invalid label in lower case": (declared(DECLARED.lower()), {"bagit-txt-malformed"}),
    "invalid version twice": (declared(b"BagIt-Version: 1.0\n" * 2), {"bagit-txt-malformed"}),
    "invalid only one line": (declared(b"BagIt-Version: 1.0\n"), {"bagit-txt-malformed"}),
    "invalid on one line": (declared(DECLARED.replace(b"\n", b" ")), {"bagit-txt-malformed"}),
    "invalid version v1.0": (declared(DECLARED.replace(b"1.0", b"v1.0")), {"bagit-txt-malformed"}),
    "invalid version 1": (declared(DECLARED.replace(b"1.0", b"1")), {"bagit-txt-malformed"}),
    "invalid version 01.0": (declared(DECLARED.replace(b"1.0", b"01.0")), {"version-unsupported"}),
    "invalid version 2.0": (declared(DECLARED.replace(b"1.0", b"2.0")), {"version-unsupported"}),
    "invalid version 0.98": (declared(DECLARED.replace(b"1.0", b"0.98")), {"version-unsupported"}),
    "invalid tab after the colon": (declared(DECLARED.replace(b": ", b":\t")), {"bagit-txt-malformed"}),
    "invalid line end U+2028": (declared(DECLARED.replace(b"\n", "\u2028".encode(), 1)), {"bagit-txt-malformed"}),
    "invalid line end form feed": (declared(DECLARED.replace(b"\n", b"\x0c", 1)), {"bagit-txt-malformed"}),
    "invalid 0.97 with a third line": (declared(DECLARED.replace(b"1.0", b"0.97") + b"X: y\n"), {"bagit-txt-malformed"}),
    "invalid name in capitals": (then(bag(), lambda b: (b / "bagit.txt").rename(b / "BagIt.txt")), {"bagit-txt-missing", "tag-file-missing"}),
})  # fmt: skip

MANIFESTS = family("manifests", {
    **{f"valid {name} alone": (bag(algorithms=(name,), **{"tagmanifest-sha256.txt": None}), set()) for name in ("sha1", "sha384", "sha512")},
    "warning sha224 is not registered": (bag(algorithms=("sha224",), **{"tagmanifest-sha256.txt": None}), {"algorithm-unregistered"}),
    "valid SHA3-256": (bag(**{"manifest-sha256.txt": None, "manifest-sha3256.txt": lines(PAYLOAD, "sha3_256"), "tagmanifest-sha256.txt": None}), set()),
    "valid BLAKE2b-512": (bag(**{"manifest-sha256.txt": None, "manifest-blake2b512.txt": lines(PAYLOAD, "blake2b"), "tagmanifest-sha256.txt": None}), set()),
    "invalid SHA3-256 of other bytes": (bag(**{"manifest-sha3256.txt": lines({**PAYLOAD, "data/a.txt": B}, "sha3_256"), "tagmanifest-sha256.txt": None}), {"digest-differs"}),
    "invalid sha3-256 with a dash": (bag(**{"manifest-sha3-256.txt": lines(PAYLOAD, "sha3_256"), "tagmanifest-sha256.txt": None}), {"algorithm-unsupported"}),
    "invalid sha-256 with a dash": (bag(**{"manifest-sha256.txt": None, "manifest-sha-256.txt": lines(PAYLOAD)}), {"algorithm-unsupported", "manifest-missing"}),
    "invalid second manifest differs": (bag(algorithms=("sha256", "sha512"), **{"manifest-sha512.txt": lines({**PAYLOAD, "data/a.txt": B}, "sha512")}), {"digest-differs"}),
    "invalid weak manifest agrees, strong one differs": (bag(algorithms=("md5",), **{"manifest-sha256.txt": lines({**PAYLOAD, "data/a.txt": B}), "tagmanifest-sha256.txt": None}), {"digest-differs"}),
    "invalid second manifest is empty": (bag(**{"manifest-sha512.txt": b""}), {"file-unlisted"}),
    "invalid the only manifest is empty": (manifest(b""), {"file-unexpected"}),
    "invalid digest of another algorithm": (manifest(lines(PAYLOAD, "md5")), {"manifest-malformed", "file-unexpected"}),
    "invalid digest with 0x": (plus(f"0x{ZEROS[2:]}  data/x\n"), {"manifest-malformed"}),
    "invalid digest in base64": (plus("4wfHc8eFDhYk3A==  data/x\n"), {"manifest-malformed"}),
    "invalid digest with wide digits": (plus(f"{'０' * 64}  data/x\n"), {"manifest-malformed"}),
    "invalid backslash before the digest, as md5sum writes": (plus(f"\\{ZEROS}  data/a\\\\b\n"), {"manifest-malformed"}),
    "invalid BSD style": (plus(f"SHA256 (data/a.txt) = {digest(A)}\n"), {"manifest-malformed"}),
    "invalid lines without an end between them": (manifest(lines(PAYLOAD).replace(b"\n", b" ", 1)), {"file-missing", "file-unexpected"}),
    "invalid line ends U+0085": (manifest(lines(PAYLOAD).replace(b"\n", "\x85".encode())), {"file-missing", "file-unexpected"}),
    "invalid path with a blank added": (manifest(lines(PAYLOAD).replace(b"a.txt", b"a.txt ")), {"file-missing", "file-unexpected"}),
    "invalid listed twice, plain and with ./": (plus(f"{digest(A)}  ./data/a.txt\n"), {"manifest-lists-twice"}),
    "invalid listed twice, plain and with *": (plus(f"{digest(A)} *data/a.txt\n"), {"manifest-lists-twice"}),
    "invalid listed twice, plain and encoded": (both("data/a%b", "data/a%25b", "data/a%25b"), {"manifest-lists-twice"}),
    "invalid an absent file listed twice": (plus(f"{ZEROS}  data/x\n{ZEROS}  data/x\n"), {"file-missing", "manifest-lists-twice"}),
    "invalid one of a thousand missing": (manifest(b"".join(f"{digest(A)}  data/{n}\n".encode() for n in range(1001)), {f"data/{n}": A for n in range(1000)}), {"file-missing"}),
    "invalid manifest of nulls": (manifest(bytes(500)), {"manifest-malformed", "file-unexpected"}),
    "invalid floods of absent files": (manifest(b"".join(f"{ZEROS}  data/{n}\n".encode() for n in range(1500)), {}), {"file-missing", "findings-not-shown"}),
    "warning only blank lines beside the right ones": (manifest(b"\n \n\t\n" + lines(PAYLOAD)), {"tag-file-blank-line"}),
})  # fmt: skip

OXUM = family("oxum", {
    "valid with leading zeros": (bag(bag_info="Payload-Oxum: 0009.02\n"), set()),
    "valid of nothing": (bag({}, bag_info="Payload-Oxum: 0.0\n"), set()),
    "valid label in capitals": (bag(bag_info="PAYLOAD-OXUM: 9.2\n"), set()),
    "invalid differs, and a file is damaged": (then(bag(bag_info="Payload-Oxum: 9.3\n"), lambda b: (b / "data/a.txt").write_bytes(b"mou")), {"oxum-differs", "digest-differs"}),
    "invalid agrees, and a file is damaged": (then(bag(bag_info="Payload-Oxum: 9.2\n"), lambda b: (b / "data/a.txt").write_bytes(b"mou")), {"digest-differs"}),
    "invalid agrees, and two files changed places": (then(bag({"data/a": b"12", "data/b": b"34"}, bag_info="Payload-Oxum: 4.2\n"), lambda b: ((b / "data/a").write_bytes(b"34"), (b / "data/b").write_bytes(b"12"))), {"digest-differs"}),
    **{f"invalid {text!r}": (bag(bag_info=f"Payload-Oxum: {text}\n"), {"oxum-malformed"}) for text in ("", "9", "9.", ".2", "9,2", "9.2.1", "-9.2", "+9.2", "9.2 bytes", "0x9.2", "9 .2", "٩.٢", "1e1.2", "nan.2")},
    "invalid counts folders": (bag(bag_info="Payload-Oxum: 9.3\n"), {"oxum-differs"}),
    "invalid one of two is right": (bag(bag_info="Payload-Oxum: 9.2\nPayload-Oxum: 9.9\n"), {"oxum-repeated", "oxum-differs"}),
    "invalid twice, in two spellings": (bag(bag_info="Payload-Oxum: 9.2\npayload-oxum: 9.2\n"), {"oxum-repeated"}),
    "invalid 0.97 differs": (old(bag_info="Payload-Oxum: 9.9\n"), {"oxum-differs"}),
})  # fmt: skip

LONG = "External-Description: " + "chữ " * 30 + "\n"
TAG_FILES = family("tag files", {
    "valid bag-info empty": (bag(bag_info=b""), set()),
    "valid tab after the colon": (bag(bag_info="A:\tb\n"), set()),
    "valid value empty": (bag(bag_info="A: \n"), set()),
    "valid any label in Vietnamese": (bag(bag_info="Người số hoá: Lan\n"), set()),
    "valid count of a group": (bag(bag_info="Bag-Group-Identifier: x\nBag-Count: 1 of ?\n"), set()),
    "valid a long line that cannot be broken": (bag(bag_info=f"Digest: {'0' * 200}\n"), set()),
    "valid package-info before 0.96": (since("0.95", **{"package-info.txt": "A: b\n"}), set()),
    "valid tag file in any bytes": (bag(**{"x.bin": bytes(range(256))}), set()),
    "valid tag file that looks like a link": (bag(**{"http:": b"x"}), set()),
    "warning count in words": (bag(bag_info="Bag-Group-Identifier: x\nBag-Count: one of four\n"), {"bag-count-malformed"}),
    "warning count of a group without a name": (bag(bag_info="Bag-Count: 1 of 4\n"), {"bag-group-missing"}),
    "warning two sizes": (bag(bag_info="Bag-Size: 1 MB\nBag-Size: 2 MB\n"), {"bag-info-repeated"}),
    "warning two group identifiers": (bag(bag_info="Bag-Group-Identifier: 1\nbag-group-identifier: 2\n"), {"bag-info-repeated"}),
    "warning date that is none": (bag(bag_info="Bagging-Date: 2026-13-01\n"), {"bagging-date-malformed"}),
    "warning last line open": (bag(bag_info="A: b"), {"tag-file-open-end"}),
    "warning blank lines": (bag(bag_info="A: b\n\nC: d\n"), {"tag-file-blank-line"}),
    "invalid label begins with a no-break space": (bag(bag_info="\u00a0A: b\n"), {"bag-info-malformed"}),
    "invalid label ends with a tab": (bag(bag_info="A\t: b\n"), {"bag-info-malformed"}),
    "invalid label empty": (bag(bag_info=": b\n"), {"bag-info-malformed"}),
    "invalid 0.97 without a colon": (old(bag_info="A b\n"), {"bag-info-malformed"}),
    "invalid bag-info with a mark": (bag(bag_info=b"\xef\xbb\xbfA: b\n"), {"tag-file-bom"}),
    "invalid bag-info not UTF-8": (bag(bag_info=b"A: \xd2\n"), {"tag-file-undecodable"}),
    "invalid bag-info of 17 MB": (bag(bag_info=b"A: b\n" + b" x\n" * 6_000_000), {"tag-file-too-long"}),
    "invalid one line of a megabyte": (bag(bag_info=b"A: " + b"x" * 1_000_000), {"tag-file-malformed"}),
    "invalid tag manifest in capitals": (bag(**{"tagmanifest-sha256.txt": None, "tagmanifest-SHA256.txt": lines({"bagit.txt": DECLARED})}), {"algorithm-unsupported"}),
    "invalid second tag manifest lacks the manifest": (bag(**{"tagmanifest-md5.txt": lines({"bagit.txt": DECLARED}, "md5")}), {"tagmanifest-incomplete"}),
    "invalid tag manifest leads out": (bag(**{"tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD)}) + f"{ZEROS}  ../../etc/passwd\n".encode()}), {"manifest-path-unsafe"}),
    "invalid manifest changed after the tag manifest": (then(bag(), lambda b: (b / "manifest-sha256.txt").write_bytes(lines(PAYLOAD)[::1].replace(b"  ", b" "))), {"tag-digest-differs"}),
    "invalid bag-info removed": (then(bag(bag_info="A: b\n"), lambda b: (b / "bag-info.txt").unlink()), {"tag-file-missing"}),
    "invalid tag manifest lists a folder": (bag(**{"t/x": b"x", "tagmanifest-sha256.txt": lines({"manifest-sha256.txt": lines(PAYLOAD)}) + f"{ZEROS}  t\n".encode()}), {"manifest-lists-folder"}),
    "remark a long line": (bag(bag_info=LONG), {"bag-info-line-long"}),
})  # fmt: skip

FETCH = family("fetch", {
    "valid tabs": (fetching(f"{URL}\t3\tdata/a.txt\n"), set()),
    "valid name with blanks": (bag({"data/a b.txt": A}, fetch=f"{URL} 3 data/a b.txt\n"), set()),
    "valid name in the other normalisation": (bag({NFC: A}, fetch=f"{URL} 3 {NFC}\n"), set()),
    "valid encoded percent": (bag({"data/a%.txt": A}, fetch=f"{URL} 3 data/a%25.txt\n", **{"manifest-sha256.txt": f"{digest(A)}  data/a%25.txt\n"}), set()),
    "valid private address, for nothing is fetched": (fetching("http://169.254.169.254/latest 3 data/a.txt\n"), set()),
    "valid file URL, for nothing is fetched": (fetching("file:///etc/passwd 3 data/a.txt\n"), set()),
    "warning a length beyond all disks": (fetching(f"{URL} {'9' * 40} data/a.txt\n"), {"fetch-length-differs"}),
    "warning last line open": (fetching(f"{URL} 3 data/a.txt"), {"tag-file-open-end"}),
    "invalid empty URL": (fetching(" 3 data/a.txt\n"), {"fetch-malformed"}),
    "invalid blank in the URL": (fetching("https://example.org/a b.txt 3 data/a.txt\n"), {"fetch-malformed"}),
    "invalid length in letters": (fetching(f"{URL} three data/a.txt\n"), {"fetch-malformed"}),
    "invalid length in other digits": (fetching(f"{URL} ٣ data/a.txt\n"), {"fetch-malformed"}),
    "invalid scheme begins with a digit": (fetching("1http://x 3 data/a.txt\n"), {"fetch-malformed"}),
    "invalid a manifest": (fetching(f"{URL} - manifest-sha256.txt\n"), {"fetch-path-unsafe"}),
    "invalid dots inside": (fetching(f"{URL} - data/../bagit.txt\n"), {"fetch-path-unsafe"}),
    "invalid backslashes": (fetching(f"{URL} - data\\a.txt\n"), {"fetch-path-unsafe"}),
    "invalid unencoded percent": (bag({"data/a%.txt": A}, fetch=f"{URL} 3 data/a%.txt\n", **{"manifest-sha256.txt": f"{digest(A)}  data/a%25.txt\n"}), {"manifest-path-encoding"}),
    "invalid in one of two manifests": (bag(fetch=f"{URL} - data/c.txt\n", **{"manifest-sha512.txt": lines(PAYLOAD, "sha512") + f"{'0' * 128}  data/c.txt\n".encode()}), {"fetch-not-in-manifest", "file-missing"}),
    "invalid not UTF-8": (bag(fetch=b"http://x - data/\xff\n"), {"tag-file-undecodable"}),
    "invalid a mark": (bag(fetch=b"\xef\xbb\xbf" + f"{URL} 3 data/a.txt\n".encode()), {"tag-file-bom"}),
    "invalid every file to be fetched": (then(bag(fetch=f"{URL} - data/a.txt\n{URL} - data/sub/b.txt\n"), lambda b: ((b / "data/a.txt").unlink(), (b / "data/sub/b.txt").unlink())), {"file-missing"}),
})  # fmt: skip

NORMALISATION = family("normalisation", {
    "warning NFD manifest on an NFC disk": (written_as(NFD, NFC), {"name-normalised"}),
    "warning NFC manifest on an NFD disk": (written_as(NFC, NFD), {"name-normalised"}),
    "warning folders in the other form": (written_as(unicodedata.normalize("NFD", TIENG), TIENG), {"name-normalised"}),
    "warning Hangul": (written_as(unicodedata.normalize("NFD", "data/한글"), "data/한글"), {"name-normalised"}),
    "warning the Angstrom sign": (written_as("data/\u212b", "data/\u00c5"), {"name-normalised"}),
    "warning marks in another order": (written_as("data/a\u0323\u0302", "data/a\u0302\u0323"), {"name-normalised"}),
    "warning twins, each listed as it is": (bag({NFC: A, NFD: B}), {"names-differ-in-normalisation"}),
    "warning a tag file in the other form": (bag(**{unicodedata.normalize("NFC", "ghi chú.txt"): A, "tagmanifest-sha256.txt": lines({"bagit.txt": DECLARED, "manifest-sha256.txt": lines(PAYLOAD), unicodedata.normalize("NFD", "ghi chú.txt"): A})}), {"name-normalised"}),
    "warning three forms of one name": (bag({"data/\u1ebf": A, "data/e\u0302\u0301": B, "data/\u00ea\u0301": A}), {"names-differ-in-normalisation"}),
    "warning two forms, neither composed": (bag({"data/e\u0302\u0301": B, "data/\u00ea\u0301": A}), {"names-differ-in-normalisation"}),
    "invalid and the bytes are damaged": (then(written_as(NFD, NFC), lambda b: (b / NFC).write_bytes(B)), {"digest-differs"}),
    "invalid twins, only one listed": (bag({NFC: A, NFD: B}, **{"manifest-sha256.txt": lines({NFC: A})}), {"file-unexpected"}),
    "invalid twins, a third form listed": (bag({"data/\u1ebf": A, "data/e\u0302\u0301": B}, **{"manifest-sha256.txt": f"{digest(A)}  data/\u00ea\u0301\n"}), {"file-missing", "file-unexpected"}),
    "invalid compatibility forms are other names": (written_as("data/fi.txt", NFKC_TWIN), {"file-missing", "file-unexpected"}),
    "invalid full-width letters are other names": (written_as("data/a.txt", "data/\uff41.txt"), {"file-missing", "file-unexpected"}),
    "invalid case and form both differ": (written_as(NFD.upper().replace("DATA", "data"), NFC), {"file-missing", "file-unexpected"}),
    "invalid letters without their marks": (written_as("data/Nguyen Dinh Chieu.tif", NFC), {"file-missing", "file-unexpected"}),
    "invalid both forms listed, one file": (both(NFC, NFC, NFD), {"manifest-lists-twice"}),
})  # fmt: skip

TEXT = [*NAMES, *ENCODINGS, *DECLARATION, *MANIFESTS, *OXUM, *TAG_FILES, *FETCH, *NORMALISATION]
