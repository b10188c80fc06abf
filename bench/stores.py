"""Our side of uploading a folder to a store and of reading it all back: one call each, and a command for both.

    python -m bench.stores upload FOLDER URL BUCKET      to an S3 service (keys in AWS_ACCESS_KEY_ID and so on)
    python -m bench.stores audit  FOLDER URL BUCKET      read it back and hash every byte
    python -m bench.stores copy   FOLDER STORE           to a folder as store
    python -m bench.stores read   FOLDER STORE

Digests are made beforehand and not timed: ingest has them. Prints seconds, MB/s, objects a second and
seconds of processor time as one line of JSON. `python -m bench.sink` is a server to upload to that throws all away.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from preservation.facts import Grade, ObjectFact, Outcome, Role
from preservation.progress import Silent
from preservation.replicas.copy import copy_replica, from_folder
from preservation.replicas.verify import verify_replica
from storage_adapters.opening import LocalSettings, S3Settings, open_store
from storage_adapters.store import Capabilities, Store

AS_AMAZON = Capabilities(True, True, ("sha256",), False, False)  # what the sink is taken for: it cannot be probed


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run took."""

    seconds: float
    processor_seconds: float  # of this process
    objects: int
    bytes: int

    @property
    def line(self) -> str:
        """The figures as one line of JSON."""
        more = {"MB_a_second": self.bytes / self.seconds / 1e6, "objects_a_second": self.objects / self.seconds}
        return json.dumps({name: round(value, 3) for name, value in {**asdict(self), **more}.items()})


def facts_of(folder: Path) -> list[ObjectFact]:
    """Every file below the folder with its digest, sorted as manifests are."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            found.append(ObjectFact(file.relative_to(folder).as_posix(), file.stat().st_size, digest, Role.PAYLOAD))
    return sorted(found, key=lambda fact: fact.path.encode())


def upload(folder: Path, facts: list[ObjectFact], store: Store, *, identifier: str) -> Seen:
    """Copy the folder into the store as an AIP of that identifier."""

    def work() -> None:
        copy_replica(from_folder(folder), facts, store, identifier=identifier, version=1, progress=Silent())

    return _timed(work, facts)


def read_back(facts: list[ObjectFact], store: Store, *, identifier: str) -> Seen:
    """Prove every byte of it. Raises AssertionError when anything is not intact."""

    def work() -> None:
        told = verify_replica(facts, store, identifier=identifier, version=1, grade=Grade.BYTES, progress=Silent())
        if told.outcome is not Outcome.INTACT:
            raise AssertionError(f"read back: {told.outcome}, {told.counts}")

    return _timed(work, facts)


def s3(url: str, bucket: str, *, sink: bool = False) -> Store:
    """The bucket; credentials as the AWS tools find them. A sink is not probed."""
    return open_store("bench", S3Settings(bucket=bucket, endpoint_url=url), capabilities=AS_AMAZON if sink else None)


def folder(path: Path) -> Store:
    """A folder as store; it is made."""
    path.mkdir(parents=True, exist_ok=True)
    return open_store("bench", LocalSettings(path=path))


def _timed(work: Callable[[], None], facts: list[ObjectFact]) -> Seen:
    began, used = time.perf_counter(), _processor()
    work()
    took = time.perf_counter() - began
    return Seen(took, _processor() - used, len(facts), sum(fact.size for fact in facts))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(words: list[str]) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.stores")
    parser.add_argument("what", choices=["upload", "audit", "copy", "read"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("place")
    parser.add_argument("bucket", nargs="?")
    parser.add_argument("--identifier", default="bench")
    parser.add_argument("--sink", action="store_true", help="the place throws bodies away: do not probe it")
    asked = parser.parse_args(words)
    facts = facts_of(asked.folder)
    store = s3(asked.place, asked.bucket, sink=asked.sink) if asked.bucket else folder(Path(asked.place))
    store.capabilities()
    if asked.what in ("upload", "copy"):
        seen = upload(asked.folder, facts, store, identifier=asked.identifier)
    else:
        seen = read_back(facts, store, identifier=asked.identifier)
    sys.stdout.write(seen.line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
