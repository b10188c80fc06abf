"""Secrets are not said: what this process knows as a credential is replaced by *** in text that others wrote.

For logs, tracebacks and the technical detail of errors, which libraries and servers write. Never used on names of
files, digests or anything else that is recorded: a password that is also a file's name must not change the record.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_SHORTEST = 4  # hiding every "a" would make the text useless, and tell the password

# The one thing that all of a process shares: a credential is one on every way by which a text gets out.
_known: set[str] = set()

# What libraries write about credentials that they found themselves, in an AWS profile or a machine's own role.
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"(Credential=)[^/,\s'\"&]+",
        r"(Signature[=:]\s*)[0-9a-f]{40,}",
        r"(X-Amz-(?:Security-Token|Credential|Signature)['\"]?\s*[:=]\s*b?['\"]?)[^'\",\s&]+",
        r"(Authorization['\"]?\s*[:=,]\s*b?['\"]?(?:Basic|Bearer)\s+)[^'\",\s]+",
        r"(://[^/\s:@'\"]*:)[^\s@'\"]+(?=@)",
    )
)


def keep_secret(*values: str | None) -> None:
    """From now on these are hidden, in every form in which they travel: as they are, in an address, in base64."""
    for value in values:
        if value and len(value) >= _SHORTEST:
            _known.update({value, quote(value), quote(value, safe=""), quote_plus(value)})
            _known.update({repr(value)[1:-1], repr(value.encode())[2:-1], json.dumps(value)[1:-1]})
            encoded = value.encode()
            _known.update(way(encoded).decode("ascii") for way in (base64.b64encode, base64.urlsafe_b64encode))


def veiled(text: str) -> str:
    """The text without the secrets that are known, and without what looks like one in a request to a store."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text
