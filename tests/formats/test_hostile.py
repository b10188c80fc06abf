"""Files made to break identifiers: each gets an answer within the limits, and the file after it gets its own."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import preservation
from preservation.facts import Basis, FileFact
from preservation.formats import Identifier, Limits, identify, identify_paths, process
from tests.conftest import cannot_run
from tests.formats.ole_maker import ole_file

ROOT = Path(preservation.__file__).resolve().parents[1]
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


def between_good_files(folder: Path, hostile: Path, **options):
    """The answer for the hostile file, asked between two good ones by a single worker."""
    good = folder / "good.pdf"
    good.write_bytes(PDF)
    before, fact, after = identify_paths([good, hostile, good], workers=1, **options)
    assert (before.puid, after.puid) == ("fmt/18", "fmt/18")
    return fact


def office_bomb(path: Path, *, size: int, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as bomb, bomb.open("[Content_Types].xml", "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return path


def test_a_document_bomb_is_stopped_while_it_unpacks(tmp_path):
    bomb = office_bomb(tmp_path / "bomb.docx", size=80 << 20, method=zipfile.ZIP_DEFLATED)
    fact = between_good_files(tmp_path, bomb)
    assert (fact.basis, fact.puid) == (Basis.FAILED, None)
    assert fact.note == "the part '[Content_Types].xml' of the container holds more than 64 MiB"


def test_a_bomb_that_bursts_at_once_meets_the_memory_limit(tmp_path):
    """Python unpacks LZMA members without a bound, so only the limit of the process holds."""
    bomb = office_bomb(tmp_path / "bomb.docx", size=120 << 20, method=zipfile.ZIP_LZMA)
    fact = between_good_files(tmp_path, bomb, limits=Limits(memory=192 << 20))
    assert (fact.basis, fact.note) == (Basis.FAILED, "needed more than 192 MiB of memory")


def test_a_zip_whose_directory_takes_too_long_meets_the_time_limit(tmp_path):
    bomb = tmp_path / "directory.zip"
    bomb.write_bytes(zip_with_long_directory(400_000))
    started = time.monotonic()
    fact = between_good_files(tmp_path, bomb, limits=Limits(seconds=0.4))
    assert (fact.basis, fact.note) == (Basis.FAILED, "not finished within 0.4 seconds")
    assert time.monotonic() - started < 10


def zip_with_long_directory(entries: int) -> bytes:
    name = b"mimetype"
    local = b"PK\x03\x04" + struct.pack("<5H3I2H", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    entry = b"PK\x01\x02" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    start, length = len(local), len(entry) * entries
    end64 = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, entries, entries, length, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, start + length, 1)
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return local + entry * entries + end64 + locator + end


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_that_lies_about_its_sizes_ends(tmp_path, method):
    """FIDO's own walk through such a ZIP of 124 bytes never ends."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
    data = bytearray(made.getvalue())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<2I", data, entry + 20, 0x7FFFFFF0, 0x7FFFFFF0)
    (tmp_path / "liar.docx").write_bytes(data)
    fact = between_good_files(tmp_path, tmp_path / "liar.docx")
    assert (fact.puid, fact.basis) == ("x-fmt/263", Basis.SIGNATURE)


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.pdf")
    fact = between_good_files(tmp_path, tmp_path / "pipe.pdf")
    assert (fact.basis, fact.note) == (Basis.FAILED, "cannot be read: not a regular file")


def test_a_link_found_in_a_folder_is_not_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link.txt").symlink_to("/etc/passwd")
    (tmp_path / "folder" / "up").symlink_to(tmp_path)
    facts = list(identify_paths([tmp_path / "folder"]))
    assert [(fact.basis, fact.note) for fact in facts] == [(Basis.FAILED, "a symbolic link; it is not followed")] * 2


def test_a_link_put_in_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "a.txt").symlink_to("/etc/passwd")
    (fact,) = identify(tmp_path, [FileFact("a.txt", 1, {})])
    assert (fact.basis, fact.note) == (Basis.FAILED, "a symbolic link; it is not followed")


def test_a_sparse_file_of_20_gb_is_read_at_its_ends_only(tmp_path):
    with (tmp_path / "sparse.tif").open("wb") as sparse:
        sparse.write(b"II*\0")
        sparse.truncate(20 << 30)
    started = time.monotonic()
    fact = between_good_files(tmp_path, tmp_path / "sparse.tif")
    assert (fact.puid, fact.basis) == ("fmt/353", Basis.SIGNATURE)
    assert time.monotonic() - started < 5


def test_a_file_shorter_than_it_says_ends(tmp_path):
    """Files of /sys say 4,096 bytes and give a few, as does a file cut while it is read. FIDO reads on for ever."""
    short = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not short.exists():
        cannot_run(f"{short} is not there")
    fact = between_good_files(tmp_path, short)
    assert (fact.basis, fact.note) == (Basis.FAILED, "the file became shorter while it was read")


def test_names_cannot_forge_an_answer(tmp_path):
    forged = json.dumps({"path": "x", "puid": "forged", "basis": "signature"})
    names = [b"a\n" + forged.encode(), b"\x1b[2Jclear.qqq", b"Truy\xe0n Ki\xea\xf9u.qqq", "\u202egnp.qqq".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"\x01\x02")
    facts = list(identify_paths([tmp_path], workers=1))
    assert [(fact.puid, fact.basis) for fact in facts] == [(None, Basis.NONE)] * 4
    shown = sorted(fact.path.removeprefix(f"{tmp_path}/") for fact in facts)
    assert shown == sorted(name.decode("utf-8", "backslashreplace") for name in names)
    assert all(fact.path.encode("utf-8") for fact in facts)


