"""`vankho policy`, `store`: what should be true, whether a store keeps its promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line, Table
from apps.cli.command import Session, command
from apps.cli.planning import simulate
from flows.outcomes import Verdict
from preservation.errors import PolicyError, UsageError
from preservation.findings import Finding, Severity
from wording import say
from wording.translate import translate

if TYPE_CHECKING:
    from storage_adapters.conformance import ClauseResult
    from storage_adapters.store import Capabilities


def register(app: typer.Typer) -> None:
    """Add the groups of this module."""
    policy = typer.Typer(help="Policies: what should be true.", no_args_is_help=True)
    command(policy, "check")(policy_check)
    command(policy, "explain")(policy_explain)
    command(policy, "simulate")(simulate)
    app.add_typer(policy, name="policy")
    store = typer.Typer(help="Stores: where copies live.", no_args_is_help=True)
    command(store, "list")(store_list)
    command(store, "check")(store_check)
    command(store, "probe")(store_probe)
    command(store, "retire")(store_retire)
    app.add_typer(store, name="store")


def policy_check(
    session: Session, files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policies.")]
) -> Answer:
    """Check policy files: every mistake with file, line, field, reason and an accepted value."""
    from policies.load import check_file

    data: list[dict[str, Any]] = []
    lines: list[Line] = []
    wrong = False
    for file in files:
        findings = (*check_file(file), *_against_holdings(session, file))
        bad = any(finding.severity is Severity.ERROR for finding in findings)
        wrong = wrong or bad
        lines.append(say("{file}: not valid", file=file) if bad else say("{file}: valid", file=file))
        lines += shapes.finding_lines(findings, session.language)
        findings_json = shapes.findings_json(findings, session.language)
        data.append({"file": str(file), "valid": not bad, "findings": findings_json})
    return Answer(data, lines, Verdict.USAGE if wrong else Verdict.WELL)


def _against_holdings(session: Session, file: Path) -> list[Finding]:
    """What keeps the policy from being kept with the AIPs that there are; nothing where there is no workspace."""
    from policies.load import load_file

    try:
        policy, folder = load_file(file), session.folder
    except (PolicyError, UsageError):  # told by the check itself; or no workspace
        return []
    if not (folder / "vankho.toml").is_file():
        return []
    from flows.look_ahead import findings_of
    from flows.separation import against

    with session.open() as workspace:
        return [*findings_of(workspace, policy, replaces=policy.name), *against(workspace, policy)]


def policy_explain(
    session: Session,
    reference: Annotated[
        str | None, typer.Argument(metavar="ID", help="AIP whose policy is explained.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--policy", metavar="NAME", help="Policy to explain.", show_default=False)
    ] = None,
) -> Answer:
    """Show every value in force and where it was written."""
    from flows.references import version_named
    from policies.check import check_against_stores
    from policies.explain import explain
    from policies.load import read_policy

    with session.open() as workspace:
        if reference is not None:
            name = version_named(workspace, reference, None).policy
        name = name or workspace.settings.policy
        loaded = read_policy(name, folder=workspace.folder / "policies")
        stores = workspace.store_facts()
    values = explain(loaded)
    findings = (*loaded.findings, *check_against_stores(loaded.policy, stores, sources=loaded.sources))
    data = {
        "policy": name,
        "values": [{"field": value.field, "value": value.value, "source": value.source} for value in values],
        "findings": shapes.findings_json(findings, session.language),
    }
    table = Table((say("Field"), say("Value"), say("Written in")), [(v.field, v.value, v.source) for v in values])
    return Answer(data, [say("Policy {name}", name=name), table, *shapes.finding_lines(findings, session.language)])


def store_list(session: Session) -> Answer:
    """Show the stores, where they are, what they were seen to do, and how far each is behind."""
    from apps.cli import documents, lagging
    from flows.lag import lag
    from flows.retire import findings, strangers
    from flows.separation import same_places
    from flows.stores import list_stores

    with session.open() as workspace:
        listed = list_stores(workspace)
        found = [*findings(strangers(workspace)), *same_places(workspace)]
        behind = {each.store: each for each in lag(workspace)}
    headings = (say("Store"), say("Kind"), say("Place"), say("Provider"), say("Region"), say("Medium"), say("Copies"))
    rows = [(s.name, s.kind, s.place, s.provider or "–", s.region or "–", s.medium or "–", s.copies) for s in listed]
    lines: list[Line] = [Table(headings, rows)] if listed else [say("No store is set up.")]
    for store in listed:
        if store.capabilities is not None:
            lines += [say("{store}:", store=store.name), *_abilities(store.capabilities)]
        elif store.kind != "local":
            lines.append(
                say("{store}: not asked yet what it can do; `vankho store check {store}` does.", store=store.name)
            )
    lines += lagging.lines(list(behind.values()))
    lines += shapes.finding_lines(found, session.language)
    data = documents.stores(listed, behind, found, session.language)
    return Answer(data, lines)


def store_probe(session: Session, name: Annotated[str, typer.Argument(metavar="NAME", help="The store.")]) -> Answer:
    """Ask a store that is left alone whether it answers, and use it again when it does."""
    from flows.circuits import probe

    with session.open() as workspace:
        reason = probe(workspace, name)
    data = {"store": name, "answers": reason is None}
    data["findings"] = shapes.findings_json([reason] if reason else [], session.language)
    if reason is None:
        return Answer(data, [say("{store} answers; the next run uses it again.", store=name)])
    lines = [say("{store} does not do its work.", store=name), *shapes.finding_lines([reason], session.language)]
    return Answer(data, lines, Verdict.FAILED)


def store_retire(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A store that vankho.toml no longer names.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is given up; it is recorded.")],
    even_if_last: Annotated[
        bool,
        typer.Option("--even-if-last", help="Though AIPs have no other proved copy.", show_default=False),
    ] = False,
) -> Answer:
    """Give a store up: its copies are no longer counted, and its history stays."""
    from flows.ledger import in_ledger
    from flows.retire import retire

    with session.open() as workspace:
        done = in_ledger(workspace, retire, store=name, reason=reason, even_if_last=even_if_last)
    data = {"store": done.store, "copies": done.copies, "last": done.last, "reason": done.reason, "by": done.by}
    lines: list[Line] = [
        say("{store} was given up: {count} copies are no longer counted.", store=done.store, count=done.copies)
    ]
    if done.last:
        lines.append(say("{count} of them were the last proved copy of an AIP version.", count=done.last))
    lines.append(say("`vankho replicate` makes what is missing now."))
    return Answer(data, lines, done.verdict)


def _abilities(can: Capabilities) -> list[Line]:
    from storage_adapters.capabilities import describe

    return [say("  {sentence}", sentence=sentence) for sentence in describe(can)]


def store_check(session: Session, name: Annotated[str, typer.Argument(metavar="NAME", help="The store.")]) -> Answer:
    """Try the whole contract on a store, under a prefix of its own that is removed afterwards."""
    from flows.stores import check_store

    with session.open() as workspace:
        workspace.require_store(name)
        results, can = check_store(workspace, name)
    counted = Counter(result.outcome.value for result in results)
    lines: list[Line] = [_clause(result, session.language) for result in results]
    lines += [say("What {store} does of itself:", store=name), *_abilities(can)]
    lines.append(
        say(
            "Clauses: {all}; {held} hold, {spared} are not promised, {broken} are broken.",
            all=len(results),
            held=counted["held"],
            spared=counted["not-promised"],
            broken=counted["broken"],
        )
    )
    data = {
        "store": name,
        "clauses": [
            {
                "name": result.name,
                "sentence": translate(result.sentence, session.language),
                "outcome": result.outcome.value,
                "detail": result.detail,
            }
            for result in results
        ],
        "capabilities": asdict(can),
    }
    return Answer(data, lines, Verdict.FOUND if counted["broken"] else Verdict.WELL)


_CLAUSE = {"held": say("holds"), "broken": say("BROKEN"), "not-promised": say("not promised")}


def _clause(result: ClauseResult, language: str) -> Line:
    line = f"{translate(_CLAUSE[result.outcome.value], language)}: {translate(result.sentence, language)}"
    return f"{line} ({result.detail})" if result.detail and result.outcome != "held" else line
