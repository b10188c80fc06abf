"""`vankho schedule`: what runs by itself and when, as the policies say and as the Prefect server has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from apps.cli.pooled import begin_now
from flows.outcomes import Verdict
from wording import Message, say

if TYPE_CHECKING:
    from flows.running.schedules import Change, Compared, Deployed

PoolOption = Annotated[
    str | None,
    typer.Option("--pool", metavar="NAME", help="Work pool whose workers run it; else that of the settings."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    schedule = typer.Typer(help="Schedules: what runs by itself, and when.", no_args_is_help=True)
    command(schedule, "show")(show)
    command(schedule, "apply")(put)
    command(schedule, "run")(begin_now)
    app.add_typer(schedule, name="schedule")


def show(session: Session, pool: PoolOption = None) -> Answer:
    """Show what the policies ask for, and where the Prefect server has something else."""
    from flows.running.run import NEEDED, answering_server
    from flows.running.schedules import Change, Kind, compare, wanted

    with session.open() as workspace:
        if answering_server(workspace, patience=NEEDED) is not None:
            return _answer(compare(workspace, pool=pool), looked=True)
        asked = wanted(workspace, pool=pool)
    changes = [Change(Kind.SAME, None, each) for each in asked]
    nobody = say("No Prefect server answers, so none of it runs. `vankho up` starts everything.")
    lines: list[Line] = [_table(changes), nobody]
    data = {
        "server": None,
        "pool": None,
        "done": False,
        "different": 0,
        "deployments": [_json(each) for each in changes],
    }
    return Answer(data, lines, Verdict.FAILED)


def put(
    session: Session,
    pool: PoolOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.", show_default=False)] = False,
) -> Answer:
    """Make the Prefect server's schedules those that the policies ask for. Shows the difference; safe to repeat."""
    from flows.running.schedules import apply, compare

    with session.open() as workspace:
        compared = compare(workspace, pool=pool)
        return _answer(compared if dry_run else apply(compared), looked=False)


def _answer(compared: Compared, *, looked: bool) -> Answer:
    shown = compared.changes if looked else compared.open
    lines: list[Line] = [_table(shown)] if shown else []
    lines += [line for change in compared.open for line in _fields(change)]
    lines += _paused(compared)
    count = len(compared.open)
    if not count:
        lines.append(say("The server has what the policies ask for."))
    elif compared.done:
        lines.append(say("{count} deployments were made to fit the policies.", count=count))
    else:
        lines.append(say("{count} deployments differ. `vankho schedule apply` makes them fit.", count=count))
    data = {
        "server": compared.server,
        "pool": compared.pool,
        "done": compared.done,
        "different": count,
        "deployments": [_json(each) for each in compared.changes],
    }
    return Answer(data, lines, Verdict.FOUND if looked and count else Verdict.WELL)


_KINDS = {"add": say("new"), "change": say("changed"), "remove": say("no longer wanted"), "same": say("as it is")}


def _table(changes: list[Change] | tuple[Change, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for change in changes:
        each = change.either
        rows.append((each.name, _KINDS[change.kind.value], _when(each), _limit(each), each.description))
    return Table((say("Deployment"), say("Stands"), say("When"), say("At once"), say("What")), rows)


def _when(each: Deployed) -> Cell:
    if not each.lines:
        return say("when a person starts it")
    return "; ".join(f"{line.cron} ({line.time_zone})" for line in each.lines)


def _limit(each: Deployed) -> Cell:
    return say("any number") if each.at_once is None else each.at_once


_FIELDS: dict[str, Message] = {
    "lines": say("when"),
    "parameters": say("parameters"),
    "tags": say("tags"),
    "at_once": say("at once"),
    "collision": say("when too many"),
    "description": say("description"),
    "version": say("version"),
    "pool": say("work pool"),
}


def _fields(change: Change) -> list[Line]:
    """What changes of one deployment; the version only when nothing else says why."""
    told = [name for name in change.fields if name != "version"] or change.fields
    return [
        say(
            "  {name}, {field}: {before} → {after}",
            name=change.either.name,
            field=_FIELDS[name],
            before=_value(change.before, name),
            after=_value(change.after, name),
        )
        for name in told
    ]


def _value(each: Deployed | None, name: str) -> str:
    value: Any = getattr(each, name)
    if name == "lines":
        return "; ".join(f"{line.cron} ({line.time_zone})" for line in value) or "–"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return str(value if value is not None else "–")


def _paused(compared: Compared) -> list[Line]:
    return [
        say("{name} is paused in Prefect; nothing here takes that back.", name=change.before.name)
        for change in compared.changes
        if change.before is not None and change.after is not None and change.before.paused
    ]


def _json(change: Change) -> dict[str, Any]:
    each = change.either
    return {
        "name": each.name,
        "flow": each.flow,
        "change": change.kind.value,
        "fields": list(change.fields),
        "lines": [{"cron": line.cron, "time_zone": line.time_zone} for line in each.lines],
        "parameters": dict(each.parameters),
        "tags": sorted(each.tags),
        "at_once": each.at_once,
        "collision": each.collision,
        "description": each.description,
        "version": each.version,
        "pool": each.pool,
        "paused": change.before is not None and change.before.paused,
    }