def test_a_worker_that_is_killed_or_falls_silent_costs_one_file(tmp_path, monkeypatch):
    (tmp_path / "good.pdf").write_bytes(PDF)
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.2)
    with Identifier(limits=Limits(seconds=0.2), workers=1) as identifier:
        paths = [tmp_path / "good.pdf"]
        assert [fact.puid for fact in identifier.identify_paths(paths)] == ["fmt/18"]
        for signal_sent, note in [
            (signal.SIGKILL, "the identifier was ended by SIGKILL"),
            (signal.SIGSTOP, "no answer within 0.2 seconds"),
        ]:
            (worker,) = identifier._all
            os.kill(worker._process.pid, signal_sent)
            (fact,) = identifier.identify_paths(paths)
            assert (fact.basis, fact.note) == (Basis.FAILED, note)
            monkeypatch.setattr(process, "_GRACE_SECONDS", 5.0)
            assert [fact.puid for fact in identifier.identify_paths(paths)] == ["fmt/18"]
            monkeypatch.setattr(process, "_GRACE_SECONDS", 0.2)


def test_of_files_asked_together_only_those_that_break_the_worker_are_failed(tmp_path):
    """Answers that were worked out and not yet sent die with the worker, and are asked for again."""
    bomb = zip_with_long_directory(400_000)
    for number in range(40):
        (tmp_path / f"{number:02}.xyz").write_bytes(bomb if number in (7, 8, 31) else b"%PDF-1.4\n%%EOF\n")
    with Identifier(limits=Limits(seconds=0.4), workers=1) as identifier:
        facts = list(identifier.identify_paths([tmp_path]))
    failed = [Path(fact.path).name for fact in facts if fact.basis is Basis.FAILED]
    assert failed == ["07.xyz", "08.xyz", "31.xyz"]
    assert {fact.puid for fact in facts if fact.basis is not Basis.FAILED} == {"fmt/18"}


def test_a_broken_signature_fails_the_file_not_the_run(tmp_path):
    """A newer signature release made FIDO die of `re.error` on the first OLE2 file, and with it the whole run."""
    broken = (
        "from dataclasses import replace; from preservation.formats import worker\n"
        "from preservation.formats.pronom import chosen\n"
        "from preservation.formats.pronom.facts import ContainerSignature, Part, Pattern\n"
        "odd = ContainerSignature('fmt/412', (Part('odd', (Pattern(b'(?s)\\\\x', False, False, 9, ()),)),))\n"
        "whole = chosen.load(None)\n"
        "chosen.load = lambda files: replace(whole, containers={'ZIP': (odd,)})\n"
        "worker.main()"
    )
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as document:
        document.writestr("odd", "<w/>")
    (tmp_path / "good.pdf").write_bytes(PDF)
    asked = "".join(json.dumps([str(tmp_path / name), name]) + "\n" for name in ("a.docx", "good.pdf"))
    limits = '{"seconds": 10, "memory": 536870912, "member": 1048576}'
    answered = subprocess.run(
        [sys.executable, "-c", broken, limits, "null", "-1"],
        cwd=ROOT,
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    _, docx, pdf = map(json.loads, answered.stdout.splitlines())
    assert docx["basis"] == "failed"
    assert docx["note"].endswith(
        "rror: incomplete escape \\x at position 4"
    )  # re.error; PatternError from Python 3.13 on
    assert pdf["puid"] == "fmt/18"


def test_damaged_containers_keep_the_answer_of_their_signature(tmp_path):
    with zipfile.ZipFile(tmp_path / "whole.docx", "w", zipfile.ZIP_DEFLATED) as document:
        document.writestr("[Content_Types].xml", "<Types/>" * 500)
        document.writestr("mimetype", "x" * 500)
    whole = (tmp_path / "whole.docx").read_bytes()
    (tmp_path / "bytes-changed.docx").write_bytes(whole[:60] + bytes(10) + whole[70:])
    (tmp_path / "cut.doc").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 20 + b"\xfe\xff cut short")
    facts = {Path(fact.path).name: fact for fact in identify_paths([tmp_path])}
    assert facts["bytes-changed.docx"].puid == "x-fmt/263"
    assert "could not be read" in (facts["bytes-changed.docx"].note or "")
    assert facts["cut.doc"].puid == "fmt/111"
    assert facts["cut.doc"].basis is Basis.SIGNATURE


def test_a_stream_that_is_to_be_larger_than_its_file_leaves_the_outer_bytes(tmp_path):
    """One bit of a compound file's directory is enough for that."""
    whole = bytearray(ole_file({"WordDocument": b"", "CompObj": b"MSWordDoc\0\x10\0\0\0Word.Document.8\0"}))
    entry = whole.index("CompObj".encode("utf-16-le"))
    whole[entry + 120 : entry + 128] = struct.pack("<Q", 1 << 31)
    (tmp_path / "a.doc").write_bytes(whole)
    fact = between_good_files(tmp_path, tmp_path / "a.doc")
    assert (fact.basis, fact.puid) == (Basis.SIGNATURE, "fmt/111")
    assert "larger than the file" in (fact.note or "")
