"""make damage: replicas damaged at random in many rounds; everything is found, said and repaired, or it is a failure.

    python -m tests.damage.table [--seed n] [--runs n]

A run is one round (about fifteen damaged replicas). Round `i` of seed `n` is repeated by `--seed n+i --runs 1`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import boto3

from preservation.formats.identify import Identifier
from tests.damage.hands import Hand, InBucket, OnDisk
from tests.damage.lab import Library, at_rest, build
from tests.damage.rounds import lose, play, spoil
from tests.flows.houses import House, local_stores
from tests.servers.ministack import ministack, program
from tests.tally import Tally

ROUNDS = 90  # more than 1,000 damaged replicas
OTHERS = 5  # every so many rounds something is lost for good, and a store spoils what is put into it
IN_BUCKET = 8  # every so many rounds one with a store on S3
AIPS = 6


@contextmanager
def library(folder: Path, identifier: Identifier, *, bucket: bool = False, aips: int = AIPS) -> Iterator[Library]:
    """A library with three stores: on disk all of them, or two on disk and one in a bucket of MiniStack."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stores = local_stores(2 if bucket else 3)
        hands: dict[str, Hand] = {name: OnDisk(folder / "house" / "stores" / name) for name in stores}
        if bucket:
            command = program()
            assert command is not None
            settings = stack.enter_context(ministack(command, folder))
            keys = ("endpoint_url", "access_key_id", "secret_access_key")
            stores["s3"] = {"kind": "s3", "region": "site-s3", "bucket": settings.bucket} | {
                key: str(getattr(settings, key)) for key in keys
            }
            client = boto3.client(
                "s3",
                endpoint_url=settings.endpoint_url,
                aws_access_key_id=stores["s3"]["access_key_id"],
                aws_secret_access_key=stores["s3"]["secret_access_key"],
                region_name="us-east-1",
            )
            hands["s3"] = InBucket(client, settings.bucket)
        house = House(folder / "house", stores, identifier=identifier).settle()
        yield build(house, hands, aips=aips, checksums=frozenset({"s3"} if bucket else ()))


def memory() -> str | None:
    """A folder in memory, where there is one: no power cut is played here, so nothing need wait for a disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """The exit code."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--seed", type=int, default=None)
    asked.add_argument("--runs", type=int, default=ROUNDS)
    options = asked.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    sys.stdout.write(f"seed {seed}, {options.runs} rounds\n")
    tally = Tally("Damage: what was done / at which grade it was looked for", least=10 * options.runs)
    with (
        tempfile.TemporaryDirectory(dir=memory()) as folder,
        Identifier() as identifier,
        ExitStack() as stack,
        at_rest(),
    ):
        libraries = [stack.enter_context(library(Path(folder) / "disks", identifier))]
        if program() is not None:
            libraries.append(stack.enter_context(library(Path(folder) / "s3", identifier, bucket=True)))
        else:
            sys.stdout.write("without S3: MiniStack is not installed (make .venv-ministack/.installed)\n")
        damaged = 0
        for number in range(seed, seed + options.runs):
            held = libraries[-1] if number % IN_BUCKET == 0 else libraries[0]
            try:
                more = [lose, spoil] if number % OTHERS == 0 else []
                for family, case, why in chain(play(held, number), *(other(held, number) for other in more)):
                    tally.note(family, case, why)
                    damaged += family.endswith("/ bytes") and not family.startswith("undamaged")
            except Exception as error:  # whatever one round brings about, the others go on
                tally.failed("rounds", f"seed {number}", repr(error))
    tally.families = dict(sorted(tally.families.items()))
    sys.stdout.write(f"{damaged} damaged replicas\n")
    return tally.conclude()


if __name__ == "__main__":
    sys.exit(main())
