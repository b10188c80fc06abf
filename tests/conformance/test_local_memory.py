"""What the system keeps in memory of a store's files: nothing of what was just written, and nothing through audits."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from preservation.replicas.judge import digest_of
from storage_adapters.conformance_trial import sha256
from storage_adapters.local import LocalStore
from storage_adapters.local_reading import forget, in_memory
from tests.conftest import cannot_run

DATA = os.urandom(9 << 20)


def known(file: Path) -> bool:
    with file.open("rb", buffering=0) as opened:
        return in_memory(opened.fileno())


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    trial = tmp_path / "trial"
    trial.write_bytes(b"x")
    with trial.open("rb") as opened:
        os.fsync(opened.fileno())
        forget(opened.fileno())
    if known(trial):
        cannot_run("this file system keeps everything in memory, or does not say")
    made = LocalStore("disk", tmp_path)
    made.put("a", io.BytesIO(DATA), size=len(DATA), sha256=sha256(DATA))
    return made


def test_what_was_just_written_is_read_from_the_disk(store: LocalStore) -> None:
    assert not known(store.root / "a")


def test_an_audit_leaves_memory_as_it_was(store: LocalStore) -> None:
    assert digest_of(store, "a") == (sha256(DATA), len(DATA))
    assert not known(store.root / "a")
    (store.root / "a").read_bytes()  # somebody works with it
    assert known(store.root / "a")
    assert digest_of(store, "a") == (sha256(DATA), len(DATA))
    assert known(store.root / "a")


def test_a_second_look_is_asked_of_the_disk(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.root / "a").read_bytes()
    before: list[bool] = []
    real = os.readv

    def seen(file: int, buffers: object) -> int:
        before.append(in_memory(file))
        return real(file, buffers)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "readv", seen)
    digest_of(store, "a")
    digest_of(store, "a", afresh=True)
    first, second = before[0], before[len(before) // 2]
    assert (first, second) == (True, False)


def test_a_file_system_that_cannot_say_is_left_alone(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "preadv", refuses)
    monkeypatch.setattr(os, "posix_fadvise", refuses)
    assert digest_of(store, "a") == (sha256(DATA), len(DATA))
    store.put("b", io.BytesIO(DATA), size=len(DATA), sha256=sha256(DATA))


def test_a_glimpse_gives_what_is_in_memory_and_of_the_size_that_was_said(store: LocalStore, tmp_path: Path) -> None:
    for name in ("d/e/one", "d/e/two", "d/three", "top", "d/longer", "d/shorter"):
        store.put(name, io.BytesIO(name.encode()), size=len(name), sha256=sha256(name.encode()))
        (store.root / name).read_bytes()
    (store.root / "d/link").symlink_to(store.root / "d/three")
    os.mkfifo(store.root / "d/fifo")
    (tmp_path.parent / "outside").write_bytes(b"outside")
    asked = [
        *((name, len(name)) for name in ("d/e/one", "d/e/two", "d/three", "top")),
        *(("d/longer", 7), ("d/shorter", 10), ("d/link", 7), ("d/fifo", 0), ("d/e", 0), ("d/none", 1), ("no/x", 1)),
        *(("../outside", 7), ("d/../top", 3), ("/top", 3), ("d/e/one", 7)),
    ]
    given = [None if view is None else bytes(view) for view in store.glimpse(asked)]
    assert given == [b"d/e/one", b"d/e/two", b"d/three", b"top", *[None] * 10, b"d/e/one"]


def test_a_glimpse_waits_for_no_disk_and_leaves_no_descriptor_open(store: LocalStore) -> None:
    store.put("d/small", io.BytesIO(b"small"), size=5, sha256=sha256(b"small"))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    small, none = store.glimpse([("d/small", 5), ("d/none", 1)])
    assert none is None
    assert small in (None, b"small")  # asking makes the kernel fetch it, and a fast disk is there before the answer
    assert digest_of(store, "d/small") == (sha256(b"small"), 5)
    assert not known(store.root / "d/small")  # whoever began to read it, it was not there before
    assert next(store.glimpse([("d/small", 5), ("d/small", 5)])) in (None, b"small")  # and is left in the middle
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
