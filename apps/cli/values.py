"""What was typed, as a value, where that is plain: text, a path, a word of an enumeration, a list of these.

typer has pydantic make and check every value, and pydantic takes longer to import than a small command to run. Here
the plain ones are made without it; whatever is not plain, or wrong, goes typer's way and gets typer's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

from apps.cli.help import every_command


class _NotPlain(Exception):
    """Only typer knows what to make of this value."""


def read_plainly(command: Any) -> Any:  # noqa: ANN401 - see `help`
    """The same command; plain values of it and of all below it are made here."""
    for each in every_command(command):
        each.get_params = partial(_parameters, each.get_params)
    return command


def _parameters(typers: Callable[[Any], list[Any]], context: Any) -> list[Any]:  # noqa: ANN401
    """The parameters of a command, the one that asks for help among them, each with its values read plainly."""
    parameters = typers(context)
    for parameter in parameters:
        if "get_runtime_param" not in vars(parameter):
            kind = parameter.type_descriptor.annotation
            reader = _Plainly(kind, several=get_origin(kind) is list, typers=parameter.get_runtime_param)
            parameter.get_runtime_param = partial(_same, reader)
    return parameters


@dataclass(frozen=True, slots=True)
class _Plainly:
    """Stands where typer would have pydantic."""

    kind: Any
    several: bool
    typers: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """The value of a parameter; None, or nothing of several, where it was not given."""
        if value is None:
            return () if self.several else None
        try:
            return (
                [_plain(one, get_args(self.kind)[0]) for one in value] if self.several else _plain(value, self.kind)
            )
        except _NotPlain:
            return self.typers().coerce(value, param=param, ctx=ctx)


def _same(reader: _Plainly) -> _Plainly:
    return reader


def _plain(value: object, kind: object) -> object:
    if isinstance(kind, type):
        if type(value) is kind or (issubclass(kind, Enum) and isinstance(value, kind)):
            return value
        if isinstance(value, str) and kind is Path:
            return Path(value)
        if isinstance(value, str) and issubclass(kind, Enum) and value in [each.value for each in kind]:
            return kind(value)
    raise _NotPlain
