"""Damage behind the engine's back: found in its place, repaired from a proved copy, proved again, all on record."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.servers import flip_byte
from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict, worst_of
from flows.reconcile import reconcile
from flows.references import UnknownReference
from flows.repair import repair
from flows.replicate import replicate
from flows.restore import restore
from flows.steps import plain_step
from flows.workspace import Workspace
from preservation.errors import UsageError
from preservation.facts import EventOutcome, EventType, Grade, Outcome
from preservation.replicas import verify
from tests.flows.houses import PAGES, House, codes, contents, package, proofs

PAGE = "data/Trang 0001.txt"


@pytest.fixture
def held(workspace: Workspace, tmp_path: Path) -> str:
    """One AIP with three proved copies."""
    return str(ingest(workspace, str(package(tmp_path / "p"))).identifier)


def file_of(house: House, store: str, identifier: str, path: str = PAGE) -> Path:
    file = house.store_folder(store) / f"aip/{identifier}/v1" / path
    if file.exists():
        file.chmod(0o600)
    return file


def test_one_flipped_bit_from_finding_to_proof(any_house: House, tmp_path: Path):
    house = any_house
    with house.open() as workspace:
        held = str(ingest(workspace, str(package(tmp_path / "p"))).identifier)
        assert {each.verdict for each in audit(workspace, [held])} == {Verdict.WELL}
        flip_byte(file_of(house, "b", held))
        damaged = file_of(house, "b", held).read_bytes()

        answers = audit(workspace, [])
        assert {each.report.store: each.word for each in answers} == {"a": "intact", "b": "damaged", "c": "intact"}
        assert worst_of(answers) is Verdict.FOUND
        (finding,) = next(each for each in answers if each.report.store == "b").report.findings
        assert (finding.code, finding.path) == ("object-altered", PAGE)
        assert proofs(workspace.catalog.replicas(held, 1)) == {"a": "intact", "b": "damaged", "c": "intact"}

        (done,) = repair(workspace, [])
        assert (done.verdict, done.word, done.store) == (Verdict.WELL, "repaired", "b")
        assert done.repaired is not None
        assert done.repaired.repaired == ((PAGE, "a"),)
        assert [path.read_bytes() for path in done.repaired.kept] == [damaged]
        assert done.repaired.kept[0].is_relative_to(house.evidence_folder)
        assert file_of(house, "b", held).read_bytes() == PAGES["Trang 0001.txt"]
        assert proofs(workspace.catalog.replicas(held, 1)) == dict.fromkeys("abc", "intact")

        told = [each.event for each in workspace.catalog.events(identifier=held)][-6:]
        told[:3] = sorted(told[:3], key=lambda event: str(event.store))  # stores are read side by side
        assert [(event.type, event.store, event.outcome) for event in told] == [
            (EventType.FIXITY_CHECK, "a", EventOutcome.SUCCESS),
            (EventType.FIXITY_CHECK, "b", EventOutcome.FAIL),
            (EventType.FIXITY_CHECK, "c", EventOutcome.SUCCESS),
            (EventType.FIXITY_CHECK, "b", EventOutcome.FAIL),
            (EventType.RECOVERY, "b", EventOutcome.SUCCESS),
            (EventType.FIXITY_CHECK, "b", EventOutcome.SUCCESS),
        ]
        assert told[4].detail["repaired"] == [{"path": PAGE, "from": "a"}]
        assert workspace.catalog.verify_chain().sound
        before = list(workspace.catalog.all_replicas())
        workspace.catalog.rebuild_projections()
        assert list(workspace.catalog.all_replicas()) == before
        assert repair(workspace, []) == []
    assert house.leftovers() == []


def test_damage_that_only_presence_saw_is_answered_too(workspace: Workspace, house: House, held: str):
    file_of(house, "c", held).unlink()
    seen = audit(workspace, [], store="c", evidence="presence")
    assert [each.word for each in seen] == ["damaged"]
    (done,) = repair(workspace, [])
    assert done.verdict is Verdict.WELL
    replica = next(each for each in workspace.catalog.replicas(held, 1) if each.store == "c")
    assert {grade: each.outcome for grade, each in replica.evidence.items()} == {
        Grade.BYTES: Outcome.INTACT,
        Grade.PRESENCE: Outcome.INTACT,
    }


def test_damage_that_was_undone_needs_no_repair(workspace: Workspace, house: House, held: str):
    file = file_of(house, "b", held)
    flip_byte(file)
    audit(workspace, [])
    flip_byte(file)
    (done,) = repair(workspace, [])
    assert (done.verdict, done.repaired) == (Verdict.WELL, None)


def test_no_good_copy_left(workspace: Workspace, house: House, held: str):
    for store in house.stores:
        flip_byte(file_of(house, store, held))
    audit(workspace, [])
    done = repair(workspace, [])
    assert [(each.store, each.verdict, codes(each.findings)) for each in done] == [
        (store, Verdict.FOUND, ["no-good-copy"]) for store in "abc"
    ]
    assert proofs(workspace.catalog.replicas(held, 1)) == dict.fromkeys("abc", "damaged")
    recoveries = [
        each.event for each in workspace.catalog.events(identifier=held) if each.event.type is EventType.RECOVERY
    ]
    assert [event.outcome for event in recoveries] == [EventOutcome.FAIL] * 3


def test_two_damaged_copies_with_one_good_file_each(workspace: Workspace, house: House, held: str):
    """A copy that is damaged elsewhere may still give the file that is good in it."""
    flip_byte(file_of(house, "a", held, PAGE))
    flip_byte(file_of(house, "b", held, "data/Trang 0002.txt"))
    file_of(house, "c", held, PAGE).unlink()
    file_of(house, "c", held, "data/Trang 0002.txt").unlink()
    audit(workspace, [])
    assert {each.verdict for each in repair(workspace, [])} == {Verdict.WELL}
    assert {each.word for each in audit(workspace, [])} == {"intact"}


def test_a_whole_replica_lost_is_brought_back_in_rounds(
    workspace: Workspace, house: House, held: str, monkeypatch: pytest.MonkeyPatch
):
    """A report holds only so many objects; repair goes on until all are back."""
    monkeypatch.setattr(verify, "FINDINGS_KEPT", 3)
    monkeypatch.setattr("flows.repair.FINDINGS_KEPT", 3)
    for file in sorted(house.store_folder("b").glob("aip/**/*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    audit(workspace, [])
    (done,) = repair(workspace, [])
    assert done.verdict is Verdict.WELL
    assert done.repaired is not None
    assert len(done.repaired.repaired) == next(iter(workspace.catalog.versions())).objects


def test_a_disk_that_spoils_what_is_written_stops_repair(
    workspace: Workspace, house: House, held: str, monkeypatch: pytest.MonkeyPatch
):
    flip_byte(file_of(house, "b", held))
    audit(workspace, [])
    store = workspace.erasable_store("b")
    put = store.put

    def spoiling(key: str, source, *, size: int, sha256: str) -> None:
        put(key, source, size=size, sha256=sha256)
        flip_byte(file_of(house, "b", held))

    monkeypatch.setattr(store, "put", spoiling)
    (done,) = repair(workspace, [])
    assert (done.verdict, done.repaired, done.after) == (Verdict.FAILED, None, None)
    assert "still reads back wrongly" in str(done.findings[0].message)


def test_audit_asks_only_what_is_asked(workspace: Workspace, house: House, held: str, tmp_path: Path):
    other = str(ingest(workspace, str(package(tmp_path / "q", {"q": b"q"}))).identifier)
    answers = audit(workspace, [other], store="c", evidence="presence")
    assert [(each.report.identifier, each.report.store, each.report.grade) for each in answers] == [
        (other, "c", Grade.PRESENCE)
    ]
    assert len(audit(workspace, [])) == 6
    assert len(audit(workspace, [held[:8]])) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda workspace, held: audit(workspace, [], store="cloud-z"),
        lambda workspace, held: reconcile(workspace, store="cloud-z"),
        lambda workspace, held: restore(workspace, held, to="/nowhere/x", store="cloud-z"),
        lambda workspace, held: audit(workspace, ["no-such-aip"]),
        lambda workspace, held: replicate(workspace, ["no-such-aip"]),
        lambda workspace, held: repair(workspace, ["no-such-aip"]),
        lambda workspace, held: restore(workspace, "no-such-aip", to="/nowhere/x"),
        lambda workspace, held: restore(workspace, held, to="/nowhere/x", version=7),
    ],
)
def test_what_does_not_exist_is_wrong_usage_never_all_well(workspace: Workspace, held: str, ask):
    with pytest.raises(UsageError):
        ask(workspace, held)


def test_an_unknown_reference_says_what_to_do(workspace: Workspace):
    with pytest.raises(UnknownReference, match="no-such-aip"):
        audit(workspace, ["no-such-aip"])


def test_restore_gives_the_bag_and_records_it(any_house: House, tmp_path: Path):
    with any_house.open() as workspace:
        held = str(ingest(workspace, str(package(tmp_path / "p"))).identifier)
        done = restore(workspace, held, to=str(tmp_path / "out"))
        assert (done.verdict, done.word, done.restored.places) == (Verdict.WELL, "restored", ("a",))
        assert contents(tmp_path / "out" / "data") == PAGES
        *_, last = (each.event for each in workspace.catalog.events(identifier=held))
        assert (last.type, last.outcome) == (EventType.DISSEMINATION, EventOutcome.SUCCESS)
        assert last.detail["from"] == ["a"]


def test_restore_again_into_the_same_folder_fetches_nothing_and_tells_nothing_twice(
    workspace: Workspace, held: str, tmp_path: Path
):
    """The first run may have ended before its answer was printed."""
    out = tmp_path / "out"
    restore(workspace, held, to=str(out))
    before = workspace.catalog.head()
    stood = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = restore(workspace, held, to=str(out))
    assert (again.verdict, again.report.valid, again.restored.places) == (Verdict.WELL, True, ())
    assert again.restored.files == len([path for path in stood if path.is_file()])
    assert workspace.catalog.head() == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stood


@pytest.mark.parametrize("hurt", ["a byte", "a file too many", "a file too few", "another version", "a link"])
def test_restore_leaves_a_folder_alone_that_is_not_that_bag(
    workspace: Workspace, held: str, tmp_path: Path, hurt: str
):
    out = tmp_path / "out"
    restore(workspace, held, to=str(out))
    page = next(path for path in sorted((out / "data").rglob("*")) if path.is_file())
    match hurt:
        case "a byte":
            flip_byte(page)
        case "a file too many":
            (out / "data/mine.txt").write_text("mine")
        case "a file too few":
            page.unlink()
        case "a link":
            out = out.rename(tmp_path / "elsewhere")
            (tmp_path / "out").symlink_to(out)
        case _:
            ingest(workspace, str(package(tmp_path / "other", {"x": b"other"}, identifier="N-2")))
    stood = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(UsageError, match="is not empty"):
        restore(workspace, held if hurt != "another version" else "N-2", to=str(tmp_path / "out"))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stood


def test_restore_from_a_damaged_store_uses_another_and_says_so(
    workspace: Workspace, house: House, held: str, tmp_path: Path
):
    flip_byte(file_of(house, "a", held))
    done = restore(workspace, held, to=str(tmp_path / "out"))
    assert (done.verdict, done.word, codes(done.restored.findings)) == (
        Verdict.FOUND,
        "restored",
        ["place-passed-over"],
    )
    assert contents(tmp_path / "out" / "data") == PAGES
    assert restore(workspace, held, to=str(tmp_path / "from-b"), store="b").restored.places == ("b",)


def test_restore_of_an_older_version(workspace: Workspace, tmp_path: Path):
    ingest(workspace, str(package(tmp_path / "1", {"x": b"one"}, identifier="N-1")))
    ingest(workspace, str(package(tmp_path / "2", {"x": b"two"}, identifier="N-1")))
    restore(workspace, "N-1", to=str(tmp_path / "new"))
    restore(workspace, "N-1", to=str(tmp_path / "old"), version=1)
    assert (tmp_path / "new/data/x").read_bytes() == b"two"
    assert (tmp_path / "old/data/x").read_bytes() == b"one"


def test_reconcile_in_both_directions(workspace: Workspace, house: House, held: str):
    assert {each.verdict for each in reconcile(workspace)} == {Verdict.WELL}
    file_of(house, "a", held).unlink()
    stray = house.store_folder("b") / "aip/unknown-aip/v1/data"
    stray.mkdir(parents=True)
    (stray / "x").write_bytes(b"x")
    told = {each.report.store: (each.word, codes(each.report.findings)) for each in reconcile(workspace)}
    assert told == {
        "a": ("disagrees", ["object-missing"]),
        "b": ("disagrees", ["replica-unfinished"]),
        "c": ("agrees", []),
    }


def test_a_store_that_the_settings_lost_is_not_passed_over(house: House, tmp_path: Path):
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
    del house.stores["b"]
    house.settle()
    with house.open() as workspace:
        assert {each.report.store: each.word for each in reconcile(workspace)} == {
            "a": "agrees", "c": "agrees", "b": "failed"
        }  # fmt: skip
        told = {each.report.store: each.word for each in audit(workspace, [])}
        assert told == {"a": "intact", "b": "unreadable", "c": "intact"}


def test_many_damaged_copies_stay_within_the_steps_that_prefect_can_carry(
    workspace: Workspace, house: House, tmp_path: Path
):
    for number in range(4):
        ingest(workspace, str(package(tmp_path / str(number), {"n": b"%d" % number})))
    for store in ("a", "b", "c"):
        for file in house.store_folder(store).glob("aip/*/v1/bag-info.txt"):
            if store != "a":
                file.chmod(0o600)
                flip_byte(file)
    names: list[str] = []

    def counted(name: str, work, /, *args, **kwargs):
        names.append(name)
        return plain_step(name, work, *args, **kwargs)

    audit(workspace, [], step=counted)
    assert len(names) == 3
    names.clear()
    done = repair(workspace, [], step=counted)
    assert [each.verdict for each in done] == [Verdict.WELL] * 8
    assert len(names) <= 25
    names.clear()
    assert replicate(workspace, [], step=counted) == []  # nothing is wanting any more
    assert len(names) <= 25


def test_a_fresh_copy_that_does_not_prove_is_found(workspace: Workspace, house: House, tmp_path: Path):
    def spoil(name: str, work, /, *args, **kwargs):
        if name == "verify in b":
            file = next(house.store_folder("b").glob("aip/*/v1/bag-info.txt"))
            file.chmod(0o600)
            flip_byte(file)
        return plain_step(name, work, *args, **kwargs)

    done = ingest(workspace, str(package(tmp_path / "p")), step=spoil)
    assert (done.outcome, done.verdict) == ("accepted", Verdict.FOUND)
    assert "object-altered" in codes(done.findings)
    assert proofs(done.replicas) == {"a": "intact", "b": "damaged", "c": "intact"}


def test_what_others_put_in_our_place_is_found_and_repaired_never_overwritten(
    workspace: Workspace, house: House, tmp_path: Path
):
    place = []

    def squat(name: str, work, /, *args, **kwargs):
        if name == "copy to b":
            version = next(iter(workspace.catalog.versions()))
            place.append(house.store_folder("b") / f"aip/{version.identifier}/v1" / PAGE)
            place[0].parent.mkdir(parents=True)
            place[0].write_bytes(b"not ours")
        return plain_step(name, work, *args, **kwargs)

    done = ingest(workspace, str(package(tmp_path / "p")), step=squat)
    assert (done.outcome, done.verdict) == ("accepted", Verdict.FOUND)
    assert proofs(done.replicas) == {"a": "intact", "b": "damaged", "c": "intact"}
    assert place[0].read_bytes() == b"not ours"
    (mended,) = repair(workspace, [])
    assert mended.verdict is Verdict.WELL
    assert mended.repaired is not None
    assert [path.read_bytes() for path in mended.repaired.kept] == [b"not ours"]
    assert {each.word for each in audit(workspace, [])} == {"intact"}
