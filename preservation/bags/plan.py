"""What a bag shall say about itself: the facts the writer cannot know from the payload."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from preservation.facts import Event, FormatFact, ObjectFact, Role
from preservation.inventory import FactFile, load_format

# The elements of bag-info.txt that the writer sets, and those that a policy, a descriptor or a given bag brings.
WRITERS_LABELS = frozenset(
    {
        "bag-software-agent", "bagging-date", "payload-oxum", "bag-size", "external-identifier", "vankho-aip-version",
        "vankho-content-digest", "vankho-empty-folder", "vankho-submission",
    }
)  # fmt: skip
POLICYS_LABELS = frozenset(
    {
        "source-organization", "contact-email", "external-description", "vankho-producer-identifier",
        "vankho-collection", "vankho-policy", "bagit-profile-identifier",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BagPlan:
    """`algorithms` are hashlib names, the first one preferred; `bag_info` adds elements in its order (a tuple repeats
    the label); `descriptor` is the producer's file as delivered; `agent` is us ("vankho 0.1.0").
    """

    identifier: str
    version: int
    algorithms: tuple[str, ...]
    bagging_date: date
    agent: str
    events: tuple[Event, ...]
    formats: FactFile[FormatFact]
    bag_info: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    second_opinions: FactFile[FormatFact] | None = None  # of another identifier, in the order of `formats`
    descriptor: bytes | None = None
    descriptor_name: str = "descriptor.json"


@dataclass(frozen=True, slots=True)
class WrittenBag:
    """A finished bag. `objects` lists every file of it, sorted by path bytes; it stands beside the bag, not in it."""

    path: Path
    objects: FactFile[ObjectFact]
    object_count: int
    object_bytes: int


def load_object(data: dict[str, Any]) -> ObjectFact:
    """An ObjectFact from its line."""
    known, name = data.pop("format"), data.pop("original_name")
    return ObjectFact(
        **{**data, "role": Role(data["role"])},
        original_name=base64.b64decode(name) if name is not None else None,
        format=load_format(known) if known is not None else None,
    )
