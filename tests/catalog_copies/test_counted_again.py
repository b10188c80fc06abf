"""What no ledger tells: AIPs and copies of runs that died before their push, bags that are the only copy."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.rebuilding.adoption import UNCLAIMED, Counted, count_again
from flows.rebuilding.catalog_copies import rebuild
from flows.remains import clear
from flows.replicate import replicate
from flows.restore import restore
from flows.running.run import carry_out
from flows.workspace import CatalogLost, Workspace
from preservation.facts import AIPVersion, ObjectFact
from preservation.ledger.guard import LedgerRefused
from tests.catalog_copies.losses import lose
from tests.flows.houses import House, codes, package, proofs

KEPT = ("vankho.toml", "vankho.secrets.toml", "stores")


def _not_pushed(house: House, source: Path, **more: Any) -> AIPVersion:
    """A package taken in by a run that died before its ledger was written."""
    with house.open() as workspace:
        done = ingest(workspace, str(source), **more)
        assert done.word == "accepted", done
        return workspace.catalog.find(done.identifier or "")[-1]


def _objects(workspace: Workspace, version: AIPVersion) -> list[ObjectFact]:
    return list(workspace.catalog.objects(version.identifier, version.version))


def _awkward(folder: Path) -> Path:
    """A ZIP with names in another encoding than UTF-8, a format, a title, an XML namespace."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "gói.zip", "w") as out:
        out.writestr("metadata.json", json.dumps({"identifier": "gói-1", "title": "Truyện Kiều"}))
        out.writestr("100%.txt", "phần trăm")
        out.writestr("alto.xml", '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"/>')
        out.writestr("TruyEEn.txt", "chữ")
    raw = (folder / "gói.zip").read_bytes()
    (folder / "gói.zip").write_bytes(raw.replace(b"TruyEEn", b"Truy\xea\xf2n"))  # cp1258, and no flag that says so
    return folder / "gói.zip"


def test_an_aip_that_no_ledger_knows_is_adopted_from_its_bag(lived: House, tmp_path: Path) -> None:
    """All the catalog knew comes back but the time of admission; an event says that it was so."""
    version = _not_pushed(lived, _awkward(tmp_path / "z"), collection="Thơ Nôm")
    with lived.open() as workspace:
        before = _objects(workspace, version)
        history = [each.event.id for each in workspace.catalog.events(submission=version.submission)]
    assert any(fact.original_name for fact in before)
    lose(lived, keep=KEPT)
    with lived.open() as workspace:
        done = rebuild(workspace, source="b")
        assert done.difference is not None
        assert (done.difference.total, done.verdict) == (0, Verdict.FOUND)
        assert codes(done.counted.findings) == ["aip-adopted"]
        again = workspace.catalog.find(version.identifier)[-1]
        assert _objects(workspace, again) == before
        for field in (
            "content_digest",
            "submission",
            "source",
            "producer_identifier",
            "collection",
            "title",
            "policy",
        ):
            assert getattr(again, field) == getattr(version, field), field
        told = [each.event for each in workspace.catalog.events(submission=version.submission)]
        assert [event.id for event in told[:-1]] == history[: len(told) - 1]
        assert told[-1].detail["adopted"]["from"] == "b"
        assert proofs(workspace.catalog.replicas(version.identifier, 1)) == {"b": None}
        carry_out(workspace, audit, references=[])
        carry_out(workspace, replicate, references=[])
        assert proofs(workspace.catalog.replicas(version.identifier, 1)) == dict.fromkeys("abc", "intact")
    lose(lived, keep=KEPT)  # and the adoption itself is in the ledger now
    with lived.open() as workspace:
        assert rebuild(workspace, source="c").verdict is Verdict.WELL
        assert _objects(workspace, version) == before


