"""What a run leaves on its page in Prefect, for a person: a table of what came of what, the report's page, progress.

The report's own words and counts in the language of the workspace's policy. An artifact that cannot be made is no
reason for anything: the report stands in the workspace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.settings import PREFECT_API_URL

from flows.reporting.report_files import TEXT, message_of
from flows.reporting.report_text import BETWEEN, FLOWS, GRADES, OUTCOMES, WORDS
from flows.running.run import is_there
from flows.workspace import Workspace
from preservation.errors import PolicyError
from preservation.progress import Progress
from wording import Message, say
from wording.steps import told
from wording.translate import translate

SHOWN = 100  # lines of the report's page
LONG = 10.0  # seconds after which a step is worth showing how far it is
BETWEEN_TWO = 5.0  # seconds
SURE = 2.0  # per cent from which on it is guessed how long it will take


def leave(workspace: Workspace, run: UUID, reports: Sequence[Mapping[str, Any]]) -> None:
    """Put the reports of this run on its page. Never raises."""
    language = language_of(workspace)
    if not is_there(str(PREFECT_API_URL.value())):  # Prefect's client would try for minutes
        return
    with suppress(Exception), get_client(sync_client=True) as client:
        for report in reports:
            _put(
                client,
                run,
                "table",
                f"result-{report['flow']}",
                list(rows(report, language)),
                _title(report, language),
            )
            if report.get("report"):
                text = "\n".join(_page(workspace.folder / report["report"], language))
                about = translate(say("The report stands in {folder}.", folder=report["report"]), language)
                _put(client, run, "markdown", f"report-{report['flow']}", f"{about}\n\n```text\n{text}\n```", None)


def language_of(workspace: Workspace) -> str:
    """The language in which this workspace's people are told things."""
    with suppress(PolicyError):
        return workspace.policy().notification.language
    return "en"


def rows(report: Mapping[str, Any], language: str) -> Iterator[dict[str, Any]]:
    """One row for each store, evidence and outcome, or for what came of packages and stores; then why."""
    counts = report["counts"]
    store, evidence, outcome, number, why = (
        translate(word, language)
        for word in (say("Store"), say("Evidence"), say("Outcome"), say("Number"), say("Why"))
    )

    def row(about: object, grade: object, word: str, count: int, reason: object = "") -> dict[str, Any]:
        said = (_said(cell, language) for cell in (about, grade, OUTCOMES.get(word, word), count, reason))
        return dict(zip((store, evidence, outcome, number, why), said, strict=True))

    for part in counts["by_store"]:
        yield row(part["store"], GRADES.get(part["grade"] or "", "–"), part["outcome"], part["copies"])
    for kind, about in (("packages", say("packages")), ("stores", say("stores"))):
        for word, count in counts[kind].items():
            if word != "checked":
                yield row(about, "–", word, count)
    for each in counts["reasons"]:
        first = each["first"] or {}
        yield row("–", "–", each["outcome"], each["rows"], message_of(first.get("message")) or each["code"])
    if not counts["rows"]:
        yield row("–", "–", translate(say("There was nothing to do."), language), 0)


def _said(cell: object, language: str) -> object:
    return translate(cell, language) if isinstance(cell, Message) else cell


def _title(report: Mapping[str, Any], language: str) -> str:
    flow, word = FLOWS.get(report["flow"], report["flow"]), WORDS.get(report["word"] or "", "–")
    return f"**{_said(flow, language)}** · {_said(word, language)}"


def _page(folder: Path, language: str) -> Iterator[str]:
    """The page of the report in one of its two languages, as far as anybody reads on a screen."""
    lines = (folder / TEXT).read_text("utf-8-sig").splitlines()
    border = lines.index(BETWEEN) if BETWEEN in lines else len(lines)
    mine = lines[:border] if language == "vi" else lines[border + 1 :]
    yield from (line.replace("```", "'''") for line in mine[:SHOWN])
    if len(mine) > SHOWN:
        yield "…"


def _put(client: SyncPrefectClient, run: UUID, kind: str, key: str, data: object, about: str | None) -> UUID:
    made = client.create_artifact(ArtifactCreate(key=key, type=kind, data=data, description=about, flow_run_id=run))
    return made.id


class OnPage:
    """Progress that is told to whoever else listens, and shown on the run's page when a step takes long."""

    def __init__(self, run: UUID, other: Progress, language: str) -> None:
        self._run, self._other, self._language = run, other, language
        self._step, self._done = "", 0
        self._total: int | None = None
        self._began = self._told = 0.0
        self._shown: UUID | None = None

    def begin(self, step: str, total: int | None) -> None:
        """Another step."""
        self.end()
        self._other.begin(step, total)
        self._step, self._total, self._done = step, total, 0
        self._began = self._told = time.monotonic()
        self._shown = None

    def advance(self, amount: int) -> None:
        """So much more of it."""
        self._other.advance(amount)
        self._done += amount
        now = time.monotonic()
        if self._total and now - self._began > LONG and now - self._told > BETWEEN_TWO:
            self._told = now
            with suppress(Exception):
                if is_there(str(PREFECT_API_URL.value())):
                    self._show(min(100.0, 100 * self._done / self._total), now)

    def end(self) -> None:
        """The step is over; what was shown of it is not left to look as if it went on."""
        if self._shown is not None:
            with suppress(Exception):
                if is_there(str(PREFECT_API_URL.value())):
                    self._show(min(100.0, 100 * self._done / self._total) if self._total else 100.0, None)
            self._shown = None

    def _show(self, percent: float, now: float | None) -> None:
        about = f"{told(self._step, self._language)}: {percent:.0f} %"
        if now is not None and percent >= SURE:
            about += f", {_length((now - self._began) * (100 - percent) / percent)}"
        with get_client(sync_client=True) as client:
            if self._shown is None:
                self._shown = _put(client, self._run, "progress", "progress", percent, about)
            else:
                client.update_artifact(self._shown, ArtifactUpdate(data=percent, description=about))


def _length(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
