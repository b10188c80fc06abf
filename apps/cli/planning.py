"""`vankho policy simulate`: what a year of audits would be, under the policies in force and under a draft."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session
from wording import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.auditing.look_ahead import Ahead, LookedAhead
    from policies.simulation import DayAhead


def simulate(
    session: Session,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A draft to compare with.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many days to look ahead.")] = 365,
) -> Answer:
    """Simulate the audits of the coming days: what runs when and where, how much, what it costs, who waits."""
    from flows.auditing.look_ahead import look_ahead

    with session.open() as workspace:
        seen = look_ahead(workspace, draft=file, days=days)
    data = {
        "days": days,
        "in_force": [_json(each) for each in seen.in_force],
        "draft": None if seen.draft is None else [_json(each) for each in seen.draft],
        "replaces": seen.replaces,
        "findings": shapes.findings_json(seen.findings, session.language),
    }
    return Answer(data, _lines(seen, file, days, session.language))


def _lines(seen: LookedAhead, file: Path | None, days: int, language: str) -> list[Line]:
    if not seen.in_force and not seen.draft:
        return [say("There is nothing to audit yet, or no policy asks for it.")]
    lines: list[Line] = []
    if seen.draft is not None:
        lines.append(say("The policies in force, {days} days:", days=days))
    lines.append(_table(seen.in_force))
    lines += _short(seen.in_force)
    if seen.draft is not None:
        lines.append(say("With {file} in the place of policy {name}:", file=str(file), name=seen.replaces or ""))
        lines.append(_table(seen.draft))
        lines += _short(seen.draft)
        lines += _difference(seen.in_force, seen.draft)
    return [*lines, *shapes.finding_lines(seen.findings, language)]


def _table(ahead: Sequence[Ahead]) -> Table:
    headings = (
        *(say("Store"), say("Evidence"), say("Policy"), say("Runs"), say("Copies"), say("Proofs"), say("Size")),
        *(say("Requests"), say("Cost"), say("Usual day"), say("Busiest day"), say("Longest wait")),
    )
    rows: list[tuple[Cell, ...]] = []
    for each in ahead:
        busiest = each.busiest
        wait = say("{days} days", days=f"{each.longest.total_seconds() / 86400:.1f}")
        when = " ".join(part for part in (each.line or "–", each.window) if part)
        rows.append(
            (
                *(each.store, shapes.GRADES[each.grade], each.policy, when, each.held, each.copies),
                *(shapes.size(int(each.use.bytes)), int(each.use.requests)),
                *(shapes.money(each.use.money, each.currency), each.usual),
                *(busiest.copies if busiest else 0, wait),
            )
        )
    return Table(headings, rows)


def _short(ahead: Sequence[Ahead]) -> list[Line]:
    """The days on which it is not enough, and what comes of it."""
    lines: list[Line] = []
    for each in ahead:
        if each.too_small:
            lines.append(
                say(
                    "{store}, {evidence}: on {count} days budget, throttle or window are too small, first on {day}.",
                    store=each.store,
                    evidence=shapes.GRADES[each.grade],
                    count=len(each.too_small),
                    day=f"{each.too_small[0].day:%d/%m/%Y}",
                )
            )
        if each.overdue:
            first = next(day for day in each.days if day.overdue)
            lines.append(
                say(
                    "{store}, {evidence}: up to {count} copies become overdue, the first on {day}.",
                    store=each.store,
                    evidence=shapes.GRADES[each.grade],
                    count=each.overdue,
                    day=f"{first.day:%d/%m/%Y}",
                )
            )
    return lines


def _difference(before: Sequence[Ahead], after: Sequence[Ahead]) -> list[Line]:
    """Bytes, requests and money of all stores together, before and with the draft."""
    old, new = _totals(before), _totals(after)
    return [
        say(
            "All together: {proofs} proofs instead of {proofs_before}, {size} instead of {size_before}, {requests} "
            "requests instead of {requests_before}, {cost} instead of {cost_before}.",
            **{name: new[name] for name in new},
            **{f"{name}_before": old[name] for name in old},
        )
    ]


def _totals(ahead: Sequence[Ahead]) -> dict[str, str | int]:
    costs: dict[str, float] = {}
    for each in ahead:
        if each.currency or each.use.money:
            costs[each.currency] = costs.get(each.currency, 0.0) + each.use.money
    return {
        "proofs": sum(each.copies for each in ahead),
        "size": shapes.size(int(sum(each.use.bytes for each in ahead))),
        "requests": int(sum(each.use.requests for each in ahead)),
        "cost": " + ".join(shapes.money(amount, currency) for currency, amount in sorted(costs.items())) or "–",
    }


def _json(each: Ahead) -> dict[str, Any]:
    return {
        "store": each.store,
        "evidence": each.grade.value,
        "policy": each.policy,
        "schedule": each.line,
        "window": each.window or None,
        "copies": each.held,
        "proofs": each.copies,
        "bytes": int(each.use.bytes),
        "requests": int(each.use.requests),
        "money": round(each.use.money, 4),
        "currency": each.currency,
        "longest_wait_days": round(each.longest.total_seconds() / 86400, 2),
        "overdue": each.overdue,
        "days_too_small": [day.day.isoformat() for day in each.too_small],
        "days": [_day_json(day) for day in each.days if day.copies or day.waiting or day.overdue],
    }


def _day_json(day: DayAhead) -> dict[str, Any]:
    return {
        "day": day.day.isoformat(),
        "copies": day.copies,
        "bytes": int(day.use.bytes),
        "requests": int(day.use.requests),
        "money": round(day.use.money, 6),
        "waiting": day.waiting,
        "held": day.held,
        "overdue": day.overdue,
    }