def test_without_any_ledger_the_bags_alone_are_read(lived: House) -> None:
    """The last resort: versions in their order, whatever the order of a list."""
    with lived.open() as workspace:
        before = {
            (version.identifier, version.version): _objects(workspace, version)
            for version in workspace.catalog.versions()
        }
    lose(lived)
    for name in "abc":
        shutil.rmtree(lived.store_folder(name) / "ledger")
    with lived.open() as workspace:
        done = rebuild(workspace, source="a")
        assert (done.outcome, done.verdict) == ("made-anew", Verdict.FOUND)
        assert {
            (each.identifier, each.version): _objects(workspace, each) for each in workspace.catalog.versions()
        } == (before)
        again = rebuild(workspace, source="a")
        assert again.counted.adopted == ()
        assert {each.word for each in carry_out(workspace, audit, references=[])} == {"intact"}


def _change(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)


def _forged(name: str, found: str, said: str) -> Callable[[Path], object]:
    """A bag that holds in itself, but of which one tag file tells what no bag of ours tells."""

    def harm(bag: Path) -> None:
        file, listed = bag / name, bag / "tagmanifest-sha256.txt"
        before = file.read_bytes()
        after = re.sub(found, said, before.decode(), count=1).encode()
        assert before != after
        _change(file, after)
        old, new = (hashlib.sha256(content).hexdigest().encode() for content in (before, after))
        _change(listed, listed.read_bytes().replace(old, new))

    return harm


def _detail(said: str) -> Callable[[Path], object]:
    return _forged("metadata/premis.xml", r"<([^<>/]*eventDetail)>[^<]*<", rf"<\1>{said}<")


BROKEN: dict[str, Callable[[Path], object]] = {
    "premis proves copies": _detail('{"projection": [{"change": "proved"}]}'),
    "premis admits": _detail('{"aip": {}}'),
    "premis without details": _detail("[]"),
    "premis nested deep": _detail("[" * 100_000),
    "a decision on the ledger": _forged("bag-info.txt", "Vankho-Submission: .*", "Vankho-Submission: ledger"),
    "no commit mark": lambda bag: (bag / "bagit.txt").unlink(),
    "tag file altered": lambda bag: _change(bag / "metadata/formats.json", b"{}"),
    "premis lost": lambda bag: (bag / "metadata/premis.xml").unlink(),
    "manifest altered": lambda bag: _change(bag / "manifest-sha256.txt", b""),
    "bag-info lost": lambda bag: (bag / "bag-info.txt").unlink(),
    "page cut short": lambda bag: _change(bag / "data/a.txt", b"a"),
    "page lost": lambda bag: (bag / "data/a.txt").unlink(),
    "page put in": lambda bag: (bag / "data/c.txt").write_bytes(b"c"),
    "tag manifest lost": lambda bag: (bag / "tagmanifest-sha256.txt").unlink(),
    "under another name": lambda bag: shutil.move(bag, bag.parent / "v7"),
}


def test_what_contradicts_itself_is_named_and_left_alone(lived: House, tmp_path: Path) -> None:
    """Each is seen without reading a page; nothing is removed, and the history is equal all the same."""
    version = _not_pushed(lived, package(tmp_path / "p", {"a.txt": b"abc", "b.txt": b"b"}))
    for name, harm in BROKEN.items():
        house = House(tmp_path / name, lived.stores, identifier=lived.identifier)
        shutil.copytree(lived.folder, house.folder)
        lose(house)
        bag = house.store_folder("a") / "aip" / version.identifier / "v1"
        harm(bag)
        left = sorted(path.name for path in bag.parent.rglob("*"))
        with house.open() as workspace:
            done = rebuild(workspace, source="a")
            assert codes(done.counted.findings) == ["aip-not-adopted"] or codes(done.counted.findings) == [
                "aip-not-adoptable"
            ], (name, done.counted.findings)
            assert done.verdict is Verdict.FOUND, name
            assert workspace.catalog.find(version.identifier) == [], name
        assert sorted(path.name for path in bag.parent.rglob("*")) == left, name


