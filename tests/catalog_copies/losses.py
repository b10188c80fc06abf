"""A house with a history worth losing, and what its catalog says in plain rows, to compare before and after."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from flows.audit import audit
from flows.ingest import ingest_batch
from flows.repair import repair
from flows.running.run import carry_out
from flows.workspace import Workspace
from tests.flows.houses import House, package

# Every table that tells something, by natural keys: row numbers and places of staging are no part of what is told.
ROWS = {
    "aips": "SELECT * FROM aips ORDER BY 1",
    "versions": """SELECT identifier, version, content_digest, files, bytes, objects, object_bytes, policy, admitted_at,
        submission, source, title, title_searchable FROM versions ORDER BY id""",
    "objects": """SELECT v.identifier, v.version, path, size, sha256, role, searchable, original_name, format_note,
        f.key, f.puid, f.name, f.version, f.mime, f.basis, f.tool, f.signatures, f.candidates, f.extension_mismatch,
        f.xml_format, f.xml_namespace
        FROM objects o JOIN versions v ON v.id = o.version_id LEFT JOIN formats f ON f.id = o.format_id
        ORDER BY 1, 2, 3""",
    "events": "SELECT * FROM events ORDER BY seq",
    "chain_head": "SELECT seq, digest FROM chain_head",
    "replicas": """SELECT v.identifier, v.version, r.store, r.claimed_at
        FROM replicas r JOIN versions v ON v.id = r.version_id ORDER BY 1, 2, 3""",
    "evidence": """SELECT v.identifier, v.version, e.store, e.grade, e.outcome, e.at
        FROM evidence e JOIN versions v ON v.id = e.version_id ORDER BY 1, 2, 3, 4""",
    "holdings": """SELECT v.identifier, v.version, f.key, h.files, h.bytes FROM holdings h
        JOIN versions v ON v.id = h.version_id JOIN formats f ON f.id = h.format_id ORDER BY 1, 2, 3""",
}


def told(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """What the catalog says, whatever database it is in."""
    with workspace.catalog._database.reading() as connection:
        return {
            name: [tuple(_plain(value) for value in row) for row in connection.execute(text(query))]
            for name, query in ROWS.items()
        }


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    return int(value) if isinstance(value, bool) else value


def live(house: House, place: Path) -> None:
    """AIPs, a second version, names that need care, a rejected package, damage and its repair, policies."""
    house.policy("thu-vien", "extends: default\ndescription: Của thư viện\nreplication:\n  copies: 3\n  floor: 2\n")
    first = package(place / "Truyện Kiều", identifier="kieu", **{"x.xml": b"<alto/>"})
    second = package(place / "Truyện Kiều 2", identifier="kieu", **{"thêm.txt": b"th\xc3\xaam"})
    other = package(place / "Lục Vân Tiên", {"Trang 1.txt": "Trước đèn xem truyện Tây minh".encode()})
    empty = place / "rỗng"
    empty.mkdir()
    with house.open() as workspace:
        kieu = [str(first), str(second)]
        done = carry_out(workspace, ingest_batch, sources=kieu, policy="thu-vien", collection="Thơ Nôm")
        done += carry_out(workspace, ingest_batch, sources=[str(other), str(empty)])
    assert [each.outcome for each in done] == ["accepted", "accepted", "accepted", "rejected"]
    assert [each.version for each in done] == [1, 2, 1, None]
    hurt = next(house.store_folder("b").rglob("data/Trang 1.txt"))
    hurt.chmod(0o644)
    hurt.write_bytes(b"other bytes")
    with house.open() as workspace:
        assert [each.word for each in carry_out(workspace, audit, references=[], store="b", evidence="bytes")].count(
            "damaged"
        ) == 1
        assert [each.word for each in carry_out(workspace, repair, references=[])] == ["repaired"]


def lose(house: House, *stores: str, keep: Sequence[str] = ("vankho.toml", "vankho.secrets.toml", "stores")) -> None:
    """The catalog, the staging area, everything of the workspace but its settings; and these stores."""
    for each in house.folder.iterdir():
        if each.name not in keep:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    for name in stores:
        shutil.rmtree(house.store_folder(name))


def same_but_the_last(after: dict[str, list[Any]], before: dict[str, list[Any]]) -> list[str]:
    """The types of the events that were added; everything else must be as it was."""
    added = after["events"][len(before["events"]) :]
    assert {**after, "events": after["events"][: len(before["events"])], "chain_head": before["chain_head"]} == before
    return [row[2] for row in added]
