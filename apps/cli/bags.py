"""`vankho bag check`: bags judged by RFC 8493, and by a profile; no workspace, no catalog, no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import screen, shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from flows.outcomes import Verdict
from preservation.errors import UsageError
from wording import say

if TYPE_CHECKING:
    from preservation.bags.profile import Profile
    from preservation.bags.report import BagReport
    from preservation.bags.second_opinion import SecondOpinion
    from preservation.findings import Finding


def register(app: typer.Typer) -> None:
    """Add the group of this module."""
    bag = typer.Typer(help="Bags: judged by RFC 8493.", no_args_is_help=True)
    command(bag, "check")(bag_check)
    app.add_typer(bag, name="bag")


def bag_check(
    session: Session,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Bags: folders, ZIP, tar or tar.gz.")],
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Bag profile the bags must keep to as well: a name, or a JSON file.",
            show_default=False,
        ),
    ] = None,
    second: Annotated[
        bool,
        typer.Option(
            "--bagit",
            help="Ask the bagit library as well; every byte is read once more.",
            show_default=False,
        ),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            max=64,
            help="Processes that share many bags, or many small files; else one for each processor.",
            show_default=False,
        ),
    ] = None,
) -> Answer:
    """Judge bags: folders, ZIP or tar; every file is read."""
    from preservation.bags.check import check_bags

    _refuse_absent(paths)
    wanted = _profile(session, profile) if profile is not None else None
    with screen.progress(wanted=not session.as_json, language=session.language) as progress:
        shared = processes or len(os.sched_getaffinity(0))
        reports = check_bags(paths, profile=wanted, progress=progress, processes=shared)
        judged = [(report, _asked_too(report.path) if second else None) for report in reports]
    lines = [line for report, opinion in judged for line in _lines(report, opinion, session.language)]
    well = [report.valid and report.conforms is not False for report, _ in judged]
    if len(judged) > 1:
        lines.append(
            say("Bags: {bags}; {good} valid, {bad} not.", bags=len(well), good=sum(well), bad=well.count(False))
        )
    data = [_json(report, opinion, session.language) for report, opinion in judged]
    return Answer(data, lines, Verdict.WELL if all(well) else Verdict.FOUND)


def _profile(session: Session, wanted: str) -> Profile:
    """A file, when there is one of that name; else a profile of the workspace, if there is one, or a built-in one."""
    from policies.problems import PolicyInvalid, Source
    from policies.profiles import find_profile, read_file

    if Path(wanted).is_file():
        return read_file(Path(wanted))
    folder = None
    with suppress(UsageError):
        folder = session.folder / "policies"
    try:
        return find_profile(wanted, Source("--profile"), folder=folder)
    except PolicyInvalid as error:
        next_step = say("Name a profile that is there, or a JSON file in which one stands.")
        raise UsageError(
            error.what, where=error.where, expected=error.expected, seen=error.seen, next_step=next_step
        ) from error


def _asked_too(path: Path) -> SecondOpinion:
    from preservation.bags.second_opinion import second_opinion

    return second_opinion(path)


def _lines(report: BagReport, opinion: SecondOpinion | None, language: str) -> list[Line]:
    lines: list[Line] = [_verdict(report)]
    if report.conforms is not None:
        sentence = (
            say("  keeps to the profile {profile}", profile=report.profile)
            if report.conforms
            else say("  does not keep to the profile {profile}", profile=report.profile)
        )
        lines.append(sentence)
    doubt = _doubt(report, opinion)
    if opinion is not None and opinion.valid is None and not report.path.is_dir():
        lines.append(say("  The bagit library was not asked: it judges folders only."))
    elif opinion is not None and opinion.valid is None:
        lines.append(say("  The bagit library gave no answer that counts: {words}", words=opinion.message))
    elif opinion is not None and doubt is None:
        lines.append(say("  The bagit library says the same."))
    findings = report.findings if doubt is None else (*report.findings, doubt)
    return [*lines, *shapes.finding_lines(findings, language)]


def _doubt(report: BagReport, opinion: SecondOpinion | None) -> Finding | None:
    if opinion is None:
        return None
    from preservation.bags.second_opinion import disagreement

    return disagreement(report, opinion)


def _verdict(report: BagReport) -> Line:
    values = {"path": report.path, "files": report.payload_files, "size": shapes.size(report.payload_bytes)}
    if report.valid:
        return say("{path}: valid; {files} files, {size}", **values)
    if report.complete:
        return say("{path}: complete but not valid; {files} files, {size}", **values)
    return say("{path}: not complete; {files} files, {size}", **values)


def _json(report: BagReport, opinion: SecondOpinion | None, language: str) -> dict[str, Any]:
    doubt = _doubt(report, opinion)
    return {
        "path": str(report.path),
        "version": report.version,
        "complete": report.complete,
        "valid": report.valid,
        "profile": report.profile,
        "conforms": report.conforms,
        "algorithms": list(report.algorithms),
        "files": report.payload_files,
        "bytes": report.payload_bytes,
        "findings": shapes.findings_json(report.findings if doubt is None else (*report.findings, doubt), language),
        "second_opinion": opinion.beside(report.valid) if opinion is not None else None,
    }


def _refuse_absent(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise shapes.absent(path)
