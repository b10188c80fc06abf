"""A watched prefix in a bucket: each folder of keys below it, and each ZIP or tar, is a package.

Its state is what the list says of every key: size, ETag and time of change. It is fetched into the workspace, checked
against size and the service's own checksum, and taken in from there; recorded is the address in the bucket.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydantic import SecretStr

from flows.settings import S3StoreSettings, WatchSettings
from flows.watching import fetched
from flows.watching.drop_folder import ARCHIVES, OURS, Look, Markers, Why, is_half
from flows.watching.outcome_files import Told, is_ours
from flows.workspace import Workspace
from preservation.errors import PackageUnreadable, PreservationError, UsageError
from preservation.findings import Finding, Severity
from preservation.packages.litter import is_litter
from storage_adapters.errors import KeyRefused
from storage_adapters.s3_inbox import Inbox, Seen
from storage_adapters.settings import S3Settings
from wording import say

ROOM = 3  # times its size that a package needs: fetched, received, and as a bag


@dataclass(slots=True)
class DropBucket:
    """A prefix that is looked into again and again; `prefix` is empty or ends in `/`."""

    inbox: Inbox
    address: str  # s3://bucket/prefix/
    key: str
    prefix: str
    markers: Markers
    done: dict[str, str] = field(default_factory=dict)  # name → fingerprint
    rooms: dict[str, int] = field(default_factory=dict)  # name → what holds its room while it is fetched

    @classmethod
    def of(cls, workspace: Workspace, name: str, settings: WatchSettings, markers: Markers) -> DropBucket:
        """The place as the settings have it. Raises UsageError when it is a store's bucket, StorageError."""
        assert settings.bucket is not None
        for store, each in workspace.settings.stores.items():
            if isinstance(each, S3StoreSettings) and (each.bucket, each.endpoint_url) == (
                settings.bucket,
                settings.endpoint_url,
            ):
                raise UsageError(
                    say(
                        "The bucket {bucket} is that of store {store}; it cannot be watched.",
                        bucket=each.bucket,
                        store=store,
                    ),
                    where=f"vankho.toml: watch.{name}",
                    next_step=say("Let producers deliver into a bucket of its own."),
                )
        prefix = settings.prefix.strip("/")
        prefix = prefix and f"{prefix}/"
        address = f"{fetched.SCHEME}{settings.bucket}/{prefix}"
        key = address if settings.endpoint_url is None else f"{address} ({settings.endpoint_url})"
        fields = set(S3Settings.__dataclass_fields__) & set(WatchSettings.model_fields)
        plain: dict[str, Any] = {
            each: value.get_secret_value() if isinstance(value, SecretStr) else value
            for each, value in settings
            if each in fields
        }
        return cls(Inbox(name, S3Settings(**plain)), address, key, prefix, markers)

    def source(self, name: str) -> str:
        """What ingest is given, and what is recorded."""
        return self.address + name

    def settled(self, name: str, fingerprint: str) -> None:
        """Nothing is to be done for the package in this state."""
        self.done[name] = fingerprint

    def looks(self) -> Iterator[Look]:
        """Every package that changed since it was settled. Raises StorageError."""
        looks = [self._look(name, seen) for name, seen in self._grouped(self.inbox.list(self.prefix))]
        beside = {look.name for look in looks if look is not None and look.name.endswith(self.markers.beside)}
        for look in looks:
            if look is None or look.name in beside or self._is_skipped(look.name):
                continue
            marked = look.marked or look.name + self.markers.beside in beside
            if self.done.get(look.name) != look.fingerprint:
                self.done.pop(look.name, None)
                yield self._judged(look, marked)

    def look_at(self, name: str) -> Look | None:
        """One package as it is now, None when it is gone. Raises StorageError."""
        found = dict(self._grouped(seen for seen in self.inbox.list(self.prefix + name) if self._name(seen) == name))
        look = self._look(name, found[name]) if name in found else None
        return None if look is None else self._judged(look, look.marked)

    def fetch(self, workspace: Workspace, name: str) -> None:
        """Have the package in the workspace. Raises PackageUnreadable for names that no file can have, StorageError,
        PreservationError when there is no room or it changes meanwhile, OSError.
        """
        objects = [seen for seen in self.inbox.list(self.prefix + name) if self._name(seen) == name]
        size, free = sum(each.size for each in objects), shutil.disk_usage(workspace.folder).free
        if size * ROOM > free:
            raise PreservationError(
                say("There is no room in the workspace to fetch {name}.", name=name),
                where=str(workspace.folder),
                expected=f"{size * ROOM} bytes",
                seen=f"{free} bytes",
                next_step=say("Make room on the disk of the workspace; it is tried again by itself."),
            )
        source = self.source(name)
        self.rooms[name] = fetched.enter(workspace.folder, source)
        root, _ = fetched.where(workspace.folder, source)
        for each in objects:
            inside = each.key[len(self.prefix) + len(name) :].lstrip("/")
            if inside == self.markers.inside or each.key.endswith("/"):
                continue
            to = root / inside if inside else root
            try:
                if not to.resolve().is_relative_to(root.parent.resolve()):
                    raise _impossible(each.key)
                to.parent.mkdir(parents=True, exist_ok=True)
                self.inbox.fetch(each.key, to, size=each.size)
            except (KeyRefused, FileExistsError, NotADirectoryError, IsADirectoryError, ValueError):
                raise _impossible(each.key) from None
        again = [seen for seen in self.inbox.list(self.prefix + name) if self._name(seen) == name]
        if again != objects:
            raise PreservationError(
                say("{name} changed while it was fetched.", name=name),
                where=source,
                next_step=say("It is taken again by itself once it keeps still."),
            )

    def let_go(self, workspace: Workspace, name: str) -> None:
        """Remove what was fetched."""
        fetched.let_go(workspace.folder, self.source(name), self.rooms.pop(name, None))

    def answer(self, name: str, what: Told) -> str:
        """Write the outcome beside the package. Raises FileExistsError where others' objects stand, StorageError."""
        files = what.files(name)
        before = {each: self.inbox.beginning(self.prefix + each) for each in files}
        for each, beginning in before.items():
            if beginning is not None and not is_ours(beginning):
                raise FileExistsError(each)
        for each, content in files.items():
            if before[each] is not None:
                self.inbox.erase(self.prefix + each)
            self.inbox.put(self.prefix + each, content)
        for each in what.stale(name):
            beginning = self.inbox.beginning(self.prefix + each)
            if beginning is not None and is_ours(beginning):
                self.inbox.erase(self.prefix + each)
        return self.source(next(iter(files)))

    def _name(self, seen: Seen) -> str:
        return seen.key[len(self.prefix) :].partition("/")[0]

    def _grouped(self, seen: Iterator[Seen]) -> Iterator[tuple[str, list[Seen]]]:
        for name, some in groupby(seen, key=self._name):
            if name:
                yield name, list(some)

    def _look(self, name: str, objects: list[Seen]) -> Look | None:
        marker = f"{self.prefix}{name}/{self.markers.inside}"
        content = [each for each in objects if each.key != marker and not each.key.endswith("/")]
        state = hashlib.sha256()
        for each in content:
            state.update(f"{each.key}\0{each.state}\0".encode())
        is_file = any(each.key == self.prefix + name for each in objects)
        half = name if is_half(name) else next((e.key for e in content if is_half(e.key.rpartition("/")[2])), "")
        why = None
        if is_file and not name.casefold().endswith(ARCHIVES):
            why = Why.NO_PACKAGE
        elif not sum(each.size for each in content):
            why = Why.EMPTY
        elif half:
            why = Why.UNFINISHED
        return Look(
            name, state.hexdigest(), len(content) < len(objects) and marker in {e.key for e in objects}, why, half
        )

    def _judged(self, look: Look, marked: bool) -> Look:
        why = look.why
        if marked and why is Why.UNFINISHED:
            why = None
        elif not marked and self.markers.required and why is not Why.NO_PACKAGE:
            why = Why.MARKER
        return Look(look.name, look.fingerprint, marked, why, look.detail)

    def _is_skipped(self, name: str) -> bool:
        return name.startswith(".") or is_litter(name) or OURS.search(name) is not None or name == self.markers.inside


def _impossible(key: str) -> PackageUnreadable:
    message = say("No file can have the name of this object. Rename it and deliver the package again.")
    return PackageUnreadable([Finding("name-impossible", Severity.ERROR, message, path=key)])
