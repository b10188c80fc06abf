"""docs/reference/stores.md has every clause with its sentence, and every store that it catches."""

from __future__ import annotations

import re
from pathlib import Path

from storage_adapters.conformance_clauses import CLAUSES
from tests.conformance.broken_stores import CAUGHT

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "stores.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", PAGE[PAGE.index("## The clauses, and") :], re.MULTILINE)


def in_words(name: str) -> str:
    """StoresOtherBytes → "stores other bytes"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def test_every_clause_has_its_row_and_every_broken_store_is_in_one():
    assert [(name, sentence) for name, sentence, _ in ROWS[: len(CLAUSES)]] == [
        (each.name, str(each.sentence)) for each in CLAUSES
    ]
    for name, _, caught in ROWS[: len(CLAUSES)]:
        assert caught.split(", ") == [in_words(broken.__name__) for broken, clause in CAUGHT if clause == name]
