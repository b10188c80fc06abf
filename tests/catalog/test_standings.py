"""What is kept of standing and due dates is what judging everything afresh gives, over any history."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from policies.judging import judge_of
from policies.model import Audit, AuditPlan, Policy
from policies.standing import Word, due, standing
from preservation.catalog import Catalog, open_catalog
from preservation.catalog.judging import Judge
from preservation.catalog.recount import Recount
from preservation.catalog.schema import REVISION, tallies, versions
from preservation.catalog.standings import Counts, count, kept_rows
from preservation.errors import PolicyError
from preservation.facts import AIPVersion, Evidence, Grade, Outcome, Replica
from tests.catalog.samples import NOW, event, objects, version
from tests.policies.facts import STORES, default_policy
from wording import say

DAY = timedelta(days=1)
NAMES = [store.name for store in STORES]
strict = replace(
    default_policy(copies=3, floor=1, proof=Grade.BYTES),
    audit=Audit({Grade.BYTES: AuditPlan(10 * DAY, DAY), Grade.PRESENCE: AuditPlan(2 * DAY)}, {}),
)
lax = replace(
    default_policy(copies=2, floor=1, proof=Grade.PROVIDER, stores=("primary", "cloud-a")),
    audit=Audit({Grade.PROVIDER: AuditPlan(30 * DAY, 3 * DAY)}, {"cloud-a": {Grade.BYTES: AuditPlan(90 * DAY)}}),
)
RULES: list[dict[str, Policy]] = [{"default": strict, "other": lax}, {"default": lax, "other": strict}]


def judge(rules: dict[str, Policy], stores: int = len(STORES)) -> Judge:
    return judge_of(rules.__getitem__, STORES[:stores])


hours = st.integers(-100 * 24, 100 * 24).map(lambda count: timedelta(hours=count))
places = st.tuples(st.integers(0, 2), st.sampled_from(NAMES))
changes = st.one_of(
    st.tuples(st.just("claimed"), places),
    st.tuples(st.just("proved"), places, st.sampled_from(Grade), st.sampled_from(Outcome)),
    st.tuples(st.just("dropped"), places),
    st.tuples(st.just("clock"), hours),
    st.tuples(st.just("rules"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("settled")),
    st.tuples(st.just("rebuilt")),
)


def settle(catalog: Catalog, now: datetime) -> None:
    for _ in range(1000):
        if not catalog.judge_some(now=now, limit=2):
            break
    assert catalog.unjudged(now=now) == 0


def recounted(catalog: Catalog) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The tallies made from the rows they stand for."""
    counts = Counts()
    with catalog._database.reading() as connection:
        for row in connection.execute(select(versions)):
            if row.version == 1:
                counts.add(("aips", "", "", "", ""), 1, 0, 0)
            count(counts, kept_rows(connection, row.id), row, by=1)
    return {key: tuple(value) for key, value in counts.changes.items() if any(value)}


def tallied(catalog: Catalog) -> dict[tuple[Any, ...], tuple[int, ...]]:
    with catalog._database.reading() as connection:
        return {tuple(row[:5]): tuple(row[5:]) for row in connection.execute(select(tallies))}


def listed(catalog: Catalog, word: str, now: datetime) -> list[AIPVersion]:
    """The list behind a word, in pages of one."""
    found: list[AIPVersion] = []
    after = None
    while page := catalog.versions_standing(word, now=now, after=after, limit=1):
        found.append(page[0].version)
        after = page[0].cursor
    return found


def check(catalog: Catalog, rules: dict[str, Policy], stores: int, now: datetime) -> None:
    """Every answer against judging each version now from its facts."""
    known, kept = STORES[:stores], tallied(catalog)
    assert kept == recounted(catalog)
    words, expected_dues, in_time = Counter[str](), {}, Counter[tuple[str, Grade]]()
    for each in catalog.versions():
        replicas = catalog.replicas(each.identifier, each.version)
        policy = rules[each.policy]
        stand = standing(each, replicas, policy=policy, stores=known, now=now)
        words[stand.word] += 1
        assert each in listed(catalog, stand.word.value, now)
        for one in due(replicas=replicas, policy=policy, stores=known, now=now):
            expected_dues[each.identifier, one.store, one.grade] = one
            in_time[one.store, one.grade] += one.proved_at is not None and one.overdue_at >= now
    summary = catalog.standing(now)
    assert {word: count.number for word, count in summary.words.items()} == dict(words)
    assert (summary.aips, summary.versions.number, summary.unjudged) == (3, 3, 0)
    assert {(c.store, c.grade): c.in_time.number for c in summary.coverage if c.in_time.number} == +in_time
    for store, grade in itertools.product(NAMES, Grade):
        found = list(catalog.due(store, grade, before=datetime.max.replace(tzinfo=now.tzinfo)))
        assert [(d.due_at, d.cursor.version_id) for d in found] == sorted(
            (d.due_at, d.cursor.version_id) for d in found
        )
        told = {d.identifier: d for d in found}
        assert set(told) == {key[0] for key in expected_dues if key[1:] == (store, grade)}
        for identifier, copy in told.items():
            one = expected_dues[identifier, store, grade]
            assert copy.proved_at == one.proved_at
            # A time that a wrong clock put into the future makes a copy due "now": whenever that was.
            assert copy.due_at == one.due_at or max(copy.due_at, one.due_at) <= now
        ahead = list(catalog.load_ahead(store, grade, until=datetime.max.replace(tzinfo=now.tzinfo)))
        assert sum(day[1] for day in ahead) == len(found)


