"""What deploy/ carries: every command in it exists, units and manifests are well formed, and prefect.yaml is what the
policies ask for.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from apps.cli.parts import build
from flows.running.schedules import wanted
from flows.workspace import open_workspace
from tests.cli.commands import vankho

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text("utf-8")
KUBERNETES = yaml.safe_load((DEPLOY / "kubernetes/vankho.yaml").read_text("utf-8"))["items"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNITS = sorted((DEPLOY / "systemd").iterdir())
LEFT_OUT = "…"


def refused(line: str) -> str | None:
    """Why `vankho LINE` is no command as the program has it: its words, its options; None when it is one."""
    command: Any = typer.main.get_command(build())
    words = shlex.split(line.replace(LEFT_OUT, "X"))
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"{line}: no {words[0]}"
        command = command.commands[words.pop(0)]
    known = {name: each for each in command.params for name in each.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"{line}: no {unknown}" if unknown else None


def in_code(text: str) -> Iterator[str]:
    for block, span in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
        yield from re.findall(r"^vankho ([a-z].*)$", block, re.MULTILINE) if block else ()
        yield from re.findall(r"^vankho ([a-z].*)$", span)


@pytest.mark.parametrize("page", [DEPLOY / "RUNBOOK.md", ROOT / "docs/sysadmins/several-machines.md"], ids=str)
def test_every_command_of_the_page_exists(page: Path) -> None:
    found = list(in_code(page.read_text("utf-8")))
    assert len(found) > 2
    assert [why for line in found if (why := refused(line))] == []


def test_links_and_files_of_the_runbook_are_there() -> None:
    links = re.findall(r"\]\((?!#)([^)#\s]+)", RUNBOOK)
    assert [link for link in links if not (DEPLOY / link).exists()] == []
    units = set(re.findall(r"vankho-[a-z]+(?:@1?)?\.(?:service|timer)", RUNBOOK))
    assert {unit.replace("@1", "@") for unit in units} <= {unit.name for unit in UNITS}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units(unit: Path) -> None:
    text = unit.read_text("utf-8")
    for line in re.findall(r"^ExecStart=\S*/vankho (.*)$", text, re.MULTILINE):
        assert refused(line) is None
        for wanted_line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "User=vankho", "StateDirectory=vankho"):
            assert wanted_line in text
    if unit.suffix == ".timer":
        assert unit.with_suffix(".service") in UNITS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S*/vankho", "ExecStart=/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text, "utf-8")
    seen = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert (seen.returncode, seen.stderr) == (0, "")


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for each in KUBERNETES:
        spec = each.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template:
            yield each["metadata"]["name"], template["spec"]


def test_kubernetes_runs_nobody_as_root_and_every_command_exists() -> None:
    """Field names and types were held against the API's schema of 1.30, strictly, when this was written."""
    assert {each["kind"] for each in KUBERNETES} >= {"Namespace", "Deployment", "CronJob", "NetworkPolicy"}
    claims = {each["metadata"]["name"] for each in KUBERNETES if each["kind"] == "PersistentVolumeClaim"}
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert {
            v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        } <= claims
        for container in pod["containers"]:
            held = container["securityContext"]
            assert held["readOnlyRootFilesystem"], name
            assert held["capabilities"] == {"drop": ["ALL"]}
            assert "command" in container or refused(shlex.join(container["args"])) is None
            assert {mount["name"] for mount in container["volumeMounts"]} <= {v["name"] for v in pod["volumes"]}


def test_kubernetes_runs_what_compose_runs_and_its_ports_meet() -> None:
    """Services lead to pods that listen there, probes ask ports that are open, and no other port is let in."""
    found = dict(pods())
    assert set(found) == set(COMPOSE["services"]) - {"postgres"}
    open_ports = {
        name: {port["name"]: port["containerPort"] for each in pod["containers"] for port in each.get("ports", ())}
        for name, pod in found.items()
    }
    for each in KUBERNETES:
        if each["kind"] == "Service":
            behind = open_ports[each["spec"]["selector"]["app"]]
            assert {port["targetPort"]: port["port"] for port in each["spec"]["ports"]} == behind
        if each["kind"] == "Deployment":
            labels = each["spec"]["template"]["metadata"]["labels"]
            assert each["spec"]["selector"]["matchLabels"] == {"app": labels["app"]}
            assert labels == {"app": each["metadata"]["name"], "of": "vankho"}
    for name, pod in found.items():
        for container in pod["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container.get(probe, {}).get("httpGet", {"port": ""})["port"] in {"", *open_ports[name]}
            assert "/readyz" not in str(container), "a store that is away would hide the metrics that say so"
            words = [str(word) for word in (*container.get("command", ()), *container.get("args", ()))]
            assert all(str(port) in words for port in open_ports[name].values()), name
    walls = next(each["spec"] for each in KUBERNETES if each["kind"] == "NetworkPolicy")
    let_in = {port["port"] for rule in walls["ingress"] for port in rule["ports"]}
    assert let_in == {port for ports in open_ports.values() for port in ports.values()}


def test_compose_runs_nobody_as_root_and_every_command_exists() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"]
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if name != "postgres":
            assert (service["read_only"], service["user"]) == (True, "10001:10001")
        if "entrypoint" not in service and name != "postgres":
            assert refused(shlex.join(service["command"])) is None
        for line in re.findall(r"vankho ([a-z ]+);", str(service.get("entrypoint"))):
            assert refused(line.removesuffix(" ")) is None


def test_images_name_no_registry() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += [container["image"] for _, pod in pods() for container in pod["containers"]]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert [image for image in images if "/" in image] == []


def test_prefect_yaml_is_what_the_default_policy_asks_for(tmp_path: Path) -> None:
    assert vankho("init", tmp_path / "vankho").code == 0
    said = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    with open_workspace(tmp_path / "vankho") as workspace:
        asked = {each.name: each for each in wanted(workspace)}
        here = str(workspace.folder)
    assert {each["name"] for each in said} == set(asked)
    for each in said:
        want = asked[each["name"]]
        assert each["entrypoint"] == f"flows.running.prefect_runs.{want.flow}_flow"
        assert [(line["cron"], line["timezone"]) for line in each["schedules"]] == [
            (line.cron, line.time_zone) for line in want.lines
        ]
        assert {tag.replace("/srv/vankho", here) for tag in each["tags"]} == want.tags
        assert {**each["parameters"], "workspace": here} == dict(want.parameters)
        assert each.get("concurrency_limit", {}).get("limit") == want.at_once
        assert (each["version"], each["work_pool"]["name"]) == (want.version, want.pool)
