"""`stores_side_by_side`: copies to several stores at once, and everything else as it is one store after the other."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.replicate import replicate
from flows.steps import plain_step
from flows.workspace import Workspace
from preservation.facts import EventType
from tests.flows.houses import House, codes, package, proofs


@pytest.fixture
def together(workspace: Workspace) -> Workspace:
    work = workspace.settings.work.model_copy(update={"stores_side_by_side": True})
    workspace.settings = workspace.settings.model_copy(update={"work": work})
    return workspace


def events(workspace: Workspace, identifier: str) -> Counter[EventType]:
    return Counter(each.event.type for each in workspace.catalog.events(identifier=identifier))


def test_all_stores_are_written_at_the_same_moment(together: Workspace, house: House, tmp_path: Path):
    met, begun = threading.Barrier(len(house.stores)), list[str]()

    def meeting(name: str, work, /, *args, **kwargs):
        if name.startswith("copy to "):
            begun.append(name)
            met.wait(20)  # nobody goes on before all are here
        return plain_step(name, work, *args, **kwargs)

    done = ingest(together, str(package(tmp_path / "p")), step=meeting)
    assert (done.verdict, sorted(begun)) == (Verdict.WELL, ["copy to a", "copy to b", "copy to c"])
    assert list(proofs(done.replicas).values()) == ["intact"] * 3
    assert house.leftovers() == []
    assert done.identifier is not None
    told = events(together, done.identifier)
    assert told[EventType.REPLICATION] == 3
    assert together.catalog.verify_chain().sound


def test_a_store_that_is_away_keeps_no_other(together: Workspace, house: House, tmp_path: Path):
    together.store("a")  # makes its folder
    shutil.rmtree(house.store_folder("a"))
    done = ingest(together, str(package(tmp_path / "p")))
    assert done.verdict is Verdict.FAILED and "store-denied" in codes(done.findings)
    assert proofs(done.replicas) == {"b": "intact", "c": "intact"}
    house.store_folder("a").mkdir()
    [again] = replicate(together, [done.identifier or ""])
    assert again.verdict is Verdict.WELL


def test_an_interruption_ends_all_of_them_and_the_next_run_goes_on(
    together: Workspace, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import flows.auditing.by_store as module

    def interrupted(_begun: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ingest(together, str(package(tmp_path / "p")))
    assert together.catalog.verify_chain().sound
    assert [each.verdict for each in replicate(together, [])] == [Verdict.WELL]
    [version] = together.catalog.versions()
    assert proofs(together.catalog.replicas(version.identifier, version.version)) == dict.fromkeys("abc", "intact")
