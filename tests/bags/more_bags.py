"""Bags for what mutation testing found unguarded: lists of two, the very number that is still allowed."""

from __future__ import annotations

from tests.bags.adversarial_forms import asked, packed
from tests.bags.golden import bag
from tests.bags.profiles import INFO

ONE = INFO + "X: 1\n"
OTHERS = "BagIt-Profile-Identifier: https://x.example/1\nBagIt-Profile-Identifier: https://x.example/2\n"

MORE = [
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
