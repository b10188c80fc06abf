"""The project's pages: every link leads somewhere, and the words they forbid are not used in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def names(pages):
    return [page.relative_to(ROOT).as_posix() for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert broken == []


def test_pages_of_a_project_are_there():
    wanted = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/README.md"}
    assert wanted <= set(names(PAGES))
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


def test_every_decision_has_its_parts_and_is_listed():
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    for page in sorted((ROOT / "docs/decisions").glob("0*.md")):
        text = page.read_text("utf-8")
        assert page.name in index
        assert text.startswith(f"# {page.name[:4]} ")
        assert re.search(
            r"^Date: \d{4}-\d\d-\d\d · Status: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE
        )
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, f"{page.name} has no {part}"


def test_architecture_is_one_page():
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").split()) < 1000


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_page_knows_the_machine_it_was_written_on(page):
    assert not re.search(r"(?<![\w.])/(work|home|root)/", page.read_text("utf-8"))


def commands(text):
    """The subcommands of `vankho` in fenced blocks and in code spans."""
    code = "\n".join(block or span for block, span in CODE.findall(text))
    return set(re.findall(r"^vankho (?!on HOST)([a-z]+)", code, re.MULTILINE))  # a worker's name


KNOWN = {
    "demo", "init", "ingest", "show", "audit", "replicate", "repair", "restore", "reconcile",
    "events", "store", "policy", "formats", "bag", "ledger", "catalog", "tidy", "report", "incident", "notices", "watchdog", "watch",
    "schedule", "up", "serve", "worker",
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_pages_name_no_command_that_is_not_there(page):
    assert commands(page.read_text("utf-8")) <= KNOWN
