"""Releases of PRONOM taken in, put in force, taken back: from files, a folder, a page; and all that is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from flows.identifying import pronom_web, signatures
from flows.identifying.pronom_web import PronomUnreachable
from preservation.errors import UsageError
from preservation.facts import FileFact
from preservation.formats import kept
from preservation.formats.identify import Identifier
from preservation.formats.kept import SignaturesDamaged
from preservation.formats.pronom.releases import ReleaseUnreadable
from tests.flows.houses import package
from tests.formats.releases_maker import CONTAINER, DROID, release_in
from tests.servers.scripted import listening, scripted

V118 = "PRONOM v118, containers 2024-05-01"
V109 = "PRONOM v109, containers 2020-01-21"


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """The folder with the two files of a small release."""
    return release_in(tmp_path_factory.mktemp("PRONOM"))


@pytest.mark.corpora
def test_the_release_that_pronom_published(workspace, corpora):
    done = signatures.update_from_folder(workspace, corpora("pronom-v118"), older=False)
    assert (done.now.label, done.now.formats, done.now.signatures, done.now.containers) == (V118, 2458, 2160, 299)
    assert done.now.dated == date(2024, 4, 29)


def test_from_a_folder_into_force_and_back(workspace, release, tmp_path):
    assert signatures.show(workspace).now.label == V109
    folder = tmp_path / "USB của chị Lan"
    folder.mkdir()
    for name in (DROID, CONTAINER):
        shutil.copy(release / name, folder)
    (folder / "DROID_SignatureFile_V99.xml").write_text("not looked at: an older one stands beside it")

    done = signatures.update_from_folder(workspace, folder, older=False)

    assert (done.now.label, done.before, done.changed) == (V118, V109, True)
    shown = signatures.show(workspace)
    assert shown.now.name == "118-2024-05-01"
    assert shown.now.origin == str(folder)
    assert shown.days(workspace.clock()) > 900
    [event] = shown.history
    assert (event.event.detail["signatures"], event.event.detail["before"]) == (V118, V109)
    assert event.event.detail["files"] == shown.now.digests
    assert event.event.detail["by"]
    assert (workspace.folder / "formats/118-2024-05-01" / DROID).read_bytes() == (release / DROID).read_bytes()

    assert not signatures.update_from_folder(workspace, folder, older=False).changed
    assert signatures.use(workspace, "109").now.label == V109
    assert signatures.use(workspace, "v118").now.label == V118
    assert len(signatures.show(workspace).history) == 3


def test_what_is_ingested_afterwards_is_named_by_it(house, release, tmp_path):
    """A new workspace object, as every command has; its own workers, not those that the tests share."""
    house.identifier = None
    given = package(tmp_path / "gói", {"Bản nhạc.wav": b"RIFF\x24\x00\x00\x00WAVEfmt \x10" + bytes(64)})
    with house.open() as workspace:
        fact = FileFact("Bản nhạc.wav", 81, {})
        [before] = workspace.identifier.identify(given, [fact])
        signatures.update_from_folder(workspace, release, older=False)
    with house.open() as workspace:
        [after] = workspace.identifier.identify(given, [fact])
    assert (before.puid is not None, before.signatures) == (True, V109)
    assert (after.puid, after.signatures) == (None, V118), "the small release knows no sound"


def _refused(workspace, droid: Path, container: Path, *, older: bool = False) -> UsageError:
    before = _state(workspace)
    with pytest.raises(UsageError) as refused:
        signatures.update_from_files(workspace, droid, container, older=older)
    assert _state(workspace) == before
    return refused.value


def _state(workspace) -> tuple[list[str], str]:
    folder = workspace.folder / "formats"
    return sorted(str(path) for path in folder.rglob("*")), signatures.show(workspace).now.label


def test_what_is_no_release_is_refused_and_changes_nothing(workspace, release, tmp_path):
    droid, container = release / DROID, release / CONTAINER
    text = droid.read_text("utf-8")
    broken = {
        "swapped": (container, droid),
        "cut": (_file(tmp_path / "a" / DROID, text[: len(text) // 2]), container),
        "no DROID file": (_file(tmp_path / "b" / DROID, "<html>Tiếng Việt</html>"), container),
        "an entity": (_file(tmp_path / "c" / DROID, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), container),
        "no number": (
            _file(tmp_path / "d" / DROID, text.replace('Version="118"', 'Version="../../x"', 1)),
            container,
        ),
        "no day": (_file(tmp_path / "e" / DROID, text.replace("2024-04-29T", "2024-99-99T", 1)), container),
        "a sequence that is none": (_file(tmp_path / "f" / DROID, text.replace("49492A00", "4949ZZ", 1)), container),
        "nothing": (tmp_path / "không có.xml", container),
        "containers of no day": (droid, _file(tmp_path / "g" / "container.xml", container.read_text("utf-8"))),
        "containers of another time": (
            _file(tmp_path / "h" / DROID, text.replace('PUID="fmt/483"', 'PUID="fmt/484"')),
            container,
        ),
    }
    for name, (first, second) in broken.items():
        error = _refused(workspace, first, second, older=True)
        assert error.next_step is not None, name
    assert signatures.show(workspace).history == ()


def test_a_release_that_misnames_the_samples_is_refused(workspace, release, tmp_path):
    """Every byte of it is well formed; only the TIFF signature is that of something else."""
    text = (
        (release / DROID).read_text("utf-8").replace("<Sequence>49492A00</Sequence>", "<Sequence>4A4A2A00</Sequence>")
    )
    error = _refused(workspace, _file(tmp_path / DROID, text), release / CONTAINER)
    assert "trang.tif" in str(error.expected)


def test_an_older_release_only_when_asked_for(workspace, release, tmp_path):
    old_release = release_in(tmp_path / "phiên bản cũ", number="117", dated="2023-12-01")
    signatures.update_from_folder(workspace, release, older=False)
    with pytest.raises(UsageError):
        signatures.update_from_folder(workspace, old_release, older=False)
    assert signatures.show(workspace).now.label == V118
    assert signatures.update_from_folder(workspace, old_release, older=True).changed
    assert signatures.show(workspace).now.name == "117-2024-05-01"


def test_another_release_of_the_same_number_never_replaces_one(workspace, release, tmp_path):
    signatures.update_from_folder(workspace, release, older=False)
    text = (release / DROID).read_text("utf-8")
    error = _refused(workspace, _file(tmp_path / DROID, text + "<!-- khác -->"), release / CONTAINER)
    assert error.expected != error.seen


def test_a_kept_release_that_was_altered_is_not_used_until_it_is_given_again(workspace, release):
    signatures.update_from_folder(workspace, release, older=False)
    file = workspace.folder / "formats/118-2024-05-01" / DROID
    file.write_bytes(file.read_bytes().replace(b"49492A00", b"49492B00", 1))
    with pytest.raises(SignaturesDamaged):
        _ = kept.files_in_use(workspace.folder / "formats")
    assert signatures.update_from_folder(workspace, release, older=False).now.label == V118
    assert kept.files_in_use(workspace.folder / "formats") is not None


def test_a_damaged_choice_is_refused_and_can_be_made_anew(workspace):
    (workspace.folder / "formats").mkdir()
    (workspace.folder / "formats/in-use.json").write_text('{"release": ')
    with pytest.raises(SignaturesDamaged):
        signatures.show(workspace)
    assert signatures.use(workspace, "fido").changed
    assert signatures.show(workspace).now.label == V109


def test_no_release_of_that_name(workspace):
    with pytest.raises(UsageError) as refused:
        signatures.use(workspace, "../catalog.db")
    assert refused.value.expected == "fido"


def test_an_event_that_could_not_be_told_is_told_by_the_next_look(workspace, release, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(signatures, "_tell_untold", lambda _: os.kill(0, 0))
        signatures.update_from_folder(workspace, release, older=False)
    [told] = signatures.show(workspace).history
    assert told.event.detail["signatures"] == V118
    assert len(signatures.show(workspace).history) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from flows.identifying import signatures
from flows.workspace import open_workspace
from preservation.formats import kept
where = sys.argv[3]
done = getattr(kept, where)
def die(*a, **k):
    if where == "_sync": done(*a, **k)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(kept, where, die)
signatures._refuse_misnaming = lambda *a: None
with open_workspace(Path(sys.argv[1])) as workspace:
    signatures.update_from_folder(workspace, Path(sys.argv[2]), older=False)
"""


