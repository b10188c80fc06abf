"""The harness sees when the product is broken: each break is a thing that storage software really does wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

import flows.copies
import flows.ingest
from preservation.replicas import judge, report, verify
from storage_adapters.errors import ObjectExists, StorageError, StorageUnavailable
from storage_adapters.s3 import S3Store
from storage_adapters.s3_reading import OpenedBody
from tests.faults import driver
from tests.faults.driver import played
from tests.faults.promises import Broken
from tests.faults.stage import Ground, Scenario
from tests.servers.fault_proxy import Rule

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
B = "run-*-b"


def ever(kind: str, on: str = "*", key: str = "aip/*", **more) -> Rule:
    return Rule(kind, on=on, key=key, bucket=B, times=None, **more)


def seen_by(made: Ground, flow: str, *rules: Rule, match: str, ends: str = "either") -> None:
    with pytest.raises(Broken, match=match):
        played(made, Scenario(f"{flow}, broken", flow, rules, ends=ends))


def test_an_error_that_is_swallowed_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    put = S3Store.put

    def swallowing(self, key, source, *, size, sha256) -> None:
        try:
            put(self, key, source, size=size, sha256=sha256)
        except ObjectExists:
            raise
        except StorageError:
            return

    monkeypatch.setattr(S3Store, "put", swallowing)
    seen_by(made, "ingest", ever("507-full", "put", "*Trang 0001.txt"), match="called damage")


def test_a_cut_that_is_taken_for_the_end_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    read = OpenedBody.read

    def ending(self, size: int = -1, /) -> bytes:
        try:
            return read(self, size)
        except StorageUnavailable:
            return b""

    monkeypatch.setattr(OpenedBody, "read", ending)
    monkeypatch.setattr(judge, "FULL_READS", 3)
    seen_by(
        made,
        "audit",
        ever("reset-in-answer", "get", "*Trang 0002.txt"),
        match="called damage|failed, and no store|was to end",
        ends="well",
    )


def test_proof_without_reading_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify, "judge", lambda fact, *_a, **_k: report.intact(fact, bytes_read=fact.size))
    put = S3Store.put

    def truncating(self, key, source, *, size, sha256) -> None:
        with suppress(StorageError):
            put(self, key, source, size=size, sha256=sha256)

    monkeypatch.setattr(S3Store, "put", truncating)
    seen_by(
        made, "ingest", ever("507-full", "put", "*Trang 0001.txt"), match="proved in b, but it holds|called damage"
    )


def test_an_upload_that_is_not_aborted_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(S3Store, "_abort", lambda *_: None)
    monkeypatch.setattr(S3Store, "drop_unfinished", lambda *_a, **_k: 0)
    seen_by(made, "ingest", Rule("500", on="complete", bucket=B, times=1), match="unfinished uploads are left")


def test_trying_for_ever_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(driver, "DEADLINE", 8.0)
    stopped = []

    def for_ever(_name, work, /, *args, **kwargs):
        while not stopped:
            with suppress(StorageUnavailable):
                return work(*args, **kwargs)
        return work(*args, **kwargs)

    monkeypatch.setattr(
        flows.ingest.ingest, "__kwdefaults__", {**flows.ingest.ingest.__kwdefaults__, "step": for_ever}
    )
    try:
        seen_by(made, "ingest", ever("503-slow-down", "put"), match="did not end")
    finally:
        stopped.append(True)


def test_calling_a_broken_line_damage_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    def damaged(fact, _error):
        return report.altered(fact, expected=fact.sha256, seen="nothing")

    monkeypatch.setattr(judge.report, "unreadable", damaged)
    seen_by(made, "audit", ever("reset-in-answer", "get", "*Trang 0002.txt"), match="called damage")


def test_letting_go_of_the_bag_too_early_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows.copies, "may_release", lambda *_: True)
    seen_by(made, "ingest", Rule("503-slow-down", times=None), match="the bag went|not well again|repair says")


def test_a_claim_told_twice_is_seen(made: Ground, monkeypatch: pytest.MonkeyPatch):
    record = flows.copies.Workspace.catalog.func

    def twice(self):
        catalog = record(self)
        usual = catalog.record

        def doubled(told, **more):
            usual(told, **more)
            if more.get("claims"):
                usual([replace(each, id=each.id[::-1].replace("-", "0")) for each in told], **more)

        catalog.record = doubled
        return catalog

    monkeypatch.setattr(flows.copies.Workspace.catalog, "func", twice)
    seen_by(made, "ingest", Rule("slow", on="list", bucket=B), match="copies claimed|raised|failed|preparing")
