"""A version is admitted whole or not at all, and is found again as it was."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from preservation.catalog import AlreadyAdmitted, AmbiguousReference, Catalog, PlaceTaken
from preservation.errors import CatalogError
from preservation.facts import Basis, FormatFact, ObjectFact, Role
from storage_adapters.store import Capabilities
from tests.catalog.samples import NOW, TIFF, event, objects, version
from tests.catalog.test_chain import Intruder


def empty(catalog: Catalog) -> bool:
    return not list(catalog.versions()) and not list(catalog.events()) and not catalog.format_counts()


def test_a_version_comes_back_as_it_went_in(catalog: Catalog) -> None:
    given = version(3, producer_identifier="TVH-0001")
    facts = [replace(fact, original_name=b"\xd0\xb5 raw \x00 bytes") for fact in objects(3)]
    told = [event(given), event(given)]
    assert catalog.admit(given, facts, told) == given
    assert catalog.find_content(given.content_digest) == given
    assert list(catalog.objects(given.identifier, 1)) == facts
    assert [record.event for record in catalog.events(identifier=given.identifier)] == told
    assert [record.event for record in catalog.events(submission=given.submission)] == told


def test_objects_come_sorted_by_path_bytes_whatever_their_order(catalog: Catalog) -> None:
    paths = ["data/é.tif", "data/e\u0301.tif", "data/Z.tif", "data/a/b", "data/a-b", "bagit.txt", "data/\U0001d54f"]
    facts = [ObjectFact(path, 1, "ab" * 32, Role.TAG if path == "bagit.txt" else Role.PAYLOAD) for path in paths]
    catalog.admit(given := version(7, object_bytes=7), facts, [])
    seen = [fact.path for fact in catalog.objects(given.identifier, 1)]
    assert seen == sorted(paths, key=str.encode)


def test_more_objects_than_one_batch_and_one_page(catalog: Catalog) -> None:
    catalog.admit(given := version(12_001), objects(12_001), [])
    assert list(catalog.objects(given.identifier, 1)) == list(objects(12_001))


@pytest.mark.parametrize("page", [2, 1000])
def test_a_list_of_objects_that_lost_some_is_not_taken_for_whole(
    catalog: Catalog, address: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preservation.catalog.reading.PAGE", page)
    catalog.admit(given := version(4), objects(4), [])
    catalog.admit(other := version(4), objects(4, seed="other"), [])
    last = "(SELECT path FROM objects ORDER BY path DESC LIMIT 1)"
    Intruder(address).run(
        f"DELETE FROM objects WHERE version_id = (SELECT min(version_id) FROM objects) AND path = {last}",
        disarm=False,
    )
    with pytest.raises(CatalogError, match=r"lists 3 objects .* 4 were admitted"):
        list(catalog.objects(given.identifier, 1))
    assert len(list(catalog.objects(other.identifier, 1))) == 4


def test_every_word_of_an_identification_is_kept(catalog: Catalog) -> None:
    answer = FormatFact(
        "data/mets.xml",
        "fmt/101",
        "Extensible Markup Language",
        Basis.NAMESPACE,
        "fido 1.6.1",
        "PRONOM v109, containers 2020-01-21",
        mime="text/xml",
        version="1.0",
        candidates=("x-fmt/1", "fmt/2"),
        extension_mismatch=True,
        xml_format="METS",
        xml_namespace="http://www.loc.gov/METS/",
        note="killed after 10 s, \udcff\x00",
    )
    stored = replace(answer, note="killed after 10 s, \\udcff\\x00")
    failed = replace(answer, path="data/x", puid=None, name=None, basis=Basis.FAILED, note=None)
    facts = [
        ObjectFact("data/mets.xml", 5, "00" * 32, Role.PAYLOAD, format=answer),
        ObjectFact("data/x", 5, "11" * 32, Role.PAYLOAD, format=failed),
        ObjectFact("manifest-sha256.txt", 5, "22" * 32, Role.TAG),
    ]
    catalog.admit(given := version(3, object_bytes=15), facts, [])
    seen = list(catalog.objects(given.identifier, 1))
    assert seen == [replace(facts[0], format=stored), facts[1], facts[2]]


def test_the_same_content_again_is_refused_with_what_is_there(catalog: Catalog) -> None:
    first = catalog.admit(version(3), objects(3), [event()])
    again = version(3, content_digest=first.content_digest)
    with pytest.raises(AlreadyAdmitted) as refused:
        catalog.admit(again, objects(3), [event()])
    assert refused.value.existing == first
    assert first.identifier in str(refused.value)
    assert [v.identifier for v in catalog.versions()] == [first.identifier]
    assert len(list(catalog.events())) == 1


def test_a_changed_package_becomes_the_next_version(catalog: Catalog) -> None:
    place = {"producer_identifier": "TVH 12", "collection": "báo"}
    assert catalog.next_place(**place) == (None, 1)
    first = catalog.admit(version(3, **place), objects(3), [])
    assert catalog.next_place(**place) == (first.identifier, 2)
    second = catalog.admit(version(4, identifier=first.identifier, version=2, **place), objects(4), [])
    assert catalog.next_place(**place) == (first.identifier, 3)
    assert catalog.find("TVH 12") == [first, second]
    assert list(catalog.versions(newest_only=True)) == [second]
    assert catalog.next_place(producer_identifier="TVH 12", collection="sách") == (None, 1)
    assert catalog.next_place(producer_identifier="TVH 12", collection=None) == (None, 1)
    assert catalog.next_place(producer_identifier=None, collection=None) == (None, 1)


@pytest.mark.parametrize("collection", [None, "báo"])
def test_a_place_is_given_once(catalog: Catalog, collection: str | None) -> None:
    place = {"producer_identifier": "TVH 12", "collection": collection}
    first = catalog.admit(version(3, **place), objects(3), [])
    for taken in (
        version(3, **place),  # a new AIP for a producer identifier that has one
        version(3, identifier=first.identifier),  # version 1 again
        version(3, identifier=first.identifier, version=3),  # a gap
        version(3, version=2),  # a second version of nothing
    ):
        with pytest.raises(PlaceTaken):
            catalog.admit(taken, objects(3), [event()])
    assert list(catalog.versions()) == [first]
    assert not list(catalog.events())


def test_packages_without_producer_identifier_are_each_their_own(catalog: Catalog) -> None:
    for _ in range(2):
        catalog.admit(version(1), objects(1), [])
    assert len(list(catalog.versions())) == 2


@pytest.mark.parametrize(("count", "size"), [(2, 2000), (4, 4000), (3, 3001)])
def test_objects_that_are_not_as_promised_are_not_admitted(catalog: Catalog, count: int, size: int) -> None:
    with pytest.raises(CatalogError) as refused:
        catalog.admit(version(3, object_bytes=size), objects(count), [event()])
    assert refused.value.expected != refused.value.seen
    assert empty(catalog)


def test_an_object_listed_twice_is_not_admitted(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="contradicts"):
        catalog.admit(version(2), [*objects(1), *objects(1)], [event()])
    assert empty(catalog)


def test_when_the_objects_cannot_be_read_nothing_is_written(catalog: Catalog) -> None:
    def broken():
        yield from objects(6000)
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        catalog.admit(version(7000), broken(), [event()])
    assert empty(catalog)


def test_when_the_events_are_wrong_nothing_is_written(catalog: Catalog) -> None:
    for wrong, error in ({"x": float("nan")}, ValueError), ({"x": b"bytes"}, TypeError):
        with pytest.raises(error):
            catalog.admit(version(3), objects(3), [event(), event(detail=wrong)])
    with pytest.raises(ValueError, match="without zone"):
        catalog.admit(version(3), objects(3), [event(at=NOW.replace(tzinfo=None))])
    assert empty(catalog)


def test_an_event_is_recorded_once(catalog: Catalog) -> None:
    catalog.record([once := event()])
    with pytest.raises(CatalogError, match="contradicts"):
        catalog.record([event(), once])
    assert [record.event for record in catalog.events()] == [once]


def test_finding_by_identifier_its_beginning_and_the_producers(catalog: Catalog) -> None:
    one = version(1, identifier="aaaa1111-0000-4000-8000-000000000001", producer_identifier="Hộp 7\udcff")
    two = version(1, identifier="aaaa2222-0000-4000-8000-000000000002", producer_identifier="AAAA1111", title=None)
    three = version(1, identifier="bbbb2222-0000-4000-8000-000000000002", producer_identifier="TVH", collection=None)
    for given in one, two, three:
        catalog.admit(given, objects(1), [])
    assert [v.identifier for v in catalog.find(one.identifier.upper())] == [one.identifier]
    assert [v.identifier for v in catalog.find("aaaa1")] == [one.identifier]
    assert [v.identifier for v in catalog.find("Hộp 7\udcff")] == [one.identifier]
    assert catalog.find("BBBB") == [three]
    assert catalog.find("TVH") == [three]
    for nothing in (
        "bbb",
        "",
        "cccc",
        "%",
        "bbbb____",
        "tvh",
        "Hộp 7",
        "g" * 5,
        "'",
        "aaaa1111-0000-4000-8000-000000000009",
    ):
        assert catalog.find(nothing) == [], nothing
    for several in "aaaa", "AAAA1111":
        with pytest.raises(AmbiguousReference) as refused:
            catalog.find(several)
        assert refused.value.candidates == (one.identifier, two.identifier)


def test_odd_text_is_kept_legible(catalog: Catalog) -> None:
    given = version(1, source="/mnt/\udce9\x00", title="a\x00b", producer_identifier="x\x00")
    stored = catalog.admit(given, objects(1), [event(given, agent="a\x00", detail={"\udcff": "\udcff\x00"})])
    assert (stored.source, stored.title) == ("/mnt/\\udce9\\x00", "a\\x00b")
    assert catalog.find("x\x00") == [stored]
    (record,) = catalog.events()
    assert record.event.detail == {"\udcff": "\udcff\x00"}
    assert catalog.verify_chain().sound


def test_versions_in_order_of_admission_over_many_pages(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preservation.catalog.reading.PAGE", 4)
    given = [catalog.admit(version(1, collection=c), objects(1), []) for c in ["a", "b"] * 5]
    assert list(catalog.versions()) == given
    assert list(catalog.versions(collection="b")) == given[1::2]
    assert list(catalog.versions(collection="c")) == []


def test_the_staged_bag_is_noted_and_forgotten(catalog: Catalog) -> None:
    given = catalog.admit(version(1), objects(1), [])
    catalog.set_staged(given.identifier, 1, None)
    assert catalog.find_content(given.content_digest) == replace(given, staged=None)
    with pytest.raises(CatalogError):
        catalog.set_staged(given.identifier, 2, "x")
    with pytest.raises(CatalogError):
        next(catalog.objects(given.identifier, 2))


def test_formats_are_counted_by_what_was_answered(catalog: Catalog) -> None:
    place = {"producer_identifier": "p", "collection": "c"}
    first = catalog.admit(version(3, **place), objects(3), [])
    catalog.admit(version(5, identifier=first.identifier, version=2, **place), objects(5), [])
    unknown = replace(TIFF, puid=None, name=None, basis=Basis.NONE)
    other = [ObjectFact("data/x", 7, "00" * 32, Role.PAYLOAD, format=unknown)]
    other += [ObjectFact("bag-info.txt", 9, "00" * 32, Role.TAG, format=TIFF)]
    catalog.admit(version(2, object_bytes=16, collection=None), other, [])

    def counts(**which):
        return [(row.puid, row.files, row.bytes, row.packages) for row in catalog.format_counts(**which)]

    assert counts() == [("fmt/353", 8, 8000, 2), (None, 1, 7, 1)]
    assert counts(newest_only=True) == [("fmt/353", 5, 5000, 1), (None, 1, 7, 1)]
    assert counts(collection="c") == [("fmt/353", 8, 8000, 2)]
    catalog.rebuild_projections()
    assert counts() == [("fmt/353", 8, 8000, 2), (None, 1, 7, 1)]


def test_what_a_store_can_do_is_kept(catalog: Catalog) -> None:
    assert catalog.capabilities("cloud-a") is None
    probed = Capabilities(True, False, ("sha256",), False, True, ("không có khoá",))
    catalog.save_capabilities("cloud-a", replace(probed, notes=()), NOW)
    catalog.save_capabilities("cloud-a", probed, NOW)
    assert catalog.capabilities("cloud-a") == (probed, NOW)


def test_search_key_is_stored_with_the_title(catalog: Catalog, address: str) -> None:
    catalog.admit(version(1), objects(1), [])
    if address.startswith("sqlite"):
        with sqlite3.connect(address.removeprefix("sqlite:///")) as raw:
            assert raw.execute("SELECT title_searchable FROM versions").fetchone() == ("dia chi thua thien hue",)
            assert raw.execute("SELECT searchable FROM objects").fetchone() == ("data/trang/0000000 dia chi.tif",)
