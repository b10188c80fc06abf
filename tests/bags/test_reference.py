"""docs/reference/bagit.md names every finding of the checker and every element of bag-info.txt, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from preservation.bags import write
from preservation.bags.plan import POLICYS_LABELS, WRITERS_LABELS

ROOT = Path(write.__file__).parent
DOC = (ROOT.parents[1] / "docs" / "reference" / "bagit.md").read_text(encoding="utf-8")


def codes_of(source: str) -> set[str]:
    """The literal codes given to `error`, `warning` and `rule`, and to Finding itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("error", "warning", "rule", "Finding"):
                found |= {
                    part.value
                    for arg in node.args[:2]
                    for part in ast.walk(arg)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", part.value)
                }
    return found


def test_every_finding_is_documented_and_none_is_invented():
    in_code = set().union(*(codes_of(path.read_text(encoding="utf-8")) for path in ROOT.glob("*.py")))
    rows = [line for line in DOC.splitlines() if re.match(r"\| *\d+ *\|", line)]
    in_doc = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", "\n".join(rows)))
    assert in_code == in_doc
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, len(rows) + 1))


def test_every_element_of_ours_is_documented():
    labels = {label.lower() for label in re.findall(r"^\| `([A-Z][A-Za-z-]+)` \|", DOC, re.MULTILINE)}
    assert labels >= WRITERS_LABELS | POLICYS_LABELS
