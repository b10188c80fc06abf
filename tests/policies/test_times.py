"""Lengths of time and cron lines as a policy writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies.times import has_months_or_years, is_time_zone, parse_interval, wrong_cron_field


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P90D", timedelta(days=90)),
        ("P2W", timedelta(weeks=2)),
        ("PT12H", timedelta(hours=12)),
        ("PT90M", timedelta(minutes=90)),
        ("P1DT6H30M", timedelta(days=1, hours=6, minutes=30)),
        ("P0D", timedelta(0)),
    ],
)
def test_an_interval_is_an_exact_length(text: str, expected: timedelta) -> None:
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "90",
        "90D",
        "P3M",
        "P1Y",
        "P1W2D",
        "P1.5D",
        "-P1D",
        "p1d",
        "P１D",
        "P999999D",
        "P1D\n",
        "PT1S",
        "10%",
    ],
)
def test_what_is_no_exact_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_interval(text)


def test_months_and_years_are_known_as_the_usual_mistake() -> None:
    assert has_months_or_years("P3M")
    assert has_months_or_years("p1y")
    assert not has_months_or_years("PT30M")


@pytest.mark.parametrize("line", ["0 1 * * *", "*/30 * * * *", "0,30 8-17 1-15/2 * 1-5", "59 23 31 12 7"])
def test_cron_lines(line: str) -> None:
    assert wrong_cron_field(line) is None


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("", 0),
        ("1 2 3", 0),
        ("0 1 * * * *", 0),
        ("0  1 * * *", 0),
        ("60 1 * * *", 1),
        ("0 24 * * *", 2),
        ("0 1 0 * *", 3),
        ("0 1 * 13 *", 4),
        ("0 1 * * 8", 5),
        ("5-1 * * * *", 1),
        ("*/0 * * * *", 1),
        ("5/10 * * * *", 1),
        ("1,,2 * * * *", 1),
        ("0 1 * jan *", 4),
        ("@daily", 0),
        ("٣ 1 * * *", 1),
    ],
)
def test_the_wrong_field_of_a_cron_line_is_named(line: str, field: int) -> None:
    assert wrong_cron_field(line) == field


@pytest.mark.parametrize("name", ["Asia/Ho_Chi_Minh", "UTC", "Asia/Bangkok"])
def test_time_zones(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize("name", ["Asia/Hanoi", "", "../../etc/passwd", "/etc/localtime", "Asia"])
def test_what_is_no_time_zone(name: str) -> None:
    assert not is_time_zone(name)
