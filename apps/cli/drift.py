"""`vankho formats drift`: what another release of signatures would say of what is kept."""

from __future__ import annotations

from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session
from apps.cli.options import CollectionOption, ContainerOption, DroidOption
from flows.outcomes import Verdict
from preservation.errors import UsageError
from wording import say

if TYPE_CHECKING:
    from flows.identifying.drift import Drift, Quick
    from preservation.formats.drift import Turn


def formats_drift(
    session: Session,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="A kept release; else the one in use.", show_default=False),
    ] = None,
    droid: DroidOption = None,
    container: ContainerOption = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="About N files of each format.", show_default=False),
    ] = None,
    collection: CollectionOption = None,
    quickly: Annotated[
        bool, typer.Option("--quick", help="Compare the releases alone; read no file.", show_default=False)
    ] = False,
    list_to: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Write every changed file there.", show_default=False),
    ] = None,
) -> Answer:
    """Say which files that are kept another release of signatures would name otherwise. Changes nothing."""
    from flows.identifying.drift import drift, quick
    from flows.identifying.signatures import release_in, release_named

    if bool(droid) != bool(container) or (droid is not None and to is not None):
        raise UsageError(
            say("A signature file and a container signature file belong together."),
            expected="--to RELEASE | --droid FILE --container FILE",
        )
    with session.open() as workspace, ExitStack() as stack:
        given = (droid, container) if droid is not None and container is not None else None
        release, files = release_named(workspace, to) if given is None else release_in(*given, workspace.clock())
        if quickly:
            return _quick(quick(workspace, release, files, collection=collection))
        listed = stack.enter_context(_new(list_to).open("x", encoding="ascii")) if list_to is not None else None
        return _drift(drift(workspace, release, files, collection=collection, sample=sample, listed=listed))


def _new(path: Path) -> Path:
    if path.exists():
        raise UsageError(
            say("{path} is there already.", path=path),
            where=str(path),
            next_step=say("Name a file that is not there."),
        )
    return path


def _drift(seen: Drift) -> Answer:
    from preservation.formats.drift import Kind

    turns = sorted(
        ((each, files) for each, files in seen.turns.items() if each.kind is not Kind.SAME),
        key=lambda one: (one[0].kind is Kind.FIRMER, -one[1], str(one[0])),
    )
    data = {
        "signatures": seen.release.label,
        "at": seen.began.isoformat(),
        "looked_at": seen.looked,
        "changed": seen.changed,
        **{kind.value: seen.count(kind) for kind in Kind},
        "turns": [_turn_json(each, files, seen) for each, files in turns],
        "not_looked_at": [{"stores": stores, "files": files} for stores, files in seen.skipped.items()],
    }
    words = {
        Kind.FIRMER: say("same format, other basis"),
        Kind.OTHER: say("other format"),
        Kind.NOW_KNOWN: say("now known"),
        Kind.NOW_UNKNOWN: say("now unknown"),
        Kind.FAILED: say("could not be identified"),
    }
    rows: list[tuple[Cell, ...]] = [
        (
            words[each.kind],
            each.old or "–",
            shapes.BASES[each.old_basis],
            each.new or "–",
            shapes.BASES[each.new_basis],
            each.name or "–",
            files,
            f"{seen.examples[each][0][0][: shapes.SHORT]} {seen.examples[each][0][2]}",
        )
        for each, files in turns
    ]
    headings = (say("Change"), say("From"), say("Basis"), say("To"), say("Basis"), say("Format"), say("Files"))
    lines: list[Line] = [
        say(
            "With {release}: {looked} files looked at, {changed} would be named otherwise.",
            release=seen.release.label,
            looked=seen.looked,
            changed=seen.changed,
        ),
        Table((*headings, say("For example")), rows),
        *(
            say("Not looked at: {files} files, whose copies are in no local folder ({stores}).", files=n, stores=s)
            for s, n in seen.skipped.items()
        ),
    ]
    return Answer(data, lines, Verdict.FOUND if seen.changed or seen.count(Kind.FAILED) else Verdict.WELL)


def _turn_json(each: Turn, files: int, seen: Drift) -> dict[str, Any]:
    return {
        "change": each.kind.value,
        "from": {"puid": each.old, "basis": each.old_basis.value},
        "to": {"puid": each.new, "basis": each.new_basis.value, "name": each.name},
        "files": files,
        "examples": [{"identifier": i, "version": v, "path": p} for i, v, p in seen.examples[each]],
    }


def _quick(seen: Quick) -> Answer:
    from preservation.formats.drift import Aspect

    words = {
        Aspect.GONE: say("not there any more"),
        Aspect.NAME: say("name"),
        Aspect.VERSION: say("version"),
        Aspect.MIME: say("MIME type"),
        Aspect.EXTENSIONS: say("file extensions"),
        Aspect.SIGNATURES: say("byte signatures"),
        Aspect.CONTAINERS: say("container signatures"),
        Aspect.PRIORITY: say("priority"),
    }
    data = {
        "signatures": seen.release.label,
        "files": seen.files,
        "differing": [
            {
                "puid": each.held.answer.puid,
                "name": each.held.answer.name,
                "recorded_with": each.held.answer.signatures,
                "basis": each.held.answer.basis.value,
                "files": each.held.files,
                "packages": each.held.packages,
                "aspects": [aspect.value for aspect in each.aspects],
            }
            for each in seen.differing
        ],
        "unnamed": seen.unnamed,
        "not_compared": [{"signatures": label, "files": files} for label, files in seen.not_compared.items()],
    }
    rows: list[tuple[Cell, ...]] = [
        (
            each.held.answer.puid or "–",
            each.held.answer.name or "–",
            each.held.files,
            reduce(
                lambda these, word: say("{these}, {word}", these=these, word=word),
                map(words.__getitem__, each.aspects),
            ),
        )
        for each in seen.differing
    ]
    lines: list[Line] = [
        say("Compared with {release}, without reading any file:", release=seen.release.label),
        Table((say("PUID"), say("Format"), say("Files"), say("Differs in")), rows),
        say(
            "{files} of {all} files have no byte signature behind their answer; only reading them tells more.",
            files=seen.unnamed,
            all=seen.files,
        ),
        *(
            say(
                "{files} files were identified by {label}, which is not kept here: not compared.", files=n, label=name
            )
            for name, n in seen.not_compared.items()
        ),
    ]
    return Answer(data, lines, Verdict.FOUND if seen.differing else Verdict.WELL)
