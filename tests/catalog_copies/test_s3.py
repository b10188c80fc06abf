"""From a bucket alone, on a provider that promises little: an old name in the store, a catalog and a workspace gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.audit import audit
from flows.ingest import ingest_batch
from flows.outcomes import Verdict
from flows.rebuilding.catalog_copies import rebuild
from flows.running.run import carry_out
from preservation.formats.identify import Identifier
from storage_adapters.settings import S3Settings
from tests.catalog_copies.losses import lose, same_but_the_last, told
from tests.flows.houses import House, package
from tests.live.conftest import rclone  # noqa: F401 - a fixture

pytestmark = pytest.mark.live


def test_one_bucket_gives_the_catalog_back(rclone: S3Settings, tmp_path: Path, identifier: Identifier) -> None:  # noqa: F811
    """The store is opened without a catalog; what it can do is probed anew by the first run that needs it."""
    bucket = {
        "kind": "s3",
        "bucket": rclone.bucket,
        "endpoint_url": rclone.endpoint_url,
        "access_key_id": rclone.access_key_id,
        "secret_access_key": rclone.secret_access_key,
    }
    house = House(tmp_path / "house", {"s": bucket}, identifier=identifier).settle()
    house.policy(
        "default", "extends: default\nreplication:\n  copies: 1\n  floor: 1\n  separation: {by: [region], min: 1}\n"
    )
    sources = [str(package(tmp_path / "Truyện Kiều")), str(package(tmp_path / "khác", {"a.txt": b"a"}))]
    with house.open() as workspace:
        assert {each.word for each in carry_out(workspace, ingest_batch, sources=sources)} == {"accepted"}
        before = told(workspace)
    lose(house)
    with house.open() as workspace:
        done = rebuild(workspace, source="s")
        assert (done.outcome, done.verdict, done.policies) == ("made-anew", Verdict.WELL, ("default",))
        assert same_but_the_last(told(workspace), before) == ["recovery"]
        assert {each.word for each in carry_out(workspace, audit, references=[])} == {"intact"}
        assert workspace.notices == []
