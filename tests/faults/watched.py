"""A process that ingests in sight of a Prefect server, which is killed in the middle (by tests/faults/test_prefect_dies.py)."""

import os
import signal
import sys
import time
from pathlib import Path

import flows.ingest
from flows.running.run import carry_out
from tests.flows.houses import House, package


def main() -> None:
    folder, server = Path(sys.argv[1]), int(sys.argv[2])
    admit = flows.ingest.admit

    def and_kill(*args, **kwargs):
        os.kill(server, signal.SIGKILL)
        print(time.monotonic(), flush=True)
        time.sleep(0.3)
        return admit(*args, **kwargs)

    flows.ingest.admit = and_kill
    source = package(folder / "package")
    with House(folder / "house", {}).open() as workspace:
        done = carry_out(workspace, flows.ingest.ingest, source=str(source))
    print(done.outcome, done.verdict.name, flush=True)


if __name__ == "__main__":
    main()
