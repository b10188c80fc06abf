"""What a person sees: a bar on a terminal and none in a pipe, aligned tables, and nothing that acts on the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.cli import screen
from apps.cli.answer import Answer, Table
from apps.cli.shapes import ALIKE, finding_lines
from preservation.findings import Finding, Severity
from tests.cli.commands import PROGRAM, Ran, environment, local_store, package_in, vankho, workspace_in
from tests.cli.conftest import Held
from wording import say

Here = Callable[..., Ran]


def _on_a_terminal(*words: object, cwd: Path) -> tuple[int, str]:
    """Exit code and everything that the terminal was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        [str(PROGRAM), *map(str, words)],
        cwd=cwd,
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not read:
            break
        seen += read
    os.close(ours)
    return process.wait(60), seen.decode()


def test_a_bar_on_a_terminal_and_none_in_a_pipe(tmp_path: Path) -> None:
    """The bar names the steps; it is gone at the end, and never there when nobody watches."""
    kho, package = workspace_in(tmp_path / "kho"), package_in(tmp_path / "Truyện Kiều")
    code, seen = _on_a_terminal("ingest", "-w", kho, package, cwd=tmp_path)
    assert code == 0
    assert "━" in seen
    assert "verifying in third" in seen
    assert "accepted" in seen
    piped = vankho("ingest", "-w", kho, package)
    assert piped.code == 0
    assert "━" not in piped.out + piped.err
    assert "\x1b" not in piped.out + piped.err
    assert piped.err == ""


BESIDE_A_BAR = """
import sys
from apps.cli.bars import bars
with bars("en") as moving:
    moving.begin("receive", 100)
    print("for the file")
    moving.advance(50)
"""


def test_what_goes_to_a_file_goes_there_while_a_bar_moves() -> None:
    """`vankho demo > file`: the bar is on the terminal, the lines are in the file."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_A_BAR], stdout=subprocess.PIPE, stderr=theirs, env=environment(TERM="xterm")
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.stdout == b"for the file\n"
    assert "for the file" not in seen
    assert "receiving" in seen


def test_json_on_a_terminal_has_no_bar(tmp_path: Path) -> None:
    """A program may have a terminal too."""
    kho = workspace_in(tmp_path / "kho")
    code, seen = _on_a_terminal("audit", "-w", kho, "--json", cwd=tmp_path)
    assert (code, seen.strip()) == (0, "[]")


def test_a_name_with_escapes_is_harmless(tmp_path: Path) -> None:
    """Also where there is a terminal to act on: not one byte of the name gets through as it is."""
    kho = workspace_in(tmp_path / "kho")
    bad = package_in(tmp_path / "tên \x1b]0;owned\x07\u202e xấu")
    (bad / "trang\x1b[2J.txt").write_text("x")
    for _, seen in (
        _on_a_terminal("ingest", "-w", kho, bad, cwd=tmp_path),
        _on_a_terminal("formats", "identify", bad, cwd=tmp_path),
        _on_a_terminal("bag", "check", bad, cwd=tmp_path),
    ):
        assert "\x1b]" not in seen
        assert "\x1b[2J" not in seen
        assert "\u202e" not in seen
        assert r"\x1b]0;owned" in seen
    data = vankho("ingest", "-w", kho, bad, "--json")
    assert data.data[0]["source"] == str(bad)  # whole for a program, which JSON escapes
    assert "\x1b" not in data.out


def test_tables_line_up_for_vietnamese_in_either_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A letter with its marks apart takes one place on the terminal, as its composed twin does."""
    names = ["Truyện Kiều", unicodedata.normalize("NFD", "Truyện Kiều"), "A"]
    table = Table((say("Title or source"), say("Files")), [(name, number) for number, name in enumerate(names, 99)])
    screen.show(Answer(None, [table]), as_json=False, language="en")
    heading, first, second, third = capsys.readouterr().out.splitlines()
    assert heading == "Title or source  Files"
    assert first == "Truyện Kiều" + " " * 8 + " 99"
    assert unicodedata.normalize("NFC", second) == "Truyện Kiều" + " " * 8 + "100"
    assert third == "A" + " " * 18 + "101"


def test_many_warnings_alike_are_told_once_or_thrice_and_counted() -> None:
    """The errors, which decide, stay on top and are all there; --json has the rest."""
    many = [Finding("odd", Severity.WARNING, say("Odd."), path=f"{n}") for n in range(50)]
    grave = [Finding("gone", Severity.ERROR, say("Gone."), path=f"x{n}") for n in range(12)]
    lines = [str(line) for line in finding_lines([*many, *grave], "en")]
    assert lines[:12] == [f"  error: x{n}: Gone." for n in range(12)]
    assert lines[12 : 12 + ALIKE] == [f"  warning: {n}: Odd." for n in range(ALIKE)]
    assert lines[12 + ALIKE :] == [f"  … and {50 - ALIKE} more findings; --json shows all."]


