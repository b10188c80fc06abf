"""What the `vankho` script calls. It heeds signals before anything that takes time is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from apps.cli import interrupted

CTRL_C = 130  # what typer makes of an interrupt while it reads the words


def run(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments ask for, else those of the process, and exit with the code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    heed = interrupted.Heed(lambda: _tell(words, None)) if arguments is None else None  # else the process is not ours
    try:
        code = _carried_out(words)
        if code == CTRL_C and heed is not None and heed.heard is not None and not heed.heard.told:
            raise heed.heard  # typer caught it, and said nothing
    except KeyboardInterrupt as asked:
        _tell(words, asked)
        code = interrupted.code_of(asked)
    if heed is not None:
        heed.over()
    sys.exit(code)


def _carried_out(words: Sequence[str]) -> int | None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    from apps.cli.parts import carried_out  # late: a tenth of a second
    from wording.translate import choose_language

    return carried_out(words, choose_language(language_asked(words)))


def _tell(words: Sequence[str], asked: KeyboardInterrupt | None) -> None:
    from wording.translate import choose_language

    interrupted.tell(asked, choose_language(language_asked(words)), as_json="--json" in words)


def language_asked(words: Sequence[str]) -> str | None:
    """The language that --lang names, wherever it stands: help and usage errors speak it too."""
    for place, word in enumerate(words):
        if word == "--":
            break
        if word == "--lang":
            return next(iter(words[place + 1 :]), None)
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
    return None
