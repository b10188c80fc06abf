"""What `vankho serve` answers: as the command does, only to those who may ask, and the truth about its health."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.dashboard.kept import Kept
from apps.dashboard.serve import _listening
from flows.looking import Looking
from flows.workspace import open_workspace
from preservation.catalog import circuits
from preservation.errors import CatalogError
from tests.cli.commands import Ran
from tests.cli.conftest import _nobody, here, identifier  # noqa: F401 - fixtures
from tests.dashboard.web import TOKEN, Web, full_room, plain_room, safe
from tests.servers.postgres import Server, postgres  # noqa: F401 - a fixture
from tests.watching.rooms import Room

ADDRESSES = (
    "/api/standing", "/api/standing/all", "/api/stores", "/api/lag", "/api/runs", "/api/incidents", "/api/plan",
    "/metrics", "/readyz", "/healthz", "/openapi.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Looked at by many tests, changed by none."""
    return full_room(tmp_path_factory.mktemp("full") / "w")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return plain_room(tmp_path / "w")


@pytest.fixture
def web(room: Room) -> Iterator[Web]:
    asked = Web(room.folder)
    yield asked
    asked.looking.close()


def _timeless(value: Any) -> Any:
    """Without what the moment of asking alone decides."""
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in ("at", "lag_seconds", "heard", "opens")}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def test_the_documents_are_those_of_the_command(full: Room, here: Callable[..., Ran]) -> None:  # noqa: F811
    """Key by key and value by value, whatever the language."""
    one = here("show", "--standing", "damaged", "-w", full.folder, "--json").data["versions"][0]["identifier"]
    run = here("report", "--list", "-w", full.folder, "--json").data[-1]["run"]
    incident = here("incident", "list", "-w", full.folder, "--json").data[0]["incident"]
    web = Web(full.folder)
    for words, path in (
        (("show",), "/api/standing"),
        (("show", "--standing", "all", "--limit", "2"), "/api/standing/all?limit=2"),
        (("show", "--standing", "damaged"), "/api/standing/damaged"),
        (("show", one), f"/api/aips/{one[:8]}"),
        (("store", "list"), "/api/stores"),
        (("report", "--list"), "/api/runs"),
        (("report", run), f"/api/runs/{run}"),
        (("incident", "list"), "/api/incidents"),
        (("incident", "list", "--all"), "/api/incidents?closed=true"),
        (("incident", "show", incident), f"/api/incidents/{incident}"),
        (("audit", "--due", "--dry-run"), "/api/plan"),
    ):
        for language in ("vi", "en"):
            said = here(*words, "-w", full.folder, "--json", "--lang", language).data
            seen = web.json(path, headers={"Accept-Language": f"{language}-VN, en;q=0.5"})
            assert _timeless(seen) == _timeless(said), path
            assert seen, path


def test_a_lag_says_why_in_the_readers_language(full: Room) -> None:
    """As the list of stores does."""
    web = Web(full.folder)
    for language in ("vi", "en"):
        asked = {"Accept-Language": language}
        lags = web.json("/api/lag", headers=asked)
        assert [each["reason"] for each in lags] == [
            each["lag"]["reason"] for each in web.json("/api/stores", headers=asked)
        ]
        told = next(each["reason"] for each in lags if each["reason"])
        assert ("ư" in told.lower()) == (language == "vi"), told