@pytest.fixture
def made(address: str, tmp_path: Path) -> Iterator[tuple[str, Path, list[AIPVersion]]]:
    with open_catalog(address, base=tmp_path, judge=judge(RULES[0])) as catalog:
        yield (
            address,
            tmp_path,
            [
                catalog.admit(version(n, policy=policy, admitted_at=NOW), objects(n), [event()])
                for n, policy in ((1, "default"), (2, "other"), (3, "default"))
            ],
        )


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=st.lists(changes, max_size=25))
def test_what_is_kept_is_what_judging_afresh_gives(
    made: tuple[str, Path, list[AIPVersion]], history: list[tuple[Any, ...]]
) -> None:
    address, base, admitted = made
    now, rules, stores = NOW, RULES[0], 3
    catalog = open_catalog(address, base=base, judge=judge(rules))
    gone = [(v.identifier, 1, store) for v in admitted for store in NAMES]
    catalog.record([event(at=now)], dropped=gone)
    held: set[tuple[int, str]] = set()
    for word, *what in history:
        if word == "clock":
            now = min(max(now + what[0], NOW - 300 * DAY), NOW + 300 * DAY)
        elif word == "rules":
            catalog.close()
            rules, stores = RULES[what[0]], what[1]
            catalog = open_catalog(address, base=base, judge=judge(rules, stores))
        elif word == "settled":
            settle(catalog, now)
            check(catalog, rules, stores, now)
        elif word == "rebuilt":
            catalog.rebuild_projections()
            assert catalog.unjudged(now=now) == 3
        else:
            about = admitted[what[0][0]]
            place = (about.identifier, 1, what[0][1])
            if word == "claimed":
                catalog.record([event(about, at=now)], claims=[Replica(*place, now)])
                held.add(what[0])
            elif word == "dropped":
                catalog.record([event(about, at=now)], dropped=[place])
                held.discard(what[0])
            elif what[0] in held:
                catalog.record([event(about, at=now)], evidence=[Evidence(*place, what[1], what[2], now)])
        assert tallied(catalog) == recounted(catalog)
    settle(catalog, now)
    check(catalog, rules, stores, now)
    catalog.close()


def test_overdue_comes_with_time_alone(catalog: Catalog) -> None:
    catalog._judge = judge(RULES[0])
    one = catalog.admit(version(1, admitted_at=NOW), objects(1), [event()])
    claims = [Replica(one.identifier, 1, store, NOW) for store in NAMES]
    proofs = [Evidence(one.identifier, 1, store, Grade.BYTES, Outcome.INTACT, NOW) for store in NAMES]
    catalog.record([event(one)], claims=claims, evidence=proofs)
    for late, word in ((timedelta(0), "safe"), (2 * DAY, "safe"), (2 * DAY + timedelta(seconds=1), "overdue")):
        assert [*catalog.standing(NOW + late).words] == [word]
        assert len(catalog.versions_standing(word, now=NOW + late)) == 1
    cover = {(c.store, c.grade): c for c in catalog.standing(NOW + 3 * DAY).coverage}
    assert cover["primary", Grade.PRESENCE].overdue.number == 1
    assert cover["primary", Grade.BYTES].in_time.number == cover["primary", Grade.BYTES].wanted.number == 1
    assert cover["primary", Grade.BYTES].oldest_proof == NOW


def test_what_is_wanting_the_most_endangered_first(catalog: Catalog) -> None:
    catalog._judge = judge(RULES[0])
    made = [
        catalog.admit(version(1, admitted_at=NOW + n * timedelta(hours=1)), objects(1), [event()]) for n in range(3)
    ]
    proved = Evidence(made[0].identifier, 1, "primary", Grade.BYTES, Outcome.INTACT, NOW)
    catalog.record([event(made[0])], claims=[Replica(made[0].identifier, 1, "primary", NOW)], evidence=[proved])
    catalog.record([event(made[2])], claims=[Replica(made[2].identifier, 1, "cloud-a", NOW)])
    absent = list(catalog.missing("cloud-a"))
    assert [each.identifier for each in absent] == [made[1].identifier, made[0].identifier]
    assert [each.identifier for each in catalog.missing("cloud-a", after=absent[0].cursor)] == [made[0].identifier]
    waiting = catalog.waiting("cloud-a")
    assert (waiting.absent.number, waiting.unproved.number, waiting.all.bytes) == (2, 1, 3000)
    assert waiting.oldest == made[0].admitted_at
    assert catalog.waiting("cloud-a", policy="other").all.number == 0


