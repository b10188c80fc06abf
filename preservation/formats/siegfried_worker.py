"""The process in which Siegfried looks at files: one request line in, one answer line out, as our own worker does.

Siegfried scans whole files, so each gets time by its size. It is asked about regular files alone; an empty file,
which it raises for, is answered without it. Ends with its input, with its parent, or by the kernel's alarm.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import select
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import IO, Any

from preservation.facts import Basis, FormatFact
from preservation.formats.limits import Limits
from preservation.formats.worker import END, keep_answers_clean, open_regular, reason, send, silence

SLOWEST = 20 << 20  # bytes a second that are waited for; Siegfried does ten times as many
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Serve until the input ends. The first argument is the limits as JSON; the second is not for us."""
    limits = Limits(**json.loads(sys.argv[1]))
    _end_with_parent()
    answers = keep_answers_clean()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(limits, answers)


def _end_with_parent() -> None:
    """Watch for our parent's end from a process beside us: Siegfried lets nothing else run here while it reads.

    The kernel's own signal for that would come when the thread that started us ends, which is too early.
    """
    if sys.platform != "linux" or os.fork():
        return
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)  # and the watcher ends with us
    watched = os.getppid()
    os.close(1)
    os.close(2)
    waiter = select.poll()
    waiter.register(0, 0)  # nothing but the end of our requests
    waiter.poll()
    if os.getppid() == watched:
        os.kill(watched, signal.SIGKILL)
    os._exit(0)


def serve(limits: Limits, answers: IO[bytes]) -> None:
    """Load Siegfried, say which, then answer every request of standard input."""
    import pygfried  # type: ignore[import-not-found, import-untyped, unused-ignore]

    tool = f"siegfried {pygfried.version()} (pygfried {version('pygfried')})"
    unknown = FormatFact("", None, None, Basis.FAILED, tool=tool, signatures="")
    any_file = pygfried.identify(__file__, detailed=True)  # every result names the signatures
    unknown = replace(unknown, signatures=_signatures(any_file))
    send(answers, unknown)
    silence(2)
    for line in sys.stdin.buffer:
        if line == END:  # each answer is told at once
            continue
        path, _name = json.loads(line)
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
            fact = replace(unknown, basis=Basis.EMPTY)
            if size:
                signal.setitimer(signal.ITIMER_REAL, min(limits.seconds, 10 + size / SLOWEST))
                fact = answer(unknown, pygfried.identify(path, detailed=True))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - it raises what it likes, and that is an answer about that file
            fact = replace(unknown, note=reason(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(answers, fact)


def answer(unknown: FormatFact, said: Mapping[str, Any]) -> FormatFact:
    """Siegfried's result as a fact; `note` holds its own words on what the answer rests on."""
    file = said["files"][0]
    known = [match for match in file["matches"] if match["id"] and match["id"] != "UNKNOWN"]
    if not known:
        return replace(unknown, basis=Basis.NONE, note=file.get("errors") or None)
    first = known[0]
    return replace(
        unknown,
        puid=first["id"],
        name=first["format"] or None,
        version=first["version"] or None,
        mime=first["mime"] or None,
        basis=_basis(first["basis"]),
        candidates=tuple(match["id"] for match in known[1:]),
        extension_mismatch="extension mismatch" in first["warning"],
        note="; ".join(part for part in (first["basis"], first["warning"]) if part)[:300] or None,
    )


def _basis(words: str) -> Basis:
    if "container" in words:
        return Basis.CONTAINER
    if re.search(r"\b(byte|xml|riff|text) match", words):
        return Basis.SIGNATURE
    return Basis.EXTENSION


def _signatures(said: Mapping[str, Any]) -> str:
    """`PRONOM v125, containers 2026-01-19`, from "DROID_SignatureFile_V125.xml; container-signature-20260119.xml"."""
    details = str(said["identifiers"][0]["details"])
    release, day = re.search(r"_V(\d+)\.xml", details), re.search(r"(\d{4})(\d\d)(\d\d)\.xml", details)
    return f"PRONOM v{release[1]}, containers {'-'.join(day.groups())}" if release and day else details