def test_pages_go_on_where_the_last_one_ended(room: Room, web: Web) -> None:
    with room.open() as workspace:
        names = {safe(workspace) for _ in range(4)}
    seen, after = [], ""
    while after is not None:
        page = web.json(f"/api/standing/safe?limit=2{f'&after={after}' if after else ''}".replace("+", "%2B"))
        seen += [each["identifier"] for each in page["versions"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 5
    assert set(seen) > names


def test_errors_are_documents_in_the_readers_language(web: Web) -> None:
    for path, status in (
        ("/api/aips/nobody", 404), ("/api/runs/abcd", 404), ("/api/incidents/abcd", 404), ("/api/standing/well", 404),
        ("/api/standing/all?after=x", 400), ("/api/standing/all?limit=0", 400), ("/api/standing/all?limit=x", 400),
        ("/api/nothing", 404), ("/docs", 404), ("/redoc", 404),
    ):  # fmt: skip
        answer = web.ask(path, headers={"Accept-Language": "fr, en;q=0.4, vi;q=0.9"})
        assert answer.status_code == status, path
        assert set(answer.json()) == {"error"}
        assert answer.headers["content-language"] == "vi"
    assert (
        "no standing" in web.ask("/api/standing/well", headers={"Accept-Language": "en"}).json()["error"]["message"]
    )
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert web.ask("/api/runs", method=method).status_code == 405


def test_only_this_machine_by_its_own_names(web: Web, room: Room) -> None:
    """A page in a browser that lets its own name lead to 127.0.0.1 reads nothing."""
    for host in ("127.0.0.1", "127.0.0.1:4280", "localhost:1", "LOCALHOST", "[::1]:4280", "127.8.8.8"):
        assert web.ask("/healthz", host=host).status_code == 200, host
    for host in (
        "evil.example",
        "evil.example:4280",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "10.0.0.1",
        "0.0.0.0",
    ):
        assert web.ask("/api/standing", host=host).status_code == 421, host
    (room.folder / "vankho.toml").write_text(
        (room.folder / "vankho.toml").read_text() + '[web]\nhosts = ["vankho.lib.vn"]\n'
    )
    assert web.ask("/healthz", host="vankho.lib.vn").status_code == 200
    assert web.ask("/healthz", host="evil.example").status_code == 421


def test_a_token_is_asked_for_everywhere_but_of_healthz(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VANKHO_WEB__TOKEN", TOKEN)
    shown = f"Bearer {TOKEN}".encode()
    for web in (Web(room.folder), Web(room.folder, local=False)):
        assert web.ask("/healthz").status_code == 200
        for path in ADDRESSES[:-2]:
            refused = web.ask(path)
            assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
            assert TOKEN not in refused.text
        for wrong in (b"Bearer x", b"Basic " + TOKEN.encode(), b"Bearer", TOKEN.encode(), shown + b"x", shown[:-1]):
            assert web.ask("/api/runs", headers={b"Authorization": wrong}).status_code == 401, wrong  # type: ignore[dict-item]
        assert web.ask("/api/runs", headers={b"Authorization": shown}).status_code == 200  # type: ignore[dict-item]
    assert Web(room.folder, local=False).ask("/healthz", host="evil.example").status_code == 200


def test_without_a_token_other_machines_get_nothing(room: Room) -> None:
    """Should the token vanish from the settings while the server listens to others."""
    assert Web(room.folder, local=False).ask("/api/runs").status_code == 401


def _digests(folder: Path) -> dict[str, str]:
    files = [
        file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith(("-shm", "-wal"))
    ]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_nothing_is_changed_whatever_is_asked(full: Room) -> None:
    """Not the catalog, not a report, not even a judgement; and the database itself would refuse it."""
    before = _digests(full.folder)
    web = Web(full.folder)
    for path in ADDRESSES:
        assert web.ask(path).status_code in (200, 503), path
    assert _digests(full.folder) == before
    with pytest.raises(CatalogError):
        web.looking.workspace().catalog.judge_some(now=full.clock()) or web.looking.workspace().catalog.record([])
        circuits.close(web.looking.workspace().catalog.database, "c")


def _unready(web: Web) -> dict[str, Any]:
    answer = web.ask("/readyz", headers={"Accept-Language": "en"})
    said = answer.json()
    assert (answer.status_code == 200) == said["ready"]
    assert said["ready"] == all(each["ready"] for each in said["checks"])
    return {each["check"]: each["message"] for each in said["checks"] if not each["ready"]}


def test_readiness_is_the_truth(room: Room, web: Web) -> None:
    """Each thing that can be wrong is named, and the process that serves lives all the while."""
    toml, catalog = room.folder / "vankho.toml", room.folder / "catalog.db"
    text = toml.read_text()
    assert _unready(web) == {}

    toml.write_text(text + "[stores.d]\nkind = 'tape'\n")
    assert list(_unready(web)) == ["settings"]
    toml.write_text(text)

    with room.open() as workspace:
        for _ in range(9):
            told = {"code": "store-unavailable", "reason": {"text": "x"}, "limit": 3}
            circuits.failed(workspace.catalog.database, "b", now=workspace.clock(), **told)
    assert "Store b could not be used since" in _unready(web)["store"]
    with room.open() as workspace:
        circuits.close(workspace.catalog.database, "b")
    assert _unready(web) == {}

    (room.folder / "policies/default.yaml").write_text("extends: default\nrepair: {mode: sometimes}\n")
    assert "policies" in _unready(web)
    (room.folder / "policies/default.yaml").unlink()

    for file in room.folder.glob("catalog.db*"):
        file.rename(file.with_name(f"away-{file.name}"))
    assert list(_unready(web)) == ["catalog"]
    assert web.ask("/healthz").json() == {"alive": True}
    assert "vankho_catalog_answers 0.0" in web.ask("/metrics").text
    assert "vankho_aips" not in web.ask("/metrics").text
    assert web.ask("/api/standing").status_code == web.ask("/api/aips/abcd").status_code == 503
    assert not catalog.exists(), "a look makes no catalog"

    for file in room.folder.glob("away-catalog.db*"):
        file.rename(file.with_name(file.name.removeprefix("away-")))
    web.looking._failed = None  # the rest after a failure
    assert _unready(web) == {}


def test_tables_of_an_older_release_are_not_read(room: Room, web: Web) -> None:
    with room.open() as workspace, workspace.catalog.database.writing() as connection:
        connection.exec_driver_sql("UPDATE vankho_schema SET version_num = '0001'")
    assert "older release" in _unready(web)["catalog"]


def test_a_catalog_that_was_made_again_is_the_one_looked_at(room: Room, web: Web, tmp_path: Path) -> None:
    assert web.json("/api/standing")["aips"] == 1
    other = plain_room(tmp_path / "other")
    with other.open() as workspace:
        safe(workspace)
    (other.folder / "catalog.db").replace(room.folder / "catalog.db")
    assert web.json("/api/standing")["aips"] == 2


def test_no_answer_holds_a_secret(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the address of the catalog, with its password, is what is wrong."""
    (room.folder / "vankho.toml").write_text(
        '[catalog]\nurl = "postgresql://vankho:mat-khau-9@127.0.0.1:1/x"\n[stores.s]\nkind = "s3"\nbucket = "b"\n'
        'access_key_id = "AKIAVANKHO"\nsecret_access_key = "khoa-rat-bi-mat"\n'
        '[notices.channels.mail]\nurl = "mailto://u:thu-mat-khau@example.org"\n'
    )
    web = Web(room.folder)
    for path in (*ADDRESSES, "/api/aips/abcd", "/api/runs/abcd"):
        text = web.ask(path).text
        assert not [word for word in ("mat-khau", "bi-mat", "AKIA") if word in text], path


def test_many_who_ask_at_once_cost_one_look() -> None:
    made, ready = [], threading.Barrier(8)
    kept = Kept(lambda: 0.0)

    def make() -> int:
        made.append(1)
        return 7

    def ask(into: list[int]) -> None:
        ready.wait()
        into.append(kept.get("x", 5, make))

    got: list[int] = []
    threads = [threading.Thread(target=ask, args=(got,)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(made), got) == (1, [7] * 8)


def test_failures_are_kept_for_a_while_too() -> None:
    now, made = [0.0], []
    kept = Kept(lambda: now[0])

    def make() -> int:
        made.append(1)
        raise CatalogError(_say("x"))

    for _ in range(3):
        with pytest.raises(CatalogError):
            kept.get("x", 5, make)
    assert len(made) == 1
    now[0] = 5.0
    assert kept.get("x", 5, lambda: 3) == 3


def _say(text: str) -> Any:
    from wording import Message

    return Message(text)


def test_openapi_is_whole_and_needs_no_other_machine(web: Web) -> None:
    told = web.json("/openapi.json")
    assert set(told["paths"]) >= {path for path in ADDRESSES if path != "/openapi.json"} - {"/api/standing/all"}
    assert all(set(each) == {"get"} and each["get"]["description"] for each in told["paths"].values())
    assert "http" not in json.dumps(told["paths"])


def test_a_look_at_what_is_no_workspace_is_refused(tmp_path: Path) -> None:
    from preservation.errors import PolicyError

    with pytest.raises(PolicyError):
        Looking(tmp_path).settings()


def test_judgements_that_are_wanting_are_told_and_not_made(room: Room, web: Web) -> None:
    """Rules that changed: what is to be judged again is under no standing until somebody who may write does it."""
    (room.folder / "policies").mkdir(exist_ok=True)
    (room.folder / "policies/default.yaml").write_text("extends: default\nreplication: {copies: 2, floor: 2}\n")
    said = web.json("/api/standing")
    assert (said["unjudged"], said["standing"]["safe"]["versions"]) == (1, 0)
    assert "vankho_unjudged_versions 1.0" in web.ask("/metrics").text
    with open_workspace(room.folder) as workspace:
        while workspace.catalog.judge_some(now=workspace.clock()):
            pass
    assert web.json("/api/standing")["standing"]["safe"]["versions"] == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_not_listened_to_without_a_token(room: Room, here: Callable[..., Ran], host: str) -> None:  # noqa: F811
    """Refused before anything is answered, with what to do; a token that is too short is none."""
    refused = here("serve", "-w", room.folder, "--host", host, "--port", "0", "--json")
    assert (refused.code, "VANKHO_WEB__TOKEN" in refused.error["next_step"]) == (2, True)
    (room.folder / "vankho.toml").write_text((room.folder / "vankho.toml").read_text() + '[web]\ntoken = "short"\n')
    assert "at least 16 characters" in here("serve", "-w", room.folder, "--json").error["message"]


def test_a_port_that_is_taken_is_told(room: Room, here: Callable[..., Ran]) -> None:  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = here("serve", "-w", room.folder, "--port", str(taken.getsockname()[1]), "--json")
    assert (refused.code, "port" in refused.error["message"]) == (2, True)


@pytest.mark.live
def test_postgresql_itself_refuses_to_be_written(postgres: Server, tmp_path: Path) -> None:  # noqa: F811
    with postgres.database() as name:
        room = Room(tmp_path / "w").settle(f'[catalog]\nurl = "{postgres.address(name)}"\n')
        with room.open() as workspace:
            safe(workspace)
        web = Web(room.folder)
        assert web.json("/api/standing")["aips"] == 1
        assert web.ask("/metrics").status_code == web.ask("/readyz").status_code == 200
        with pytest.raises(CatalogError):
            circuits.close(web.looking.workspace().catalog.database, "c")
        web.looking.close()


def test_no_answer_is_held_back_by_the_system() -> None:
    with (
        _listening("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as taken,
    ):
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
