"""What must hold, whatever was done to the requests: the promises that a run is judged by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from flows.outcomes import Verdict, worst_of
from flows.remains import clear
from flows.workspace import Workspace
from policies.release import may_release
from preservation.errors import NoGoodCopy
from preservation.facts import EventOutcome, EventType, Grade, Outcome
from preservation.findings import Severity
from preservation.replicas.layout import object_key
from storage_adapters.errors import StorageError
from tests.faults.stage import Play, Scenario
from wording import Explained

# What a finding may be called when a store, and nothing else, is at fault.
STORE_FAULTS = {"store-unavailable", "store-denied", "store-full", "store-failed"}


class Broken(AssertionError):
    """A promise was not kept."""


def judge(play: Play, done: Any, error: Exception | None, *, hurt: int) -> None:
    """Whether the answer given under faults was one of the right ones."""
    scenario = play.scenario
    require(hurt > 0 or scenario.ends == "either", "no request was hurt: the scenario tests nothing")
    if error is not None:
        _right_error(scenario, error)
        return
    endings = done if isinstance(done, Sequence) else [done]
    verdict = worst_of(endings)
    findings = [finding for ending in endings for finding in _findings_of(ending)]
    told = f"{verdict.name}, {sorted({ending.word for ending in endings})}, {codes(findings)}"
    if scenario.flow == "ingest":
        require(done.outcome == "accepted", f"a store's fault fell on the package: {told}")
    found = {"restored"} if scenario.flow.startswith("restore") else set()
    require(verdict is not Verdict.FOUND or {each.word for each in endings} <= found, f"called damage: {told}")
    if verdict is Verdict.WELL:
        _all_proved(play, told)
    elif verdict is Verdict.FAILED:
        grave = {finding.code for finding in findings if finding.severity is Severity.ERROR}
        unreadable = {"object-unreadable", "reads-differ", "replica-not-listed"} & set(codes(findings))
        require(bool(grave & STORE_FAULTS or unreadable), f"failed, and no store is named: {told}")
        require(grave <= STORE_FAULTS, f"failed for another reason than a store: {told}")
        require(
            not scenario.codes or bool(grave & scenario.codes or unreadable),
            f"expected {set(scenario.codes)}: {told}",
        )
    require(scenario.ends in ("either", verdict.name.lower()), f"was to end {scenario.ends}: {told}")


def _right_error(scenario: Scenario, error: Exception) -> None:
    """Only a restore raises; and what it raises is the store's, explained, with what to do next."""
    told = f"{type(error).__name__}: {error}"
    require(scenario.flow.startswith("restore"), f"raised {told}")
    require(isinstance(error, Explained) and error.next_step is not None, f"raised without explaining: {told}")
    require(not isinstance(error, NoGoodCopy), f"said that no good copy is left: {told}")
    require(scenario.ends in ("either", "failed"), f"was to end well: {told}")
    if scenario.flow == "restore":
        raise Broken(f"two good copies could be read, one of them on our own disk, and nothing was restored: {told}")
    require(isinstance(error, StorageError) or "RestoreFailed" in told, f"raised {told}")


def _all_proved(play: Play, told: str) -> None:
    """Exit code 0 is a promise."""
    if play.scenario.flow.startswith("restore"):
        stored = play.bytes_of("a", "aip/")
        given = {path.relative_to(play.restored).as_posix() for path in play.restored.rglob("*") if path.is_file()}
        require(len(given) == len(stored), f"said well, and restored {len(given)} of {len(stored)} files: {told}")
        return
    with play.open() as workspace:
        proved = proved_in(workspace)
    require(proved == {"a", "b", "c"}, f"said well, and only {sorted(proved)} are proved: {told}")


def proved_in(workspace: Workspace) -> set[str]:
    """The stores whose copy was last found intact by reading every byte."""
    (version,) = workspace.catalog.versions()
    return {
        replica.store
        for replica in workspace.catalog.replicas(version.identifier, version.version)
        if (evidence := replica.evidence.get(Grade.BYTES)) and evidence.outcome is Outcome.INTACT
    }


