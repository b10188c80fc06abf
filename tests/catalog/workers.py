"""What the processes of the tests do; each opens the catalog for itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from preservation.catalog import AlreadyAdmitted, LeaseHeld, open_catalog
from preservation.facts import ObjectFact
from tests.catalog.samples import event, objects, version

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.catalog.workers"])


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def together(count: int, work: Callable[..., None], *arguments: Any) -> list[str]:
    """What `count` processes answered that all did the same work at once."""
    answers: Queue[str] = PROCESSES.Queue()
    start = PROCESSES.Barrier(count)
    running = [PROCESSES.Process(target=work, args=(start, answers, *arguments)) for _ in range(count)]
    for process in running:
        process.start()
    found = [answers.get(timeout=120) for _ in running]
    for process in running:
        process.join(30)
    return found


def open_it(start: Any, answers: Queue[str], address: str) -> None:
    """Open an empty catalog at once with others, then use it."""
    start.wait(60)
    try:
        with open_catalog(address, base=Path("/")) as catalog:
            catalog.record([event()])
        answers.put("opened")
    except BaseException as error:
        answers.put(repr(error) + str(getattr(error, "detail", "")))
        raise


def admit_it(start: Any, answers: Queue[str], address: str, content_digest: str) -> None:
    """Admit the same content as others at the same moment."""
    try:
        with open_catalog(address, base=Path("/")) as catalog:
            mine = version(500, content_digest=content_digest)
            start.wait(60)
            catalog.admit(mine, objects(500), [event(mine)])
        answers.put("admitted")
    except AlreadyAdmitted as refused:
        answers.put(f"already {refused.existing.identifier}")
    except BaseException as error:
        answers.put(repr(error) + str(getattr(error, "detail", "")))
        raise


def lease_it(start: Any, answers: Queue[str], address: str, key: str, counter: str) -> None:
    """Count up a file that nothing but the lease protects."""
    try:
        with open_catalog(address, base=Path("/")) as catalog:
            start.wait(60)
            with catalog.lease(key, owner="counter", now=now, wait=60) as lease:
                seen = int(Path(counter).read_text())
                time.sleep(0.02)
                Path(counter).write_text(str(seen + 1))
        answers.put(str(lease.token))
    except BaseException as error:
        answers.put(repr(error) + str(getattr(error, "detail", "")))
        raise


def hold_it(start: Any, answers: Queue[str], address: str, key: str) -> None:
    """Take a lease and never give it back."""
    with open_catalog(address, base=Path("/")) as catalog:
        start.wait(60)
        try:
            with catalog.lease(key, owner="ingest of Hộp 7", now=now):
                answers.put(str(os.getpid()))
                time.sleep(600)
        except LeaseHeld as refused:
            answers.put(repr(refused))


def die_admitting(start: Any, answers: Queue[str], address: str, after: int, content_digest: str) -> None:
    """Be killed after so many objects were handed over, or right after the commit when there are no more."""

    def deadly() -> Iterator[ObjectFact]:
        for number, fact in enumerate(objects(20_000)):
            if number == after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield fact

    with open_catalog(address, base=Path("/")) as catalog:
        start.wait(60)
        mine = version(20_000, content_digest=content_digest)
        catalog.admit(mine, deadly(), [event(mine)])
        os.kill(os.getpid(), signal.SIGKILL)
