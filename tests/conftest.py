"""What every kind of test shares: the real test data, and the word for a test that cannot run here."""

from __future__ import annotations

import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As under `nohup … &`: what the tests start would never hear of a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # still nothing to us; what we start has the system's own again

# No test is to leave runs on a Prefect server that happens to be at work on this machine.
os.environ.setdefault("PREFECT_API_URL", "http://127.0.0.1:9/api")


def cannot_run(reason: str) -> None:
    """Skip with the reason; fail instead where the test must run (VANKHO_MUST_RUN is set, as in CI)."""
    if os.environ.get("VANKHO_MUST_RUN"):
        pytest.fail(f"must run here, but: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpack one corpus by name (`scanned-packages`) once per session; returns the folder it stands in."""
    place = os.environ.get("VANKHO_CORPORA")
    unpacked: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        if not place:
            cannot_run("VANKHO_CORPORA is not set: it names the folder with the real test data")
            raise AssertionError
        if name not in unpacked:
            folder = tmp_path_factory.mktemp(name)
            with tarfile.open(Path(place).resolve() / f"{name}.tar.xz") as archive:
                archive.extractall(folder)  # our own test data
            unpacked[name] = folder / name if (folder / name).is_dir() else folder
        return unpacked[name]

    return unpack


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests of one server in one process (`xdist_group`): xdist 3.8 sets an id that pytest 9.2 no longer reads."""
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")
