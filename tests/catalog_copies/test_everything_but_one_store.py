"""Losing the catalog, the staging area and all stores but one loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.audit import audit
from flows.outcomes import Verdict
from flows.rebuilding.catalog_copies import rebuild
from flows.repair import repair
from flows.replicate import replicate
from flows.restore import restore
from flows.running.run import carry_out
from tests.catalog_copies.losses import lose, same_but_the_last, told
from tests.flows.houses import House, proofs


@pytest.mark.parametrize("left", ["a", "b", "c"])
def test_one_store_alone_gives_the_catalog_back(lived: House, tmp_path: Path, left: str) -> None:
    """Everything that was told before is told again; audit, repair, replicate and restore go on from there."""
    with lived.open() as workspace:
        before = told(workspace)
    lose(lived, *({"a", "b", "c"} - {left}))
    with lived.open() as workspace:
        done = rebuild(workspace, source=left)
        assert (done.outcome, done.verdict, done.aside) == ("made-anew", Verdict.WELL, None)
        assert done.difference is not None
        assert (done.difference.total, done.difference.compared["versions"]) == (0, 3)
        assert done.difference.compared["events"] == len(before["events"])
        assert done.policies == ("thu-vien",)
        assert same_but_the_last(told(workspace), before) == ["recovery"]
        assert workspace.policy("thu-vien").replication.floor == 2
        proved = carry_out(workspace, audit, references=[], store=left, evidence="bytes")
        assert {each.word for each in proved} == {"intact"}
    _new_disks(lived, {"a", "b", "c"} - {left})
    with lived.open() as workspace:
        carry_out(workspace, audit, references=[], evidence="bytes")
        assert {each.word for each in carry_out(workspace, repair, references=[])} == {"repaired"}
        assert carry_out(workspace, replicate, references=[]) == []  # every copy is repaired, so none is wanting
        for version in workspace.catalog.versions():
            copies = workspace.catalog.replicas(version.identifier, version.version)
            assert proofs(copies) == dict.fromkeys("abc", "intact")
            place = tmp_path / version.content_digest
            assert restore(workspace, version.identifier, to=str(place), version=version.version).report.valid
        assert workspace.notices == []


def _new_disks(house: House, names: set[str]) -> None:
    for name in names:
        house.store_folder(name).mkdir(parents=True)
        (house.store_folder(name) / "README.txt").write_text("mới")


def test_every_other_store_then_agrees_and_a_second_rebuild_has_nothing_to_do(lived: House) -> None:
    """The rebuild itself is told to the stores that are left."""
    lose(lived, "c")
    with lived.open() as workspace:
        rebuild(workspace, source="a")
    with lived.open() as workspace:
        again = rebuild(workspace, source="b")
        assert (again.outcome, again.replayed.events, again.verdict) == ("whole-already", 0, Verdict.WELL)
        assert (again.policies, again.findings) == ((), ())  # what was brought back is what the ledger keeps
        assert again.difference is not None
        assert again.difference.total == 0
