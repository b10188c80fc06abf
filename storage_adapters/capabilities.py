"""What a store can and cannot do, said in plain sentences for the people who choose and watch stores."""

from __future__ import annotations

from storage_adapters.store import Capabilities
from wording import Message, say


def describe(can: Capabilities) -> tuple[Message, ...]:
    """One sentence for each capability; for a missing one, how it is made up for."""
    return (
        say("Refuses to replace an object, even when two computers write at the same moment.")
        if can.conditional_create
        else say(
            "Cannot refuse to replace an object; Vankho looks before it writes, and writes from one place at a time."
        ),
        say("Refuses to replace an object when a large one is completed.")
        if can.conditional_multipart
        else say("Cannot refuse to replace when a large object is completed; Vankho looks again just before."),
        say(
            "Verifies a checksum of what it receives, and gives it back ({algorithms}).",
            algorithms=", ".join(can.checksums),
        )
        if can.checksums
        else say("Gives back no checksum of its own; only reading every byte back proves an object here."),
        say("Keeps older versions of an object.")
        if can.versioning
        else say("Keeps no older versions: what is erased or changed here is gone."),
        say("Can lock objects against erasing.")
        if can.object_lock
        else say("Cannot lock objects: whoever has the credentials can erase them."),
    )
