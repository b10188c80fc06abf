"""The addresses and what each answers: the same functions and documents as the command's, in the caller's language.

Only GET; nothing is changed and no store is asked anything. Answers that cost much are kept for some seconds. Work is
done in threads, so that the loop answers `/healthz` whatever the catalog does.
"""

from __future__ import annotations

from importlib.metadata import version as release_of
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from apps.cli import documents
from apps.dashboard.kept import Kept
from apps.dashboard.metrics import exposed
from apps.dashboard.ready import checks
from apps.dashboard.said import Document, language_of, refusal
from flows import logs, standing
from flows.auditing.due_plan import plan_today
from flows.due import places
from flows.failures import as_finding
from flows.looking import Looking
from flows.measures import Measures, measure
from flows.references import versions_named
from flows.reporting.incidents import one
from flows.reporting.show_reports import of_run
from flows.storing.lag import StoreLag, lag
from flows.storing.retire import findings, strangers
from flows.storing.separation import same_places
from flows.storing.stores import StoreListed, list_stores
from preservation.catalog import incidents, runs
from preservation.errors import PreservationError, UsageError
from preservation.findings import Finding
from wording import Explained, say

MEASURED = 8.0  # seconds for which measures are kept: less than Prometheus lets pass between two scrapes
PLANNED = 60.0
LISTED = 30.0


def _language(request: Request) -> str:
    return language_of(request.headers.get("accept-language"))


Language = Annotated[str, Depends(_language)]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]


class NotThere(UsageError):
    """Nothing goes by the name in the address."""


def _not_there(of: UsageError) -> NotThere:
    return NotThere(of.what, where=of.where, expected=of.expected, seen=of.seen, next_step=of.next_step)


def build(looking: Looking, *, keep: float = MEASURED) -> FastAPI:
    """The application, without its guard."""
    app = FastAPI(
        title="Vankho",
        version=release_of("vankho"),
        description="How everything stands. Read-only; the documents are those of the command's --json.",
        docs_url=None,  # these pages would fetch scripts from elsewhere
        redoc_url=None,
        default_response_class=Document,
    )
    kept = Kept()

    def measured() -> Measures:
        def make() -> Measures:
            workspace = looking.workspace()
            return measure(workspace)

        return kept.get("measures", keep, make)

    _errors(app)
    _health(app, looking, measured)
    _of_standing(app, looking, kept, measured)
    _of_runs(app, looking, measured)
    return app


