"""Two identifiers: what is a contradiction and what is not, and Siegfried in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from preservation.facts import Basis, FormatFact
from preservation.formats.identify import Identifier
from preservation.formats.opinions import LIMITS, disagree, disagreements, installed, kinship, siegfried
from preservation.formats.process import Tool
from preservation.formats.pronom.chosen import load


@pytest.fixture(scope="module")
def known():
    return kinship(load(None))


def fact(puid: str | None, basis: Basis = Basis.SIGNATURE, *candidates: str) -> FormatFact:
    return FormatFact("Trang một", puid, None, basis, "t", "s", candidates=candidates)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (fact("fmt/353"), fact("fmt/11")),
        (fact("fmt/17"), fact("fmt/18")),
        (fact("fmt/40", Basis.CONTAINER), fact("fmt/59", Basis.CONTAINER)),
        (fact("fmt/353", Basis.SIGNATURE, "fmt/155"), fact("fmt/43", Basis.SIGNATURE, "fmt/44")),
    ],
)
def test_formats_that_exclude_each_other(known, ours, theirs):
    assert disagree(ours, theirs, known)
    assert disagree(theirs, ours, known)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (fact("fmt/353"), fact("fmt/353")),
        (fact("fmt/353"), fact(None, Basis.NONE)),
        (fact(None, Basis.EMPTY), fact(None, Basis.EMPTY)),
        (fact(None, Basis.FAILED), fact("fmt/11")),
        (fact("fmt/14", Basis.EXTENSION, "fmt/15"), fact("x-fmt/111")),
        (fact("fmt/1311", Basis.EXTENSION), fact("fmt/817")),
        (fact("fmt/353", Basis.SIGNATURE, "fmt/155"), fact("fmt/155")),
        (fact("fmt/111"), fact("fmt/40", Basis.CONTAINER)),
        (fact("x-fmt/263"), fact("fmt/412", Basis.CONTAINER)),
        (fact("fmt/189", Basis.CONTAINER), fact("fmt/412", Basis.CONTAINER)),
        (fact("fmt/18"), fact("fmt/95")),
        (fact("fmt/101", Basis.NAMESPACE), fact("fmt/91")),
        (fact("fmt/101"), fact("x-fmt/111")),
        (fact("fmt/353"), fact("fmt/99999")),
    ],
)
def test_what_is_no_contradiction(known, ours, theirs):
    assert not disagree(ours, theirs, known)


def test_two_answers_for_each_file_or_none_at_all(known):
    with pytest.raises(ValueError, match="shorter"):
        list(disagreements([fact("fmt/11"), fact("fmt/11")], [fact("fmt/11")], known))


siegfried_there = pytest.mark.skipif(
    not installed() and not os.environ.get("VANKHO_MUST_RUN"), reason="pygfried is not installed"
)


@siegfried_there
def test_siegfried_answers_for_every_file_whatever_it_is(tmp_path):
    """Empty files and what is no ZIP make it raise; pipes would hold it up; names are as they come here."""
    (tmp_path / "a rỗng.tif").write_bytes(b"")
    (tmp_path / "b hỏng.zip").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "c sách.pdf").write_bytes(b"%PDF-1.4\nx\n%%EOF\n")
    os.mkfifo(tmp_path / "d ống")
    (tmp_path / "e mất").symlink_to("/nowhere")
    with siegfried(workers=1) as identifier:
        empty, broken, pdf, pipe, link = identifier.identify_paths([tmp_path])
    assert (empty.basis, broken.basis, pipe.basis, link.basis) == (Basis.EMPTY, Basis.NONE, *[Basis.FAILED] * 2)
    assert (pdf.puid, pdf.name, pdf.basis) == (
        "fmt/18",
        "Acrobat PDF 1.4 - Portable Document Format",
        Basis.SIGNATURE,
    )
    assert "byte match" in str(pdf.note)
    assert pdf.tool.startswith("siegfried ")
    assert pdf.signatures.startswith("PRONOM v1")


@siegfried_there
def test_siegfried_is_ended_when_a_file_takes_too_long(tmp_path):
    """It scans whole files, also the holes of a sparse one."""
    with (tmp_path / "a.bin").open("wb") as file:
        file.truncate(4 << 40)
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\nx\n%%EOF\n")
    with Identifier(limits=replace(LIMITS, seconds=1.0), workers=1, tool=Tool.SIEGFRIED) as identifier:
        slow, pdf = identifier.identify_paths([tmp_path])
    assert slow.basis is Basis.FAILED
    assert "1 seconds" in str(slow.note)
    assert pdf.puid == "fmt/18"


@siegfried_there
def test_without_room_it_cannot_start_and_says_so(tmp_path):
    from preservation.formats.process import IdentifierUnavailable

    (tmp_path / "a").write_bytes(b"x")
    limits = replace(LIMITS, memory=64 << 20)
    with (
        Identifier(limits=limits, workers=1, tool=Tool.SIEGFRIED) as identifier,
        pytest.raises(IdentifierUnavailable),
    ):
        list(identifier.identify_paths([tmp_path]))


@siegfried_there
def test_it_outlives_the_thread_that_started_it(tmp_path):
    """A step of a run has a thread of its own; the workers are for the whole batch."""
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\nx\n%%EOF\n")
    started = []
    thread = threading.Thread(target=lambda: started.append(siegfried(workers=1).__enter__()))
    thread.start()
    thread.join()
    [identifier] = started
    try:
        time.sleep(0.1)
        [pdf] = identifier.identify_paths([tmp_path])
    finally:
        identifier.close()
    assert pdf.puid == "fmt/18"


@siegfried_there
def test_it_ends_with_its_parent(tmp_path):
    with (tmp_path / "a.bin").open("wb") as file:
        file.truncate(4 << 40)
    script = (
        "import sys; from pathlib import Path; from preservation.formats.opinions import siegfried\n"
        "with siegfried(workers=1) as s:\n"
        "    print(s._idle[0]._process.pid, flush=True); list(s.identify_paths([Path(sys.argv[1])]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(1.0)  # until it is in the middle of the file
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(50):
        if not _alive(child):
            return
        time.sleep(0.1)
    raise AssertionError("Siegfried outlived its parent")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    except FileNotFoundError:
        return False
