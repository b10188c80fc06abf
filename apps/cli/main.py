"""The `vankho` command, put together."""

from __future__ import annotations

import sys

import typer

from apps.cli import copies, demo, ingesting, rules, viewing
from apps.cli.help import in_language
from wording.translate import choose_language


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="vankho",
        help="Digital preservation: packages in, proved copies out, and proved again and again.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    ingesting.register(app)
    viewing.register(app)
    copies.register(app)
    rules.register(app)
    demo.register(app)
    return app


def run() -> None:
    """What the `vankho` script calls."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    asked = next((b for a, b in zip(sys.argv, sys.argv[1:], strict=False) if a == "--lang"), None)
    in_language(typer.main.get_command(build()), choose_language(asked))(prog_name="vankho")