def _health(app: FastAPI, looking: Looking, measured: Any) -> None:  # noqa: ANN401 - Callable[[], Measures]
    @app.get("/healthz")
    async def healthz() -> Document:
        """The process lives and its loop answers."""
        return Document({"alive": True})

    @app.get("/readyz")
    def readyz(language: Language) -> Document:
        """Whether Vankho can do its work; 503 and the reasons when not."""
        found = checks(looking, measured)
        ready = all(each.why is None for each in found)
        return Document({"ready": ready, "checks": [each.as_json(language) for each in found]}, 200 if ready else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """For Prometheus."""
        try:
            seen = measured()
        except (Explained, OSError) as error:
            logs.note("not measured", why=str(as_finding(error).message))
            seen = None
        return Response(exposed(seen), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _of_standing(app: FastAPI, looking: Looking, kept: Kept, measured: Any) -> None:  # noqa: ANN401
    @app.get("/api/standing")
    def everything() -> Document:
        """How everything stands: `vankho show --json`."""
        return Document(standing.as_plain(measured().overview))

    @app.get("/api/standing/{word}")
    def behind(word: str, language: Language, after: str | None = None, limit: Limit = 100) -> Document:
        """The versions under a word, or `all`, page by page: `vankho show --standing WORD --json`."""
        if word not in standing.WORDS:
            raise NotThere(say("{word} is no standing.", word=word), expected=", ".join(standing.WORDS), seen=word)
        workspace = looking.workspace()
        page = standing.page(workspace, word, after=after, limit=limit, patience=0)
        return Document(documents.standing_page(word, page, standing.shown(workspace, page.versions), language))

    @app.get("/api/aips/{identifier}")
    def aip(identifier: str, language: Language) -> Document:
        """All versions of one AIP: `vankho show ID --json`."""
        workspace = looking.workspace()
        try:
            seen = standing.shown(workspace, versions_named(workspace, [identifier]))
        except UsageError as error:
            raise _not_there(error) from None
        return Document([documents.version_standing(each, language) for each in seen])

    @app.get("/api/stores")
    def stores(language: Language) -> Document:
        """The stores of the settings, as far as the catalog knows them: `vankho store list --json`."""

        def make() -> tuple[list[StoreListed], dict[str, StoreLag], list[Finding]]:
            workspace = looking.workspace()
            behind = {each.store: each for each in lag(workspace)}
            return list_stores(workspace), behind, [*findings(strangers(workspace)), *same_places(workspace)]

        return Document(documents.stores(*kept.get("stores", LISTED, make), language))

    @app.get("/api/plan")
    def plan() -> Document:
        """Today's audits: `vankho audit --due --dry-run --json`."""

        def make() -> list[dict[str, Any]]:
            workspace = looking.workspace()
            now = workspace.clock()
            every = places(workspace, store=None, evidence=None)
            shares = (plan_today(workspace, name, grade, now=now) for name, grade in every)
            return [documents.planned(each) for share in shares for each in share]

        return Document(kept.get("plan", PLANNED, make))


def _of_runs(app: FastAPI, looking: Looking, measured: Any) -> None:  # noqa: ANN401
    @app.get("/api/lag")
    def lags(language: Language) -> Document:
        """How far behind each store is: its `lag` in `vankho store list --json`."""
        return Document([each.as_json(language) for each in measured().lags])

    @app.get("/api/runs")
    def last_runs(limit: Limit = 20) -> Document:
        """The last runs, the newest first: `vankho report --list --json`."""
        workspace = looking.workspace()
        return Document([documents.run(each) for each in runs.latest(workspace.catalog.database, limit=limit)])

    @app.get("/api/runs/{run}")
    def report(run: str, language: Language) -> Document:
        """The report of one run, without its rows: `vankho report RUN --json`."""
        workspace = looking.workspace()
        try:
            shown = of_run(workspace, run, language=language)
        except UsageError as error:
            raise _not_there(error) from None
        return Document(None if shown is None else shown.head)

    @app.get("/api/incidents")
    def troubles(language: Language, closed: bool = False, limit: Limit = 1000) -> Document:
        """What is wrong and since when: `vankho incident list --json`."""
        workspace = looking.workspace()
        found = incidents.listed(workspace.catalog.database, closed=closed, limit=limit)
        return Document([documents.incident(each, language) for each in found])

    @app.get("/api/incidents/{incident}")
    def trouble(incident: str, language: Language) -> Document:
        """One incident: `vankho incident show ID --json`."""
        workspace = looking.workspace()
        try:
            return Document(documents.incident(one(workspace, incident), language))
        except UsageError as error:
            raise _not_there(error) from None


def _errors(app: FastAPI) -> None:
    """Every error is a document with a sentence; what is unforeseen tells nothing of the inside."""

    @app.exception_handler(Explained)
    def explained(request: Request, error: Explained) -> Document:
        if isinstance(error, NotThere):
            return refusal(request, error, 404)
        return refusal(request, error, 400 if isinstance(error, UsageError) else 503)

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> Document:
        names = ", ".join(sorted({str(each["loc"][-1]) for each in error.errors()}))
        return refusal(request, UsageError(say("The value of {names} does not fit.", names=names), where=names), 400)

    @app.exception_handler(HTTPException)
    def elsewhere(request: Request, error: HTTPException) -> Document:
        where = request.url.path
        if error.status_code == 405:
            return refusal(request, UsageError(say("Here things can only be read (GET)."), where=where), 405)
        next_step = say("/openapi.json lists the addresses.")
        told = UsageError(say("There is nothing at this address."), where=where, next_step=next_step)
        return refusal(request, told, error.status_code)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Document:
        return refusal(request, PreservationError(as_finding(error).message), 500)
