"""For every alert, series on which it fires and series on which it keeps still; promtool plays them."""

from __future__ import annotations

from typing import Any

UP = ['up{job="vankho", instance="i"}', 'vankho_build_info{job="vankho", instance="i"}']
NOW = 60  # minutes after which it is asked

# name: (series on which it fires, series on which it does not, minutes to wait before it may not have fired yet)
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "VankhoNotAnswering": ({UP[0]: "0x90"}, {UP[0]: "1x90"}),
    "VankhoCatalogNotAnswering": ({"vankho_catalog_answers": "1 0x90"}, {"vankho_catalog_answers": "1x58 0 1x90"}),
    "VankhoDamageFound": (
        {'vankho_incidents_open{kind="damage", acknowledged="no"}': "0x59 1x30"},
        {
            'vankho_incidents_open{kind="damage", acknowledged="yes"}': "3x90",
            'vankho_incidents_open{kind="damage", acknowledged="no"}': "1x50 0x40",
        },
    ),
    "VankhoCopiesUnreadable": (
        {'vankho_incidents_open{kind="unreadable", acknowledged="no"}': "1x90"},
        {'vankho_incidents_open{kind="unreadable", acknowledged="no"}': "0x10 1x90"},
    ),
    "VankhoCopiesOverdue": (
        {'vankho_copies_overdue{store="a", evidence="bytes"}': "2x90"},
        {'vankho_copies_overdue{store="a", evidence="bytes"}': "0x90"},
    ),
    "VankhoAuditorSilent": (
        {'vankho_audit_missed_seconds{policy="default"}': "0x59 7201x30"},
        {'vankho_audit_missed_seconds{policy="default"}': "9000x59 0x30"},
    ),
    "VankhoStoreAway": (
        {'vankho_store_away{store="a"}': "0x40 1x50"},
        {'vankho_store_away{store="a"}': "0x50 1x50", 'vankho_store_away{store="b"}': "0x90"},
    ),
    "VankhoLagOverTarget": (
        {'vankho_lag_seconds{store="a"}': "90000x90", 'vankho_lag_target_seconds{store="a"}': "86400x90"},
        {
            'vankho_lag_seconds{store="a"}': "80000x90",
            'vankho_lag_target_seconds{store="a"}': "86400x90",
            'vankho_lag_seconds{store="b"}': "90000x90",
            'vankho_lag_target_seconds{store="b"}': "99999x90",
        },
    ),
    "VankhoRunFailed": (
        {'vankho_last_run{flow="audit", word="broken-off"}': "1x90"},
        {
            'vankho_last_run{flow="audit", word="failed"}': "0x90",
            'vankho_last_run{flow="audit", word="found"}': "1x90",
            'vankho_last_run{flow="ingest", word="running"}': "1x90",
        },
    ),
    "VankhoNoticesFailing": (
        {'vankho_notices_failing{channel="mail"}': "1x90"},
        {'vankho_notices_failing{channel="mail"}': "1x20 0x90"},
    ),
    "VankhoDiskNearlyFull": (
        {"vankho_workspace_free_bytes": "9x90", "vankho_workspace_size_bytes": "100x90"},
        {"vankho_workspace_free_bytes": "11x90", "vankho_workspace_size_bytes": "100x90"},
    ),
    "VankhoDiskFull": (
        {"vankho_workspace_free_bytes": "11x57 1x9", "vankho_workspace_size_bytes": "100x90"},
        {"vankho_workspace_free_bytes": "11x90", "vankho_workspace_size_bytes": "100x90"},
    ),
    "VankhoPolicyWrong": ({"vankho_policies_unsound": "1x90"}, {"vankho_policies_unsound": "0x50 1x40"}),
    "VankhoClockWrong": (
        {'vankho_incidents_open{kind="clock-wrong", acknowledged="no"}': "1x90"},
        {'vankho_incidents_open{kind="clock-wrong", acknowledged="yes"}': "1x90"},
    ),
    # promtool's clock begins at 0, so that an age is given as a time before it
    "VankhoSignaturesOld": (
        {"vankho_signatures_timestamp_seconds": f"-{549 * 86400}x90"},
        {"vankho_signatures_timestamp_seconds": f"-{540 * 86400}x90"},
    ),
}


def as_promtool(rules: str) -> dict[str, Any]:
    """The document for `promtool test rules`: exactly the alert of each case fires, and no other."""
    tests = []
    for name, (fires, still) in CASES.items():
        for series, expected in ((fires, {name}), (still, set())):
            tests.append(_test(series, expected))
    return {"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}


def _test(series: dict[str, str], expected: set[str]) -> dict[str, Any]:
    given = {UP[0]: "1x90", UP[1]: "1x90", **series}
    return {
        "interval": "1m",
        "input_series": [{"series": _whole(name), "values": values} for name, values in given.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{NOW}m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)],
            }
        ],
    }


def _whole(name: str) -> str:
    """With the labels that every scraped series has."""
    if 'instance="' in name:
        return name
    metric, _, labels = name.partition("{")
    return f'{metric}{{job="vankho", instance="i"{", " + labels[:-1] if labels else ""}}}'
