"""What goes wrong while a package is received: the source moves, the disk is full, rights are missing, Ctrl-C."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from preservation.errors import PackageUnreadable
from preservation.packages import Litter, claim, receive, release, sweep
from preservation.progress import Silent

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1 << 20


class When(Silent):
    """A listener that does something once, when so many bytes have been received."""

    def __init__(self, after: int, do: Callable[[], object]) -> None:
        self.after, self.do, self.seen = after, do, 0

    def advance(self, amount: int) -> None:
        self.seen += amount
        if self.seen >= self.after:
            self.after = sys.maxsize
            self.do()


def rewrite(path: Path, content: bytes, *, append: bool = False) -> None:
    with path.open("ab" if append else "r+b") as file:
        file.write(content)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "rewritten": (lambda root: rewrite(root / "a.tif", b"y" * 9), "a.tif"),
    "grown": (lambda root: rewrite(root / "a.tif", b"more", append=True), "a.tif"),
    "shrunk": (lambda root: os.truncate(root / "a.tif", 2 * MEBIBYTE), "a.tif"),
    "replaced": (
        lambda root: shutil.copy(root / "a.tif", root / "t") and (root / "t").replace(root / "a.tif"),
        "a.tif",
    ),
    "the next one rewritten": (lambda root: rewrite(root / "b.tif", b"B"), "b.tif"),
    "the next one deleted": (lambda root: (root / "b.tif").unlink(), "b.tif"),
    "the next one made a pipe": (lambda root: (root / "b.tif").unlink() or os.mkfifo(root / "b.tif"), "b.tif"),
    "the next one made a link": (
        lambda root: (root / "b.tif").unlink() or (root / "b.tif").symlink_to("a.tif"),
        "b.tif",
    ),
    "one that was read rewritten": (lambda root: rewrite(root / "0.tif", b"1"), "0.tif"),
    "one appeared": (lambda root: (root / "c.tif").write_bytes(b""), "c.tif"),
    "one that was read vanished": (lambda root: (root / "0.tif").unlink(), "0.tif"),
    "a folder appeared": (lambda root: (root / "new").mkdir(), "new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_while_it_is_read(deliver, make_folder, change):
    root = make_folder({"0.tif": b"0", "a.tif": b"x" * (3 * MEBIBYTE), "b.tif": b"b"})
    do, path = CHANGES[change]
    delivery = deliver(root, progress=When(MEBIBYTE, lambda: do(root)))
    assert ("changed-while-read", path) in delivery.errors
    assert {code for code, _ in delivery.errors} <= {"changed-while-read", "file-unreadable"}
    assert {at for _, at in delivery.errors} == {path}


@pytest.mark.parametrize("path", ["a.tif", "b.tif"])
def test_a_change_that_is_covered_up_before_the_end(deliver, make_folder, path):
    """Rewritten while (or before) it is read, and its time put back before anybody lists the folder again."""
    root = make_folder({"a.tif": b"x" * (2 * MEBIBYTE), "b.tif": b"b" * MEBIBYTE, "c.tif": b"c"})
    stamp = (root / path).stat().st_mtime_ns

    class CoverUp(Silent):
        seen = 0

        def advance(self, amount: int) -> None:
            self.seen += amount
            if self.seen == MEBIBYTE:
                rewrite(root / path, b"y")
            if self.seen > 2 * MEBIBYTE:
                os.utime(root / path, ns=(stamp, stamp))

    assert deliver(root, progress=CoverUp()).errors == [("changed-while-read", path)]


def test_a_file_that_grows_for_ever_is_not_followed(deliver, make_folder):
    root = make_folder({"a.tif": b"x" * MEBIBYTE})

    class Feed(Silent):
        seen = 0

        def advance(self, amount: int) -> None:
            self.seen += amount
            rewrite(root / "a.tif", b"x" * MEBIBYTE, append=True)
            assert self.seen <= 3 * MEBIBYTE

    assert deliver(root, progress=Feed()).errors[0] == ("changed-while-read", "a.tif")


def test_a_file_written_all_the_time_by_somebody_else(deliver, make_folder):
    root = make_folder({"log.txt": b"x" * MEBIBYTE, "still.tif": b"s"})
    log, stop, written = root / "log.txt", threading.Event(), threading.Event()

    def scribble() -> None:
        with log.open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                file.write(b"line\n" * 1000)
                written.set()

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        # On a busy machine the writer may sleep through the whole reception: wait for its next line.
        delivery = deliver(root, progress=When(1, lambda: written.clear() or written.wait(10)))
    finally:
        stop.set()
        writer.join()
    assert delivery.errors == [("changed-while-read", "log.txt")]


@pytest.mark.parametrize("form", ["zip", "tar", "tgz"])
def test_an_archive_that_changes_while_it_is_read(deliver, make_zip, make_tar, form):
    files = {"a.tif": os.urandom(3 * MEBIBYTE), "b.tif": b"b"}
    path = make_zip(files) if form == "zip" else make_tar(files, name=f"book.{form}")
    delivery = deliver(path, progress=When(MEBIBYTE, lambda: os.utime(path)))
    assert delivery.errors == [("changed-while-read", path.name)]


def test_a_disk_that_is_full(tmp_path, make_folder):
    """Under a limit on the size of files, as under a quota: our disk's fault, not the package's."""
    source = make_folder({"a.tif": b"a", "b.tif": b"x" * (2 * MEBIBYTE), "c.tif": b"c"})
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from preservation.packages import claim, receive, Litter\n"
        "from preservation.progress import Silent\n"
        "s = claim(Path(sys.argv[1]), staging=Path(sys.argv[2]), submission_id='s')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try: receive(s, algorithms=frozenset(), litter=Litter.KEEP, progress=Silent())\n"
        "except OSError as error: print(error.errno)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, source, tmp_path / "staging"], cwd=ROOT, capture_output=True, text=True
    )
    assert (answer.stdout.strip(), answer.stderr) == (str(errno.EFBIG), "")
    assert [path.name for path in (tmp_path / "staging/s/received").iterdir()] == ["a.tif"]  # no half file
    assert sweep(tmp_path / "staging") == ["s"]


def test_a_package_that_cannot_fit_is_not_begun(tmp_path, make_folder):
    room = shutil.disk_usage(tmp_path).free
    source = make_folder({"small.tif": b"s"})
    with (source / "large.tif").open("wb") as large:
        large.truncate(room + (1 << 30))  # a hole: it takes no room
    submission = claim(source, staging=tmp_path / "staging", submission_id="s")
    with pytest.raises(OSError, match="No space left") as error:
        receive(submission, algorithms=frozenset(), litter=Litter.KEEP, progress=Silent())
    assert error.value.errno == errno.ENOSPC
    assert list((submission.folder / "received").iterdir()) == []
    release(submission)


def test_everything_unreadable_is_named_before_anything_is_copied(tmp_path):
    code = (
        "import os, sys, tempfile; from pathlib import Path\n"
        "import encodings.idna, preservation.packages, shutil\n"
        "from preservation.packages import claim, receive, release, Litter\n"
        "from preservation.errors import PackageUnreadable; from preservation.progress import Silent\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "root = Path(tempfile.mkdtemp()); source = root / 'book'; (source / 'closed').mkdir(parents=True)\n"
        "for name in ('0.tif', '1.tif', '2.tif', 'Thumbs.db'): (source / name).write_bytes(b'x')\n"
        "for name in ('1.tif', '2.tif', 'closed', 'Thumbs.db'): (source / name).chmod(0)\n"
        "s = claim(source, staging=root / 'staging', submission_id='s')\n"
        "try: receive(s, algorithms=frozenset(), litter=Litter.SET_ASIDE, progress=Silent())\n"
        "except PackageUnreadable as error: print([(f.code, f.path) for f in error.findings])\n"
        "print(os.listdir(s.folder / 'received')); release(s)\n"
        "source.chmod(0)\n"
        "try: claim(source, staging=root / 'staging', submission_id='t')\n"
        "except PackageUnreadable as error: print([f.code for f in error.findings])\n"
        "source.chmod(0o700); [(source / n).chmod(0o700) for n in os.listdir(source)]; shutil.rmtree(root)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        "[('file-unreadable', '1.tif'), ('file-unreadable', '2.tif'), ('file-unreadable', 'closed')]",
        "[]",
        "['source-unreadable']",
    ]


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_ctrl_c_leaves_only_the_staging_folder(tmp_path, make_folder, make_zip, make_tar, form):
    make = {"folder": make_folder, "zip": make_zip, "tar": make_tar}[form]
    source = make({"a.tif": b"a" * (3 * MEBIBYTE), "b.tif": b"b"}, name="source")
    before = set(tmp_path.rglob("*"))

    def interrupt() -> None:
        raise KeyboardInterrupt

    submission = claim(source, staging=tmp_path / "staging", submission_id="s")
    with pytest.raises(KeyboardInterrupt):
        receive(submission, algorithms=frozenset(), litter=Litter.KEEP, progress=When(MEBIBYTE, interrupt))
    assert list((submission.folder / "received").iterdir()) == []
    os.close(submission.lock)  # as when the process ends
    assert sweep(tmp_path / "staging") == ["s"]
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "staging", tmp_path / "staging/.claims"}


def test_the_progress_adds_up(make_folder, make_zip, make_tar, deliver):
    files = {"a.tif": b"a" * (2 * MEBIBYTE), "b.tif": b"b" * 7, "x.md5": b"0" * 32}
    for source in (make_folder(files), make_zip(files), make_tar(files, name="a.tar"), make_tar(files, name="a.tgz")):
        listener = When(sys.maxsize, lambda: None)
        assert deliver(source, progress=listener).errors == []
        assert listener.seen == 2 * MEBIBYTE + 7 + 32


def test_an_archive_overwritten_so_that_it_cannot_be_read_on(deliver, make_tar):
    path = make_tar({"a.tif": os.urandom(3 * MEBIBYTE)}, name="book.tgz")
    delivery = deliver(path, progress=When(MEBIBYTE, lambda: path.write_bytes(b"")))
    assert ("changed-while-read", "book.tgz") in delivery.errors


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_a_source_that_is_gone_after_it_was_claimed(tmp_path, make_folder, make_tar, form):
    source = {"folder": make_folder, "tar": make_tar}[form]({"a.tif": b"a"})
    submission = claim(source, staging=tmp_path / "staging", submission_id="s")
    source.rename(tmp_path / "unplugged")
    with pytest.raises(PackageUnreadable) as error:
        receive(submission, algorithms=frozenset(), litter=Litter.KEEP, progress=Silent())
    assert [finding.path for finding in error.value.findings] == [source.name]
    release(submission)
