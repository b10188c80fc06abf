"""The `bagit` library in a process of its own, which imports it once and asks it about each bag in a fork of itself.

So every bag is read by a process that has seen no other, under limits on time and memory, and importing the library
is paid once for many bags. The process ends when its owner is gone, and a bag's process ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from threading import Lock

from preservation.children import environment

# /proc/self/cwd hides the true path, which the library would search for `tagmanifest-`.
_SERVE = """
import bagit, ctypes, json, logging, os, resource, select, signal, sys
logging.disable(logging.CRITICAL)
libc = ctypes.CDLL(None) if sys.platform == "linux" else None
requests, answers, nowhere = os.dup(0), os.dup(1), os.open(os.devnull, os.O_RDWR)
os.dup2(nowhere, 0), os.dup2(nowhere, 1)

def ask(path, seconds, memory, longest, keeper, out):
    if libc is not None:
        libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != keeper:
        os._exit(1)
    os.close(requests), os.close(answers)
    os.chdir(path)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        bagit.Bag("/proc/self/cwd" if os.path.isdir("/proc/self/cwd") else ".").validate()
        answer, words = "valid", ""
    except bagit.BagError as error:
        answer, words = "invalid", str(error)
    except BaseException as error:
        answer, words = "crashed", f"{type(error).__name__}: {error}"
    os.write(out, f"{answer}\\n{words[:longest]}".encode("utf-8", "backslashreplace"))

def serve(path, timeout, memory, longest):
    ours, theirs = os.pipe()
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            ask(path, int(timeout) + 1, memory, longest, keeper, theirs)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(theirs)
    waiter = select.poll()
    waiter.register(ours, select.POLLIN)
    waiter.register(requests, 0)  # tells when our owner is gone
    ready = waiter.poll(timeout * 1000)
    owner_gone = any(what == requests for what, _ in ready)
    if not ready or owner_gone:
        os.kill(child, signal.SIGKILL)
    said = b"" if not ready or owner_gone else os.read(ours, 1 << 16)
    os.close(ours)
    _, status = os.waitpid(child, 0)
    if owner_gone:
        sys.exit()
    return [not ready, os.waitstatus_to_exitcode(status), said.decode("utf-8", "replace")]

waiting = b""
while piece := os.read(requests, 1 << 16):
    waiting += piece
    while b"\\n" in waiting:
        line, _, waiting = waiting.partition(b"\\n")
        path, *rest = json.loads(line)
        os.write(answers, json.dumps(serve(os.fsencode(path), *rest)).encode("ascii") + b"\\n")
"""
_LONGEST = 2000  # characters of the library's words that are kept
_GRACE = 60.0  # seconds beyond a bag's own for the process that watches it


class NoAnswer(Exception):
    """The library gave none; the text says why."""


class Library:
    """The library, started at the first question. One question at a time; may be shared between threads."""

    def __init__(self) -> None:
        self._one = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def interrupt(self) -> None:
        """End the question that another thread is asking: it gets no answer."""
        process = self._process
        if process is not None:
            process.kill()

    def ask(self, path: Path, *, timeout: float, memory: int) -> tuple[str, str]:
        """The library's word on the bag ("valid", "invalid", or another that is no answer) and what it says besides.

        Raises NoAnswer. `timeout` is in seconds, `memory` in bytes of address space.
        """
        request = json.dumps([str(path.absolute()), timeout, memory, _LONGEST]).encode("ascii") + b"\n"
        with self._one:
            try:
                late, code, said = json.loads(self._answer(request, timeout + _GRACE))
            except (OSError, ValueError) as error:
                self.close()
                raise NoAnswer(f"the bagit library could not be asked: {error}") from error
            except BaseException:  # Ctrl-C: the answer would be taken for that to the next question
                self.close()
                raise
        if late:
            raise NoAnswer(f"no answer from the bagit library within {timeout:.0f} s")
        word, _, words = said.partition("\n")
        if code != 0 or word not in ("valid", "invalid"):
            raise NoAnswer(words or f"no answer from the bagit library; it ended with {code}")
        return word, words

    def _answer(self, request: bytes, seconds: float) -> bytes:
        """The answer's line; an empty one when the process ended or said nothing for so long."""
        if self._process is None or self._process.poll() is not None:
            self._process = _started()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended; the missing answer says so too
            self._process.stdin.write(request)
        answer, out = b"", self._process.stdout.fileno()
        waiter = select.poll()
        waiter.register(out, select.POLLIN)
        while not answer.endswith(b"\n") and waiter.poll(seconds * 1000):
            piece = os.read(out, 1 << 16)
            if not piece:
                break
            answer += piece
        return answer


def _started() -> subprocess.Popen[bytes]:
    # -I keeps the current folder, which may be a bag with a bagit.py of its own, off the import path.
    return subprocess.Popen(  # noqa: S603 - our own words, no shell
        [sys.executable, "-I", "-X", "utf8", "-c", _SERVE],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        process_group=0,  # Ctrl-C at the terminal is for its owner, which then ends it
    )
