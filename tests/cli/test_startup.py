"""Nobody waits for what a command does not use: the imports are the start-up time, and can be counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from apps.cli.parts import PARTS, build, first_word
from tests.bags.bag_maker import make_bag
from tests.cli.commands import environment, package_in, workspace_in

HEAVY = {"prefect", "boto3", "botocore", "jsonschema", "alembic", "psycopg", "bagit", "fido", "PIL", "rich.console"}
HEAVY |= {"fastapi", "starlette", "uvicorn", "prometheus_client"}
UNREAD = {
    "pydantic",
    "pydantic_core",
    "rich",
    "zoneinfo",
    "importlib.metadata",
    "babel",
    "concurrent.futures",
    "tarfile",
}
UNREAD |= {"preservation.bags.profile", "preservation.replicas", "apps.cli.viewing", "apps.cli.ingesting", "tempfile"}
FLOWS = {"sqlalchemy", "pydantic_settings", "flows.workspace", "policies.model"}

ASK = """
import json, sys
from apps.cli.main import run
try:
    run(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def _imported(*words: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, words)], env=environment(), capture_output=True, encoding="utf-8"
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done
    return set(modules)


@pytest.fixture(scope="module")
def kho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a catalog; made once, as opening a new catalog does import what makes it."""
    folder = workspace_in(tmp_path_factory.mktemp("kho"))
    _imported("show", "-w", folder)
    return folder


def test_help_imports_no_flow_and_no_catalog() -> None:
    """Neither for the whole command nor for one of its parts."""
    for words in (("--help",), ("ingest", "--help"), ("policy", "check", "--help"), ("--version",)):
        assert not _imported(*words) & (HEAVY | FLOWS)


def test_show_imports_no_prefect_and_no_store(kho: Path) -> None:
    """The catalog and the policy are all it needs."""
    assert not _imported("show", "-w", kho) & HEAVY


def test_checks_import_no_prefect(kho: Path, tmp_path: Path) -> None:
    """Nor do the checks of policies, bags and local stores, and what runs with no Prefect server about."""
    (tmp_path / "mine.yaml").write_text("extends: default\n")
    package = package_in(tmp_path / "Truyện Kiều")
    for words in (
        ("policy", "check", tmp_path / "mine.yaml"),
        ("store", "check", "primary", "-w", kho),
        ("formats", "identify", package),
        ("reconcile", "-w", kho),
        ("audit", "-w", kho),
    ):
        assert not _imported(*words) & {"prefect", "boto3", "botocore"}


def test_a_check_of_a_bag_imports_what_it_needs_and_no_more(tmp_path: Path) -> None:
    """No settings are read, nothing is drawn, no other command is put together."""
    bag = make_bag(tmp_path / "Túi")
    for words in (("bag", "check", bag), ("bag", "check", bag, bag, "--json"), ("--lang=en", "bag", "check", bag)):
        assert not _imported(*words) & (HEAVY | FLOWS | UNREAD)


def _below(command: Any) -> set[str]:
    return set(getattr(command, "commands", ()))


def test_each_command_is_where_it_is_looked_for() -> None:
    """The table of the first words has them all; each part has the commands that the whole has."""
    whole: Any = get_command(build())
    assert {word for words in PARTS.values() for word in words} == _below(whole)
    for first, known in whole.commands.items():
        alone: Any = get_command(build(first))
        assert _below(alone.commands[first]) == _below(known)
    assert _below(get_command(build("nothing"))) == _below(whole)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("bag check x", "bag"),
        ("-w show --json bag check", "bag"),
        ("--workspace=show --lang vi bag", "bag"),
        ("-wshow bag", "bag"),
        ("--help bag", None),
        ("--version bag", None),
        ("--nothing bag", None),
        ("-- bag", None),
        ("-w", None),
        ("", None),
    ],
)
def test_the_first_word_is_told_only_where_it_is_sure(line: str, first: str | None) -> None:
    """An option's value is no command, and help before a command is help of the whole."""
    assert first_word(line.split()) == first
