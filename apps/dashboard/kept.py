"""Answers kept for some seconds: however many ask, the work behind each is done once, by one of them.

Failures are kept too, so that a catalog that is away is not asked by everybody. For a handful of fixed questions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    answer: Any = None
    error: Exception | None = None


class Kept:
    """Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}

    def get(self, name: str, seconds: float, make: Callable[[], Answer]) -> Answer:
        """The answer of that name, made anew when it is older than so many seconds. Raises what `make` raises."""
        with self._lock:
            place = self._places.setdefault(name, _Place())
        with place.lock:
            if self._clock() >= place.until:
                place.answer, place.error = None, None
                try:
                    place.answer = make()
                except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below, to everybody
                    place.error = error
                place.until = self._clock() + seconds
            if place.error is not None:
                raise place.error.with_traceback(None)
            answer: Answer = place.answer
            return answer
