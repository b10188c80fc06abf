"""The metrics for Prometheus: each with its name, its labels, what it tells and where it comes from.

Promises: all from one moment's measures; every label takes its values from a list that does not grow with the
collection (stores, grades, words, flows, channels, policies, watched places); what is not known has no sample, never
a 0. When the catalog does not answer, `vankho_catalog_answers` is 0 and nothing else is told of it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from apps.dashboard import samples
from flows.measures import Measures
from preservation.catalog.schema import REVISION

PLACE = ("store", "evidence")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `values` gives (values of the labels, value)."""

    name: str
    labels: tuple[str, ...]
    told: str
    values: samples.Values
    counter: bool = False


METRICS: tuple[Metric, ...] = (
    Metric("vankho_aips", (), "AIPs in the catalog.", samples.one(lambda m: m.overview.summary.aips)),
    Metric(
        "vankho_versions",
        (),
        "AIP versions in the catalog.",
        samples.one(lambda m: m.overview.summary.versions.number),
    ),
    Metric(
        "vankho_files", (), "Payload files of all versions.", samples.one(lambda m: m.overview.summary.versions.items)
    ),
    Metric(
        "vankho_payload_bytes",
        (),
        "Payload of all versions.",
        samples.one(lambda m: m.overview.summary.versions.bytes),
    ),
    Metric("vankho_events_total", (), "Events in the history.", samples.one(lambda m: m.events), counter=True),
    Metric(
        "vankho_standing_versions",
        ("standing",),
        "Versions by how they stand.",
        samples.per_standing(lambda c: c.number),
    ),
    Metric(
        "vankho_standing_bytes",
        ("standing",),
        "Payload by how versions stand.",
        samples.per_standing(lambda c: c.bytes),
    ),
    Metric(
        "vankho_unjudged_versions",
        (),
        "Versions to be judged again by changed rules; they are under no standing.",
        samples.one(lambda m: m.overview.summary.unjudged),
    ),
    Metric(
        "vankho_copies_wanted",
        PLACE,
        "Copies that must be proved here.",
        samples.per_place(lambda c: c.wanted.number),
    ),
    Metric(
        "vankho_copies_proved_in_time",
        PLACE,
        "Of those wanted, proved and not overdue.",
        samples.per_place(lambda c: c.in_time.number),
    ),
    Metric(
        "vankho_copies_overdue", PLACE, "Of those wanted, overdue.", samples.per_place(lambda c: c.overdue.number)
    ),
    Metric(
        "vankho_copies_new",
        PLACE,
        "Of those wanted, not proved yet, not late.",
        samples.per_place(lambda c: c.new.number),
    ),
    Metric(
        "vankho_copies_absent", PLACE, "Of those wanted, not there.", samples.per_place(lambda c: c.absent.number)
    ),
    Metric("vankho_copies_late", (*PLACE, "reason"), "Overdue copies by why they are late.", samples.late),
    Metric(
        "vankho_oldest_proof_timestamp_seconds",
        PLACE,
        "When the copy that was proved longest ago was proved.",
        samples.per_place(lambda c: samples.seconds(c.oldest_proof)),
    ),
    Metric(
        "vankho_next_due_timestamp_seconds",
        PLACE,
        "When the first copy falls due.",
        samples.per_place(lambda c: samples.seconds(c.next_due)),
    ),
    Metric(
        "vankho_audit_due_copies",
        PLACE,
        "Planned: due until midnight UTC.",
        samples.per_place(lambda c: c.due_today.number),
    ),
    Metric(
        "vankho_audit_due_bytes",
        PLACE,
        "Planned: due until midnight UTC.",
        samples.per_place(lambda c: c.due_today.bytes),
    ),
    Metric(
        "vankho_audit_read_copies",
        (*PLACE, "policy"),
        "Read on the last day of audits.",
        samples.per_audit(lambda day: day.copies),
    ),
    Metric(
        "vankho_audit_read_bytes",
        (*PLACE, "policy"),
        "Read on the last day of audits.",
        samples.per_audit(lambda day: day.bytes),
    ),
    Metric(
        "vankho_audit_failed_copies",
        (*PLACE, "policy"),
        "Could not be read on the last day of audits.",
        samples.per_audit(lambda day: day.failed),
    ),
    Metric(
        "vankho_audit_held_back_copies",
        (*PLACE, "policy", "reason"),
        "Due and left by the last audit, by why.",
        samples.held_back,
    ),
    Metric(
        "vankho_audit_missed_seconds",
        ("policy",),
        "Since the scheduled audit that did not begin; 0 when all did.",
        samples.missed,
    ),
    Metric(
        "vankho_proved_day_copies",
        PLACE,
        "Throughput: copies whose last proof is of yesterday or today (UTC).",
        samples.per_place(lambda c: c.day.number),
    ),
    Metric(
        "vankho_proved_day_bytes",
        PLACE,
        "Throughput: bytes whose last proof is of yesterday or today (UTC).",
        samples.per_place(lambda c: c.day.bytes),
    ),
    Metric(
        "vankho_lag_copies", ("store", "state"), "Copies wanting, by what is wrong with them.", samples.lag_copies
    ),
    Metric(
        "vankho_lag_bytes",
        ("store",),
        "Bytes waiting to be copied or proved.",
        samples.per_store(lambda each: each.bytes),
    ),
    Metric(
        "vankho_lag_seconds",
        ("store",),
        "How far behind the store is.",
        samples.per_store(lambda each: each.lag_seconds),
    ),
    Metric(
        "vankho_lag_target_seconds",
        ("store",),
        "The shortest lag that a policy allows.",
        samples.per_store(lambda each: each.target_seconds),
    ),
    Metric(
        "vankho_lag_speed_bytes_per_second",
        ("store",),
        "Throughput of copying in the last runs.",
        samples.per_store(lambda each: each.bytes_per_second),
    ),
    Metric(
        "vankho_lag_eta_seconds",
        ("store",),
        "Until nothing waits, at this speed.",
        samples.per_store(lambda e: e.eta_seconds),
    ),
    Metric("vankho_store_stuck", ("store", "reason"), "1 for what keeps copies from the store.", samples.stuck),
    Metric("vankho_store_away", ("store",), "1 while runs cannot use the store.", samples.away),
    Metric("vankho_store_failures", ("store",), "Failures of the store in a row.", samples.failures),
    Metric("vankho_incidents_open", ("kind", "acknowledged"), "Open incidents.", samples.open_incidents),
    Metric(
        "vankho_last_run_began_timestamp_seconds",
        ("flow",),
        "When the last run of the flow began.",
        lambda m: (((run.flow,), run.began_at.timestamp()) for run in m.runs),
    ),
    Metric(
        "vankho_last_run_ended_timestamp_seconds",
        ("flow",),
        "When it ended; nothing while it goes on.",
        lambda m: (((run.flow,), run.ended_at.timestamp()) for run in m.runs if run.ended_at is not None),
    ),
    Metric("vankho_last_run", ("flow", "word"), "1 for how the last run of the flow ended.", samples.last_words),
    Metric(
        "vankho_notices_waiting",
        ("channel",),
        "Notices that wait to be sent.",
        lambda m: (((channel,), count) for channel, count, _ in m.notices),
    ),
    Metric(
        "vankho_notices_failing",
        ("channel",),
        "Of those, tried in vain.",
        lambda m: (((channel,), failing) for channel, _, failing in m.notices),
    ),
    Metric(
        "vankho_deliveries_waiting",
        ("place",),
        "Packages that wait in a watched place.",
        lambda m: (((place,), count) for place, count in m.deliveries.items()),
    ),
    Metric("vankho_packages_in_work", (), "Packages being taken in now.", samples.one(lambda m: m.in_work)),
    Metric(
        "vankho_bags_waiting", (), "Bags kept here until enough copies are proved.", samples.one(lambda m: m.bags)
    ),
    Metric(
        "vankho_workspace_free_bytes", (), "Free on the disk of the workspace.", samples.one(lambda m: m.disk_free)
    ),
    Metric(
        "vankho_workspace_size_bytes", (), "Size of the disk of the workspace.", samples.one(lambda m: m.disk_size)
    ),
    Metric(
        "vankho_signatures_timestamp_seconds",
        (),
        "When PRONOM made the signatures in use.",
        samples.one(samples.signatures),
    ),
    Metric(
        "vankho_policies_unsound",
        (),
        "Policies that are wrong now and go by what they said before.",
        samples.one(lambda m: len(m.unsound)),
    ),
    Metric(
        "vankho_measured_timestamp_seconds",
        (),
        "When all this was measured.",
        samples.one(lambda m: samples.seconds(m.at)),
    ),
)
ANSWERS = "vankho_catalog_answers"
BUILD = "vankho_build_info"
BUILD_LABELS = ("version", "python", "catalog")
OWN = {ANSWERS: "1 when the catalog answered, else 0.", BUILD: "What runs here."}


class _Measured(Collector):
    """The samples of one moment, None when the catalog did not answer."""

    def __init__(self, seen: Measures | None) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Family]:
        """One family for each metric."""
        build = GaugeMetricFamily(BUILD, OWN[BUILD], labels=BUILD_LABELS)
        build.add_metric((version("vankho"), platform.python_version(), REVISION), 1)
        yield build
        yield GaugeMetricFamily(ANSWERS, OWN[ANSWERS], value=float(self._seen is not None))
        if self._seen is None:
            return
        for each in METRICS:
            kind = CounterMetricFamily if each.counter else GaugeMetricFamily
            family = kind(each.name, each.told, labels=each.labels)
            for labels, value in each.values(self._seen):
                family.add_metric(labels, value)
            yield family


def exposed(seen: Measures | None) -> bytes:
    """The page for Prometheus, in its text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Measured(seen))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
