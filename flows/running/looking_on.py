"""A batch in sight of Prefect: the work begins at once, and a thread looks on that tells the server what begins and
what ends.

To import Prefect takes most of a second of a processor. The workers of a batch do not wait for it: the run is shown
from the moment when Prefect is there. What becomes of Prefect changes nothing of what the work gives or raises.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from flows.ledger import in_ledger
from flows.steps import plain_step
from flows.workspace import Workspace
from preservation.findings import Finding, Severity
from preservation.progress import Progress, Silent
from wording import say

Answer = TypeVar("Answer")
P = ParamSpec("P")

BEHIND = 5  # how nice the thread is: as the workers
CONCLUDING = 30.0  # seconds for Prefect to hear of the end; without an answer the command ends all the same


@dataclass(frozen=True, slots=True)
class Ended:
    """How the work ended: what it gave, or what it raised."""

    answer: Any = None
    raised: BaseException | None = None


@dataclass
class _Heard:
    """Progress as it is, for a page that may be there only later."""

    other: Progress
    page: Progress = field(default_factory=Silent)
    step: str | None = None
    total: int | None = None
    done: int = 0

    def begin(self, step: str, total: int | None) -> None:
        self.step, self.total, self.done = step, total, 0
        self.other.begin(step, total)
        self.page.begin(step, total)

    def advance(self, amount: int) -> None:
        self.done += amount
        self.other.advance(amount)
        self.page.advance(amount)


class LookedOn:
    """A run whose work goes on in the thread that began it, and which another thread tells to Prefect."""

    def __init__(self, workspace: Workspace, name: str, parameters: dict[str, Any]) -> None:
        self.workspace, self.name, self.parameters = workspace, name, parameters
        self.earlier = len(workspace.notices), len(workspace.reported)
        self.ended = Ended()
        self._heard = _Heard(workspace.progress)
        self._begun: SimpleQueue[tuple[str, Future[None]] | Ended] = SimpleQueue()
        self._thread = threading.Thread(target=self._look_on, name="looking on", daemon=True)

    def carry_out(self, body: Callable[..., Answer]) -> Answer:
        """Do the work. Gives and raises what the body does."""
        self.workspace.progress = self._heard
        ended = Ended()
        try:
            answer = in_ledger(self.workspace, body, **self.parameters, step=self._step)
            ended = Ended(answer)
        except BaseException as error:
            ended = Ended(raised=error)
            raise
        finally:
            self.workspace.progress = self._heard.other
            self._begun.put(ended)
            self._begin()
            self._thread.join(CONCLUDING)
            if self._thread.is_alive():
                self._not_told(TimeoutError())
        return answer

    def steps(self) -> Iterator[tuple[str, Future[None]]]:
        """For whoever looks on: every step as it begins, and what tells that it is over. Then see `ended`."""
        while not isinstance(step := self._begun.get(), Ended):
            yield step
        self.ended = step

    @contextmanager
    def on_page(self, page: Progress) -> Iterator[None]:
        """For whoever looks on: how far the work is, is shown there too."""
        heard = self._heard
        if heard.step is not None:
            page.begin(heard.step, heard.total)
            page.advance(heard.done)
        heard.page = page
        try:
            yield
        finally:
            heard.page = Silent()

    def _step(self, name: str, work: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        over: Future[None] = Future()
        self._begun.put((name, over))
        self._begin()
        try:
            answer = plain_step(name, work, *args, **kwargs)
        except BaseException as error:
            over.set_exception(error)
            raise
        over.set_result(None)
        return answer

    def _begin(self) -> None:
        """From the first step on: then the workers are at work."""
        if self._thread.ident is None:
            self._thread.start()

    def _look_on(self) -> None:
        if sys.platform == "linux":  # there a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)
        try:
            with _no_collection():
                from flows.running import prefect_runs
            prefect_runs.look_on(self)
        except BaseException as error:  # noqa: BLE001 - whatever Prefect brings about, the work is not its matter
            self._not_told(error)

    def _not_told(self, error: BaseException) -> None:
        text = say("Prefect could not be told of this run: {reason}", reason=type(error).__name__)
        self.workspace.notices.append(Finding("prefect-not-told", Severity.WARNING, text))


@contextmanager
def _no_collection() -> Iterator[None]:
    """What is imported stays; to look for garbage among it again and again is a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
