"""The flows in sight of a real Prefect server: what a person sees there, and what must never be seen there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.ingest import ingest, ingest_batch
from flows.outcomes import Verdict
from flows.repair import repair
from flows.restore import restore
from flows.running.run import answering_server, carry_out
from flows.running.submitting import run_now
from flows.workspace import Workspace
from preservation.errors import PolicyError, PreservationError, UsageError
from preservation.formats.identify import Identifier
from storage_adapters.errors import StorageUnavailable
from tests.flows.houses import House, local_stores, package, proofs
from tests.flows.prefect_server import Server, settings
from tests.servers.processes import free_port, wait_until
from wording import say

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prefect")]
ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-planted-secret-0451"
STEPS = [
    "claim", "receive", "check what was supplied", "identify formats", "decide acceptance", "write the bag",
    "check the bag", "admit", "copy to a", "verify in a", "copy to b", "verify in b", "copy to c", "verify in c",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(prefect: Server) -> Iterator[Server]:
    """The server, and this process told of it before it imports Prefect."""
    told = settings(prefect.home, prefect.url)
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    yield prefect
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def house(tmp_path: Path, identifier: Identifier) -> House:
    return House(tmp_path / "house", local_stores(), identifier=identifier).settle()


def seen(run: dict[str, Any]) -> tuple[str, str, str | None]:
    """Type, name and message of the state that a person reads."""
    return run["state_type"], run["state"]["name"], run["state"]["message"]


def test_an_ingest_is_a_run_with_its_steps(server: Server, house: House, tmp_path: Path):
    with house.open() as workspace:
        assert answering_server(workspace) == server.url
        source = str(package(tmp_path / "Truyện Kiều"))
        done = carry_out(workspace, ingest, source=source)
        assert (done.outcome, proofs(done.replicas)) == ("accepted", dict.fromkeys("abc", "intact"))
    run = server.newest_run()
    assert (run["name"], *seen(run)) == (f"ingest {source}", "COMPLETED", "Completed", "accepted")
    assert run["parameters"] == {
        "workspace": str(house.folder), "source": source, "policy": None, "collection": None
    }  # fmt: skip
    tasks = server.tasks_of(run, len(STEPS))
    assert sorted(task["name"] for task in tasks) == sorted(STEPS)
    assert {task["state_type"] for task in tasks} == {"COMPLETED"}


def test_rejected_is_found_and_not_failed(server: Server, house: House, tmp_path: Path):
    bad = package(tmp_path / "p", **{"md5sums.txt": b"0" * 32 + b"  Trang 0001.txt\n"})
    with house.open() as workspace:
        assert carry_out(workspace, ingest, source=str(bad)).verdict is Verdict.FOUND
    assert seen(server.newest_run()) == ("COMPLETED", "Found", "rejected")


def test_a_store_that_is_off_shows_as_failed(server: Server, house: House, tmp_path: Path):
    house.stores["c"]["path"] = str(tmp_path / "not mounted")
    house.settle()
    with house.open() as workspace:
        done = carry_out(workspace, ingest, source=str(package(tmp_path / "p")))
        assert (done.outcome, done.verdict) == ("accepted", Verdict.FAILED)
        run = server.newest_run()
        assert seen(run) == ("FAILED", "Failed", "accepted; ledger-not-compared: c")
        tasks = {task["name"]: task for task in server.tasks_of(run, len(STEPS) - 1)}
        assert tasks["copy to c"]["state_type"] == "FAILED"
        assert tasks["copy to c"]["run_count"] == 1  # a disk that is not there is not tried again
        answers = carry_out(workspace, audit, references=[], store=None, evidence="bytes")
        assert {each.word for each in answers} == {"intact"}
    assert seen(server.newest_run()) == ("COMPLETED", "Completed", "intact; ledger-not-compared: c")


def test_damage_is_found_and_repaired_in_sight(server: Server, house: House, tmp_path: Path):
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
        page = next(house.store_folder("b").glob("aip/*/v1/data/Trang 0001.txt"))
        page.chmod(0o600)
        page.write_bytes(b"?")
        carry_out(workspace, audit, references=[], store=None, evidence="bytes")
        run = server.newest_run()
        assert (run["name"], *seen(run)) == ("audit bytes", "COMPLETED", "Found", "damaged, intact")
        (done,) = carry_out(workspace, repair, references=[])
        assert done.verdict is Verdict.WELL
        run = server.newest_run()
        assert seen(run) == ("COMPLETED", "Completed", "repaired")
        assert {task["name"] for task in server.tasks_of(run, 3)} == {"audit b", "repair in b", "verify in b"}


def test_only_a_store_that_is_away_is_tried_again(
    server: Server, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from flows.running import prefect_runs

    monkeypatch.setattr(prefect_runs, "RETRY_DELAYS", (0.1, 0.1))
    with house.open() as workspace:
        store = workspace.store("b")
        real, away = store.list, [2]

        def twice_away(prefix: str):
            if away[0] and prefix.startswith("aip/"):
                away[0] -= 1
                raise StorageUnavailable(say("Not now."))
            return real(prefix)

        monkeypatch.setattr(store, "list", twice_away)
        assert carry_out(workspace, ingest, source=str(package(tmp_path / "p"))).verdict is Verdict.WELL
    tasks = {task["name"]: task for task in server.tasks_of(server.newest_run(), len(STEPS))}
    assert {name: task["run_count"] for name, task in tasks.items()} == dict.fromkeys(STEPS, 1) | {"copy to b": 3}
    assert tasks["copy to b"]["state_type"] == "COMPLETED"


def test_what_the_body_raises_comes_out_unchanged(server: Server, house: House, tmp_path: Path):
    with house.open() as workspace:
        with pytest.raises(UsageError, match="no-such-aip"):
            carry_out(workspace, restore, reference="no-such-aip", to=str(tmp_path / "x"))
        assert server.newest_run()["state_type"] == "FAILED"
        with pytest.raises(PolicyError):
            carry_out(workspace, ingest, source=str(tmp_path), policy="no-such-policy")


def test_a_batch_of_sixty_stays_within_thirty_tasks(server: Server, house: House, tmp_path: Path):
    house.stores = {"a": house.stores["a"]}
    house.settle()
    sources = [str(package(tmp_path / f"{number:02}", {"n": b"%d" % number})) for number in range(60)]
    with house.open() as workspace:
        done = carry_out(workspace, ingest_batch, sources=sources)
    assert [each.source for each in done] == sources
    assert {each.outcome for each in done} == {"accepted"}
    run = server.newest_run()
    assert (run["state_type"], run["state"]["message"]) == ("COMPLETED", "accepted")
    assert run["name"] == "ingest 60 packages"
    time.sleep(2)
    tasks = server.tasks_of(run, 20)
    assert 1 < len(tasks) <= 30
    assert all(task["name"].startswith("ingest ") for task in tasks)


def test_a_batch_does_not_wait_for_prefect_and_is_shown_with_its_report(server: Server, house: House, tmp_path: Path):
    """One is rejected: the run says so, carries its tags and its report, and its tasks end."""
    house.stores = {"a": house.stores["a"]}
    house.settle()
    sources = [str(package(tmp_path / name, {"n": name.encode()})) for name in ("một", "hai")]
    (tmp_path / "rỗng").mkdir()
    with house.open() as workspace:
        done = carry_out(workspace, ingest_batch, sources=[*sources, str(tmp_path / "rỗng")])
    assert [each.outcome for each in done] == ["accepted", "accepted", "rejected"]
    run = server.newest_run()
    assert (run["name"], *seen(run)) == ("ingest 3 packages", "COMPLETED", "Found", "accepted, rejected")
    assert any(tag.startswith("process ") for tag in run["tags"]), run["tags"]
    kept = server.ask("/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    assert {each["type"] for each in kept} == {"table", "markdown"}
    assert {task["state_type"] for task in server.tasks_of(run, 3)} == {"COMPLETED"}


def test_how_far_a_long_step_is_stands_on_the_page_in_the_language_of_the_policy(
    server: Server, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from flows.running import artifacts

    monkeypatch.setattr(artifacts, "LONG", 0.0)
    monkeypatch.setattr(artifacts, "BETWEEN_TWO", 0.0)
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
        carry_out(workspace, audit, references=[], store="a", evidence="bytes")
    run = server.newest_run()
    shown = server.ask(
        "/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}, "type": {"any_": ["progress"]}}
    )
    assert {each["description"] for each in shown} == {"đang kiểm tra trong a: 100 %"}


@pytest.mark.parametrize(("raised", "state"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "CRASHED")])
def test_a_batch_that_breaks_off_is_shown_as_over(
    server: Server, house: House, tmp_path: Path, monkeypatch, raised: type[BaseException], state: str
):
    def broken(*_: Any, **__: Any) -> None:
        raise raised("broken off")

    monkeypatch.setattr("flows.ingest.ingest", broken)
    with house.open() as workspace, pytest.raises(raised, match="broken off"):
        carry_out(workspace, ingest_batch, sources=[str(tmp_path / "a"), str(tmp_path / "b")])
    run = server.newest_run()
    assert (run["name"], run["state_type"]) == ("ingest 2 packages", state)
    assert server.tasks_of(run, 1)[0]["state_type"] == state


def test_what_becomes_of_prefect_changes_nothing_of_a_batch(
    server: Server, house: House, tmp_path: Path, monkeypatch
):
    """The run cannot be begun at all: the work is done, and a notice says what is missing."""

    def refused(*_: Any, **__: Any) -> None:
        raise RuntimeError("no run today")

    monkeypatch.setattr("flows.running.prefect_runs.named_after_us", refused)
    sources = [str(package(tmp_path / name, {"n": name.encode()})) for name in "ab"]
    with house.open() as workspace:
        done = carry_out(workspace, ingest_batch, sources=sources)
        notices = [notice.code for notice in workspace.notices]
    assert ([each.outcome for each in done], notices) == (["accepted"] * 2, ["prefect-not-told"])


def test_secrets_are_nowhere_in_what_prefect_keeps(server: Server, house: House, tmp_path: Path):
    """Wrong and right ones alike: not in parameters, states, tracebacks, logs or the database."""
    house.stores["s3"] = {
        "kind": "s3",
        "bucket": "vankho",
        "endpoint_url": f"http://127.0.0.1:{free_port()}",
        "access_key_id": "KEY" + SECRET,
        "secret_access_key": SECRET,
        "connect_timeout": 1,
    }
    house.settle()
    assert SECRET in (house.folder / "vankho.secrets.toml").read_text()
    with house.open() as workspace:
        carry_out(workspace, ingest, source=str(package(tmp_path / "p")))
        assert server.newest_run()["state_type"] == "FAILED"
    time.sleep(2)
    kept = [path for path in server.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in kept)
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
    # And it would be found if it were there: the name of the workspace is.
    assert any(str(house.folder).encode() in path.read_bytes() for path in kept)


def test_a_cron_deployment_really_schedules_runs(server: Server, house: House):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.schedules import CronSchedule

    from flows.running.prefect_runs import audit_flow

    async def deploy() -> str:
        deployment = await audit_flow.to_deployment(
            name="nightly",
            schedules=[CronSchedule(cron="0 1 * * *", timezone="Asia/Ho_Chi_Minh")],
            parameters={"workspace": str(house.folder)},
        )
        async with get_client():
            return str(await deployment.apply())

    deployment = asyncio.run(deploy())

    def scheduled() -> list[dict[str, Any]]:
        runs = server.ask(
            "/flow_runs/filter",
            flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}},
            deployments={"id": {"any_": [deployment]}},
            sort="EXPECTED_START_TIME_ASC",
        )
        return list(runs)

    wait_until(lambda: len(scheduled()) > 1, seconds=90, what="scheduled runs", log=server.home / "server.log")
    times = [run["expected_start_time"] for run in scheduled()]
    assert {each[11:19] for each in times} == {"18:00:00"}, times  # 01:00 in Viet Nam, which has no summer time
    assert len({each[:10] for each in times}) == len(times)
    assert scheduled()[0]["parameters"]["workspace"] == str(house.folder)


WITHOUT = """
import sys, time
from pathlib import Path
from flows.ingest import ingest
from flows.running.run import carry_out
from flows.workspace import open_workspace
with open_workspace(Path(sys.argv[1])) as workspace:
    began = time.monotonic()
    done = carry_out(workspace, ingest, source=sys.argv[2])
    assert done.outcome == "failed", done
    print(time.monotonic() - began, sorted(name for name in sys.modules if name.split(".")[0] == "prefect"))
"""


@pytest.mark.parametrize("address", ["http://127.0.0.1:none/api", "http://127.0.0.1:99999/api", "nonsense"])
def test_an_address_that_is_none_is_no_server(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setenv("PREFECT_API_URL", address)
    assert answering_server(workspace) is None


class Busy(BaseHTTPRequestHandler):
    """A server that needs longer than a moment for its answer."""

    def do_GET(self) -> None:
        time.sleep(2)
        with contextlib.suppress(OSError):  # who asked may be gone
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


def test_a_busy_server_is_waited_for_only_where_nothing_goes_without_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as busy:
        threading.Thread(target=busy.serve_forever, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{busy.server_address[1]}/api")
        assert answering_server(workspace) is None
        with pytest.raises(PreservationError, match="did not take the work"):  # it was heard; it answers nothing else
            run_now(workspace, "replicate")
        busy.shutdown()


def test_without_a_server_nothing_of_prefect_is_imported_and_nothing_waits(house: House, tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env |= {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(house.folder), str(tmp_path / "nothing")],
        env=env,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    waited, modules = done.stdout.split(" ", 1)
    assert modules.strip() == "[]"
    assert float(waited) < 2.0