def test_a_folder_called_like_the_producers_word_for_an_aip_is_another_one(lived: House, tmp_path: Path) -> None:
    """`kieu` is the producer's identifier of an AIP, and of one in another collection too."""
    with lived.open() as workspace:
        source = package(tmp_path / "p", {"a.txt": b"abc"}, identifier="kieu")
        carry_out(workspace, ingest, source=str(source), collection="Khác")
        version = list(workspace.catalog.versions())[-1]
    lose(lived)
    there = lived.store_folder("a") / "aip"
    shutil.copytree(there / version.identifier, there / "kieu")
    with lived.open() as workspace:
        done = rebuild(workspace, source="a")
        assert done.counted.adopted == ()
        assert [(each.code, each.path) for each in done.counted.findings] == [("aip-not-adopted", "aip/kieu/v1/")]


def test_a_copy_that_nobody_claims_is_claimed_when_it_is_listed_whole(lived: House, tmp_path: Path) -> None:
    """Else the only copy left would be no donor for any other."""
    with _away(lived, "c", to=tmp_path), lived.open() as workspace:
        carry_out(workspace, ingest, source=str(package(tmp_path / "p", {"a.txt": b"abc"})))
        version = list(workspace.catalog.versions())[-1]
    with lived.open() as workspace:
        carry_out(workspace, audit, references=[])  # the ledger in c knows the AIP now, but no copy of it there
        replicate(workspace, [])  # copied, and died before the push
    lose(lived, "a", "b", keep=KEPT)
    with lived.open() as workspace:
        done = rebuild(workspace, source="c")
        assert [(each.how, each.place, each.identifier) for each in done.counted.adopted] == [
            ("claimed", "c", version.identifier)
        ]
        assert proofs(workspace.catalog.replicas(version.identifier, 1))["c"] is None
        proved = carry_out(workspace, audit, references=[version.identifier], store="c")
        assert [each.word for each in proved] == ["intact"]


@contextmanager
def _away(house: House, *names: str, to: Path) -> Iterator[None]:
    """Their disks are elsewhere, and something that is no folder stands in their place."""
    for name in names:
        house.store_folder(name).rename(to / f"away-{name}")
        house.store_folder(name).write_text("away")
    yield
    for name in names:
        house.store_folder(name).unlink()
        (to / f"away-{name}").rename(house.store_folder(name))


def test_the_bag_in_the_workspace_is_counted_on_again(lived: House, tmp_path: Path) -> None:
    """Admitted while every store was away: the ledger was pushed later, the catalog lost, the bag is the only copy."""
    source = package(tmp_path / "p", {"a.txt": b"abc"})
    with _away(lived, *"abc", to=tmp_path), lived.open() as workspace:
        assert carry_out(workspace, ingest, source=str(source)).verdict is Verdict.FAILED
        version = list(workspace.catalog.versions())[-1]
        assert version.staged is not None
    with lived.open() as workspace:
        carry_out(workspace, audit, references=[])  # a run that copies nothing, and pushes the history
    lose(lived, keep=(*KEPT, "bags"))
    shutil.rmtree(source)
    bag = lived.folder / version.staged
    with lived.open() as workspace:
        with pytest.raises(CatalogLost):  # before anything is tidied away
            carry_out(workspace, ingest, source=str(package(tmp_path / "q", {"b.txt": b"b"})))
        assert bag.is_dir()
        done = rebuild(workspace, source="a")
        assert [(each.how, each.identifier) for each in done.counted.adopted] == [("staged", version.identifier)]
        assert done.verdict is Verdict.WELL
        carry_out(workspace, ingest, source=str(package(tmp_path / "q", {"b.txt": b"b"})))  # tidies
        assert bag.is_dir()
        carry_out(workspace, replicate, references=[version.identifier])
        assert proofs(workspace.catalog.replicas(version.identifier, 1)) == dict.fromkeys("abc", "intact")
        assert not bag.exists()
        assert restore(workspace, version.identifier, to=str(tmp_path / "out")).report.valid


