"""Every English sentence that people read, found in the source, and the Vietnamese catalog held to it.

`make messages` (this file, run) brings wording/locale/vi/LC_MESSAGES/vankho.po up to date: what is new stands there with an
empty translation, what is gone is gone, and every translation already written is kept as it is.
It stands outside the rooms because it asks the topmost of them, the command, for its help.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import typer
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("apps", "flows", "policies", "preservation", "storage_adapters", "wording", "examples")
CATALOG = ROOT / "wording" / "locale" / "vi" / "LC_MESSAGES" / "vankho.po"
BEGUN = datetime(2026, 11, 22, tzinfo=UTC)  # fixed: a date that moved would make a difference in every commit


class NotLiteral(Exception):
    """A call of say() whose text is not written out in the call, so that nobody could translate it."""


def said(source: str, place: str = "") -> Iterator[str]:
    """The text of every call of say() in a module's source. Raises NotLiteral."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and _called(call) == "say":
            text = call.args[0] if call.args else None
            if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                raise NotLiteral(f"{place}:{call.lineno}: {ast.unparse(call)}")
            yield text.value


def _called(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


def messages() -> dict[str, set[str]]:
    """Every English text, with the files it stands in. Help is asked of the command, so its file is the command."""
    from apps.cli.help import help_texts
    from apps.cli.parts import build

    found: dict[str, set[str]] = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            for text in said(file.read_text("utf-8"), name):
                found.setdefault(text, set()).add(name)
    for text in help_texts(typer.main.get_command(build())):
        found.setdefault(text, set()).add("vankho --help")
    return found


def written(catalog: bytes) -> dict[str, str]:
    """The translations in a .po file, empty ones too."""
    return {str(entry.id): str(entry.string) for entry in read_po(BytesIO(catalog), locale="vi") if entry.id}


def brought_up_to_date(catalog: bytes, found: dict[str, set[str]]) -> bytes:
    """The .po file for these messages, with the translations that the given one has."""
    known = written(catalog)
    new = Catalog(
        locale="vi",
        project="Vankho",
        version="1",
        copyright_holder="the Vankho authors",
        msgid_bugs_address="see SECURITY.md and CONTRIBUTING.md",
        header_comment="# The Vietnamese of Vankho. docs/glossary.md is binding; `make messages` keeps the list.",
        last_translator="the Vankho authors",
        language_team="vi",
        creation_date=BEGUN,
        revision_date=BEGUN,
        fuzzy=False,
    )
    for text, files in found.items():
        new.add(text, known.get(text, ""), locations=[(file, 0) for file in sorted(files)])
    out = BytesIO()
    write_po(out, new, width=100, sort_output=True, include_lineno=False, ignore_obsolete=True)
    return out.getvalue()


def main() -> int:
    """Update the catalog; name what still lacks its Vietnamese, and exit 1 when something does."""
    found = messages()
    before = CATALOG.read_bytes() if CATALOG.exists() else b""
    after = brought_up_to_date(before, found)
    CATALOG.parent.mkdir(parents=True, exist_ok=True)
    CATALOG.write_bytes(after)
    missing = sorted(text for text, vietnamese in written(after).items() if not vietnamese)
    for text in missing:
        print(f"no Vietnamese yet: {text!r}")
    print(f"{len(found)} messages, {len(missing)} without Vietnamese")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
