"""Commands in this process, for speed; a workspace that holds something; the environment of nobody in particular."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flows.steps
import flows.workspace
from apps.cli.main import run
from preservation.formats.identify import Identifier
from tests.cli.commands import Ran, environment, package_in, workspace_in


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the commands that run in this process too; tries again at once."""
    for name in set(os.environ) - set(environment()):
        if name.startswith(("VANKHO_", "PREFECT_", "AWS_")) and name not in ("VANKHO_CORPORA", "VANKHO_MUST_RUN"):
            monkeypatch.delenv(name)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(flows.steps, "RETRY_DELAYS", (0.01, 0.01))


class _Lent:
    """A format identifier that outlives the workspaces that use it."""

    def __init__(self, identifier: Identifier) -> None:
        self._identifier = identifier

    def __getattr__(self, name: str) -> Any:
        return getattr(self._identifier, name)

    def __enter__(self) -> _Lent:
        return self

    def close(self) -> None:
        """Not ours to close."""


@pytest.fixture(scope="session")
def identifier() -> Iterator[Identifier]:
    """Its workers take a second to start, so one serves all tests of this process."""
    with Identifier() as shared:
        yield shared


@pytest.fixture
def here(
    capsys: pytest.CaptureFixture[str], identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run the command in this process: the same code from the first line of `run`, without its start-up."""
    monkeypatch.setattr(flows.workspace, "Identifier", lambda **_: _Lent(identifier))

    def ran(*words: Any) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([str(word) for word in words])
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return ran


@dataclass
class Held:
    """A workspace with one AIP in three stores."""

    workspace: Path
    package: Path
    identifier: str
    ingested: Ran


@pytest.fixture
def held(here: Callable[..., Ran], tmp_path: Path) -> Held:
    """One package, taken in."""
    workspace, package = workspace_in(tmp_path / "kho"), package_in(tmp_path / "Truyện Kiều")
    ingested = here("ingest", "-w", workspace, package, "--json")
    assert ingested.code == 0, ingested
    return Held(workspace, package, ingested.data[0]["identifier"], ingested)
