"""What is particular to a store in a folder: links, rights, full and failing disks, and what a kill leaves."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import resource
import signal
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage_adapters.conformance_trial import Stream, read_all, sha256
from storage_adapters.errors import (
    KeyRefused,
    ObjectExists,
    ObjectNotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from storage_adapters.keys import UNFINISHED
from storage_adapters.local import LocalStore
from storage_adapters.memory import MemoryStore
from storage_adapters.opening import LocalSettings, MemorySettings, open_store


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "root").mkdir()
    return LocalStore("disk", tmp_path / "root")


def put(store, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))


def get(store, key: str) -> bytes:
    with store.open(key) as reader:
        return read_all(reader)


def test_the_key_is_the_path_and_the_file_is_read_only(store: LocalStore):
    put(store, "aip/x/v1/data/Quốc ngữ.tif", b"x")
    path = store.root / "aip/x/v1/data/Quốc ngữ.tif"
    assert path.read_bytes() == b"x"
    assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0
    assert path.stat().st_nlink == 1


def test_sixteen_racing_puts_have_one_winner():
    for make in (lambda: MemoryStore("m"), None):
        bodies = [bytes([number]) * 100_000 for number in range(16)]
        target = make() if make else None
        if target is not None:
            assert race(target, bodies) == 1


def test_sixteen_racing_puts_have_one_winner_on_disk(store: LocalStore):
    for turn in range(5):
        assert race(store, [bytes([number]) * 100_000 for number in range(16)], key=f"deep/{turn}/key") == 1
    assert not [each for each in store.root.rglob("*") if each.name.startswith(UNFINISHED)]


def race(store, bodies: list[bytes], key: str = "key") -> int:
    start = threading.Barrier(len(bodies))

    def run(body: bytes) -> bytes | None:
        start.wait()
        try:
            put(store, key, body)
        except ObjectExists:
            return None
        return body

    with ThreadPoolExecutor(len(bodies)) as pool:
        winners = [body for body in pool.map(run, bodies) if body is not None]
    assert [get(store, key)] == winners
    return len(winners)


def test_puts_and_erases_in_one_folder_do_not_trip_over_each_other(store: LocalStore):
    def work(number: int) -> None:
        for turn in range(30):
            key = f"a/b/c/{number}-{turn}"
            put(store, key, b"x")
            store.erase(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert list(store.list("")) == []


def test_a_missing_root_is_never_made(tmp_path: Path):
    store = open_store("usb", LocalSettings(path=tmp_path / "not-mounted"))
    for act in (
        lambda: put(store, "a", b"x"),
        lambda: store.stat("a"),
        lambda: list(store.list("")),
        lambda: list(store.list("aip/")),
        lambda: store.erase("a"),
        lambda: store.drop_unfinished("", started_before=datetime.now(UTC)),
    ):
        with pytest.raises(StorageDenied) as denied:
            act()
        assert "usb" in str(denied.value)
    assert not (tmp_path / "not-mounted").exists()


def test_no_link_leads_outside(store: LocalStore, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (store.root / "folder").symlink_to(outside)
    (store.root / "file").symlink_to(outside / "secret")
    for key in ("folder/secret", "file"):
        with pytest.raises(ObjectNotFound):
            store.stat(key)
        with pytest.raises(ObjectNotFound):
            get(store, key)
        with pytest.raises(ObjectNotFound):
            store.erase(key)
    with pytest.raises(StorageDenied):
        put(store, "folder/new", b"x")
    with pytest.raises(ObjectExists):
        put(store, "file", b"x")
    assert list(store.list("")) == []
    assert list(store.list("folder/")) == []
    assert sorted(each.name for each in outside.iterdir()) == ["secret"]


def test_the_root_itself_may_be_reached_by_a_link(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    store = LocalStore("linked", tmp_path / "link")
    put(store, "a", b"x")
    assert get(store, "a") == b"x"


def test_what_is_not_a_regular_file_is_no_object(store: LocalStore):
    os.mkfifo(store.root / "pipe")
    (store.root / "folder").mkdir()
    for key in ("pipe", "folder"):
        with pytest.raises(ObjectNotFound):
            get(store, key)
    assert list(store.list("")) == []
    with pytest.raises(ObjectExists):
        put(store, "pipe", b"x")


def test_a_file_where_a_folder_is_needed(store: LocalStore):
    put(store, "a", b"x")
    with pytest.raises(StorageDenied):
        put(store, "a/b", b"x")
    with pytest.raises(ObjectNotFound):
        store.stat("a/b")
    with pytest.raises(ObjectExists):
        put(store, "a", b"y")


def test_a_stray_file_with_an_odd_name_is_listed_and_trips_nobody(store: LocalStore):
    (store.root / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x")
    assert [each.key for each in store.list("")] == ["caf\\xe9.txt"]


def test_an_unfinished_file_is_not_listed_and_its_name_cannot_be_used(store: LocalStore):
    put(store, "folder/a", b"x")
    (store.root / "folder" / (UNFINISHED + "abc")).write_bytes(b"half")
    assert [each.key for each in store.list("")] == ["folder/a"]
    with pytest.raises(KeyRefused):
        store.stat(f"folder/{UNFINISHED}abc")


def test_what_a_killed_put_leaves_is_not_an_object_and_can_be_dropped(store: LocalStore):
    class Kills(Stream):
        def read(self, size=-1, /):
            if self._data.tell() > 1 << 20:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read(size)

    data = b"x" * (3 << 20)
    assert in_child(lambda: store.put("f/key", Kills(data), size=len(data), sha256=sha256(data))) == -signal.SIGKILL

    left = [each.name for each in (store.root / "f").iterdir()]
    assert len(left) == 1
    assert left[0].startswith(UNFINISHED)
    assert list(store.list("")) == []
    now = datetime.now(UTC)
    assert store.drop_unfinished("other/", started_before=now + timedelta(days=1)) == 0
    assert store.drop_unfinished("f/", started_before=now - timedelta(days=1)) == 0
    assert store.drop_unfinished("", started_before=now + timedelta(days=1)) == 1
    put(store, "f/key", b"good")


def test_a_full_disk_stores_nothing(store: LocalStore):
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        data = b"x" * (3 << 20)
        with pytest.raises(StorageFull) as full:
            put(store, "f/key", data)
        assert "no room" in str(full.value)

    assert in_child(fill) == 0
    assert list(store.list("")) == []
    assert [each for each in store.root.rglob("*") if each.is_file()] == []
    put(store, "f/key", b"good")


def test_a_folder_that_we_may_not_write_in(store: LocalStore):
    put(store, "a", b"x")
    store.root.chmod(0o555)

    def denied() -> None:
        without_privileges()
        with pytest.raises(StorageDenied) as error:
            put(store, "b", b"x")
        assert error.value.next_step
        with pytest.raises(StorageDenied):
            put(store, "folder/b", b"x")
        with pytest.raises(StorageDenied):
            store.erase("a")
        assert get(store, "a") == b"x"

    assert in_child(denied) == 0
    assert [each.key for each in store.list("")] == ["a"]


def test_a_folder_that_we_may_not_list_is_no_short_list(store: LocalStore):
    put(store, "open/a", b"x")
    put(store, "shut/b", b"x")
    (store.root / "shut").chmod(0o000)

    def denied() -> None:
        without_privileges()
        with pytest.raises(StorageDenied):
            list(store.list(""))

    try:
        assert in_child(denied) == 0
    finally:
        (store.root / "shut").chmod(0o755)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EIO, StorageUnavailable),
        (errno.ESTALE, StorageUnavailable),
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EROFS, StorageDenied),
        (errno.EBADF, StorageError),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_failing_disk_stores_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch, call, number, kind):
    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(kind) as error:
            put(store, "folder/key", b"x")
    assert type(error.value) is kind
    assert os.strerror(number) in error.value.detail
    assert [each for each in store.root.rglob("*") if each.is_file()] == []
    put(store, "folder/key", b"good")


def test_an_object_whose_name_is_not_sure_to_last_is_taken_away_again(store: LocalStore, monkeypatch):
    put(store, "folder/other", b"x")
    real = os.fsync

    def fail_on_folders(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EIO, "the disk broke")
        real(file)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail_on_folders)
        with pytest.raises(StorageUnavailable):
            put(store, "folder/key", b"x")
    with pytest.raises(ObjectNotFound):
        store.stat("folder/key")


def test_a_disk_that_fails_while_it_is_read(store: LocalStore, monkeypatch):
    put(store, "a", b"x" * 100)
    with store.open("a") as reader, monkeypatch.context() as broken:
        broken.setattr(os, "read", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "the disk broke")))
        with pytest.raises(StorageUnavailable):
            reader.read(10)


def test_an_error_of_the_source_is_not_an_error_of_the_store(store: LocalStore):
    class Fails:
        def read(self, size=-1, /):
            raise OSError(errno.EIO, "the source's disk broke")

    with pytest.raises(OSError, match="the source's disk") as error:
        store.put("a", Fails(), size=5, sha256=sha256(b"x"))
    assert not isinstance(error.value, StorageError)
    assert list(store.list("")) == []


def test_every_file_and_folder_is_on_the_disk_before_put_returns(store: LocalStore, monkeypatch):
    synced: list[str] = []
    real = os.fsync

    def watch(file: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        real(file)

    monkeypatch.setattr(os, "fsync", watch)
    put(store, "a/b/key", b"x")
    root = str(store.root)
    assert {root, root + "/a", root + "/a/b"} <= set(synced)
    assert synced[-1] == root + "/a/b"
    assert UNFINISHED in synced[-2]


def test_memory_settings_open_an_empty_store():
    assert list(open_store("m", MemorySettings()).list("")) == []


def in_child(work: Callable[[], object]) -> int:
    """Run in a forked child, so that limits and rights it gives up stay given up there; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def without_privileges() -> None:
    """Root is let in everywhere by its capabilities, so these checks are made without any.

    The account stays: one that owns nothing would need every folder above opened, which other tests share.
    """
    version_3, this_process = 0x20080522, 0  # capset(2)
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, twice 32 of them
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset((ctypes.c_uint32 * 2)(version_3, this_process), nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
