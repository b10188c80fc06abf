"""One package with every awkward name that stores can hold: through ingest, real S3 servers and restore, byte for byte."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from storage_adapters.settings import S3Settings
from tests.cli.commands import settings, vankho
from tests.flows.houses import contents
from tests.hostile.case import folder
from tests.hostile.makers_folders import LEGAL_NAMES
from tests.live.conftest import ceph, ceph_cluster, ministack, ministack_disk  # noqa: F401 - fixtures
from tests.servers.ceph import client

pytestmark = [pytest.mark.live, pytest.mark.timeout(240), pytest.mark.xdist_group("ceph")]

FILES = {f"tập {number}/{name}": name.encode() for number, name in enumerate(LEGAL_NAMES.values())}
FILES |= {name: name.encode() for name in LEGAL_NAMES.values() if name not in (LEGAL_NAMES["255-bytes-vietnamese"],)}


@pytest.mark.parametrize("server", ["ministack", "ceph"])
def test_every_awkward_name_comes_back_byte_for_byte(server: str, request: pytest.FixtureRequest, tmp_path: Path):
    cloud: S3Settings = replace(request.getfixturevalue(server), bucket=f"names-{server}")
    client(cloud).create_bucket(Bucket=cloud.bucket)
    workspace = tmp_path / "kho"
    assert vankho("init", workspace).code == 0
    store = {"kind": "s3", "bucket": cloud.bucket, "endpoint_url": cloud.endpoint_url, "region": "site-cloud"}
    (workspace / "vankho.toml").write_text(settings({"cloud": store}), "utf-8")
    secrets = {
        "VANKHO_STORES__CLOUD__ACCESS_KEY_ID": str(cloud.access_key_id),
        "VANKHO_STORES__CLOUD__SECRET_ACCESS_KEY": str(cloud.secret_access_key),
    }
    (workspace / "policies").mkdir(exist_ok=True)
    alone = "extends: default\nreplication: {copies: 1, floor: 1, separation: {by: [region], min: 1}}\n"
    (workspace / "policies" / "alone.yaml").write_text(alone, "utf-8")
    source = folder(FILES)(tmp_path)
    taken = vankho("ingest", source, "--policy", "alone", "--json", "-w", workspace, env=secrets)
    assert (taken.code, taken.data[0]["outcome"]) == (0, "accepted"), taken
    identifier = taken.data[0]["identifier"]

    keys = {each["Key"] for page in _pages(cloud) for each in page.get("Contents", [])}
    assert {f"aip/{identifier}/v1/data/{name}" for name in FILES} <= keys

    back = vankho("restore", identifier, "--to", tmp_path / "back", "--from", "cloud", "-w", workspace, env=secrets)
    assert back.code == 0, back
    assert contents(tmp_path / "back" / "data") == FILES
    raw = {
        os.fsencode(path.relative_to(tmp_path / "back" / "data")) for path in (tmp_path / "back" / "data").rglob("*")
    }
    assert {name.encode() for name in FILES} <= raw


def _pages(cloud: S3Settings):  # type: ignore[no-untyped-def]
    return client(cloud).get_paginator("list_objects_v2").paginate(Bucket=cloud.bucket)
