"""The store contract as a list of plain checks, for our adapters and for an officer's real bucket alike.

`run` works under a random prefix and erases what it made. A check that fails says what it saw. Promises
nothing about a store that fails: do not use it. The checks are themselves tested against stores broken on
purpose (tests/conformance/), because a checker that cannot say no is worth nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from storage_adapters.conformance_clauses import CLAUSES, Clause
from storage_adapters.conformance_trial import Broken, Trial
from storage_adapters.errors import (
    KeyRefused,
    ObjectNotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from storage_adapters.store import ErasableStore
from wording import Message

PREFIX = ".vankho-probe/"


class Outcome(StrEnum):
    """How a clause ended. `NOT_PROMISED`: the store cannot do it and the engine makes up for it."""

    HELD = "held"
    BROKEN = "broken"
    NOT_PROMISED = "not-promised"


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """What one check saw. `detail` is for whoever runs the store and is not translated."""

    name: str
    sentence: Message
    outcome: Outcome
    detail: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the store may be used as far as this clause goes."""
        return self.outcome is not Outcome.BROKEN


def run(
    store: ErasableStore,
    *,
    watch: Callable[[ClauseResult], None] | None = None,
    clauses: Sequence[Clause] = CLAUSES,
) -> list[ClauseResult]:
    """Every clause against the store, in order; `watch` is told of each as it ends.

    A store that cannot be worked with at all raises (StorageDenied, StorageUnavailable, StorageFull): that is
    no verdict on the contract. Use `opening.open_for_check`, so that short checks meet several parts and pages.
    """
    trial = Trial(store, f"{PREFIX}{secrets.token_hex(8)}/", store.capabilities())
    results: list[ClauseResult] = []
    try:
        for clause in clauses:
            outcome, detail = Outcome.NOT_PROMISED, None
            if clause.needs(trial.can):
                detail = _broken(lambda check=clause.check: check(trial))  # type: ignore[misc]
                outcome = Outcome.HELD if detail is None else Outcome.BROKEN
            results.append(ClauseResult(clause.name, clause.sentence, outcome, detail))
            if watch is not None:
                watch(results[-1])
    finally:
        _clean_up(trial)
    return results


def _broken(check: Callable[[], None]) -> str | None:
    try:
        check()
    except (StorageDenied, StorageUnavailable, StorageFull):
        raise
    except Broken as broken:
        return str(broken)
    except StorageError as error:
        return f"{type(error).__name__}: {error} {error.detail or ''}".strip()
    except Exception as error:  # noqa: BLE001 - an adapter that lets anything else out has broken the contract
        return f"let out {type(error).__name__}: {error}"
    return None


def _clean_up(trial: Trial) -> None:
    """Erase what was made, and what stands below the prefix under another name than it was given."""
    strays: set[str] = set()
    with suppress(StorageError):
        strays = {each.key for each in trial.store.list(trial.prefix) if each.key.startswith(trial.prefix)}
    for key in sorted(trial.made | strays):
        with suppress(ObjectNotFound, KeyRefused):
            trial.store.erase(key)
