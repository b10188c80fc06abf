"""`--json`: one document of the documented shape, whatever happens; and the exit code beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from apps.cli.help import every_command
from apps.cli.parts import build
from tests.cli.commands import Ran, damage, local_store, package_in, vankho, workspace_in
from tests.cli.conftest import Held

Here = Callable[..., Ran]

FINDING = {"code", "severity", "path", "message", "expected", "seen"}
OBJECTS = {"intact", "altered", "missing", "unreadable", "unexpected"}
INGESTED = {"source", "outcome", "identifier", "version", "files", "bytes", "findings", "replicas"}
SHOWN = {"source", "identifier", "version", "files", "bytes", "replicas", "standing"}


def _is_replica(replica: dict[str, Any]) -> None:
    assert set(replica) == {"store", "evidence"}
    assert set(replica["evidence"]) == {"bytes", "provider", "presence"}
    for proof in replica["evidence"].values():
        if proof is not None:
            assert set(proof) == {"outcome", "at"}
            assert datetime.fromisoformat(proof["at"]).utcoffset() is not None


def test_the_whole_path_in_processes_of_their_own(tmp_path: Path) -> None:
    """What README shows, from an empty folder: every exit code and the shape of every answer on the way."""
    made = vankho("init", "kho", "--json", cwd=tmp_path)
    assert made.code == 0
    assert made.data["workspace"] == str(tmp_path / "kho")
    workspace = workspace_in(tmp_path / "kho")
    package = package_in(tmp_path / "Lục Vân Tiên")

    taken = vankho("ingest", "../Lục Vân Tiên", "--json", cwd=workspace)
    assert (taken.code, taken.err) == (0, "")
    [each] = taken.data
    assert set(each) == INGESTED
    assert (each["source"], each["outcome"], each["version"], each["files"]) == (str(package), "accepted", 1, 2)
    assert each["bytes"] == sum(file.stat().st_size for file in package.rglob("*.txt"))
    assert [replica["store"] for replica in each["replicas"]] == ["primary", "second", "third"]
    for replica in each["replicas"]:
        _is_replica(replica)
        assert replica["evidence"]["bytes"]["outcome"] == "intact"
    for finding in each["findings"]:
        assert set(finding) == FINDING

    identifier = each["identifier"]
    damage(workspace / "stores/second/aip" / identifier / "v1/data/Trang 1.txt")
    audited = vankho("audit", "--json", cwd=workspace)
    assert (audited.code, audited.err) == (1, "")
    for report in audited.data:
        assert set(report) == {"identifier", "version", "store", "evidence", "outcome", "objects", "findings"}
        assert set(report["objects"]) == OBJECTS
        assert (report["identifier"], report["version"], report["evidence"]) == (identifier, 1, "bytes")
    assert [report["outcome"] for report in audited.data] == ["intact", "damaged", "intact"]
    assert audited.data[1]["objects"]["altered"] == 1
    assert [finding["path"] for finding in audited.data[1]["findings"]] == ["data/Trang 1.txt"]

    shown = vankho("show", identifier, "--json", cwd=workspace)
    assert (shown.code, shown.data[0]["standing"]) == (1, "damaged")
    assert set(shown.data[0]) > SHOWN
    assert vankho("repair", cwd=workspace).code == 0
    assert vankho("audit", "--all", cwd=workspace).code == 0
    restored = vankho("restore", identifier[:8], "--to", "../out", "--json", cwd=workspace)
    assert (restored.code, restored.data["valid"], restored.data["folder"]) == (0, True, str(tmp_path / "out"))
    for file in package.rglob("*.txt"):
        assert (tmp_path / "out/data" / file.relative_to(package)).read_bytes() == file.read_bytes()
    assert vankho("bag", "check", tmp_path / "out").code == 0


def test_already_here(here: Here, held: Held) -> None:
    """The same content again."""
    again = here("ingest", "-w", held.workspace, held.package, "--json")
    assert again.code == 0
    assert (again.data[0]["outcome"], again.data[0]["identifier"]) == ("already-here", held.identifier)
    assert set(again.data[0]) == INGESTED


def test_show_says_the_same_facts_as_ingest(here: Here, held: Held) -> None:
    """And the standing."""
    shown = here("show", "--standing", "all", "-w", held.workspace, "--json")
    assert (shown.code, shown.err) == (0, "")
    [one], [told] = shown.data["versions"], held.ingested.data
    assert {key: one[key] for key in INGESTED - {"outcome", "findings"}} == {
        key: told[key] for key in INGESTED - {"outcome", "findings"}
    }
    assert (one["standing"], one["reasons"]) == ("safe", [])
    assert {each["store"] for each in one["due"]} == {"primary", "second", "third"}
    assert here("show", "-w", held.workspace, held.identifier[:8], "--json").data == [one]


def test_an_older_version_is_counted_and_listed(here: Here, tmp_path: Path) -> None:
    """No damage is hidden behind a newer version: not in the counts, the list or the exit code."""
    kho, package = workspace_in(tmp_path / "kho"), package_in(tmp_path / "Truyện Kiều")
    for title in ("Bản đầu", "Bản sửa"):
        (package / "metadata.json").write_text(f'{{"identifier": "TK-1", "title": "{title}"}}', encoding="utf-8")
        assert here("ingest", "-w", kho, package).code == 0
    shown = here("show", "-w", kho, "--json")
    assert (shown.code, shown.data["aips"], shown.data["versions"]) == (0, 1, 2)
    listed = here("show", "--standing", "safe", "-w", kho, "--json").data["versions"]
    assert [(each["version"], each["title"]) for each in listed] == [(1, "Bản đầu"), (2, "Bản sửa")]
    assert [each["version"] for each in here("show", "TK-1", "-w", kho, "--json").data] == [1, 2]
    damage(kho / "stores/third/aip" / listed[0]["identifier"] / "v1/data/Trang 1.txt")
    assert here("audit", "-w", kho).code == 1
    shown = here("show", "-w", kho, "--json")
    assert (
        shown.code,
        shown.data["standing"]["damaged"]["versions"],
        shown.data["standing"]["safe"]["versions"],
    ) == (
        1,
        1,
        1,
    )
    damaged = here("show", "--standing", "damaged", "-w", kho, "--json")
    assert (damaged.code, [each["version"] for each in damaged.data["versions"]]) == (1, [1])


@pytest.mark.parametrize("grade", ["bytes", "presence"])
def test_audit_of_one_store_at_a_grade(here: Here, held: Held, grade: str) -> None:
    """Asked for and answered in the same words."""
    done = here("audit", held.identifier, "-w", held.workspace, "--store", "third", "--evidence", grade, "--json")
    assert done.code == 0
    [report] = done.data
    assert (report["store"], report["evidence"], report["outcome"]) == ("third", grade, "intact")


def test_what_cannot_be_read_is_unreadable_and_the_systems_matter(here: Here, held: Held) -> None:
    """A store that is gone is no evidence of damage."""
    away = local_store("second") | {"path": str(held.workspace / "not mounted")}
    workspace_in(held.workspace, second=away)
    done = here("audit", "-w", held.workspace, "--store", "second", "--json")
    assert done.code == 3
    assert done.data[0]["outcome"] == "unreadable"
    assert done.data[0]["objects"]["altered"] == done.data[0]["objects"]["missing"] == 0


def test_replicate_repair_restore_reconcile(here: Here, held: Held, tmp_path: Path) -> None:
    """Each prints its documented shape."""
    where = ("-w", held.workspace, "--json")
    damage(held.workspace / "stores/third/aip" / held.identifier / "v1/data/Trang 1.txt")
    assert here("audit", *where).code == 1
    [mended] = here("repair", *where).data
    assert {key: mended[key] for key in ("identifier", "version", "store", "outcome", "after")} == {
        "identifier": held.identifier,
        "version": 1,
        "store": "third",
        "outcome": "repaired",
        "after": "intact",
    }
    assert mended["repaired"] == [{"path": "data/Trang 1.txt", "from": "primary"}]
    assert len(mended["kept"]) == 1
    assert here("replicate", *where).data == []
    [copied] = here("replicate", held.identifier, *where).data
    assert set(copied) == {"identifier", "version", "outcome", "replicas", "findings"}
    for replica in copied["replicas"]:
        _is_replica(replica)
    compared = here("reconcile", *where)
    assert compared.code == 0
    for store in compared.data:
        assert set(store) == {"store", "outcome", "replicas", "objects", "findings"}
    restored = here("restore", held.identifier, "--to", tmp_path / "out", "--from", "second", *where)
    assert set(restored.data) == {"identifier", "version", "folder", "files", "bytes", "from", "valid", "findings"}
    assert restored.data["from"] == ["second"]


def test_an_object_nobody_put_there_is_found(here: Here, held: Held) -> None:
    """Reconcile ends with 1 when catalog and store disagree."""
    (held.workspace / "stores/second/aip" / held.identifier / "v1/data/lạ.txt").write_text("?")
    done = here("reconcile", "-w", held.workspace, "--store", "second", "--json")
    assert (done.code, done.data[0]["outcome"]) == (1, "disagrees")
    assert done.data[0]["findings"]


def test_events_in_three_forms(here: Here, held: Held) -> None:
    """JSON either way it is asked for; PREMIS is XML."""
    as_json = here("events", held.identifier, "-w", held.workspace, "--json")
    assert as_json.data == here("events", held.identifier, "-w", held.workspace, "--format", "json").data
    assert [event["type"] for event in as_json.data][:2] == ["ingestion start", "message digest calculation"]
    for event in as_json.data:
        assert {"id", "type", "at", "agent", "outcome", "store", "detail", "seq", "previous", "digest"} <= set(event)


def test_premis_is_well_formed(held: Held) -> None:
    """Written to the real standard output, byte by byte."""
    from lxml import etree

    done = vankho("events", held.identifier, "-w", held.workspace, "--format", "premis")
    root = etree.fromstring(done.out.encode())
    assert root.tag == "{http://www.loc.gov/premis/v3}premis"
    assert "văn bản/Trang 2.txt" in done.out


def test_policies_formats_bags_stores(here: Here, held: Held, tmp_path: Path) -> None:
    """The rest of the commands."""
    where = ("-w", held.workspace, "--json")
    explained = here("policy", "explain", held.identifier, *where).data
    assert explained["policy"] == "default"
    assert {"field": "replication.copies", "value": "3", "source": "built-in/default.yaml:41"}.keys() <= set(
        explained["values"][0]
    )
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(yaml.safe_dump({"extends": "default"}))
    bad.write_text("extends: default\nacceptance:\n  liter: keep\n")
    checked = here("policy", "check", good, bad, "--json")
    assert checked.code == 2
    assert [(each["file"], each["valid"]) for each in checked.data] == [(str(good), True), (str(bad), False)]
    [identified] = here("formats", "identify", held.package / "Trang 1.txt", "--json").data
    assert {"path", "puid", "name", "basis", "tool", "signatures", "extension_mismatch", "xml_format"} <= set(
        identified
    )
    assert identified["puid"] == "x-fmt/111"
    [counted] = here("formats", "report", *where).data
    assert (counted["puid"], counted["files"], counted["packages"]) == ("x-fmt/111", 2, 1)
    bag = held.workspace / "stores/primary/aip" / held.identifier / "v1"
    judged = here("bag", "check", bag, held.package, "--json")
    assert judged.code == 1
    assert [each["valid"] for each in judged.data] == [True, False]
    assert (judged.data[0]["files"], judged.data[0]["complete"], judged.data[0]["algorithms"]) == (
        2,
        True,
        ["sha256"],
    )
    checked = here("store", "check", "second", *where)
    assert checked.code == 0
    assert {clause["outcome"] for clause in checked.data["clauses"]} <= {"held", "not-promised"}
    assert not list((held.workspace / "stores/second").glob("*vankho*"))
    listed = here("store", "list", *where).data
    assert [(store["name"], store["kind"], store["copies"]) for store in listed[:1]] == [("primary", "local", 1)]


def _commands() -> list[tuple[str, ...]]:
    root = typer.main.get_command(build())
    return [
        (group.name, each.name) if group is not root else (each.name,)
        for group in every_command(root)
        for each in getattr(group, "commands", {}).values()
        if not hasattr(each, "commands")
    ]


NEEDED = {
    ("init",): ["."],
    ("ingest",): ["x"],
    ("events",): ["x"],
    ("restore",): ["x", "--to", "y"],
    ("policy", "check"): ["x"],
    ("formats", "identify"): ["x"],
    ("bag", "check"): ["x"],
    ("store", "check"): ["x"],
}


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_an_error_is_one_json_document_too(
    here: Here, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command, in a folder that is no workspace, and with an option that does not exist."""
    (tmp_path / "demo-workspace").mkdir()
    (tmp_path / "demo-workspace" / "mine").touch()
    (tmp_path / "vankho.toml").mkdir()  # no workspace, and none can be made here
    monkeypatch.chdir(tmp_path)
    done = here(*words, *NEEDED.get(words, []), "--json")
    assert done.code in (2, 3)
    assert done.err == ""
    if words != ("policy", "check"):
        error = done.error
        assert error["message"]
        assert error["next_step"]
    misused = here(*words, "--json", "--no-such-option")
    assert misused.code == 2
    assert "--no-such-option" in misused.error["message"]


