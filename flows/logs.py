"""What libraries log, for whoever looks for a fault: veiled, whoever reads it, and in a file when one is asked for.

`VANKHO_LOG=FILE` adds every line of every library, DEBUG too, to the file, as one JSON object a line; the file is
readable by its owner alone. Records are veiled as they are made, so that Prefect's handlers and pages get no secret
either. Content is not logged: a record is cut where it grows beyond what a person reads.
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preservation.errors import UsageError
from wording import say
from wording.secrets import keep_secret, veiled

LONGEST = 10_000  # characters of one record; botocore logs whole bodies
_LIKELY = 8  # characters: USE_TOKEN=true is no secret
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY|ACCESS_KEY|AUTH_STRING", re.IGNORECASE)


def set_up(environment: Mapping[str, str]) -> None:
    """Veil all log records from now on, and write them to the file that VANKHO_LOG names. May be called again.

    Raises UsageError when the file cannot be written.
    """
    named_so = {name: value for name, value in environment.items() if _SECRET_NAME.search(name)}
    keep_secret(*(value for name, value in named_so.items() if len(value) >= _LIKELY or name == "PGPASSWORD"))
    logging.setLogRecordFactory(_veiled_record)
    named = environment.get("VANKHO_LOG")
    if named:
        _write_to(Path(named).expanduser().absolute())


def _veiled_record(*args: Any, **more: Any) -> logging.LogRecord:  # noqa: ANN401 - the signature is logging's
    """A record as it would be, unless it holds a secret or more than anybody reads."""
    record = logging.LogRecord(*args, **more)
    text = _text(record)
    shown = veiled(text[: 2 * LONGEST])  # a secret that the first cut halves lies behind the second
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(text)} characters)"
    if shown != text:
        record.msg, record.args = shown, None
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (hidden := veiled(trace)) != trace:
            record.exc_info, record.exc_text = None, hidden
    if record.stack_info:
        record.stack_info = veiled(record.stack_info)
    return record


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's mistake in its own log line is no reason to stop
        return f"{record.msg} {record.args!r}"


class _JsonLines(logging.Formatter):
    """One JSON object a line; control characters in it can act on no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its end."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _text(record),
            "process": record.process,
        }
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        return json.dumps(line | ({"traceback": trace} if trace else {}))


def _write_to(file: Path) -> None:
    root = logging.getLogger()
    if any(isinstance(each, logging.FileHandler) and each.baseFilename == str(file) for each in root.handlers):
        return
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            say("The log cannot be written to {file}: {reason}", file=file, reason=error.strerror or "?"),
            where=str(file),
            next_step=say("Set VANKHO_LOG to a file that can be written, or to nothing."),
        ) from error
    handler.setFormatter(_JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(
        logging.INFO
    )  # it quiets itself; DEBUG would be every row of the catalog
