"""Bags for what mutation testing found unguarded: lists of two, the very number that is still allowed."""

from __future__ import annotations

import hashlib

from tests.bags.adversarial_forms import asked, packed
from tests.bags.bag_maker import digest, lines
from tests.bags.cases import Case
from tests.bags.golden import URL, ZEROS, A, B, Make, bag, old, plus, then, written_as
from tests.bags.profiles import INFO

ONE = INFO + "X: 1\n"
OTHERS = "BagIt-Profile-Identifier: https://x.example/1\nBagIt-Profile-Identifier: https://x.example/2\n"


def named(name: str, make: Make) -> Case:
    return Case("names", name, make, frozenset())


HALF = f"{hashlib.md5(B).hexdigest()}  data/sub/b.txt\n"
TWINS = {"data/a%25": A, "data/a%": B}


def encoded_twins() -> Make:
    manifest = f"{digest(A)}  data/a%2525\n{digest(B)}  data/a%25\n"
    return bag(TWINS, **{"manifest-sha256.txt": manifest})


def before(version: str, name: str) -> Make:
    """A bag of an old version, with a wrong Payload-Oxum in the file of this name."""
    tags = {name: b"Payload-Oxum: 1.1\n"}
    return bag(bagit=f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n", **tags)


def long_lines(count: int) -> str:
    return "".join(f"L{number:02}: a b {'c' * 80}\n" for number in range(count))


MORE = [
    *(
        Case("oxum", f"invalid {version} {name}", before(version, name), frozenset({"oxum-differs"}))
        for version, name in (
            *((version, "package-info.txt") for version in ("0.93", "0.94", "0.95")),
            *((version, "bag-info.txt") for version in ("0.93", "0.94", "0.95", "0.96")),
        )
    ),
    Case("oxum", "valid 0.96 package-info.txt", before("0.96", "package-info.txt"), frozenset()),
    *(
        Case("tag files", f"{verdict} bag-info {name}", bag(bag_info=text), frozenset(codes))
        for verdict, name, text, codes in (
            ("valid", "a line of 79", "A: b c " + "d" * 72 + "\n", set()),
            ("remark", "a line of 80", "A: b c " + "d" * 73 + "\n", {"bag-info-line-long"}),
            ("remark", "a line of 80 in three words", "A: b " + "d" * 75 + "\n", {"bag-info-line-long"}),
            ("remark", "ten long lines", long_lines(10), {"bag-info-line-long"}),
            ("remark", "twelve long lines", long_lines(12), {"bag-info-line-long"}),
            ("invalid", "a form feed for a line", "A: b\n\x0c\n", {"bag-info-malformed"}),
            ("invalid", "a letter for a line", "A: b\nX\n", {"bag-info-malformed"}),
            ("valid", "a value that goes on with X", "A: b\n X c X\n", set()),
            ("valid", "a value that goes on with a wide blank", "A: b\n \u2003c\u2003\n", set()),
        )
    ),
    Case(
        *("manifests", "invalid absent from two manifests"),
        *(
            then(bag(algorithms=("sha256", "md5")), lambda b: (b / "data/a.txt").unlink()),
            frozenset({"file-missing"}),
        ),
    ),
    *(
        Case("fetch", name, make, frozenset(codes))
        for name, make, codes in (
            ("invalid what follows a blank line", bag(fetch=f"\n{URL} - ../x\n"), {"fetch-path-unsafe"}),
            (
                "invalid what follows nonsense",
                bag(fetch=f"X\n\x0c\n{URL} - ../x\n"),
                {"fetch-malformed", "fetch-path-unsafe"},
            ),
            ("valid ./ before the path", bag(fetch=f"{URL} - ./data/a.txt\n"), set()),
            (
                "invalid in none of two manifests",
                bag(algorithms=("sha256", "md5"), fetch=f"{URL} - data/zzz\n"),
                {"fetch-not-in-manifest"},
            ),
            (
                "warning 0.97 in one of two manifests",
                old(algorithms=("sha256", "md5"), fetch=f"{URL} - data/a.txt\n", **{"manifest-md5.txt": HALF}),
                {"tagmanifest-algorithms-differ"},
            ),
        )
    ),
    Case("names", "warning litter two folders down", bag({"data/a/b/Thumbs.db": A}), frozenset({"system-file"})),
    named("valid 0.97 encoded as 1.0 asks", written_as("data/a%0Ab", "data/a\nb", since=old)),
    named("valid 0.97 name that looks encoded", written_as("data/a%0Ab", "data/a%0Ab", since=old)),
    named("valid 0.97 a name and what it would decode to", old(TWINS, **{"manifest-sha256.txt": lines(TWINS)})),
    Case(
        *("names", "invalid a file that is absent, named as a folder and a letter"),
        *(plus(f"{ZEROS}  data/subX\n"), frozenset({"file-missing"})),
    ),
    named("valid 1.0 a name and what it decodes to", encoded_twins()),
    *(
        Case("manifests", name, make, frozenset(codes))
        for name, make, codes in (
            ("invalid a form feed for a line", plus("\x0c\n"), {"manifest-malformed"}),
            ("invalid a letter for a line", plus("X\n"), {"manifest-malformed"}),
            (
                "invalid name in capitals beside the right one",
                bag(**{"MANIFEST-SHA256.TXT": b""}),
                {"algorithm-unsupported"},
            ),
            (
                "invalid name with a line end",
                bag(**{"manifest-sha\n256.txt": b""}),
                {"algorithm-unsupported", "manifest-malformed", "tag-file-missing"},
            ),
            (
                "invalid two escapes, one unknown",
                written_as("data/%61%25.txt", "data/%61%.txt"),
                {"manifest-path-encoding"},
            ),
        )
    ),
    asked("valid recommended and there", set(), bag(bag_info=ONE), labels={"X": {"recommended": True}}),
    asked("valid once where once is asked", set(), bag(bag_info=ONE), labels={"X": {"repeatable": False}}),
    asked("valid a folder demanded", set(), **{"Payload-Files-Required": ["data/sub/"]}),
    asked("valid one file of no bytes", set(), bag({"data/a": b""}, bag_info=INFO), **{"Data-Empty": True}),
    asked(
        *("invalid one file of one byte", {"profile-data-not-empty"}, bag({"data/a": b"x"}, bag_info=INFO)),
        **{"Data-Empty": True},
    ),
    asked("invalid a folder demanded", {"profile-file-missing"}, **{"Payload-Files-Required": ["data/subX/"]}),
    asked("invalid of two values", {"profile-value-refused"}, labels={"Source-Organization": {"values": ["A", "B"]}}),
    asked("invalid of two versions", {"profile-version-refused"}, **{"Accept-BagIt-Version": ["0.96", "0.97"]}),
    asked(
        *("invalid of two kinds of archive", {"profile-archive-refused"}, packed("tar", make=bag(bag_info=INFO))),
        Serialization="required",
        Accept_Serialization=["application/zip", "application/gzip"],
    ),
    asked("invalid names two others", {"profile-not-named"}, bag(bag_info=OTHERS), labels={}),
    asked(
        *("invalid demanded where two others are", {"profile-manifest-missing"}),
        bag(bag_info=INFO, algorithms=("sha256", "md5")),
        Manifests_Required=["sha512"],
    ),
    asked(
        *("invalid two of which none is allowed", {"profile-manifest-refused"}),
        bag(bag_info=INFO, algorithms=("sha256", "md5")),
        Manifests_Required=None,
        Manifests_Allowed=["sha1", "sha512"],
    ),
    asked(
        *("invalid tag file of two allowed", {"profile-file-refused"}, bag(bag_info=INFO, notes=b"x")),
        **{"Tag-Files-Allowed": ["a.xml", "b.xml"]},
    ),
]
