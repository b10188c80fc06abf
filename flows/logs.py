"""The log, for whoever looks for a fault: what runs do, and what libraries log, veiled, whoever reads it.

`[log]` in vankho.toml writes it as JSON lines or for a person, to a file or to standard error; `VANKHO_LOG=FILE` adds
every line of every library, DEBUG too, as one JSON object a line. Files are readable by their owner alone. Each line
names the run, the package and the store it belongs to. Records are veiled as they are made, so that Prefect's
handlers and pages get no secret either. Content is not logged: a record is cut where it grows too long to be read.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from preservation.errors import UsageError
from wording import printable, say
from wording.secrets import keep_secret, veiled

LONGEST = 10_000  # characters of one record; botocore logs whole bodies
_LIKELY = 8  # characters: USE_TOKEN=true is no secret
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY|ACCESS_KEY|AUTH_STRING", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class _Bound:
    """One block in which lines bear these ids, and the block around it."""

    ids: Mapping[str, object]
    outer: _Bound | None


_WHERE: ContextVar[_Bound | None] = ContextVar("where", default=None)
_open: list[_Bound] = []  # the blocks of this process; threads begin without those of whoever began them


class Wanted(Protocol):
    """What `[log]` of the settings says."""

    @property
    def format(self) -> str:
        """`json` or `console`."""

    @property
    def level(self) -> str:
        """`debug`, `info`, `warning` or `error`."""

    @property
    def file(self) -> Path | None:
        """None: standard error."""


def set_up(environment: Mapping[str, str], wanted: Wanted | None = None, *, base: Path | None = None) -> None:
    """Veil all log records from now on, and write them to the file that VANKHO_LOG names and as `wanted` says, a
    relative file below `base`. May be called again. Raises UsageError when a file cannot be written.
    """
    named_so = {name: value for name, value in environment.items() if _SECRET_NAME.search(name)}
    keep_secret(*(value for name, value in named_so.items() if len(value) >= _LIKELY or name == "PGPASSWORD"))
    logging.setLogRecordFactory(_veiled_record)
    named = environment.get("VANKHO_LOG")
    if named:
        _add(_file_handler(Path(named).expanduser().absolute()), level=logging.DEBUG, form="json")
    if wanted is not None:
        file = None if wanted.file is None else (base or Path.cwd()) / wanted.file.expanduser()
        handler = logging.StreamHandler(sys.stderr) if file is None else _file_handler(file)
        _add(handler, level=logging.getLevelName(wanted.level.upper()), form=wanted.format)


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Every line logged inside names these besides what it named before: run, package, store."""
    given = {name: value for name, value in ids.items() if value is not None}
    here = _Bound({**_ids(), **given}, _WHERE.get())
    token = _WHERE.set(here)
    _open.append(here)
    try:
        yield
    finally:
        _open.remove(here)
        _WHERE.reset(token)


def _ids() -> Mapping[str, object]:
    """The ids of where we are. In a thread that began without any: what all that goes on in this process has in
    common, which is everything where one package is worked on, and never another one's.
    """
    here = _WHERE.get()
    if here is not None:
        return here.ids
    blocks = list(_open)
    innermost = [each.ids for each in blocks if not any(other.outer is each for other in blocks)]
    if not innermost:
        return {}
    first, *others = innermost
    return {name: value for name, value in first.items() if all(name in o and o[name] == value for o in others)}


def note(event: str, *, level: int = logging.INFO, **facts: object) -> None:
    """One line of our own: what happened, in a few words, and the facts. Costs nothing where no log is written."""
    log = logging.getLogger("vankho")
    if not any(isinstance(handler.formatter, _Lines) for handler in logging.getLogger().handlers):
        return
    if log.isEnabledFor(level):
        log.log(
            level, "%s", event, extra={"facts": {key: value for key, value in facts.items() if value is not None}}
        )


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


class _Lines(logging.Formatter):
    """One line a record, as JSON or for a person; control characters in it can act on no terminal."""

    def __init__(self, form: str) -> None:
        super().__init__()
        import structlog  # late: it takes a tenth of a second, and most commands write no log

        renderer: Any = _for_a_person if form == "console" else structlog.processors.JSONRenderer(default=str)
        self._inner = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_with_ids], processors=[_as_documented, renderer], keep_exc_info=True
        )

    def format(self, record: logging.LogRecord) -> str:
        """The line without its end; veiled once more, for the facts beside the message."""
        told = copy(record)
        told.msg, told.args = _text(record), None
        trace = record.exc_text
        if not trace and record.exc_info and record.exc_info[0] is not None:
            trace = self.formatException(record.exc_info)
        told.trace = trace  # beside the message, and not on lines of its own behind it
        told.exc_info = told.exc_text = told.stack_info = None
        return veiled(self._inner.format(told))


def _with_ids(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The ids of where the line was logged."""
    return {**_ids(), **line}


def _as_documented(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The keys as docs/sysadmins/notices.md names them."""
    record: logging.LogRecord = line.pop("_record")
    line.pop("_from_structlog", None)
    line.pop("exc_info", None)
    first = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": line.pop("event"),
    }
    facts = getattr(record, "facts", {})
    trace = getattr(record, "trace", None)
    return {**first, **line, **facts, "process": record.process} | ({"traceback": trace} if trace else {})


def _for_a_person(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    """`2026-11-22T05:37:18.000+00:00 INFO vankho: run began (run=… flow=audit)`."""
    at, level, name, message = (line.pop(key) for key in ("at", "level", "logger", "message"))
    trace = line.pop("traceback", None)
    line.pop("process", None)
    more = " ".join(f"{key}={printable(value)}" for key, value in line.items())
    shown = f"{at} {level} {name}: {printable(message)}" + (f" ({more})" if more else "")
    return "\n  ".join([shown, *(printable(each) for each in (trace or "").splitlines())])


def _file_handler(file: Path) -> logging.FileHandler:
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        return logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            say("The log cannot be written to {file}: {reason}", file=file, reason=error.strerror or "?"),
            where=str(file),
            next_step=say("Set VANKHO_LOG to a file that can be written, or to nothing."),
        ) from error


def _add(handler: logging.StreamHandler[Any], *, level: int, form: str) -> None:
    root, where = logging.getLogger(), getattr(handler, "baseFilename", None)
    for each in root.handlers:
        if isinstance(each.formatter, _Lines) and getattr(each, "baseFilename", None) == where:
            if where is not None:
                handler.close()
            return  # it is there already
    handler.setFormatter(_Lines(form))
    handler.setLevel(level)
    root.addHandler(handler)
    # The root lets through what any of the logs wants.
    root.setLevel(min(level, *(each.level for each in root.handlers if isinstance(each.formatter, _Lines))))
    # Its statements are for whoever looks for a fault; DEBUG would be every row of the catalog.
    logging.getLogger("sqlalchemy").setLevel(logging.INFO if root.level <= logging.DEBUG else logging.WARNING)
