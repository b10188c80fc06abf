"""Everything that the checker says of every made bag, for the golden file `judged.json` beside this one.

`python -m tests.bags.judged` writes it anew; what changed in it is to be read before it is committed.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from preservation.bags.check import check_bag
from preservation.bags.profile import read_profile
from preservation.errors import PackageUnreadable
from preservation.findings import Finding
from tests.bags.adversarial_forms import FORMS
from tests.bags.adversarial_text import TEXT
from tests.bags.cases import Case, hurried
from tests.bags.golden import GOLDEN

FILE = Path(__file__).with_name("judged.json")
DEPEND_ON_THE_PLACE = {"links: invalid deeper than the system takes"}  # how long the path before the bag is
LONGEST = 600  # characters
_LIBRARY = re.compile(r"(\b[A-Za-z]*(?:Error|BadZipFile|Exception)): [^|]*(?= \|)")


def cases() -> Iterator[Case]:
    """Every bag that code makes for these tests."""
    yield from TEXT
    yield from FORMS
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
    return {
        "valid": report.valid,
        "conforms": report.conforms,
        "files": report.payload_files,
        "bytes": report.payload_bytes,
        "matched": report.matched,
        "findings": _told(report.findings, folder),
    }


def _told(findings: tuple[Finding, ...], folder: Path) -> list[str]:
    """One line for each, sorted: files are read by several threads. What a library said in its own words is left out,
    and a very long line is kept by its digest.
    """
    lines = (f"{f.severity} {f.code} | {f.path} | {f.expected} | {f.seen} | {f.message}" for f in findings)
    plain = sorted(_LIBRARY.sub(r"\1", line.replace(str(folder), "…")) for line in lines)
    return [line if len(line) <= LONGEST else f"SHA-256 {sha256(line.encode()).hexdigest()}" for line in plain]


def main() -> None:
    """Write the golden file."""
    answers = {}
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            answers[str(case)] = judged(case, Path(folder).resolve())
    text = json.dumps(answers, indent=1, ensure_ascii=True, sort_keys=True)
    (Path(sys.argv[1]) if len(sys.argv) > 1 else FILE).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
