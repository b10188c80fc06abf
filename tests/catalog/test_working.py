"""Runs, incidents and notices, on both databases."""

from __future__ import annotations

from datetime import timedelta

from preservation.catalog import Catalog, incidents, outbox, runs
from preservation.catalog.leases import this_process
from preservation.facts import Outcome, Replica
from tests.catalog.samples import NOW, event, objects, version
from tests.watching.rooms import checked


def test_runs(catalog: Catalog) -> None:
    database = catalog.database
    for number, flow in enumerate(("audit", "ingest", "audit")):
        runs.begin(database, f"{number}" * 12, flow=flow, asked={"n": number}, process=this_process(), now=NOW)
    assert [run.id[0] for run in runs.latest(database)] == ["2", "1", "0"]
    assert [run.id[0] for run in runs.last_of_each(database)] == ["2", "1"]
    assert [run.id[0] for run in runs.running(database)] == ["0", "1", "2"]
    assert runs.cut_off(database) == []
    runs.heard(database, "2" * 12, NOW + timedelta(hours=1))
    runs.end(
        database, "0" * 12, now=NOW, word="well", verdict=0, counts={"rows": 1}, report="r", reason={"text": "x"}
    )
    (ended,) = runs.find(database, "0000")
    assert (ended.word, ended.verdict, ended.counts, ended.asked) == ("well", 0, {"rows": 1}, {"n": 0})
    assert [run.heard_at - NOW for run in runs.running(database)] == [timedelta(0), timedelta(hours=1)]
    assert runs.find(database, "00") == runs.find(database, "%%%%") == []


def test_incidents(catalog: Catalog) -> None:
    database = catalog.database
    name, new = incidents.see(database, "store-away", about="a", store="a", detail={"text": "x"}, now=NOW)
    assert new
    assert incidents.see(database, "store-away", about="a", now=NOW + timedelta(days=1)) == (name, False)
    made = catalog.admit(version(2), objects(2), [event()])
    place = (made.identifier, made.version)
    catalog.record([event(made, store="s")], claims=[Replica(*place, "s", NOW)])
    done, evidence = checked(made, "s", Outcome.DAMAGED, NOW)
    catalog.record([done], evidence=evidence)
    catalog.record([event(detail={"incident": {"id": name, "reason": "r\x00", "by": "b\udcff"}})])
    assert incidents.counts(database) == {("damage", False): 1, ("store-away", True): 1}
    before = incidents.listed(database, closed=True)
    catalog.rebuild_projections()
    assert incidents.listed(database, closed=True) == before
    incidents.told(database, [each.id for each in before], NOW)
    assert incidents.listed(database, untold=True) == []
    assert incidents.over(database, "store-away", about="a", why="back", now=NOW)
    assert not incidents.over(database, "store-away", about="a", why="back", now=NOW)
    assert [each.kind for each in incidents.listed(database)] == ["damage"]
    assert incidents.find(database, name[:4])[0].closed_why == "back"


def test_notices(catalog: Catalog) -> None:
    database, day = catalog.database, timedelta(days=1)
    facts = {"role": "officer", "kind": "digest", "run": None, "subject": "s", "body": "b", "same_within": day}

    def put(name: str, channel: str, content: str, after: timedelta = timedelta(0)) -> bool:
        return outbox.put(database, name, channel=channel, content=content, now=NOW + after, **facts)

    assert put("aaaa1", "mail", "x")
    assert not put("aaaa2", "mail", "x", day / 2)
    assert put("aaaa3", "hook", "x")
    assert put("aaaa4", "mail", "y")
    assert put("aaaa5", "mail", "x", day)
    first, *_ = outbox.due(database, NOW, limit=9)
    outbox.failed(database, first, "away", NOW)
    assert [each.id for each in outbox.due(database, NOW, limit=9)] == ["aaaa3"]  # the channel rests
    assert outbox.waiting(database) == [("hook", 1, 0), ("mail", 3, 1)]
    later = outbox.due(database, NOW + timedelta(minutes=1), limit=9)
    assert [each.id for each in later] == ["aaaa1", "aaaa3", "aaaa4", "aaaa5"]
    for each in later:
        outbox.sent(database, each, NOW)
    assert outbox.listed(database, limit=9, waiting_only=True) == []
    assert [each.id for each in outbox.find(database, "aaaa1")] == ["aaaa1"]
    waits = [outbox.FIRST_WAIT * 2**tries for tries in range(20)]
    assert min(outbox.LONGEST_WAIT, *waits) == outbox.FIRST_WAIT