def test_no_catalog_is_made_beside_bags_that_wait(lived: House, tmp_path: Path) -> None:
    """Even when every store is away: the bags may be the only copies, and tidying would not know them."""
    with _away(lived, *"abc", to=tmp_path):
        version = _kept_bag(lived, package(tmp_path / "p", {"a.txt": b"abc"}))
        lose(lived, keep=(*KEPT, "bags"))
        with lived.open() as workspace, pytest.raises(CatalogLost):
            carry_out(workspace, ingest, source=str(package(tmp_path / "q", {"b.txt": b"b"})))
        with lived.open() as workspace, pytest.raises(CatalogLost):
            clear(workspace)
    assert (lived.folder / (version.staged or "")).is_dir()
    assert not (lived.folder / "catalog.db").exists()


def test_an_older_catalog_tidies_no_bag_away_while_a_store_cannot_be_asked(lived: House, tmp_path: Path) -> None:
    """It does not know what was admitted since; with the stores there again it is refused, and brought up to date."""
    shutil.copy(lived.folder / "catalog.db", tmp_path / "older.db")
    with _away(lived, *"abc", to=tmp_path):
        version = _kept_bag(lived, package(tmp_path / "p", {"a.txt": b"abc"}))
    with lived.open() as workspace:
        carry_out(workspace, audit, references=[])  # the stores know more now than the older copy
    shutil.copy(tmp_path / "older.db", lived.folder / "catalog.db")
    bag = lived.folder / (version.staged or "")
    with _away(lived, *"abc", to=tmp_path), lived.open() as workspace:
        carry_out(workspace, replicate, references=[])
        clear(workspace)
        assert bag.is_dir()
    with lived.open() as workspace:
        with pytest.raises(LedgerRefused):
            clear(workspace)
        assert bag.is_dir()


def test_no_run_tidies_a_bag_away_while_the_catalog_is_made_again(
    lived: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new catalog stands, and any run may open it, before it counts on the bags that wait: hours, if they are
    large.
    """
    with _away(lived, *"abc", to=tmp_path):
        version = _kept_bag(lived, package(tmp_path / "p", {"a.txt": b"abc"}))
    lose(lived, keep=(*KEPT, "bags"))
    bag = lived.folder / (version.staged or "")

    def slowly(*args: Any) -> Counted:
        with lived.open() as another:
            clear(another)
        assert bag.is_dir()
        return count_again(*args)

    monkeypatch.setattr("flows.rebuilding.catalog_copies.count_again", slowly)
    with lived.open() as workspace:
        done = rebuild(workspace, source="a")
        assert [(each.how, each.identifier) for each in done.counted.adopted] == [("adopted", version.identifier)]
        (lived.folder / "bags" / "dead").mkdir()
        clear(workspace)
        assert [each.name for each in (lived.folder / "bags").iterdir()] == [bag.name]  # the lock is gone


def test_a_bag_that_no_ledger_knows_is_adopted_from_the_workspace_or_moved_out_of_the_way(
    lived: House, tmp_path: Path
) -> None:
    """Tidying removes bags that nobody counts on, so none may be left in its way."""
    with _away(lived, *"abc", to=tmp_path):
        whole = _kept_bag(lived, package(tmp_path / "p", {"a.txt": b"abc"}))
        hurt = _kept_bag(lived, package(tmp_path / "q", {"b.txt": b"abc"}))
    lose(lived, keep=(*KEPT, "bags"))
    (lived.folder / (hurt.staged or "") / "data/b.txt").write_bytes(b"abd")
    with lived.open() as workspace:
        done = rebuild(workspace, source="a")
        assert [(each.how, each.identifier) for each in done.counted.adopted] == [("adopted", whole.identifier)]
        assert sorted(codes(done.counted.findings)) == ["aip-adopted", "aip-not-adopted"]
        carry_out(workspace, replicate, references=[])
        assert proofs(workspace.catalog.replicas(whole.identifier, 1)) == dict.fromkeys("abc", "intact")
    assert [path.name for path in (lived.folder / UNCLAIMED).iterdir()] == [Path(hurt.staged or "").name]


def _kept_bag(house: House, source: Path) -> AIPVersion:
    with house.open() as workspace:
        ingest(workspace, str(source))
        return list(workspace.catalog.versions())[-1]
