"""Answers of the catalog that a caller reacts to; everything else is a plain CatalogError."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from preservation.errors import CatalogError, UsageError
from preservation.facts import AIPVersion
from wording import say
from wording.times import to_the_second


class AlreadyAdmitted(CatalogError):
    """The same content is in the catalog already, as `existing`. Nothing was written."""

    def __init__(self, existing: AIPVersion) -> None:
        super().__init__(
            say(
                "The same content is here already, as version {version} of AIP {identifier}.",
                version=existing.version,
                identifier=existing.identifier,
            ),
            where=existing.identifier,
            next_step=say("Nothing to do; `vankho show {identifier}` shows it.", identifier=existing.identifier),
        )
        self.existing = existing


class PlaceTaken(CatalogError):
    """Another writer took this AIP identifier, version or producer identifier first. Nothing was written."""

    def __init__(self, version: AIPVersion) -> None:
        super().__init__(
            say(
                "Version {version} of AIP {identifier} (producer identifier: {producer}) was admitted by someone else"
                " in the meantime, with other content.",
                version=version.version,
                identifier=version.identifier,
                producer=version.producer_identifier or "-",
            ),
            where=version.identifier,
            next_step=say("Run the same command again; it will become the next version."),
        )


class AmbiguousReference(UsageError):
    """The reference names several AIPs; `candidates` are their identifiers."""

    def __init__(self, reference: str, candidates: Sequence[str]) -> None:
        super().__init__(
            say(
                "{reference} can mean more than one AIP: {candidates}.",
                reference=reference,
                candidates=", ".join(candidates),
            ),
            where=reference,
            next_step=say("Give the whole AIP identifier."),
        )
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease: the owner's words, its machine and process, since when, last sign of life."""

    owner: str
    host: str
    pid: int
    since: datetime
    last_seen: datetime


class LeaseHeld(CatalogError):
    """Someone else is at work on this; `holder` says who."""

    def __init__(self, key: str, holder: Holder) -> None:
        super().__init__(
            say(
                "{owner} is at work on {key} since {since} (process {pid} on {host}, last sign of life {last_seen}).",
                key=key,
                owner=holder.owner,
                host=holder.host,
                pid=holder.pid,
                since=to_the_second(holder.since),
                last_seen=to_the_second(holder.last_seen),
            ),
            where=key,
            next_step=say("Wait until that work has ended, or end that process; then run the same command again."),
        )
        self.holder = holder


class LeaseLost(CatalogError):
    """Our process was thought dead and its work given to another. Stop, write nothing more."""

    def __init__(self, key: str) -> None:
        super().__init__(
            say("The work on {key} was taken over by another process, so this one stops.", key=key),
            where=key,
            next_step=say("Look at what the other process recorded, then run the same command again if need be."),
        )


class Overtaken(CatalogError):
    """While a replica was read, another run recorded what makes the report stale. Nothing was written."""

    def __init__(self, identifier: str, version: int, store: str, seq: int) -> None:
        super().__init__(
            say(
                "While version {version} of {identifier} in {store} was read, another run worked on it: event {seq}.",
                version=version,
                identifier=identifier,
                store=store,
                seq=seq,
            ),
            where=identifier,
            next_step=say("Run the audit again."),
        )
