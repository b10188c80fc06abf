"""How the API says things: JSON in which nothing acts on a terminal, errors in the caller's language, no secrets."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from apps.cli.screen import error_document
from wording import Explained, printable_json
from wording.secrets import veiled
from wording.translate import LANGUAGES, choose_language

_WISH = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([0-9.]{1,6}))?\s*")


def language_of(header: str | None) -> str:
    """What the caller would rather read, of the languages there are; else that of the server."""
    wishes = []
    for place, part in enumerate((header or "")[:200].split(",")):
        found = _WISH.fullmatch(part)
        if found and found[1].lower() in LANGUAGES:
            try:
                wishes.append((-float(found[2] or 1), place, found[1].lower()))
            except ValueError:
                continue
    best = [name for weight, _, name in sorted(wishes) if weight < 0]
    return best[0] if best else choose_language()


class Document(Response):
    """One JSON document."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """UTF-8, one line."""
        return (printable_json(content, indent=None) + "\n").encode("utf-8", "backslashreplace")


def refusal(request: Request, error: Explained, status: int) -> Document:
    """The error as the command says it with --json."""
    language = language_of(request.headers.get("accept-language"))
    document = error_document(error, language=language)
    told = {key: veiled(value) if isinstance(value, str) else value for key, value in document["error"].items()}
    return Document({"error": told}, status, headers={"Content-Language": language})
