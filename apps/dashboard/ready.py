"""`/readyz`: whether Vankho can do its work now, and each reason why not. Only what was looked at is called well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flows.looking import Looking
from flows.measures import Measures, shut_off
from wording import Explained, Message, say
from wording.times import moment
from wording.translate import translate


@dataclass(frozen=True, slots=True)
class Check:
    """One condition; `why` says what is wrong, None when nothing is."""

    name: str
    why: Message | None = None
    where: str | None = None

    def as_json(self, language: str) -> dict[str, Any]:
        """The documented shape."""
        message = None if self.why is None else translate(self.why, language)
        return {"check": self.name, "ready": self.why is None, "message": message, "where": self.where}


def checks(looking: Looking, measured: Callable[[], Measures]) -> list[Check]:
    """Settings, catalog, policies, and every store that runs have used; the first that fails hides those after it."""
    try:
        looking.settings()
    except Explained as error:
        return [Check("settings", error.what, error.where)]
    found = [Check("settings")]
    try:
        workspace = looking.workspace()
        workspace.catalog.head()
    except Explained as error:
        return [*found, Check("catalog", error.what, error.where)]
    found.append(Check("catalog"))
    try:
        seen = measured()
    except Explained as error:
        return [*found, Check("policies", error.what, error.where)]
    unsound = ", ".join(seen.unsound)
    wrong = say("Policies are wrong and go by what they said before: {names}", names=unsound) if unsound else None
    found.append(Check("policies", wrong))
    off = shut_off(seen)
    for store in seen.stores:
        why = None
        if store in off:
            why = say(
                "Store {store} could not be used since {at}.",
                store=store,
                at=moment(off[store]),
            )
        found.append(Check("store", why, store))
    return found
