"""Files that were read already: their first and last bytes travel to the worker, and the answers are the same."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path

import pytest

from preservation.facts import Basis
from preservation.formats import Identifier, Limits
from preservation.formats.edges import Edges, Seen, edges_of
from preservation.formats.pronom.facts import WINDOW

JPEG = bytes.fromhex("ffd8ffe000104a46494600010101012c012c0000")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    drawn = random.Random(5)
    contents = {
        "a.pdf": b"%PDF-1.4\n" + drawn.randbytes(3000) + b"\n%%EOF\n",
        "b.jpg": JPEG + drawn.randbytes(WINDOW + 5000) + b"\xff\xd9",
        "c.jpg": JPEG + drawn.randbytes(3 * WINDOW) + b"\xff\xd9",
        "d.txt": b"",
        "e.xml": b'<mets xmlns="http://www.loc.gov/METS/"/>',
        "g.bin": drawn.randbytes(WINDOW),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "f.docx", "w") as office:
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
        office.writestr("[Content_Types].xml", f'<Types><Override ContentType="{kind}"/></Types>')
        office.writestr("word/document.xml", drawn.randbytes(200_000))
    return sorted(tmp_path.iterdir())


def seen(path: Path, piece: int) -> Seen:
    """The file, streamed through a buffer that is used again for every piece."""
    size = path.stat().st_size
    edges, buffer = Edges(size), bytearray(piece)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            edges.add(memoryview(buffer)[:count])
    return Seen(path.name, str(path), size, edges.head, edges.tail)


@pytest.mark.parametrize("piece", [1000, WINDOW, 1 << 20])
def test_what_streamed_by_has_the_edges_of_the_file(files, piece):
    for path in files:
        with path.open("rb") as file:
            kept = seen(path, piece)
            head, tail = edges_of(file.fileno(), path.stat().st_size)
            assert (kept.head, kept.tail) == (head, tail.whole())
            assert tail.whole().endswith(tail.ending)


def test_the_answers_are_those_of_the_files(files):
    with Identifier() as identifier:
        by_path = {Path(fact.path).name: fact for fact in identifier.identify_paths(files)}
        many = [seen(path, 1 << 20) for path in files] * 40
        for one, fact in zip(many, identifier.identify_seen(iter(many)), strict=True):
            assert fact.path == one.name
            expected = by_path[one.name]
            assert (fact.puid, fact.basis, fact.candidates) == (expected.puid, expected.basis, expected.candidates)
    assert (by_path["f.docx"].puid, by_path["f.docx"].basis) == ("fmt/412", Basis.CONTAINER)


def test_only_containers_are_opened(files):
    kept = [seen(path, 1 << 20) for path in files]
    for path in files:
        path.unlink()
        os.mkfifo(path)  # whoever opens it to read would wait, or be told that it is no file
    with Identifier(workers=1) as identifier:
        facts = {fact.path: fact for fact in identifier.identify_seen(kept)}
    assert facts["c.jpg"].puid == "fmt/43"
    assert "not a regular file" in (facts["f.docx"].note or "")
    assert [name for name, fact in facts.items() if fact.note] == ["f.docx"]


def test_a_file_that_breaks_the_worker_fails_alone(tmp_path, files):
    """A ZIP with a directory of 400,000 entries between two good files."""
    from tests.formats.test_hostile import zip_with_long_directory

    bomb = tmp_path / "bomb.zip"
    bomb.write_bytes(zip_with_long_directory(400_000))
    kept = [seen(path, 1 << 20) for path in (files[0], bomb, files[0])]
    with Identifier(workers=1, limits=Limits(seconds=0.4)) as identifier:
        before, broken, after = identifier.identify_seen(kept)
    assert (before.puid, after.puid) == ("fmt/18", "fmt/18")
    assert broken.note == "not finished within 0.4 seconds"
