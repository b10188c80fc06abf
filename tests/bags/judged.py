"""Everything that the checker says of every made bag, for the golden file `judged.json` beside this one.

`python -m tests.bags.judged` writes it anew; what changed in it is to be read before it is committed.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from preservation.bags.check import check_bag
from preservation.bags.profile import ProfileInvalid, read_profile
from preservation.errors import PackageUnreadable
from preservation.findings import Finding
from tests.bags.adversarial_forms import FORMS
from tests.bags.adversarial_text import TEXT
from tests.bags.cases import Case, hurried
from tests.bags.golden import GOLDEN
from tests.bags.more_bags import MORE
from tests.bags.profiles import a_profile

FILE = Path(__file__).with_name("judged.json")
DEPEND_ON_THE_PLACE = {"links: invalid deeper than the system takes"}  # how long the path before the bag is
LONGEST = 600  # characters
_LIBRARY = re.compile(r"(\b[A-Za-z]*(?:Error|BadZipFile|Exception)): [^|]*(?= \|)")


def cases() -> Iterator[Case]:
    """Every bag that code makes for these tests."""
    yield from TEXT
    yield from FORMS
    yield from MORE
    for name, (make, codes) in GOLDEN.items():
        yield Case("golden", name, make, frozenset(codes))


def judged(case: Case, folder: Path) -> dict[str, Any]:
    """The whole answer, with the place of the bag left out."""
    made = case.make(folder / "bag")
    path = made if isinstance(made, Path) else folder / "bag"
    profile = read_profile(json.dumps(case.profile).encode(), file="p.json") if case.profile is not None else None
    with hurried():
        try:
            report = check_bag(path, profile=profile)
        except PackageUnreadable as error:
            return {"findings": _told(error.findings, folder)}
    if str(case) in DEPEND_ON_THE_PLACE:
        return {"valid": report.valid, "codes": sorted({finding.code for finding in report.findings})}
    whole = {each.name: getattr(report, each.name) for each in fields(report) if each.name != "path"}
    return whole | {
        "algorithms": list(report.algorithms),
        "manifests": list(report.manifests),
        "bag_info": [f"{label}: {value}"[:LONGEST] for label, value in report.bag_info],
        "missing": len(report.missing),
        "findings": _told(report.findings, folder),
    }


def _told(findings: tuple[Finding, ...], folder: Path) -> list[str]:
    """One line for each, sorted: files are read by several threads. What a library said in its own words is left out,
    and a very long line is kept by its digest.
    """
    lines = (f"{f.severity} {f.code} | {f.path} | {f.expected} | {f.seen} | {f.message}" for f in findings)
    plain = sorted(_LIBRARY.sub(r"\1", line.replace(str(folder), "…")) for line in lines)
    return [line if len(line) <= LONGEST else f"SHA-256 {sha256(line.encode()).hexdigest()}" for line in plain]


LISTS = ("Manifests", "Tag-Manifests", "Tag-Files", "Payload-Files")
ALGORITHM = {"Manifests": "sha256", "Tag-Manifests": "sha512", "Tag-Files": "x/*.xml", "Payload-Files": "data/a*"}
PROFILES = {
    "nothing asked": a_profile(labels={}, Manifests_Required=None),
    "all of it": a_profile(
        labels={
            "A": {"required": True, "repeatable": False, "values": ["x", "y"], "description": "d"},
            "B": {"recommended": True, "required": "false", "repeatable": "true"},
            "C": {},
        },
        **{f"{name}-Required": [ALGORITHM[name]] for name in LISTS},
        **{f"{name}-Allowed": [ALGORITHM[name], "*"] for name in LISTS},
        **{"Allow-Fetch.txt": True, "Fetch.txt-Required": True, "Data-Empty": True, "Serialization": "required"},
        **{"Accept-Serialization": ["application/zip", "application/tar"], "Accept-BagIt-Version": ["0.97", "1.0"]},
    ),
    **{f"only {name} allowed": a_profile(**{f"{name}-Allowed": [ALGORITHM[name], "sha256"]}) for name in LISTS},
    **{f"{name} allowed: none": a_profile(**{f"{name}-Allowed": []}) for name in LISTS},
    **{f"{name} required as text": a_profile(**{f"{name}-Required": "sha256"}) for name in LISTS},
    **{f"{name} allowed with a number": a_profile(**{f"{name}-Allowed": ["sha256", 1]}) for name in LISTS},
    **{f"{name} required and not allowed": a_profile(**{f"{name}-Required": ["md5"], f"{name}-Allowed": ["a", "b"]})
       for name in LISTS},
    **{f"{name} required of an unknown kind": a_profile(**{f"{name}-Required": ["crc32"]}) for name in LISTS},
    **{f"{name} allowed of an unknown kind": a_profile(**{f"{name}-Allowed": ["sha256", "crc32"]}) for name in LISTS},
    **{f"{flag} perhaps": a_profile(**{flag: "perhaps"}) for flag in ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")},
    **{f"{flag} a number": a_profile(**{flag: 1}) for flag in ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")},
    **{f"{flag} as words": a_profile(**{flag: "true"}) for flag in ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")},
    **{f"{flag} no": a_profile(**{flag: "false"}) for flag in ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")},
    "a flag that is a list": a_profile(**{"Data-Empty": [], "Allow-Fetch.txt": {}}),
    "an algorithm is no pattern": a_profile(**{"Manifests-Required": ["sha256"], "Manifests-Allowed": ["sha*"]}),
    "a tag manifest is no pattern": a_profile(
        **{"Tag-Manifests-Required": ["sha256"], "Tag-Manifests-Allowed": ["sha*"]}
    ),
    "fetch forbidden": a_profile(**{"Allow-Fetch.txt": False}),
    "fetch forbidden and demanded": a_profile(**{"Allow-Fetch.txt": False, "Fetch.txt-Required": True}),
    **{f"label with {key} perhaps": a_profile(labels={"X": {key: "perhaps"}}) for key in ("required", "recommended", "repeatable")},
    "label with a list of numbers": a_profile(labels={"X": {"values": [1]}}),
    "label that is text": a_profile(labels={"X": "required", "Y": None}),
    "label with an unknown demand": a_profile(labels={"X": {"regex": "a", "help": "b"}}),
    "labels as a list": a_profile(labels=[]),
    "fields nobody knows": a_profile(**{"Virus-Check": True, "X": 1}),
    **{f"without {name}": a_profile(info={name: None}) for name in
       ("Source-Organization", "External-Description", "Version", "BagIt-Profile-Identifier", "BagIt-Profile-Version")},
    **{f"blank {name}": a_profile(info={name: " \t"}) for name in
       ("Source-Organization", "External-Description", "Version", "BagIt-Profile-Identifier", "BagIt-Profile-Version")},
    "info as text": a_profile() | {"BagIt-Profile-Info": "x"},
    "no info": {name: value for name, value in a_profile().items() if name != "BagIt-Profile-Info"},
    **{f"specification {each}": a_profile(info={"BagIt-Profile-Version": each}) for each in
       ("1.0", "1.1", "1.4.9", "1.5.0", "2.1.0", "1.4.x", 1.4, None)},
    **{f"identifier {each}": a_profile(info={"BagIt-Profile-Identifier": each}) for each in
       ("profile.json", "urn:x", "http://a b", "http:", "1http://x", "a+b.c-d:e", 7)},
    **{f"versions {each}": a_profile(**{"Accept-BagIt-Version": each}) for each in ([], None, "1.0", [1.0], ["1.0", "2"])},
    **{f"serialization {word}, {kinds}": a_profile(**{"Serialization": word, "Accept-Serialization": kinds})
       for word in ("required", "optional", "forbidden", "sometimes", None) for kinds in (["application/zip"], [], None, "zip")},
    "everything wrong": {"BagIt-Profile-Info": [], "Bag-Info": 1, "Serialization": 2, "Z": 3, "Data-Empty": "x" * 200},
}  # fmt: skip
RAW = {
    "empty": b"", "not JSON": b"{", "a list": b"[]", "text": b'"x"', "null": b"null", "with a BOM": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"a": "\xff"}', "twice": b'{"Bag-Info": {}, "X": 1, "Bag-Info": {}, "X": 2}',
    "as long as may be": b"{}" + b" " * ((1 << 20) - 2), "too long": b"{}" + b" " * ((1 << 20) - 1),
    "twice behind another": b'{"X": 1, "Y": 2, "Y": 3}',
    "nested for ever": b'{"Bag-Info":' * 100_000,
}  # fmt: skip


def profiles() -> Iterator[tuple[str, bytes]]:
    """Bag profiles, good and bad, by name."""
    for name, document in PROFILES.items():
        yield f"profile: {name}", json.dumps(document).encode()
    for name, raw in RAW.items():
        yield f"profile: {name}", raw


def profile_judged(content: bytes) -> list[str]:
    """The profile as it was understood, or the whole error."""
    try:
        return [f"{name} = {value!r}" for name, value in asdict(read_profile(content, file="p.json")).items()]
    except ProfileInvalid as error:
        own = f"{error} | {error.where} | {error.expected} | {error.seen} | {error.next_step} | {error.detail}"
        return [own.partition(" | Extra")[0][:LONGEST], *_told(error.findings, Path("/nowhere"))]


def main() -> None:
    """Write the golden file."""
    answers: dict[str, Any] = {name: profile_judged(content) for name, content in profiles()}
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            answers[str(case)] = judged(case, Path(folder).resolve())
    text = json.dumps(answers, indent=1, ensure_ascii=True, sort_keys=True)
    (Path(sys.argv[1]) if len(sys.argv) > 1 else FILE).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
