"""Values read plainly are those that typer would have made, for every parameter of every command."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer

from apps.cli.help import every_command
from apps.cli.parts import build
from apps.cli.values import read_plainly

WORDS = ("", "a", "tệp có dấu cách.zip", "-1", "7", "not-a-word-of-any")


def _parameters() -> list[tuple[str, Any, Any]]:
    """Of every command: its name, each parameter as typer has it and the same one read plainly."""
    typers, plainly = (list(every_command(each)) for each in (_command(), read_plainly(_command())))
    found = []
    for theirs, ours in zip(typers, plainly, strict=True):
        for his, mine in zip(theirs.get_params(_context(theirs)), ours.get_params(_context(ours)), strict=True):
            found.append((f"{theirs.name} {his.name}", his, mine))
    return found


def _command() -> Any:
    return typer.main.get_command(build(None))


def _context(command: Any) -> Any:
    return command.make_context("vankho", [], resilient_parsing=True)


def _answer(parameter: Any, value: object, context: Any) -> object:
    try:
        made = parameter.get_runtime_param().coerce(value, param=parameter, ctx=context)
    except typer.TyperException as error:
        return (type(error), error.format_message())
    return (type(made), made)


def _values(parameter: Any) -> list[object]:
    kind = parameter.type_descriptor.annotation
    several = get_origin(kind) is list
    inner = get_args(kind)[0] if several else kind
    words = [*WORDS, *([each.value for each in inner] if isinstance(inner, type) and issubclass(inner, Enum) else [])]
    return [None, (), *((word,) for word in words), tuple(words)] if several else [None, *words]


def test_plain_values_are_typers_own() -> None:
    seen: set[object] = set()
    parameters = _parameters()
    context = _context(_command())
    for name, his, mine in parameters:
        kind = his.type_descriptor.annotation
        if kind in seen or kind is bool:
            continue
        seen.add(kind)
        for value in _values(his):
            assert _answer(mine, value, context) == _answer(his, value, context), (name, value)
    assert len(parameters) > 100
    assert {str, Path, list[Path]} <= seen
    assert any(isinstance(kind, type) and issubclass(kind, Enum) for kind in seen)


def test_what_is_not_plain_goes_typers_way() -> None:
    with pytest.raises(SystemExit) as ended:
        read_plainly(_command())(["audit", "--evidence", "no such grade"], prog_name="vankho")
    assert ended.value.code == 2
