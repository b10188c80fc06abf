"""The four commands as people and programs see them: sentences, JSON, exit codes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.cli.commands import Ran, package_in
from tests.cli.conftest import Held, _nobody, held, here, identifier  # noqa: F401 - fixtures


def test_lost_refused_rebuilt_compared(here: Callable[..., Ran], held: Held, tmp_path: Path) -> None:  # noqa: F811
    """The way of somebody who deleted the wrong file."""
    where = ("-w", held.workspace)
    (held.workspace / "catalog.db").unlink()
    for words in (("show",), ("ingest", package_in(tmp_path / "p")), ("catalog", "backup", tmp_path / "copy")):
        lost = here(*words, *where)
        assert lost.code == 3
        assert "vankho catalog rebuild --from" in lost.err
    assert here("catalog", "rebuild", "--from", "nowhere", *where).code == 2
    made = here("catalog", "rebuild", "--from", "second", *where)
    assert made.code == 0
    assert "difference: 0 of " in made.out
    assert here("show", held.identifier, *where).code == 0
    assert here("ledger", "verify", *where).code == 0
    compared = here("catalog", "compare", "third", *where, "--json")
    assert (compared.code, compared.data["difference"]["total"], compared.data["ahead"]) == (0, 0, 0)


def test_backup_and_restore(here: Callable[..., Ran], held: Held, tmp_path: Path) -> None:  # noqa: F811
    """Proved to belong together; then with a page gone, then with a copy that is too old."""
    where, copy = ("-w", held.workspace), tmp_path / "copy"
    assert here("catalog", "backup", copy, *where).code == 0
    (held.workspace / "catalog.db").unlink()
    restored = here("catalog", "restore", copy, *where)
    assert restored.code == 0
    assert "Catalog and packages belong together." in restored.out
    (held.workspace / "catalog.db").unlink()
    older = here("catalog", "restore", copy, *where)
    assert older.code == 1
    assert "older than store primary by 1 events" in older.out
    assert here("catalog", "rebuild", "--from", "primary", *where).code == 0
    next((held.workspace / "stores/third").rglob("data/Trang 1.txt")).unlink()
    gone = here("catalog", "restore", copy, *where, "--json")
    assert gone.code == 1
    assert [finding["code"] for each in gone.data["stores"] for finding in each["findings"]] == ["object-missing"]
    shutil.rmtree(held.workspace / "stores/third")
    assert here("catalog", "restore", copy, *where).code == 3
    assert here("catalog", "restore", tmp_path, *where).code == 2


def test_a_damaged_ledger_and_another_store(here: Callable[..., Ran], held: Held) -> None:  # noqa: F811
    """3: this store cannot give the catalog; the next one can."""
    where = ("-w", held.workspace)
    segment = next((held.workspace / "stores/primary/ledger").rglob("*.jsonl"))
    segment.chmod(0o644)
    segment.write_bytes(segment.read_bytes().replace(b"vankho", b"Vankho", 1))
    (held.workspace / "catalog.db").unlink()
    broken = here("catalog", "rebuild", "--from", "primary", *where, "--json")
    assert (broken.code, "Event" in broken.error["message"]) == (3, True)
    assert not (held.workspace / "catalog.db").exists()
    assert here("catalog", "rebuild", "--from", "second", *where).code == 0
