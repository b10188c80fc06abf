"""The names of the steps, as people see them while they wait."""

from __future__ import annotations

from wording.message import say
from wording.translate import translate

STEPS = {
    "take in packages": say("taking in packages"),
    "receive": say("receiving"),
    "check what was supplied": say("checking what was supplied"),
    "identify formats": say("identifying formats"),
    "ask for a second opinion": say("asking for a second opinion"),
    "look for drift": say("looking for format drift"),
    "fetch signatures": say("fetching signatures"),
    "write the bag": say("writing the bag"),
    "check the bag": say("checking the bag"),
    "copy": say("copying to"),
    "verify": say("verifying in"),
    "audit": say("auditing in"),
    "audit several": say("auditing several stores"),
    "rename": say("taking over in"),
    "restore": say("restoring"),
    "judge": say("judging by the policies"),
}


def told(step: str, language: str) -> str:
    """A step as progress names it (`copy > store-a`) as people read it; one without words of ours as it is."""
    word, _, place = step.partition(" > ")
    return f"{translate(STEPS[word], language) if word in STEPS else word} {place}".strip()
