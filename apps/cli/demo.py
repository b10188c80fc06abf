"""Placeholder while the demonstration is written."""

import typer


def register(app: typer.Typer) -> None: ...
