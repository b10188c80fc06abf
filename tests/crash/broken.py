"""The product broken on purpose, in the victim alone, to see that the comparison reports it.

Each entry takes away one thing that keeps a killed run harmless. They are not tests of the product but of the test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any


def admitted_before_it_is_written() -> None:
    """The catalog tells of the end of an ingestion in a transaction before the one that enters the AIP."""
    from preservation.catalog.catalog import Catalog

    real = Catalog.admit

    def admit(catalog: Catalog, version: Any, objects: Any, events: Any, **more: Any) -> Any:
        catalog.record(events)
        return real(catalog, version, objects, [replace(each, id=each.id + "-again") for each in events[:1]], **more)

    Catalog.admit = admit  # type: ignore[method-assign]


def replication_told_twice() -> None:
    """Told before the copy and after it."""
    import flows.copies
    from preservation import events
    from preservation.replicas.copy import Copied

    real = flows.copies._copy

    def copy(workspace: Any, version: Any, store: str, progress: Any) -> None:
        event, _ = events.replicated(version, store, Copied(0, 0, 0), workspace.clock())
        workspace.catalog.record([event])
        real(workspace, version, store, progress)

    flows.copies._copy = copy


def claimed_before_it_is_copied() -> None:
    """The replica is claimed and called proved before a byte of it is there."""
    import flows.copies
    from preservation import events
    from preservation.facts import Evidence, Grade, Outcome
    from preservation.replicas.copy import Copied

    real = flows.copies._copy

    def copy(workspace: Any, version: Any, store: str, progress: Any) -> None:
        now = workspace.clock()
        event, claim = events.replicated(version, store, Copied(0, 0, 0), now)
        proof = Evidence(version.identifier, version.version, store, Grade.BYTES, Outcome.INTACT, now)
        workspace.catalog.record([event], claims=[claim], evidence=[proof])
        real(workspace, version, store, progress)

    flows.copies._copy = copy


def nothing_is_swept() -> None:
    """What dead runs left in the workspace stays."""
    import flows.ingest
    import flows.repair
    import flows.replicate

    for module in (flows.ingest, flows.replicate, flows.repair):
        module.tidy = lambda _workspace: None


def no_leases() -> None:
    """Everybody works on the same package at once."""
    from flows.workspace import Workspace
    from preservation.catalog.leases import Lease

    @contextlib.contextmanager
    def lease(_workspace: Workspace, key: str) -> Iterator[Lease]:
        yield Lease(key, "nobody", 0)

    def admit(*args: Any, fence: Any = None, **more: Any) -> Any:
        return real(*args, **more)

    from preservation.catalog.catalog import Catalog

    real = Catalog.admit
    Catalog.admit = admit  # type: ignore[method-assign]
    Workspace.lease = lease  # type: ignore[assignment, method-assign]


def restored_in_place() -> None:
    """The bag is written where it is to appear."""
    import flows.restore
    from preservation.replicas import restore

    def restored(objects: Any, places: Any, destination: Path, *, progress: Any, note: str | None) -> Any:
        for fact in objects:
            restore._fetch(fact, list(places), destination, [])
            progress.advance(fact.size)
        return restore.Restored(destination, 0, 0, (), ())

    flows.restore.refuse_occupied = lambda _folder: None
    flows.restore.restore_bag = restored


def repairs_are_not_noted() -> None:
    """A repair that dies leaves no word that it began."""
    import flows.begun
    import flows.repair

    @contextlib.contextmanager
    def begun(*args: Any) -> Iterator[Any]:
        with real(*args) as this:
            this.evidence.with_name(this.evidence.name + flows.begun._SUFFIX).unlink()
            yield this
            this.evidence.with_name(this.evidence.name + flows.begun._SUFFIX).touch()

    real = flows.begun.begun
    flows.repair.begun = begun


def objects_have_their_name_at_once() -> None:
    """A store writes an object under its name instead of linking it there when it is whole."""
    from storage_adapters.local import LocalStore

    def put(store: LocalStore, key: str, source: Any, *, size: int, sha256: str) -> None:
        path = store.root / key
        if path.exists():
            from storage_adapters.errors import already_exists

            raise already_exists(store.name, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.write(file, source.read())
        os.close(file)

    LocalStore.put = put  # type: ignore[method-assign]


def worker_outlives_us() -> None:
    """A process that was started does not end when its parent is dead."""
    import subprocess

    import flows.ingest

    real = flows.ingest.receive

    def receive(*args: Any, **more: Any) -> Any:
        subprocess.Popen(["sleep", "300"], start_new_session=True)
        return real(*args, **more)

    flows.ingest.receive = receive


BREAKS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        admitted_before_it_is_written,
        replication_told_twice,
        claimed_before_it_is_copied,
        nothing_is_swept,
        restored_in_place,
        repairs_are_not_noted,
        objects_have_their_name_at_once,
        worker_outlives_us,
        no_leases,
    )
}
