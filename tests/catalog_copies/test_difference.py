"""The difference is zero for an equal catalog and names whatever was changed behind its back."""

from __future__ import annotations

import shutil

import pytest

from flows.audit import audit
from flows.rebuilding.catalog_copies import compare, rebuild
from flows.workspace import Workspace
from preservation.catalog.difference import Difference
from tests.flows.houses import House
from tests.servers.postgres import Server

# What is done to the rebuilt catalog, and what must be named. SQLite's triggers on events are dropped first.
HARM = {
    "event edited": ("UPDATE events SET agent = 'x' WHERE seq = 5", "event 5", "events"),
    "event edited, digest too": (
        "UPDATE events SET agent = 'x', digest = previous WHERE seq = 5",
        "event 5",
        "events",
    ),
    "event deleted": ("DELETE FROM events WHERE seq = 6", "event 6", "events"),
    "last events deleted": ("DELETE FROM events WHERE seq > 40", "event 41", "events"),
    "event put in": (
        "INSERT INTO events SELECT 10000, 'x', type, at, agent, outcome, submission, identifier, version, store,"
        " detail, previous, digest FROM events WHERE seq = 1",
        "event 10000",
        "events",
    ),
    "head": ("UPDATE chain_head SET digest = ''", "chain", "chain"),
    "version": ("UPDATE versions SET title = 'khác' WHERE version = 2", "/v2", "versions"),
    "version's policy": ("UPDATE versions SET policy = 'x' WHERE id = 1", "/v1", "versions"),
    "collection": ("UPDATE aips SET collection = 'khác' WHERE producer_identifier = 'kieu'", "/v1", "versions"),
    "AIP put in": ("INSERT INTO aips VALUES ('x', NULL, NULL)", "aips", "aips"),
    "version put in": (
        "INSERT INTO versions SELECT 99, identifier, 9, 'x', files, bytes, objects, object_bytes, policy, admitted_at,"
        " submission, source, title, title_searchable, staged FROM versions WHERE id = 1",
        "/v9",
        "versions",
    ),
    "object deleted": ("DELETE FROM objects WHERE path = {x}", "data/x.xml", "objects"),
    "object's digest": ("UPDATE objects SET sha256 = {zero} WHERE path = {bagit}", "bagit.txt", "objects"),
    "object's size": ("UPDATE objects SET size = 1 WHERE path = {x}", "data/x.xml", "objects"),
    "object put in": (
        "INSERT INTO objects SELECT version_id, {y}, size, sha256, role, searchable, original_name, format_id,"
        " format_note FROM objects WHERE path = {x}",
        "data/y",
        "objects",
    ),
    "object's format": ("UPDATE objects SET format_id = NULL WHERE path = {x}", "data/x.xml", "objects"),
    "format": ("UPDATE formats SET puid = 'fmt/1' WHERE xml_format = 'ALTO'", "data/x.xml", "objects"),
    "format count": ("UPDATE holdings SET files = files + 1 WHERE version_id = 1", "/v1", "formats"),
    "replica deleted": ("DELETE FROM replicas WHERE store = 'b' AND version_id = 2", "/v2: b", "replicas"),
    "replica put in": (
        "INSERT INTO replicas SELECT version_id, 'z', min(claimed_at) FROM replicas GROUP BY version_id",
        ": z",
        "replicas",
    ),
    "proof": ("UPDATE evidence SET outcome = 'damaged' WHERE store = 'a'", "a bytes", "evidence"),
    "proof's time": (
        "UPDATE evidence SET at = '2030-01-01T00:00:00.000000Z' WHERE store = 'a'",
        "a bytes",
        "evidence",
    ),
    "proof deleted": ("DELETE FROM evidence WHERE store = 'c'", "c bytes", "evidence"),
}


LITERALS = {"x": b"data/x.xml", "y": b"data/y", "bagit": b"bagit.txt", "zero": b"\0"}
ON_POSTGRESQL = ("event edited", "object's digest", "format count", "proof")  # each needs a rebuild of its own there


def _harm(workspace: Workspace, statement: str) -> None:
    with workspace.catalog._database.writing() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            for name in ("update", "delete", "replace"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS events_no_{name}")
        else:
            connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
        for name, value in LITERALS.items():
            literal = f"X'{value.hex()}'" if sqlite else f"'\\x{value.hex()}'::bytea"
            statement = statement.replace("{" + name + "}", literal)
        connection.exec_driver_sql(statement)


def _found(seen: Difference, name: str) -> None:
    _, place, kind = HARM[name]
    assert seen.differing[kind] > 0, name
    assert any(place in str(finding.path) for finding in seen.findings), (name, seen.findings)


def test_every_harm_is_found_and_named(lived: House) -> None:
    """One by one, each on a copy of the same catalog."""
    with lived.open() as workspace:
        assert compare(workspace, store="a")[0].total == 0
    for name, (statement, _, _) in HARM.items():
        shutil.copy(lived.folder / "catalog.db", lived.folder / "harmed.db")
        with lived.open() as workspace:
            harmed = workspace.with_catalog("sqlite:///harmed.db")
            _harm(harmed, statement)
            _found(compare(harmed, store="a")[0], name)
            harmed.close()


@pytest.mark.live
def test_harm_is_found_on_postgresql_too(lived: House, postgres: Server) -> None:
    """After a rebuild from SQLite's stores; each harm is undone by rebuilding, and the old one kept aside."""
    with postgres.database() as name, lived.open() as workspace:
        there = workspace.with_catalog(postgres.address(name))
        for harm in ON_POSTGRESQL:
            rebuilt = rebuild(there, source="a", replace=True)
            assert rebuilt.difference is not None
            assert rebuilt.difference.total == 0
            _harm(there, HARM[harm][0])
            _found(compare(there, store="a")[0], harm)
            there.catalog.close()
            del there.__dict__["catalog"]


def test_only_the_first_differences_are_named_and_all_are_counted(lived: House) -> None:
    """A catalog of nonsense does not fill the memory."""
    with lived.open() as workspace:
        _harm(workspace, "UPDATE events SET agent = 'x'")
        seen, _ = compare(workspace, store="a")
        assert seen.differing["events"] == seen.compared["events"]
        assert len(seen.findings) == 20


@pytest.mark.parametrize("store", ["a", "b", "c"])
def test_what_was_added_since_the_last_push_is_told(lived: House, store: str) -> None:
    """A run that could not reach a store leaves its ledger behind; that is seen as well."""
    with lived.open() as workspace:
        audit(workspace, [], store="a")
        seen, ahead = compare(workspace, store=store)
        assert ahead == 3
        assert seen.total >= 3
