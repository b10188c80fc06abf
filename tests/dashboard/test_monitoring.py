"""deploy/monitoring against a real Prometheus: rules, dashboard and metrics name the same things, and alarms come."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.dashboard.app import build
from apps.dashboard.metrics import BUILD, BUILD_LABELS, METRICS, OWN
from flows.looking import Looking
from tests.cli.commands import PROGRAM, environment
from tests.conftest import cannot_run
from tests.dashboard.alert_cases import CASES, as_promtool
from tests.dashboard.web import Web, full_room
from tests.servers.processes import dying_with_us, free_port, running, wait_until
from tests.watching.rooms import Room

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
NAMED = re.compile(r"\bvankho_[a-z_]+")
NAMES = {each.name for each in METRICS} | set(OWN)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return full_room(tmp_path_factory.mktemp("full") / "w")


def _promtool(*words: object, given: str | None = None) -> None:
    program = shutil.which("promtool")
    if program is None:
        cannot_run("promtool is not installed (Debian: apt-get install prometheus)")
        return
    done = subprocess.run([program, *map(str, words)], input=given, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _rules() -> list[dict[str, Any]]:
    return yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]


def _panels() -> list[dict[str, Any]]:
    return json.loads((MONITORING / "grafana/vankho.json").read_text("utf-8"))["panels"]


def test_prometheus_takes_the_example_and_the_rules() -> None:
    _promtool("check", "rules", MONITORING / "alerts.yml")
    _promtool("check", "config", MONITORING / "prometheus.yml")


def test_every_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    assert {rule["alert"] for rule in _rules()} == set(CASES)
    played = tmp_path / "played.yml"
    played.write_text(yaml.safe_dump(as_promtool(str(MONITORING / "alerts.yml"))), "utf-8")
    _promtool("test", "rules", played)


def test_every_alert_says_who_acts_and_how_in_both_languages() -> None:
    for rule in _rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["labels"]["role"] in ("officer", "sysadmin")
        assert set(rule["annotations"]) == {"summary_vi", "summary_en", "next_step_vi", "next_step_en"}


def test_the_metrics_are_as_prometheus_would_have_them(full: Room) -> None:
    """And of a workspace in which there is something of everything, each has a sample."""
    page = Web(full.folder).ask("/metrics").text
    _promtool("check", "metrics", given=page)
    samples = {re.split(r"[{ ]", line)[0] for line in page.splitlines() if not line.startswith("#")}
    assert {name for name in samples if name.startswith("vankho_")} == NAMES
    assert 'vankho_standing_versions{standing="damaged"} 1.0' in page
    assert 'vankho_store_stuck{reason="unreachable",store="c"} 1.0' in page
    assert 'vankho_audit_held_back_copies{evidence="bytes",policy="default",reason="budget",store="a"} 2.0' in page
    assert 'vankho_notices_failing{channel="mail"} 1.0' in page
    assert 'vankho_deliveries_waiting{place="/srv/giao nộp"} 1.0' in page
    assert "/not/mounted" not in page, "how many wait in a place that is away is not known"


def test_rules_and_dashboard_name_only_what_is_there() -> None:
    for file in ("alerts.yml", "grafana/vankho.json"):
        assert set(NAMED.findall((MONITORING / file).read_text("utf-8"))) <= NAMES
    drawn = set(NAMED.findall(json.dumps(_panels())))
    assert drawn == NAMES, "what is measured can be seen"


def test_the_reference_has_every_metric_and_address() -> None:
    """With the same labels, and no other."""
    page = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(vankho_[a-z_]+)` \| (.*?) \|", page, re.MULTILINE))
    assert {name: re.findall(r"`(\w+)`", labels) for name, labels in rows.items()} == {
        **{each.name: list(each.labels) for each in METRICS},
        **{name: list(BUILD_LABELS) if name == BUILD else [] for name in OWN},
    }
    api = (ROOT / "docs/reference/api.md").read_text("utf-8")
    told = set(build(Looking(ROOT)).openapi()["paths"]) | {"/openapi.json"}
    assert set(re.findall(r"^\| `(/[^`?]*)", api, re.MULTILINE)) == told
    alerts = (ROOT / "docs/sysadmins/monitoring.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(Vankho\w+)`", alerts, re.MULTILINE)) == set(CASES)


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    """Panels in a grid of 24 that do not cover each other, each with its data from the one variable."""
    document = json.loads((MONITORING / "grafana/vankho.json").read_text("utf-8"))
    assert document["schemaVersion"] >= 39
    assert document["templating"]["list"][0]["type"] == "datasource"
    cells: dict[tuple[int, int], int] = {}
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert cells.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A real `vankho serve` at a free port; gives its address, and sees it end well."""
    words = [str(PROGRAM), "serve", "-w", str(folder), "--port", "0", "--json"]
    with subprocess.Popen(
        dying_with_us(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment()
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert line, "it ended at once"
            yield json.loads(line)["address"]
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert json.loads(out) == {"workspace": str(folder)}


def _get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
            return True
    except OSError:
        return False


def _configured(folder: Path, target: str) -> Path:
    """The example, with this target, and quick."""
    example = (MONITORING / "prometheus.yml").read_text("utf-8")
    assert "127.0.0.1:4280" in example
    text = example.replace("127.0.0.1:4280", target).replace(": 30s", ": 1s")
    (folder / "prometheus.yml").write_text(text, "utf-8")
    shutil.copy(MONITORING / "alerts.yml", folder)
    return folder / "prometheus.yml"


@pytest.mark.live
def test_an_alarm_comes_seconds_after_damage_was_seen(full: Room, tmp_path: Path) -> None:
    """Through a real server and a real Prometheus; and every question of the dashboard has an answer there."""
    program = shutil.which("prometheus")
    if program is None:
        cannot_run("Prometheus is not installed (Debian: apt-get install prometheus)")
        return
    port = free_port()
    with served(full.folder) as address:
        config = _configured(tmp_path, address.removeprefix("http://"))
        words = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
        words += [f"--storage.tsdb.path={tmp_path / 'data'}", "--log.level=warn"]
        with running(words, port=port, log=tmp_path / "prometheus.log"):
            api = f"http://127.0.0.1:{port}/api/v1"

            def firing() -> dict[str, dict[str, Any]]:
                found = _get(f"{api}/alerts")["data"]["alerts"]
                return {each["labels"]["alertname"]: each for each in found if each["state"] == "firing"}

            wait_until(lambda: _is_ready(port), seconds=30, what="Prometheus", log=tmp_path / "prometheus.log")
            wait_until(lambda: "VankhoDamageFound" in firing(), seconds=30, what="the alert")
            said = firing()["VankhoDamageFound"]["annotations"]
            assert said["summary_en"] == "1 copies are damaged and nobody has acknowledged it."
            assert "Vankho" not in str(said).replace("vankho", "") and "error" not in str(said)
            _ask_all(api)


def _ask_all(api: str) -> None:
    for panel in _panels():
        for target in panel.get("targets", ()):
            asked = target["expr"].replace("$job", ".*").replace("$instance", ".*")
            address = f"{api}/query?{urllib.parse.urlencode({'query': asked})}"
            for _ in range(20):  # what grows needs two scrapes before it can be told
                answer = _get(address)
                assert answer["status"] == "success"
                if answer["data"]["result"]:
                    break
                time.sleep(0.5)
            assert answer["data"]["result"], asked
