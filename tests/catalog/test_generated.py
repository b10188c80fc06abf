"""The generated catalog of the benchmark, small: every answer right, in both databases. Its times are no test."""

from __future__ import annotations

from pathlib import Path

from bench.catalog import Table, measure


def test_every_answer_about_a_generated_catalog(address: str, tmp_path: Path) -> None:
    table = Table(timed=False)
    measure(address, tmp_path, aips=4000, table=table)
    assert table.failed == 0
    assert table.passed > 20
