"""What a bag shall say about itself: the facts the writer cannot know from the payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from preservation.facts import Event, FormatFact, ObjectFact
from preservation.inventory import FactFile


@dataclass(frozen=True, slots=True)
class BagPlan:
    """`algorithms` are hashlib names, "sha256" among them; `bag_info` adds elements in its order (a tuple repeats
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
    descriptor: bytes | None = None
    descriptor_name: str = "descriptor.json"


@dataclass(frozen=True, slots=True)
class WrittenBag:
    """A finished bag. `objects` lists every file of it, sorted by path bytes; it stands beside the bag, not in it."""

    path: Path
    objects: FactFile[ObjectFact]
    object_count: int
    object_bytes: int
