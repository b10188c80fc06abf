"""Migrations up and down, one by one, with data: what is recorded lives through each, and standing is found again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from preservation.catalog import Catalog, open_catalog
from preservation.catalog.schema import REVISION
from preservation.catalog.stepping import revisions, step_to
from preservation.errors import CatalogError, UsageError
from tests.catalog.samples import event, objects, version

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def told(catalog: Catalog) -> tuple[object, ...]:
    """All that must never change by a step."""
    return (
        catalog.verify_chain(),
        [(each.seq, each.digest) for each in catalog.events()],
        [(each.identifier, each.version, each.content_digest) for each in catalog.versions()],
        [list(catalog.objects(each.identifier, each.version)) for each in catalog.versions()],
    )


def test_every_step_down_and_up_with_data(address: str, tmp_path: Path) -> None:
    with open_catalog(address, base=tmp_path) as catalog:
        catalog.admit(version(3), objects(3), [event()])
        catalog.record([event()])
        before = told(catalog)
    numbers = [number for number, _ in revisions(address, base=tmp_path).steps]
    assert numbers[-1] == REVISION
    for number in [*reversed(numbers[:-1]), *numbers[1:]]:
        step_to(address, number, base=tmp_path, now=NOW)
        assert revisions(address, base=tmp_path).now == number
    with open_catalog(address, base=tmp_path) as catalog:
        assert told(catalog) == before
    step_to(address, numbers[0], base=tmp_path, now=NOW)  # and straight up, as an old catalog that is opened
    with open_catalog(address, base=tmp_path) as catalog:
        assert told(catalog) == before
        catalog.record([event()])


def test_nobody_is_working_while_tables_change(catalog: Catalog, address: str, tmp_path: Path) -> None:
    def clock() -> datetime:
        return datetime.now(UTC)

    with catalog.lease("k", owner="me", now=clock), pytest.raises(CatalogError, match="Somebody works"):
        step_to(address, "0004", base=tmp_path, now=clock())
    assert revisions(address, base=tmp_path).now == REVISION
    with pytest.raises(UsageError, match="no migration 0815"):
        step_to(address, "0815", base=tmp_path, now=clock())
