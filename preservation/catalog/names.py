"""Three forms of a name: its bytes, which are never changed; what people see; what a search compares.

Only `searchable` is stored beside the bytes; what people see is computed from them.
"""

from __future__ import annotations

import unicodedata


def displayed(name: str) -> str:
    """The name in NFC, as screens show it: `hoà` from a Mac and from Windows look and are the same."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def searchable(name: str) -> str:
    """The name without case and marks: `Địa chí Huế` is found by `dia chi hue`."""
    if name.isascii():
        return name.lower()
    plain = unicodedata.normalize("NFC", name.casefold()).replace("đ", "d")
    return "".join(char for char in unicodedata.normalize("NFD", plain) if not unicodedata.combining(char))


def storable(text: str) -> str:
    """The text as both databases can hold it: NUL and lone surrogates (a name that is not UTF-8) are spelt out."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
