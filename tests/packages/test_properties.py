"""Whatever names and bytes come, they come in as they are; whatever is broken in an archive, it is seen."""

from __future__ import annotations

import io
import itertools
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from preservation.errors import PackageUnreadable
from preservation.facts import FileFact
from preservation.findings import Severity
from preservation.inventory import load_file
from preservation.packages import Litter, Received, claim, receive, release
from preservation.packages import arrange as arrange_module
from preservation.packages.arrange import sort_facts
from preservation.progress import Silent
from storage_adapters.keys import UNFINISHED

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\ufffe\uffff\\:")
PARTS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=20),
    st.sampled_from(
        ["Ảnh", "A\u0309nh", "đường dẫn", "con", "Thumbs.db", ".DS_Store", "~$x", "%0A", " ", "a ", "__MACOSX"]
    ),
).filter(
    # The one name that stores keep for themselves is refused, and the one that makes a bag of a folder is no
    # plain file: hypothesis finds both in our source.
    lambda part: (
        part not in (".", "..", "bagit.txt") and len(part.encode()) <= 255 and not part.startswith(UNFINISHED)
    )
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=50), min_size=1, max_size=6).filter(
    lambda tree: not any(other.startswith(path + "/") for path, other in itertools.permutations(tree, 2))
)
COUNT = itertools.count()


def write_folder(root: Path, tree: dict[str, bytes]) -> Path:
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def write_zip(path: Path, tree: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tree.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, tree: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def taken(source: Path, home: Path) -> tuple[Received, dict[str, bytes]]:
    submission = claim(source, staging=home / "staging", submission_id=f"s{next(COUNT)}")
    try:
        received = receive(submission, algorithms=frozenset(), litter=Litter.KEEP, progress=Silent())
        return received, {f.path: (received.payload / f.path).read_bytes() for f in received.inventory}
    finally:
        release(submission)


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_any_tree_comes_in_byte_for_byte_in_every_form(tree):
    home = Path(tempfile.mkdtemp())
    try:
        sources = [
            write_folder(home / "folder", tree),
            write_zip(home / "a.zip", tree),
            write_tar(home / "a.tar", tree, "w"),
            write_tar(home / "a.tgz", tree, "w:gz"),
        ]
        answers = [taken(source, home) for source in sources]
        assert [files for _, files in answers] == [tree] * 4
        assert len({received.content_digest for received, _ in answers}) == 1
        for received, _ in answers:
            codes = {finding.code for finding in received.findings if finding.severity is Severity.ERROR}
            assert codes <= {"names-collide"}
    finally:
        shutil.rmtree(home)


TREE = {"book/0001.tif": bytes(range(256)) * 8, "book/Ảnh.tif": b"x" * 700, "book/empty": b""}


def archive(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "a"
        write = {
            "zip": write_zip,
            "tgz": lambda p, t: write_tar(p, t, "w:gz"),
            "tar": lambda p, t: write_tar(p, t, "w"),
        }
        return write[form](path, TREE).read_bytes()


WHOLE = {form: archive(form) for form in ("zip", "tgz", "tar")}


@given(st.sampled_from(sorted(WHOLE)), st.data())
@settings(max_examples=250, deadline=None)
def test_a_broken_archive_is_refused_or_nothing_of_it_was_broken(form, data):
    """Never another error, never other bytes than were packed. (A plain tar has no checksum over contents.)"""
    whole = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(513, len(whole))) :]
    home = Path(tempfile.mkdtemp())
    try:
        (home / "a").write_bytes(whole)
        received, files = taken(home / "a", home)
    except PackageUnreadable:
        return
    finally:
        shutil.rmtree(home)
    if form != "tar" and not any(finding.severity is Severity.ERROR for finding in received.findings):
        assert files == TREE


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_facts_sorted_in_runs_are_sorted(names, run):
    facts = [FileFact(name, 0, {}) for name in names]
    before, arrange_module._RUN = arrange_module._RUN, run
    try:
        with tempfile.TemporaryDirectory() as home:
            assert [f.path for f in sort_facts(facts, Path(home), load_file)] == sorted(names, key=str.encode)
            assert list(Path(home).iterdir()) == []
    finally:
        arrange_module._RUN = before
