"""Schedules: what the policies in use ask for, beside what the Prefect server has, and the difference made good.

Refuses to touch anything while a policy in use is wrong: the schedule in force stays in force. Removed are only
deployments that carry this workspace's tag. What a person has paused in Prefect stays paused, and is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flows.running.run import NEEDED, answering_server, server_tried, settle_prefect
from flows.workspace import Workspace
from policies.model import Policy
from policies.schedules import CronLine, Wanted, wanted_deployments
from preservation.errors import PreservationError, UsageError
from wording import say
from wording.translate import translate

RUNNER = "process"  # the kind of work pool: each run is a process of its own, on a machine that has the workspace


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as the server has it, or is to have it. Names are unique within a flow on one server."""

    name: str
    flow: str
    lines: tuple[CronLine, ...]
    parameters: Mapping[str, Any]
    tags: frozenset[str]
    at_once: int | None
    collision: str | None
    description: str
    version: str
    pool: str | None
    paused: bool = False  # by a person; as a whole, or one of its lines
    id: str = field(default="", compare=False)


COMPARED = ("lines", "parameters", "tags", "at_once", "collision", "description", "version", "pool")


class Kind(StrEnum):
    """What is to be done about one deployment."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """One deployment before and after; `fields` are those that differ."""

    kind: Kind
    before: Deployed | None
    after: Deployed | None

    @property
    def either(self) -> Deployed:
        """The one that there is; after the change, if both are."""
        one = self.after or self.before
        assert one is not None
        return one

    @property
    def fields(self) -> tuple[str, ...]:
        """What differs."""
        if self.before is None or self.after is None:
            return ()
        return tuple(name for name in COMPARED if getattr(self.before, name) != getattr(self.after, name))


@dataclass(frozen=True, slots=True)
class Compared:
    """What was asked for beside what there is, and where; `done` says whether the difference was made good."""

    server: str
    pool: str
    changes: tuple[Change, ...]
    done: bool = False
    tag: str = ""  # of the workspace, on what is ours there

    @property
    def open(self) -> tuple[Change, ...]:
        """What differs."""
        return tuple(change for change in self.changes if change.kind is not Kind.SAME)


def policies_in_use(workspace: Workspace) -> list[Policy]:
    """The workspace's own policy and those by which something is kept. Raises PolicyInvalid for one that is wrong."""
    kept = workspace.catalog.standing(workspace.clock()).policies
    return [workspace.policy(name) for name in sorted({*kept, workspace.settings.policy})]


def wanted(workspace: Workspace, *, pool: str | None = None) -> list[Deployed]:
    """What the server is to have. Raises PolicyInvalid, CatalogError."""
    policies = policies_in_use(workspace)
    own = workspace.policy()
    asked = wanted_deployments(
        policies,
        workspace.store_facts(),
        audits_at_once={name: each.audits_at_once for name, each in workspace.settings.stores.items()},
        time_zone=own.schedule.time_zone,
    )
    language = own.notification.language
    return [_deployed(workspace, each, pool or workspace.settings.prefect.pool, language) for each in asked]


def workspace_tag(workspace: Workspace) -> str:
    """What every deployment and run of this workspace carries."""
    return f"workspace {workspace.folder}"


def _deployed(workspace: Workspace, asked: Wanted, pool: str, language: str) -> Deployed:
    return Deployed(
        name=f"{workspace.folder.name}: {asked.name}",
        flow=asked.flow,
        lines=asked.lines,
        parameters={"workspace": str(workspace.folder), **asked.parameters},
        tags=frozenset({workspace_tag(workspace), *asked.tags}),
        at_once=asked.at_once,
        collision=asked.collision.value if asked.at_once is not None else None,
        description=translate(asked.description, language),
        version=asked.version,
        pool=pool,
    )


def difference(asked: Sequence[Deployed], there: Sequence[Deployed]) -> tuple[Change, ...]:
    """What is to be done so that the server has exactly what is asked for."""
    have = {(each.flow, each.name): each for each in there}
    want = {(each.flow, each.name): each for each in asked}

    def changes() -> Iterator[Change]:
        for key, after in want.items():
            before = have.get(key)
            same = before is not None and all(getattr(before, name) == getattr(after, name) for name in COMPARED)
            yield Change(Kind.ADD if before is None else Kind.SAME if same else Kind.CHANGE, before, after)
        yield from (Change(Kind.REMOVE, before, None) for key, before in have.items() if key not in want)

    return tuple(changes())


def compare(workspace: Workspace, *, pool: str | None = None) -> Compared:
    """Look, and change nothing. Raises PolicyInvalid before anything is asked, PreservationError without a server."""
    asked = wanted(workspace, pool=pool)
    server = require_server(workspace)
    from flows.running import deployments  # late: a second of import

    there = deployments.of_workspace(workspace_tag(workspace), beside=asked)
    changes = difference(asked, there)
    return Compared(server, pool or workspace.settings.prefect.pool, changes, tag=workspace_tag(workspace))


def apply(compared: Compared) -> Compared:
    """Make good what was compared. Safe to run again when it was cut off."""
    from flows.running import deployments  # late, as above

    deployments.make_good(compared.changes, pool=compared.pool, kind=RUNNER)
    if compared.tag:
        deployments.name_coming(compared.tag)
    return Compared(compared.server, compared.pool, compared.changes, done=True, tag=compared.tag)


def require_server(workspace: Workspace) -> str:
    """The API address of the server that answers, Prefect settled on it. Raises PreservationError when none does."""
    server = answering_server(workspace, patience=NEEDED)
    if server is None:
        raise PreservationError(
            say("No Prefect server answers, so there is nothing to put a schedule on."),
            where=server_tried(workspace),
            next_step=say("Start everything with `vankho up`, or set prefect.api_url in vankho.toml."),
        )
    settle_prefect(server)
    return server


def taken(name: str, other: str) -> UsageError:
    """Two workspaces of one name share a server."""
    return UsageError(
        say("The server has a deployment “{name}” already, of another workspace.", name=name),
        where=name,
        seen=other,
        next_step=say("Give the folder of this workspace another name, or use a Prefect server of its own."),
    )
