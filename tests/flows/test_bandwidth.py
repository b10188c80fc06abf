"""What may go to a store and come from it keeps to the settings, in their hours alone."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.auditing.yielding import ingest_runs
from flows.settings import BandwidthSettings
from flows.settings_files import read_settings
from flows.storing.bandwidth import line_of, rate_now
from flows.workspace import open_workspace
from preservation.errors import PolicyError
from storage_adapters.conformance_trial import read_all, sha256


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "held"),
    [
        (None, at(3), True),
        ("07:00-18:00", at(6, 59), False),
        ("07:00-18:00", at(7), True),
        ("07:00-18:00", at(17, 59), True),
        ("07:00-18:00", at(18), False),
        ("22:00-06:00", at(23), True),
        ("22:00-06:00", at(5), True),
        ("22:00-06:00", at(6), False),
        ("22:00-06:00", at(12), False),
    ],
)
def test_the_limit_holds_in_its_hours(hours: str | None, now: datetime, held: bool) -> None:
    settings = BandwidthSettings(upload=5000, hours=hours, time_zone="UTC")
    assert rate_now(settings, 5000, lambda: now) == (5000 if held else None)


def test_the_hours_are_those_of_the_time_zone_named() -> None:
    settings = BandwidthSettings(upload=5000, hours="07:00-18:00", time_zone="Asia/Ho_Chi_Minh")
    assert rate_now(settings, 5000, lambda: at(1)) == 5000  # eight in the morning there
    assert rate_now(settings, 5000, lambda: at(12)) is None


def test_without_a_limit_there_is_no_line() -> None:
    assert line_of(None, lambda: at(0)) is None
    assert line_of(BandwidthSettings(hours="07:00-18:00"), lambda: at(0)) is None


def workspace_with(folder: Path, bandwidth: str) -> Path:
    (folder / "vankho.toml").write_text(
        f'[stores.disk]\nkind = "local"\npath = "disk"\n[stores.disk.bandwidth]\n{bandwidth}'
    )
    return folder


def test_a_store_of_the_workspace_keeps_to_its_bandwidth(tmp_path: Path) -> None:
    data = b"x" * 200_000
    with open_workspace(workspace_with(tmp_path, "upload = 100000\ndownload = 400000\n")) as workspace:
        store = workspace.store("disk")
        began = time.monotonic()
        store.put("a", io.BytesIO(data), size=len(data), sha256=sha256(data))
        assert time.monotonic() - began >= 0.95  # the first second's worth goes at once
        began = time.monotonic()
        with store.open("a") as reader:
            assert read_all(reader) == data
        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    "wrong", ['hours = "7-18"', "upload = 0", 'time_zone = "Asia/Saigon City"', "uplod = 100000", "download = 1.5"]
)
def test_wrong_settings_are_told_by_their_place(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(PolicyError) as error:
        read_settings(workspace_with(tmp_path, wrong))
    assert f"stores.disk.bandwidth.{wrong.partition(' ')[0]}" in str(error.value.where)
    assert "upload" in str(error.value.expected)


def test_an_audit_sees_that_an_ingest_runs_and_that_it_ended(tmp_path: Path) -> None:
    watch = [0.0]
    with open_workspace(workspace_with(tmp_path, "upload = 100000")) as workspace:
        busy = ingest_runs(workspace, watch=lambda: watch[0])
        assert not busy()
        with workspace.lease("content 0123"), workspace.lease("copies x/v1"):
            assert not busy()  # looked a moment ago
            watch[0] += 6
            assert busy()
        watch[0] += 6
        with workspace.lease("copies x/v1"):
            assert not busy()
