"""docs/reference/cli.md says what the command says: the same commands, options, shapes and exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from apps.cli.help import every_command
from apps.cli.parts import build
from flows.outcomes import Verdict
from tests.cli.commands import Ran, damage
from tests.cli.conftest import Held

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "demo",
    "up",
    "serve",
    "schedule apply",
    "schedule run",
    "worker",
    "watch",
    "formats show",
    "formats update",
    "formats drift",
    "store retire",
    "store rename",
}
COMMON = {"--workspace", "--json", "--lang", "--help"}


def _sections() -> dict[str, str]:
    """The text under `## vankho store check NAME`, by `store check`."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    heads = {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}
    return {
        " ".join(re.findall(r"(?<= )[a-z]+", head)): text
        for head, text in heads.items()
        if head.startswith("vankho ")
    }


def _tree(command: Any = None, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, each in (command or typer.main.get_command(build())).commands.items():
        if hasattr(each, "commands"):
            yield from _tree(each, (*above, name))
        else:
            yield " ".join((*above, name)), each


def test_every_command_has_its_section_and_no_other_has() -> None:
    """In the words in which it is typed."""
    assert set(_sections()) == {name for name, _ in _tree()}


@pytest.mark.parametrize(("name", "command"), list(_tree()), ids=[name for name, _ in _tree()])
def test_every_option_is_in_the_table_and_no_other_is(name: str, command: Any) -> None:
    """The options that every command has stand once, above."""
    told = set(re.findall(r"^\| `(--[a-z-]+)", _sections()[name], re.MULTILINE))
    taken = {word for each in command.params for word in each.opts if word.startswith("--")}
    assert told == taken - COMMON
    assert taken | {"--help"} >= COMMON
    assert all(f"`{word}" in PAGE.partition("## Exit codes")[0] for word in COMMON)


def test_every_command_and_option_explains_itself() -> None:
    """Nobody has to guess what an option is for."""
    for command in every_command(typer.main.get_command(build())):
        assert command.help
        assert all(parameter.help for parameter in command.params)


def test_the_exit_codes_are_the_verdicts() -> None:
    """And the shell's code for Ctrl-C."""
    table = PAGE.partition("## Exit codes")[2].partition("## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) ", table, re.MULTILINE)] == [*map(int, Verdict), 130]


def _example(text: str) -> Any:
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def _alike(example: Any, real: Any, place: str) -> None:
    """The same keys all the way down; what is null or empty on one side says nothing."""
    if example is None or real is None or example == [] or real == []:
        return
    assert type(example) is type(real), place
    if isinstance(example, list):
        _alike(example[0], real[0], f"{place}[0]")
    elif isinstance(example, dict) and not place.endswith((".detail", ".values")):
        assert list(example) == list(real), place
        for key in example:
            _alike(example[key], real[key], f"{place}.{key}")


def _told(here: Callable[..., Ran], word: object, where: tuple[object, ...]) -> object:
    """The id that stands for INCIDENT or NOTICE."""
    if word not in ("INCIDENT", "NOTICE"):
        return word
    group = {"INCIDENT": "incident", "NOTICE": "notices"}[str(word)]
    return here(group, "list", "--all", *where).data[0][str(word).lower()]


def test_the_examples_have_the_shapes_of_real_answers(here: Callable[..., Ran], held: Held, tmp_path: Path) -> None:
    """Every command but those that tests of their own run, with what they need."""
    where = ("-w", held.workspace, "--json")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("extends: default\nacceptance:\n  liter: keep\n")
    with (held.workspace / "vankho.toml").open("a") as out:
        out.write('[notices.channels.nobody]\nurl = "json://127.0.0.1:9/x"\n')
    lines = held.package / "metadata.json"
    lines.write_text("{")  # a package with findings
    copy = held.workspace / "stores/second/aip" / held.identifier / "v1/data"
    asked: dict[str, tuple[object, ...]] = {
        "init": ("init", tmp_path / "new", "--json"),
        "ingest": ("ingest", held.package, *where),
        "show": ("show", *where),
        "events": ("events", held.identifier, *where),
        "audit": ("audit", "--store", "second", *where),
        "report": ("report", *where),
        "incident list": ("incident", "list", "--all", *where),
        "incident show": ("incident", "show", "INCIDENT", *where),
        "incident acknowledge": ("incident", "acknowledge", "INCIDENT", "--reason", "đĩa cũ", *where),
        "notices list": ("notices", "list", "--all", *where),
        "notices show": ("notices", "show", "NOTICE", *where),
        "notices test": ("notices", "test", "nobody", *where),
        "watchdog": ("watchdog", *where),
        "schedule show": ("schedule", "show", *where),
        "repair": ("repair", *where),
        "replicate": ("replicate", held.identifier, *where),
        "restore": ("restore", held.identifier, "--to", tmp_path / "out", *where),
        "reconcile": ("reconcile", "--store", "second", *where),
        "catalog backup": ("catalog", "backup", tmp_path / "copy", *where),
        "catalog upgrade": ("catalog", "upgrade", *where),
        "catalog compare": ("catalog", "compare", "primary", *where),
        "catalog rebuild": ("catalog", "rebuild", "--from", "primary", *where),
        "catalog restore": ("catalog", "restore", tmp_path / "copy", *where),
        "store check": ("store", "check", "primary", *where),
        "store probe": ("store", "probe", "primary", *where),
        "tidy": ("tidy", *where),
        "store list": ("store", "list", *where),
        "policy check": ("policy", "check", wrong, "--json"),
        "policy explain": ("policy", "explain", *where),
        "policy simulate": ("policy", "simulate", "--days", "30", *where),
        "formats identify": ("formats", "identify", held.package, "--json"),
        "formats report": ("formats", "report", *where),
        "bag check": ("bag", "check", tmp_path / "out", "--json"),
        "ledger verify": ("ledger", "verify", *where),
        "ledger accept": ("ledger", "accept", "second", "--reason", "a bad sector", *where),
    }
    assert set(asked) == {name for name, _ in _tree()} - ELSEWHERE
    for name, words in asked.items():
        if name == "audit":
            damage(copy / "Trang 1.txt")
        if name == "reconcile":
            (copy / "lạ.txt").write_text("?")
        if name == "ledger accept":
            newest = min((held.workspace / "stores/second/ledger/9998-book-1/checkpoints/99999999").iterdir())
            newest.chmod(0o600)
            newest.write_text("?")
        real = here(*(_told(here, word, where) for word in words)).data
        assert real, name
        _alike(_example(_sections()[name]), real, name)
    due = _example(_sections()["audit"].partition("With `--due`")[2].partition("one entry")[2])
    _alike(due, here("audit", "--due", *where).data, "audit --due")
    _alike(_example(PAGE.partition("## Errors")[2]), here("show", "nobody", *where).data, "error")
