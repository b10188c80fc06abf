"""`vankho policy`: what should be true."""

from __future__ import annotations

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

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the groups of this module."""
    policy = typer.Typer(help="Policies: what should be true.", no_args_is_help=True)
    command(policy, "check")(policy_check)
    command(policy, "explain")(policy_explain)
    command(policy, "simulate")(simulate)
    app.add_typer(policy, name="policy")


def policy_check(
    session: Session,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Policies; all of the workspace unless named.")
    ] = None,
) -> Answer:
    """Check policy files: every mistake with file, line, field, reason and an accepted value."""
    from policies.load import check_file

    data: list[dict[str, Any]] = []
    lines: list[Line] = []
    wrong = False
    for file in files or sorted((session.folder / "policies").glob("*.yaml")):
        findings = (*check_file(file), *_against_holdings(session, file))
        bad = any(finding.severity is Severity.ERROR for finding in findings)
        wrong = wrong or bad
        lines.append(say("{file}: not valid", file=file) if bad else say("{file}: valid", file=file))
        lines += shapes.finding_lines(findings, session.language)
        findings_json = shapes.findings_json(findings, session.language)
        data.append({"file": str(file), "valid": not bad, "findings": findings_json})
    lines = lines or [say("This workspace has no policies of its own.")]
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
    from flows.auditing.look_ahead import findings_of
    from flows.storing.separation import against

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
