"""Format drift: what another release would say of what is kept, and that nothing is changed by asking."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest

from flows.audit import audit
from flows.identifying import signatures
from flows.identifying.drift import drift, quick
from flows.ingest import ingest
from preservation.formats import kept
from preservation.formats.drift import Aspect, Kind
from tests.flows.houses import package, tree
from tests.formats.releases_maker import release_in

WAVE = b"RIFF\x24\x00\x00\x00WAVEfmt \x10" + bytes(64)
FILES = {
    "Trang 1.pdf": b"%PDF-1.4\nx\n%%EOF\n",
    "Trang 2.pdf": b"%PDF-1.4\nyy\n%%EOF\n",
    "Bản nhạc.wav": WAVE,
    "Thư/không tên": b"MUOI nobody knows;",
    "Thư/rỗng.tif": b"",
}
NO_SOUND = "118-2024-05-01"


@pytest.fixture
def taken_in(house, tmp_path):
    """A house with one AIP, and another release beside FIDO's that knows no sound, but a format of our own."""
    release = release_in(tmp_path / "PRONOM")
    droid = release / "DROID_SignatureFile_V118.xml"
    text = droid.read_text("utf-8")
    # what was a GIF in release 109 is now called by other letters, and by another name
    droid.write_text(
        text.replace("<Sequence>474946383961</Sequence>", "<Sequence>4D554F49</Sequence>"), encoding="utf-8"
    )
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "Thư viện", FILES)), collection="Hán Nôm")
        assert done.outcome == "accepted"
        text = droid.read_text("utf-8")
        _keep(workspace, release)
    return house


def _keep(workspace, release: Path) -> None:
    """Without making it the one in use: its GIF is not what it should be."""
    given, files = signatures.release_in(
        release / "DROID_SignatureFile_V118.xml", release / "container-signature-20240501.xml", workspace.clock()
    )
    kept.keep(workspace.folder / "formats", given, files)


def test_what_another_release_would_say(taken_in):
    with taken_in.open() as workspace:
        before, events = tree(taken_in.folder / "stores"), len(list(workspace.catalog.events()))
        release, files = signatures.release_named(workspace, "118")
        listed = io.StringIO()
        seen = drift(workspace, release, files, listed=listed)
        assert (tree(taken_in.folder / "stores"), len(list(workspace.catalog.events()))) == (before, events)

    assert (seen.looked, seen.changed) == (5, 2)
    assert {kind: seen.count(kind) for kind in Kind if seen.count(kind)} == {
        Kind.SAME: 3,
        Kind.NOW_KNOWN: 1,
        Kind.NOW_UNKNOWN: 1,
    }
    lines = {line["path"]: line for line in map(json.loads, listed.getvalue().splitlines())}
    assert set(lines) == {"data/Bản nhạc.wav", "data/Thư/không tên"}
    assert lines["data/Thư/không tên"]["from"]["signatures"] == "PRONOM v109, containers 2020-01-21"
    assert lines["data/Thư/không tên"]["to"] == {
        "puid": "fmt/4",
        "basis": "signature",
        "signatures": "PRONOM v118, containers 2024-05-01",
    }
    [example] = next(seen.examples[turn] for turn in seen.turns if turn.kind is Kind.NOW_KNOWN)
    assert example[1:] == (1, "data/Thư/không tên")


def test_by_the_release_it_was_named_by_nothing_changes(taken_in):
    with taken_in.open() as workspace:
        seen = drift(workspace, *signatures.release_named(workspace, None))
    assert (seen.looked, seen.count(Kind.SAME), dict(seen.examples)) == (5, 5, {})


def test_only_a_collection_and_only_a_sample(taken_in):
    with taken_in.open() as workspace:
        release, files = signatures.release_named(workspace, "118")
        assert drift(workspace, release, files, collection="Báo chí").looked == 0
        all_kinds = drift(workspace, release, files, collection="Hán Nôm", sample=1)
        again = drift(workspace, release, files, collection="Hán Nôm", sample=1)
    assert all_kinds.turns == again.turns
    assert all_kinds.count(Kind.NOW_KNOWN) == 1, "of formats with one file, that file"
    assert all_kinds.looked in (3, 4, 5), "of the two PDF files, about one"


def test_without_a_copy_in_a_folder_it_is_said(taken_in):
    """Any copy will do; with none, the files are counted and the stores named."""
    with taken_in.open() as workspace:
        release, files = signatures.release_named(workspace, "118")
        for place in taken_in.folder.glob("stores/[ab]/aip"):
            place.rename(place.with_name("elsewhere"))
        assert drift(workspace, release, files).looked == 5
        for place in taken_in.folder.glob("stores/c/aip"):
            place.rename(place.with_name("elsewhere"))
        seen = drift(workspace, release, files)
    assert (seen.looked, seen.skipped) == (0, Counter({"a, b, c": 5}))


def test_a_copy_that_was_seen_damaged_does_not_speak(taken_in):
    """Its bytes would be taken for drift."""
    with taken_in.open() as workspace:
        for copy in taken_in.folder.glob("stores/[ab]/aip/*/v1/data/Trang 1.pdf"):
            copy.chmod(0o644)
            copy.write_bytes(b"MUOI" + copy.read_bytes()[4:])
        audit(workspace, [])
        seen = drift(workspace, *signatures.release_named(workspace, None))
    assert (seen.looked, seen.changed) == (5, 0)


def test_a_file_that_is_not_there_is_told_apart(taken_in):
    with taken_in.open() as workspace:
        for copy in taken_in.folder.glob("stores/*/aip/*/v1/data/Trang 1.pdf"):
            copy.unlink()
        seen = drift(workspace, *signatures.release_named(workspace, None))
    assert (seen.count(Kind.FAILED), seen.count(Kind.SAME), seen.changed) == (1, 4, 0)


def test_the_quick_answer_names_the_formats_that_differ(taken_in):
    with taken_in.open() as workspace:
        seen = quick(workspace, *signatures.release_named(workspace, "118"))
        same = quick(workspace, *signatures.release_named(workspace, None))
    [sound] = [each for each in seen.differing if Aspect.GONE in each.aspects]
    assert (sound.aspects, sound.held.files) == ((Aspect.GONE,), 1)
    assert seen.unnamed == 1
    assert (same.differing, same.not_compared, same.files) == ((), {}, 5)


def test_signatures_that_are_kept_nowhere_are_not_compared(taken_in):
    with taken_in.open() as workspace:
        (taken_in.folder / "formats/in-use.json").write_text(
            json.dumps({"release": NO_SOUND, "event": None, "before": None, "by": None})
        )
        workspace.__dict__.pop("identifier")
        ingest(workspace, str(package(taken_in.folder.parent / "Báo", {"Số 1.pdf": b"%PDF-1.4\n%%EOF\n"})))
        signatures.use(workspace, "fido")
        (taken_in.folder / "formats" / NO_SOUND).rename(taken_in.folder / "formats" / ".gone")
        seen = quick(workspace, *signatures.release_named(workspace, "fido"))
        workspace.identifier.close()
        workspace.__dict__["identifier"] = taken_in.identifier
    assert seen.not_compared == {"PRONOM v118, containers 2024-05-01": 1}
