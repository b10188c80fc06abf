"""Signals at the edges of a command: before anything is imported, when all is said, twice, and those that are no
Ctrl-C. Always one sentence and the exit code of the signal, never a traceback.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.commands import PROGRAM, Ran, environment, vankho, workspace_in

# Sends the signals when the module that the first word names is looked for, then runs the command with the rest.
AT_IMPORT = """
import os, signal, sys
word, numbers, *sys.argv[1:] = sys.argv[1:]
class Moment:
    def find_spec(self, name, *rest):
        if name == word:
            sys.meta_path.remove(self)
            for number in numbers.split(","):
                os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Moment())
from apps.cli.main import run
run()
"""
# Sends it before the command itself has begun, where typer would catch it and say nothing.
AT_WORDS = """
import os, signal
import apps.cli.command
apps.cli.command.choose_language = lambda _: os.kill(os.getpid(), signal.SIGTERM)
from apps.cli.main import run
run()
"""
# Sends it when Python is about to end.
AT_END = """
import atexit, os, signal
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
from apps.cli.main import run
run()
"""
# A copy of the process is sent it before it has begun its work, as Ctrl-C at a terminal reaches all of them.
IN_A_COPY = """
import os, signal
from preservation import forked
real = os.fork
def fork():
    if (pid := real()) == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return pid
os.fork = fork
try:
    with forked.shared(lambda n, tell: n * n, 20, processes=3, moved=lambda _: None) as answers:
        print(list(answers) == [n * n for n in range(20)], flush=True)
finally:
    print("put away", flush=True)
"""


def _ran(script: str, *words: object) -> Ran:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], env=environment(), capture_output=True, encoding="utf-8"
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _said_once(done: Ran) -> bool:
    return done.out == "" and done.err.count("\n") == 1 and "run the same command again" in done.err


@pytest.mark.parametrize("module", ["typer", "flows.workspace", "sqlalchemy"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_so_however_early_it_comes(tmp_path: Path, module: str, number: signal.Signals) -> None:
    done = _ran(AT_IMPORT, module, int(number), "show", "-w", workspace_in(tmp_path / "kho"))
    assert done.code == 128 + number
    assert _said_once(done), done


def test_it_says_so_while_the_words_are_read(tmp_path: Path) -> None:
    done = _ran(AT_WORDS, "show", "-w", workspace_in(tmp_path / "kho"))
    assert done.code == 143
    assert _said_once(done), done


def test_a_second_press_in_the_same_moment_changes_nothing(tmp_path: Path) -> None:
    """The second one would otherwise break off what the first one puts away, or be seen as a traceback."""
    done = _ran(AT_IMPORT, "apps.cli.screen", "2,2", "show", "-w", workspace_in(tmp_path / "kho"))
    assert done.code == 130
    assert _said_once(done), done


def test_when_the_answer_is_given_there_is_nothing_to_interrupt() -> None:
    done = _ran(AT_END, "--version")
    assert (done.code, done.err) == (0, "")


def test_sigterm_puts_away_what_was_begun(tmp_path: Path) -> None:
    """As systemd sends it: to the command alone, while its workers are at work."""
    kho, given = workspace_in(tmp_path / "kho", "[work]", "processes = 2"), []
    for name in ("một", "hai"):
        given.append(tmp_path / name)
        given[-1].mkdir()
        for page in range(120):
            (given[-1] / f"Trang {page:03}.xml").write_text(
                f"<trang>{name} {page}{'Trăm năm ' * 500}</trang>", "utf-8"
            )
    process = subprocess.Popen(
        [PROGRAM, "ingest", "-w", kho, *given],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    deadline = time.monotonic() + 60
    while len(list(kho.glob("staging/*/received/*"))) < 20 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert _said_once(Ran(process.returncode, out, err)), err
    assert [each for each in (kho / "staging").glob("*") if each.is_dir()] == []
    assert vankho("ingest", "-w", kho, *given).code == 0


def test_a_copy_of_the_process_never_puts_away_what_is_its_owners() -> None:
    done = _ran(IN_A_COPY)
    assert (done.code, done.out.split("\n"), done.err) == (0, ["True", "put away", ""], "")
