"""The lab is proved by breaking what it proves: each of these engines is wrong in one way, and the lab says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from flows import audit, copies, reconcile
from flows.outcomes import Verdict
from preservation.facts import Grade, ObjectFact, ObjectOutcome, Role
from preservation.formats.identify import Identifier
from preservation.replicas import donors, evidence, judge, repair, report, verify
from preservation.replicas.layout import replica_prefix
from storage_adapters.errors import StorageError
from tests.damage.lab import Library, at_rest
from tests.damage.oracle import sha256
from tests.damage.rounds import Result, lose, play, spoil
from tests.damage.table import library

Break = Callable[[pytest.MonkeyPatch, Library], None]


@pytest.fixture(autouse=True, scope="module")
def _at_rest() -> Iterator[None]:
    with at_rest():
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, identifier: Identifier) -> Iterator[Library]:
    with library(tmp_path_factory.mktemp("lab") / "disks", identifier, aips=3) as held:
        yield held


def _asks_the_store(patch: pytest.MonkeyPatch) -> None:
    """Nothing is answered from memory, so that every object goes the way that is broken."""
    patch.setattr(verify, "in_memory", lambda items, *_, **__: [None] * len(items))


def takes_what_is_in_memory_for_right(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def right(items: Any, store: Any, *, prefix: str) -> list[report.ObjectReport | None]:
        return [report.intact(fact) if fact is not None and stat is not None else None for fact, stat in items]

    patch.setattr(verify, "in_memory", right)


def skips_the_size(patch: pytest.MonkeyPatch, _held: Library) -> None:
    _asks_the_store(patch)

    def looked_at(fact: ObjectFact, listed: Any, store: Any, key: str, grade: Grade, _wrong: Any) -> Any:
        if listed is None:
            store.stat(key)
        return judge._CHECKS[grade](fact, store, key)

    patch.setattr(judge, "_looked_at", looked_at)


def trusts_the_listing(patch: pytest.MonkeyPatch, _held: Library) -> None:
    _asks_the_store(patch)
    patch.setitem(judge._CHECKS, Grade.BYTES, judge._present)


def votes(patch: pytest.MonkeyPatch, held: Library) -> None:
    """What most copies say is taken for right, whatever was recorded."""
    _expects(patch, lambda identifier, version, _store: _majority(held, identifier, version))


def _majority(held: Library, identifier: str, version: int) -> dict[str, bytes]:
    prefix = replica_prefix(identifier, version)
    said: dict[str, Counter[bytes]] = {}
    for hand in held.hands.values():
        for key in hand.all_keys(prefix):
            said.setdefault(key.removeprefix(prefix), Counter())[hand.read(key)] += 1
    return {path: seen.most_common(1)[0][0] for path, seen in said.items() if seen.total() > len(held.hands) / 2}


def believes_the_stores_own_manifest(patch: pytest.MonkeyPatch, held: Library) -> None:
    """The bag in the store is held against itself: valid is taken for right."""

    def itself(identifier: str, version: int, store: str) -> dict[str, bytes]:
        prefix = replica_prefix(identifier, version)
        hand = held.hands[store]
        return {key.removeprefix(prefix): hand.read(key) for key in hand.all_keys(prefix)}

    _expects(patch, itself)


def _expects(patch: pytest.MonkeyPatch, of: Callable[[str, int, str], dict[str, bytes]]) -> None:
    real = copies.verify_replica

    def verified(_objects: Iterable[ObjectFact], store: Any, **told: Any) -> report.ReplicaReport:
        files = of(told["identifier"], told["version"], store.name)
        facts = [ObjectFact(p, len(files[p]), sha256(files[p]), Role.PAYLOAD) for p in sorted(files, key=str.encode)]
        return real(facts, store, **told)

    patch.setattr(copies, "verify_replica", verified)


def ignores_what_is_unexpected(patch: pytest.MonkeyPatch, _held: Library) -> None:
    add = verify._Seen.add

    def added(seen: verify._Seen, answer: report.ObjectReport) -> None:
        if answer.outcome is not ObjectOutcome.UNEXPECTED:
            add(seen, answer)

    patch.setattr(verify._Seen, "add", added)


def counts_unreadable_as_altered(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def altered(fact: ObjectFact, error: StorageError) -> report.ObjectReport:
        return report.altered(fact, expected=fact.sha256, seen=str(error.what))

    patch.setattr(report, "unreadable", altered)


def believes_a_first_bad_reading(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def once(fact: ObjectFact, store: Any, key: str) -> report.ObjectReport:
        seen, size = judge.digest_of(store, key)
        if seen == fact.sha256:
            return report.intact(fact, bytes_read=size)
        return report.altered(fact, expected=fact.sha256, seen=seen, bytes_read=size)

    _asks_the_store(patch)
    patch.setitem(judge._CHECKS, Grade.BYTES, once)


def ends_well_whatever_was_found(patch: pytest.MonkeyPatch, _held: Library) -> None:
    patch.setattr(audit.Audited, "verdict", property(lambda _each: Verdict.WELL))


def claims_bytes_for_a_checksum(patch: pytest.MonkeyPatch, _held: Library) -> None:
    """A store without checksums of its own is given a clean bill at the grade that needs them."""
    patch.setattr(report, "without_checksum", report.intact)


def finds_only_so_much(patch: pytest.MonkeyPatch, _held: Library) -> None:
    """The report ends at its first finding."""
    real = copies.verify_replica

    def verified(*args: Any, **told: Any) -> report.ReplicaReport:
        whole = real(*args, **told)
        return replace(whole, findings=whole.findings[:1])

    patch.setattr(copies, "verify_replica", verified)


def does_not_read_back_what_it_put(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def put(fact: ObjectFact, store: Any, key: str, copy: Any) -> bool:
        copy.seek(0)
        store.put(key, copy, size=fact.size, sha256=fact.sha256)
        return True

    patch.setattr(repair, "_put_and_prove", put)


def takes_a_donor_at_its_word(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def gives(donor: donors.Donor, fact: ObjectFact, copy: Any) -> bool:
        with donors._opened(donor, fact.path) as reader:
            donors.write(reader, copy)
        return True

    patch.setattr(donors, "_gives", gives)


def keeps_no_evidence(patch: pytest.MonkeyPatch, _held: Library) -> None:
    def erased(store: Any, key: str, **_more: Any) -> None:
        store.erase(key)

    patch.setattr(repair, "take_out", erased)


def keeps_evidence_cut_short(patch: pytest.MonkeyPatch, _held: Library) -> None:
    real = evidence.take_out

    def cut(*args: Any, **told: Any) -> Any:
        place = real(*args, **told)
        if place is not None:
            place.write_bytes(place.read_bytes()[:-1])
        return place

    patch.setattr(repair, "take_out", cut)


def gives_up_after_one_donor(patch: pytest.MonkeyPatch, _held: Library) -> None:
    real = repair.fill
    patch.setattr(repair, "fill", lambda copy, fact, places: real(copy, fact, list(places)[:1]))


def repairs_in_silence(patch: pytest.MonkeyPatch, _held: Library) -> None:
    """What has no good copy left is passed over."""
    monkey = repair._Repair.told

    def told(work: Any, gave_up: Any = None) -> repair.Repaired:
        work.findings.clear()
        return monkey(work, gave_up)

    patch.setattr(repair._Repair, "told", told)


def reconciles_only_what_it_knows(patch: pytest.MonkeyPatch, _held: Library) -> None:
    real = reconcile.reconcile_store

    def known(store: Any, claimed: Any, objects_of: Any) -> Any:
        seen = real(store, claimed, objects_of)
        return replace(seen, findings=tuple(each for each in seen.findings if each.code != "object-stray"))

    patch.setattr(reconcile, "reconcile_store", known)


SIZES = ("truncate", "extend")
HIDDEN = ("flip", "zeros", "swap objects", "forge")
BREAKS: list[tuple[Break, tuple[str, ...]]] = [
    (takes_what_is_in_memory_for_right, HIDDEN),
    (skips_the_size, SIZES),
    (trusts_the_listing, HIDDEN),
    (votes, ("forge", "flip", "zeros", "delete")),
    (believes_the_stores_own_manifest, ("forge", "roll back", "another bag", "swap AIPs")),
    (ignores_what_is_unexpected, ("add",)),
    (counts_unreadable_as_altered, ("unreadable",)),
    (believes_a_first_bad_reading, ("flicker",)),
    (ends_well_whatever_was_found, HIDDEN),
    (claims_bytes_for_a_checksum, HIDDEN),
    (finds_only_so_much, ("several", "folder lost", "swap AIPs")),
    (takes_a_donor_at_its_word, HIDDEN),
    (keeps_no_evidence, HIDDEN),
    (keeps_evidence_cut_short, HIDDEN),
    (gives_up_after_one_donor, ("folder lost",)),
    (reconciles_only_what_it_knows, ("flip",)),
]
ROUNDS = 4  # one is enough for most; which copies are damaged is chance


def failed(results: Callable[[int], Iterator[Result]]) -> bool:
    for seed in range(ROUNDS):
        try:
            if any(why is not None for _family, _case, why in results(seed)):
                return True
        except Exception:  # a broken engine may fall over; that is noticed too
            return True
    return False


@pytest.mark.parametrize(("broken", "among"), BREAKS, ids=[each.__name__ for each, _ in BREAKS])
def test_a_wrong_engine_is_noticed(
    small: Library, monkeypatch: pytest.MonkeyPatch, broken: Break, among: tuple[str, ...]
):
    broken(monkeypatch, small)
    assert failed(lambda seed: play(small, seed, among=among))


@pytest.mark.parametrize(("broken", "scene"), [(does_not_read_back_what_it_put, spoil), (repairs_in_silence, lose)])
def test_a_wrong_repair_is_noticed(small: Library, monkeypatch: pytest.MonkeyPatch, broken: Break, scene: Any):
    broken(monkeypatch, small)
    assert failed(lambda seed: scene(small, seed))


def test_the_right_engine_passes_the_same(small: Library):
    """Else the breaks would prove nothing."""
    every = sorted({kind for _, among in BREAKS for kind in among})
    assert [result for result in play(small, 0, among=every) if result[2] is not None] == []
    assert [result for result in spoil(small, 0) if result[2] is not None] == []
