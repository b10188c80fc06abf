"""The three files of a run's report: report.json for programs, rows.csv for a spreadsheet, report.txt for people.

Written from the spool of the run, a row at a time, so that memory stays flat; put into place whole, by one renaming.
In the CSV no cell can act in a spreadsheet: what would begin a formula gets an apostrophe, all text is quoted.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from flows.reporting.tally import PARTS
from wording import Message, printable, printable_json
from wording.translate import translate

JSON, CSV, TEXT = "report.json", "rows.csv", "report.txt"
_FORMULA = frozenset("=+-@|%")  # what spreadsheets begin a formula or a command with
COLUMNS = (
    *("run", "flow", "kind", "outcome", "source", "identifier", "version", "store", "evidence", "policy", "copies"),
    *("objects_checked", *PARTS, "bytes", "seconds"),
    *("findings", "code", "path", "reason_vi", "reason_en", "expected", "seen"),
)


def write(
    folder: Path, head: Mapping[str, Any], text: Iterable[str], rows: Iterable[Iterable[dict[str, Any]]]
) -> None:
    """The report in this folder, which is made or replaced. `rows` gives the rows twice: for JSON and for CSV.

    Raises OSError; then nothing is left of it.
    """
    making = folder.with_name(folder.name + ".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        first, second = rows
        with _text_file(making / JSON) as out:
            _write_json(out, head, first)
        with _text_file(making / CSV, bom=True) as out:
            _write_csv(out, head, second)
        with _text_file(making / TEXT, bom=True) as out:
            out.writelines(f"{line}\r\n" for line in text)
        if folder.exists():  # an earlier try to write it, cut off behind this point
            shutil.rmtree(folder)
        making.rename(folder)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


class _Settled:
    """A text file whose content is on the disk when it is closed well."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._out = path.open("w", encoding=encoding, newline="")

    def __enter__(self) -> TextIO:
        return self._out

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._out.flush()
                os.fsync(self._out.fileno())
        finally:
            self._out.close()


def _text_file(path: Path, *, bom: bool = False) -> _Settled:
    """UTF-8; with a mark for it where a spreadsheet or Notepad would take it for something else."""
    return _Settled(path, "utf-8-sig" if bom else "utf-8")


def _write_json(out: TextIO, head: Mapping[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    """One document; the rows stand in it one a line."""
    whole = printable_json(dict(head))
    out.write(whole.removesuffix("\n}") + ',\n  "rows": [')
    for number, row in enumerate(rows):
        out.write((",\n    " if number else "\n    ") + printable_json(row, indent=None))
    out.write("\n  ]\n}\n")


def _write_csv(out: TextIO, head: Mapping[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([cell(value) for value in _cells(head, row)])


def cell(value: object) -> object:
    """A cell that is only ever text: names as people see them, nothing that acts, a number as a number."""
    if isinstance(value, int | float):
        return value
    text = unicodedata.normalize("NFC", printable(value if value is not None else ""))
    # Full-width letters too: spreadsheets of East Asia take them for the others. Blanks before are passed over.
    begin = unicodedata.normalize("NFKC", text).lstrip()[:1]
    return f"'{text}" if begin in _FORMULA and begin else text


def _cells(head: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[object]:
    objects, reason = row["objects"], row["reason"] or {}
    yield from (head["run"], head["flow"], row["kind"], row["outcome"], row["source"], row["identifier"])
    yield from (row["version"], row["store"], row["grade"], row["policy"], row["copies"])
    yield sum(objects.values()) if objects else None
    yield from (objects[part] if objects else None for part in PARTS)
    yield from (row["bytes"], row["seconds"], row["findings"], reason.get("code"), reason.get("path"))
    sentence = message_of(reason.get("message"))
    yield from (translate(sentence, language) if sentence else None for language in ("vi", "en"))
    yield from (reason.get("expected"), reason.get("seen"))


def message_of(kept: Mapping[str, Any] | None) -> Message | None:
    """A sentence that was kept as template and values, to be said again."""
    if not kept or "text" not in kept:
        return None
    values = {key: _value(value) for key, value in kept.get("values", {}).items()}
    return Message(str(kept["text"]), values)


def _value(value: object) -> object:
    if isinstance(value, Mapping):
        return message_of(value) or ""
    return value


def read_head(folder: Path) -> dict[str, Any]:
    """What report.json says before its rows. Raises OSError, ValueError when it is none."""
    lines: list[str] = []
    with (folder / JSON).open(encoding="utf-8") as file:
        for line in file:
            if line.startswith('  "rows": ['):
                break
            lines.append(line)
    head: dict[str, Any] = json.loads("".join(lines).rstrip().removesuffix(",") + "\n}")
    return head
