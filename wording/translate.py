"""The same sentence in the reader's language.

The Vietnamese stands in a Babel catalog, `locale/vi/LC_MESSAGES/vankho.po`; a test holds it complete.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache

from wording.message import Message

LANGUAGES = ("en", "vi")


def choose_language(asked: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """`en` or `vi`: what was asked for, else VANKHO_LANG, else the locale, else English.

    Of the locale's variables the first that is set counts, as POSIX has it: LC_ALL, LC_MESSAGES, LANG.
    """
    env = os.environ if environment is None else environment
    locale = env.get("LC_ALL") or env.get("LC_MESSAGES") or env.get("LANG")
    for wish in (asked, env.get("VANKHO_LANG"), locale):
        language = re.split("[-_.@]", wish or "")[0].lower()
        if language in LANGUAGES:
            return language
    return "en"


def translate(message: Message, language: str) -> str:
    """The message in the language, its gaps filled; messages inside it are translated too."""
    values = {key: translate(v, language) if isinstance(v, Message) else v for key, v in message.values.items()}
    return Message(message.text, values).fill(_sentences(language).get(message.text, message.text))


@cache
def _sentences(language: str) -> dict[str, str]:
    if language == "en":
        return {}
    from importlib import resources  # late, all three: English readers need not wait for them
    from io import BytesIO

    from babel.messages.pofile import read_po

    file = resources.files("wording") / "locale" / language / "LC_MESSAGES" / "vankho.po"
    catalog = read_po(BytesIO(file.read_bytes()), locale=language)
    return {str(entry.id): str(entry.string) for entry in catalog if entry.id and entry.string}
