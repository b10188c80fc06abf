"""The reference page names every finding of this room, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_finding_code_is_explained_and_no_other():
    source = "".join(path.read_text() for path in (ROOT / "preservation/packages").glob("*.py"))
    made = set(re.findall(r'(?:(?:Finding|_?refuse|_refused)\(|code = )\s*"([a-z-]+)"', source))
    table = re.findall(r"^\| `([a-z-]+)` \| [IWE]", (ROOT / "docs/reference/packages.md").read_text(), re.MULTILINE)
    assert len(made) > 40
    assert sorted(table) == sorted(made)