@pytest.mark.parametrize("where", ["keep", "_sync", "use"])
def test_killed_in_the_middle_the_old_release_stays_in_force(house, release, where):
    with house.open() as workspace:
        signatures.show(workspace)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(house.folder), str(release), where],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    with house.open() as workspace:
        assert signatures.show(workspace).now.label == V109
        assert signatures.update_from_folder(workspace, release, older=False).changed
        assert [path.name for path in (house.folder / "formats").iterdir() if path.name.startswith(".")] == []


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


# --- from the network


def page(release: Path, *, cut: str = "", links: bytes | None = None):
    """A page like PRONOM's that links to an older and to the newest release."""

    def answer(request):
        name = request.path.rsplit("/", 1)[-1]
        if name in (DROID, CONTAINER):
            body = (release / name).read_bytes()
            return request.answer(200, body[: len(body) // 2] if cut == name else body, length=len(body))
        listed = (
            b"<a href=\"/documents/DROID_SignatureFile_V97.xml\">old</a> <A HREF='documents/DROID_SignatureFile_V118.xml'>"
            b'new</A> <a href="documents/container-signature-20240501.xml">x</a><a href="#top">&uarr;</a>'
        )
        return request.answer(200, listed if links is None else links)

    return answer


def test_the_newest_that_a_page_lists(workspace, release):
    with scripted(page(release)) as address:
        done = signatures.update_from_web(workspace, address + "/", older=False)
    assert done.now.label == V118
    assert done.now.origin == address + "/"


@pytest.mark.parametrize("cut", [DROID, CONTAINER])
def test_what_came_short_is_no_release(workspace, release, cut):
    with scripted(page(release, cut=cut)) as address, pytest.raises(PronomUnreachable):
        signatures.update_from_web(workspace, address, older=False)
    assert signatures.show(workspace).now.label == V109


def test_a_page_that_gives_garbage(workspace, release, tmp_path):
    def garbage(request):
        if request.path.endswith(".xml"):
            return request.answer(200, "<html>Bạn phải đăng nhập</html>".encode())
        return page(release)(request)

    with scripted(garbage) as address, pytest.raises(ReleaseUnreadable):
        signatures.update_from_web(workspace, address, older=False)
    with scripted(page(release, links=b"\xff\xfe<a href=>nothing")) as address, pytest.raises(PronomUnreachable):
        signatures.update_from_web(workspace, address, older=False)
    with scripted(lambda request: request.answer(503)) as address, pytest.raises(PronomUnreachable) as gone:
        signatures.update_from_web(workspace, address, older=False)
    assert "503" in str(gone.value)
    with listening(b"SSH-2.0\r\n") as address, pytest.raises(PronomUnreachable):
        pronom_web.fetch_newest(address, tmp_path)
    assert signatures.show(workspace).history == ()


def test_a_server_that_is_away_slow_or_endless(tmp_path, monkeypatch):
    with scripted(lambda request: None) as address:
        pass
    with pytest.raises(PronomUnreachable):
        pronom_web.fetch_newest(address, tmp_path)

    def dripping(request):
        try:
            while True:
                request.wfile.write(b"H" if b"headers" in request.path.encode() else b"HTTP/1.0 200 OK\r\n\r\n<a>")
                request.wfile.flush()
                time.sleep(0.1)
        except OSError:
            request.close_connection = True

    for path in ("/headers", "/body"):
        began = time.monotonic()
        with scripted(dripping) as address, pytest.raises(PronomUnreachable):
            pronom_web.fetch_newest(address + path, tmp_path, together=0.6, silence=0.5)
        assert time.monotonic() - began < 5

    monkeypatch.setitem(pronom_web.LARGEST, "page", 1000)
    with (
        scripted(lambda request: request.answer(200, b"x" * 2000)) as address,
        pytest.raises(PronomUnreachable) as big,
    ):
        pronom_web.fetch_newest(address, tmp_path)
    assert "1000" in str(big.value)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/", "https://user:pass@host/", "pronom", "https:///x"]
)
def test_addresses_that_are_none(url, tmp_path):
    with pytest.raises(UsageError) as refused:
        pronom_web.fetch_newest(url, tmp_path)
    assert "pass" not in str(refused.value.seen)


def test_from_https_nothing_else_is_followed():
    import io
    import urllib.request
    from http.client import HTTPMessage
    from urllib.error import URLError

    wary = pronom_web._Wary()
    there = urllib.request.Request("https://pronom.example/page")
    with pytest.raises(URLError):
        wary.redirect_request(there, io.BytesIO(), 302, "", HTTPMessage(), "http://pronom.example/page")
    assert wary.redirect_request(there, io.BytesIO(), 302, "", HTTPMessage(), "https://other.example/") is not None


def test_facts_on_disk_are_plain(workspace, release):
    """Whoever finds the folder can read what it is."""
    signatures.update_from_folder(workspace, release, older=False)
    facts = json.loads((workspace.folder / "formats/118-2024-05-01/release.json").read_text("utf-8"))
    assert facts["pronom"] == "118"
    assert set(facts["files"]) == {DROID, CONTAINER}
    with Identifier(signatures=kept.files_in_use(workspace.folder / "formats")) as identifier:
        [fact] = identifier.identify_paths([workspace.folder / "vankho.toml"])
    assert fact.signatures == V118