def test_an_unforeseen_error_is_told_and_ends_with_3(here: Here, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a traceback, never 0."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of no use to a librarian")

    monkeypatch.setattr("flows.references.versions_named", broken)
    done = here("show", "x", "-w", held.workspace, "--json")
    assert done.code == 3
    assert "VANKHO_DEBUG" in done.error["next_step"]
    said = here("show", "x", "-w", held.workspace)
    assert (said.code, said.out) == (3, "")
    assert "Traceback" not in said.err


def test_a_missing_or_ambiguous_name(here: Here, held: Held) -> None:
    """The name that is nobody's is wrong usage."""
    done = here("show", "không-có", "-w", held.workspace, "--json")
    assert done.code == 2
    assert "vankho show" in done.error["next_step"]


def test_an_audit_that_found_no_copy_to_prove_does_not_end_with_0(here: Here, tmp_path: Path) -> None:
    """Every store was away when the package came, so there is nothing to prove; an empty workspace is well."""
    kho = workspace_in(tmp_path / "kho", primary={"kind": "local", "path": str(tmp_path / "absent")})
    assert here("audit", "-w", kho).code == 0
    assert here("ingest", "-w", kho, package_in(tmp_path / "p")).code == 3
    assert here("audit", "-w", kho).code == 1


def test_restoring_from_a_damaged_copy_is_found_damage_and_gives_nothing(here: Here, tmp_path: Path) -> None:
    kho = workspace_in(tmp_path / "kho")
    [package] = here("ingest", "-w", kho, package_in(tmp_path / "p"), "--json").data
    [page] = (kho / "stores/primary").rglob("Trang 1.txt")
    damage(page)
    done = here("restore", package["identifier"], "-w", kho, "--from", "primary", "--to", tmp_path / "out", "--json")
    assert (done.code, done.error["where"]) == (1, "data/Trang 1.txt")
    assert not (tmp_path / "out").exists()
    assert here("restore", package["identifier"], "-w", kho, "--from", "second", "--to", tmp_path / "out").code == 0
