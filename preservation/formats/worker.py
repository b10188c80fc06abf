"""The process that opens hostile files: one request line in, one answer line out, several at a time, under limits.

Lines are JSON in ASCII, so no file name can end a line or pass for an answer. What FIDO prints goes nowhere. A
request is [path, name], or [path, name, length, length] and then so many first and last bytes of a file read already.
It ends when its input ends, when a file takes too long (the kernel's alarm, which also rings inside a regular
expression and when the parent is gone), or when memory runs out; the parent reads the reason from how it ended.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import resource
import signal
import stat
import struct
import sys
import time
from dataclasses import asdict, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from preservation.facts import Basis, FormatFact
from preservation.formats.edges import BecameShorter, edges_of
from preservation.formats.limits import Limits
from preservation.formats.pronom.facts import SignatureFiles
from wording.message import printable

if TYPE_CHECKING:
    from preservation.formats.engine import Engine

OUT_OF_MEMORY = 75  # exit code
COUNT = struct.Struct("=Q")  # how many requests are finished, whether their answers were sent or not
END = b"\n"  # after the last request of several: answers are waited for
SILENT = 0.1  # seconds after which an answer is given though more requests follow
TOOL = f"vankho {version('vankho')}"
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def main() -> None:
    """Serve until the input ends. The arguments are the limits and the two files of the release or null, in JSON, and
    the descriptor of the file for COUNT (-1: nobody asks).
    """
    limits = Limits(**json.loads(sys.argv[1]))
    chosen = json.loads(sys.argv[2])
    answers = keep_answers_clean()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent may have left it ignored or blocked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        finished = mmap.mmap(int(sys.argv[3]), COUNT.size)
        serve(limits, answers, finished, SignatureFiles(*map(Path, chosen)) if chosen else None)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # at once: tidying up would want memory too


def serve(limits: Limits, answers: IO[bytes], finished: mmap.mmap, chosen: SignatureFiles | None = None) -> None:
    """Load the signatures, say which, then answer every request of standard input."""
    from preservation.formats.engine import Engine
    from preservation.formats.pronom.chosen import load
    from preservation.formats.pronom.containers import LimitReached

    engine = Engine(load(chosen), limits, tool=TOOL)
    unknown = FormatFact("", None, None, Basis.FAILED, tool=engine.tool, signatures=engine.signatures)
    send(answers, unknown)
    silence(2)
    requests = sys.stdin.buffer
    count, told = 0, time.monotonic()
    for line in requests:
        if line == END:
            answers.flush()
            continue
        path, name, *lengths = json.loads(line)
        given = [requests.read(length) for length in lengths]
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        try:
            if given:
                fact = engine.identify(given[0], given[1] or given[0], name, partial(open_regular, path))
            else:
                fact = _identified(engine, path, name)
        except MemoryError:
            raise
        except BecameShorter:
            fact = replace(unknown, note="the file became shorter while it was read")
        except LimitReached as limit:
            fact = replace(unknown, note=str(limit))
        except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is an answer about that file
            fact = replace(unknown, note=reason(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_line(fact))
        count += 1
        COUNT.pack_into(finished, 0, count)  # so that of a dead worker it is known which file it died of
        if (now := time.monotonic()) - told > SILENT:
            answers.flush()
            told = now
    answers.flush()


def _identified(engine: Engine, path: str, name: str) -> FormatFact:
    descriptor, size = _opened(path)
    try:
        return engine.identify(*edges_of(descriptor, size), name, partial(open_regular, path))
    finally:
        os.close(descriptor)


def open_regular(path: str) -> IO[bytes]:
    """The file opened for reading. Raises OSError for links, pipes, devices, folders; never waits for a writer."""
    return os.fdopen(_opened(path)[0], "rb")


def _opened(path: str) -> tuple[int, int]:
    """The open file, and its size."""
    descriptor = os.open(path, _READING)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor, facts.st_size


def reason(error: Exception) -> str:
    """The error in one short printable line, without the path."""
    if not isinstance(error, OSError):
        return printable(f"{type(error).__name__}: {error}")[:300]
    if error.errno == errno.ELOOP:
        return "a symbolic link; it is not followed"
    return f"cannot be read: {error.strerror or error}"


def keep_answers_clean() -> IO[bytes]:
    """The real standard output for answers alone; printing goes nowhere from here on."""
    answers = os.fdopen(os.dup(1), "wb")
    silence(1)
    return answers


def silence(descriptor: int) -> None:
    """Let whatever is written there go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def send(answers: IO[bytes], answer: FormatFact) -> None:
    """Give one answer to the parent."""
    answers.write(_line(answer))
    answers.flush()


@lru_cache(maxsize=1024)
def _line(answer: FormatFact) -> bytes:
    """Few answers differ: nearly every page of a book is the same."""
    return json.dumps(asdict(answer), ensure_ascii=True).encode("ascii") + b"\n"