def true_so_far(play: Play) -> None:
    """What the catalog says is so: every proof against the true bytes, every event once, the chain whole."""
    with play.open() as workspace:
        versions = list(workspace.catalog.versions())
        require(len(versions) == 1, f"{len(versions)} AIPs")
        version = versions[0]
        replicas = workspace.catalog.replicas(version.identifier, version.version)
        facts = {fact.path: fact for fact in workspace.catalog.objects(version.identifier, version.version)}
        for replica in replicas:
            evidence = replica.evidence.get(Grade.BYTES)
            if evidence is not None and evidence.outcome is Outcome.INTACT:
                _holds_all(play, replica.store, version.identifier, facts)
        if version.staged is None and play.scenario.flow == "repair":
            pass  # it went when all copies were proved, before two of them were damaged
        elif version.staged is None:
            policy = workspace.policy(version.policy)
            require(
                may_release(policy, replicas, workspace.store_facts()), "the bag went before its copies were proved"
            )
        else:
            require((workspace.folder / version.staged).is_dir(), "the bag that the catalog counts on is gone")
        _events_hold(workspace, version.identifier)
        require(workspace.catalog.verify_chain().sound, "the chain of events does not hold")
        workspace.catalog.rebuild_projections()
        again = workspace.catalog.replicas(version.identifier, version.version)
        require(again == replicas, "what the tables say cannot be rebuilt from the events")


def _holds_all(play: Play, store: str, identifier: str, facts: dict[str, Any]) -> None:
    prefix = object_key(identifier, 1, "")
    held = {key.removeprefix(prefix): data for key, data in play.bytes_of(store, prefix).items()}
    require(held.keys() == facts.keys(), f"proved in {store}, but it holds {sorted(held.keys() ^ facts.keys())}")
    for path, data in held.items():
        require(hashlib.sha256(data).hexdigest() == facts[path].sha256, f"proved in {store}, but {path} is altered")


def _events_hold(workspace: Workspace, identifier: str) -> None:
    happened = [each.event for each in workspace.catalog.events(identifier=identifier)]
    admitted = [e for e in happened if e.type is EventType.INGESTION_END and e.outcome is EventOutcome.SUCCESS]
    require(len(admitted) == 1, f"{len(admitted)} admissions")
    claims = Counter(
        event.store
        for event in happened
        for change in event.detail.get("projection", ())
        if change["change"] == "claimed"
    )
    held = {replica.store for replica in workspace.catalog.replicas(identifier, 1)}
    require(set(claims) == held and set(claims.values()) <= {1}, f"copies claimed {dict(claims)}, held {held}")


def nothing_left(play: Play) -> None:
    """After tidying nothing unfinished is anywhere."""
    with play.open() as workspace:
        tidied = clear(workspace)
        require(tidied.verdict is Verdict.WELL, f"tidying says {tidied.verdict.name}: {codes(tidied.findings)}")
    for store, bucket in play.buckets.items():
        uploads = play.ground.direct.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        left = [upload["Key"] for upload in uploads]
        require(not left, f"unfinished uploads are left in {store}: {left}")
    files = [path.name for path in play.house.folder.rglob("*unfinished*") if path.is_file()]
    require(not files, f"temporary files are left: {files}")
    require(not play.house.leftovers(), f"the workspace is not tidy: {play.house.leftovers()}")


def _findings_of(ending: Any) -> list[Any]:
    found = list(getattr(ending, "findings", ()))
    for place in ("copies", "report", "after", "restored"):
        found += getattr(getattr(ending, place, None), "findings", ())
    if getattr(ending, "away", None) is not None:
        found.append(ending.away)
    return found


def codes(findings: Any) -> list[str]:
    return sorted({finding.code for finding in findings})


def require(held: bool, otherwise: str) -> None:
    if not held:
        raise Broken(otherwise)