def test_a_policy_that_cannot_be_read_leaves_its_versions_unjudged(catalog: Catalog) -> None:
    def broken(name: str) -> Policy:
        raise PolicyError(say("no such policy"))

    catalog._judge = judge_of(broken, STORES)
    one = catalog.admit(version(1), objects(1), [event()])
    catalog.record([event(one)], claims=[Replica(one.identifier, 1, "primary", NOW)])
    summary = catalog.standing(NOW)
    assert (summary.unjudged, summary.words, catalog.judge_some(now=NOW)) == (1, {}, 0)
    catalog._judge = judge(RULES[0])
    assert catalog.judge_some(now=NOW) == 1
    assert [*catalog.standing(NOW).words] == [Word.UNDER_REPLICATED.value]


def test_a_catalog_without_these_tables_gets_them(catalog: Catalog) -> None:
    from preservation.catalog.opening import migrate

    made = [catalog.admit(version(2), objects(2), [event()]) for _ in range(2)]
    catalog.record([event(made[0])], claims=[Replica(made[0].identifier, 1, "primary", NOW)])
    before = tallied(catalog)
    with catalog._database.writing() as connection:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "preservation.catalog:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    with catalog._database.writing() as connection:
        migrate(connection, REVISION)
    assert tallied(catalog) == before == recounted(catalog)
    catalog._judge = judge(RULES[0])
    settle(catalog, NOW)
    check(catalog, RULES[0], 3, NOW) if len(made) == 3 else None
    assert catalog.standing(NOW).words["under-replicated"].number == 2


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE standings SET word = 'safe'",
        "UPDATE standings SET overdue_at = '2027-01-01T00:00:00.000000Z'",
        "DELETE FROM dues WHERE grade = 'bytes'",
        "UPDATE dues SET due_at = '2027-01-01T00:00:00.000000Z' WHERE grade = 'bytes'",
        "UPDATE wanting SET proved = 7",
        "DELETE FROM standings",
        "UPDATE tallies SET bytes = bytes + 1 WHERE kind = 'due'",
        "DELETE FROM tallies WHERE kind = 'aips'",
    ],
)
def test_what_is_kept_wrongly_is_found(catalog: Catalog, harm: str) -> None:
    catalog._judge = judge(RULES[0])
    one = catalog.admit(version(1, admitted_at=NOW), objects(1), [event()])
    catalog.record([event(one)], claims=[Replica(one.identifier, 1, "primary", NOW)])

    def wrong() -> bool:
        recount = Recount(catalog._database, judge(RULES[0]))
        both = recount.version(1, one, catalog.replicas(one.identifier, 1))
        assert both is not None
        return both[0] != both[1] or bool(recount.tallies())

    assert not wrong()
    with catalog._database.writing() as connection:
        connection.exec_driver_sql(harm)
    assert wrong()
    catalog.rebuild_projections()
    settle(catalog, NOW)
    assert not wrong()


def test_a_policy_change_judges_in_batches_and_goes_on(catalog: Catalog) -> None:
    catalog._judge = judge(RULES[0])
    for n in range(5):
        catalog.admit(version(1, admitted_at=NOW + n * DAY), objects(1), [event()])
    catalog._judge = judge(RULES[1])
    assert catalog.standing(NOW).unjudged == 5
    assert catalog.standing(NOW).words == {}
    assert [catalog.judge_some(now=NOW, limit=2), catalog.unjudged(now=NOW)] == [2, 3]
    assert catalog.standing(NOW).words["under-replicated"].number == 2
    assert [catalog.judge_some(now=NOW, limit=2) for _ in range(3)] == [2, 1, 0]
    assert catalog.standing(NOW).unjudged == 0


def test_a_clock_set_back_hides_nothing(catalog: Catalog) -> None:
    """Judged a year ahead by mistake: what was proved then counts no longer, and falls due now, not in a year."""
    catalog._judge = judge(RULES[0])
    ahead = NOW + 365 * DAY
    one = catalog.admit(version(1, admitted_at=NOW), objects(1), [event(at=NOW)])
    claims = [Replica(one.identifier, 1, store, ahead) for store in NAMES]
    proofs = [Evidence(one.identifier, 1, store, Grade.BYTES, Outcome.INTACT, ahead) for store in NAMES]
    catalog.record([event(one, at=ahead)], claims=claims, evidence=proofs)
    assert [*catalog.standing(ahead).words] == ["safe"]
    assert (catalog.unjudged(now=NOW), catalog.standing(NOW).words) == (1, {})
    settle(catalog, NOW)
    assert [*catalog.standing(NOW).words] == ["unknown"]
    assert len(list(catalog.due("primary", Grade.BYTES, before=NOW + timedelta(seconds=1)))) == 1
    settle(catalog, ahead)
    assert [*catalog.standing(ahead).words] == ["safe"]