def test_a_path_is_told_unless_the_sentence_names_it() -> None:
    """A pipe called `p` is no letter of the sentence, and a folder called `a` no word of it."""

    def told(path: str) -> str:
        plain = Finding("special-file", Severity.ERROR, say("This is a pipe, not a file."), path=path)
        return str(finding_lines([plain], "en")[0])

    assert told("p") == "  error: p: This is a pipe, not a file."
    assert told("a") == "  error: a: This is a pipe, not a file."
    for path in ("b", "data/ảnh.tif"):
        named = Finding("gone", Severity.ERROR, say("{path} is gone.", path=path), path=path)
        assert str(finding_lines([named], "en")[0]) == f"  error: {path} is gone."


def test_damage_is_told_with_its_copy_and_the_next_step(here: Here, held: Held) -> None:
    """Which AIP, which store, which file, what now."""
    (held.workspace / "stores/third/aip" / held.identifier / "v1/data/Trang 1.txt").unlink()
    done = here("audit", "-w", held.workspace)
    assert done.code == 1
    assert f"{held.identifier} version 1 in third: damaged" in done.out
    assert "data/Trang 1.txt" in done.out
    assert "vankho repair" in done.out
    shown = here("show", "-w", held.workspace, held.identifier[:8])
    assert "because: The copy in third is damaged." in shown.out
    assert re.search(r"^third +damaged \d\d/\d\d/\d{4} \d\d:\d\d", shown.out, re.MULTILINE)


def test_a_store_that_is_away_is_told_once(here: Here, held: Held) -> None:
    """Not once for each of its copies, and never as damage."""
    assert here("ingest", "-w", held.workspace, package_in(held.package.parent / "khác", text="khác\n")).code == 0
    stores = {name: local_store(name) for name in ("primary", "second")}
    workspace_in(held.workspace, **stores, third=local_store("third") | {"path": str(held.workspace / "not mounted")})
    done = here("audit", "-w", held.workspace)
    assert done.code == 3
    assert re.search(r"^third +0 +0 +2$", done.out, re.MULTILINE)
    assert done.out.count("could not be used") == 1
    assert "no evidence of damage" in done.out
    compared = here("reconcile", "-w", held.workspace)
    assert (compared.code, compared.out.count("could not be used")) == (3, 1)


def test_too_few_stores_are_said_at_once(here: Here, tmp_path: Path) -> None:
    """A newcomer with one store learns that this is not yet what the policy asks for."""
    kho = tmp_path / "kho"
    assert here("init", kho).code == 0
    done = here("ingest", "-w", kho, package_in(tmp_path / "Truyện Kiều"))
    assert done.code == 0
    assert "Not safe yet: 1" in done.out


def test_the_batch_is_counted(here: Here, tmp_path: Path) -> None:
    """One line says how many of which."""
    kho, package = workspace_in(tmp_path / "kho"), package_in(tmp_path / "Truyện Kiều")
    (tmp_path / "trống").mkdir()
    done = here("ingest", "-w", kho, package, tmp_path / "trống", package)
    assert done.code == 1
    assert "Packages: 3; accepted 1, already here 1, rejected 1, failed 0." in done.out


def test_a_reader_that_leaves_is_no_trouble(held: Held) -> None:
    """`| head -1`: quiet."""
    process = subprocess.Popen(
        [PROGRAM, "events", "-w", held.workspace, held.identifier, "--json"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait(60)


def test_no_arguments_and_wrong_ones(here: Here) -> None:
    """Help, or one sentence and where to look; always 2."""
    bare = here()
    assert bare.code == 2
    assert "ingest" in bare.out + bare.err
    wrong = here("shwo")
    assert (wrong.code, wrong.out) == (2, "")
    assert "shwo" in wrong.err
    missing = here("ingest")
    assert (missing.code, missing.out) == (2, "")
    assert "--help" in missing.err
    for words in (("--help",), ("show", "-h"), ("policy", "check", "--help")):
        asked = here(*words)
        assert asked.code == 0
        assert "…" not in asked.out
        assert "..." not in asked.out.replace("[ARGS]...", "").replace("]...", "").replace("}...", "")
    release = here("--version")
    assert (release.code, release.err) == (0, "")
    assert re.fullmatch(r"vankho \d+\.\d+\.\d+\n", release.out)
