"""Drives the real flows through a script of faults, and then looks whether all that is promised held.

Three stores: one a folder, two in buckets of a real S3 server behind the fault proxy. What is claimed to be proved is
compared with the server's own bytes, read past the proxy. At the end the faults are switched off, and everything must
become well, with nothing left behind.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

import flows.ledger
import flows.steps
import flows.workspace
from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.outcomes import Verdict, worst_of
from flows.remains import clear
from flows.repair import repair
from flows.replicate import replicate
from flows.restore import restore
from flows.workspace import Workspace
from policies.release import may_release
from preservation.errors import NoGoodCopy
from preservation.facts import EventOutcome, EventType, Grade, Outcome
from preservation.findings import Severity
from preservation.formats.identify import Identifier
from preservation.replicas.layout import object_key
from storage_adapters.errors import StorageError
from storage_adapters.opening import open_store
from storage_adapters.settings import S3Settings
from storage_adapters.store import Capabilities
from tests.faults.kinds import strike
from tests.flows.houses import House, tree
from tests.servers import ministack as ministack_server
from tests.servers.fault_proxy import FaultProxy, Rule, fault_proxy
from wording import Explained

FLOWS = ("ingest", "replicate", "audit", "repair", "restore")
DEADLINE = 60.0  # seconds for one flow under faults; with the timeouts below none may come near it
PART = 64 << 10  # so that a file of 150 KB goes in three parts; the smallest that settings allow is 8 MiB
HURRIED, PATIENT = 0.4, 30.0  # read timeouts while faults rage, and while they do not

# What a finding may be called when a store, and nothing else, is at fault.
STORE_FAULTS = {"store-unavailable", "store-denied", "store-full", "store-failed"}


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A flow, the faults while it runs, and how it may end: `well`, `failed`, or `either`; with which codes."""

    name: str
    flow: str
    rules: tuple[Rule, ...]
    ends: str = "either"
    codes: frozenset[str] = frozenset()
    probed: bool = True  # whether the stores were probed before the faults begin
    family: str = ""


@dataclass
class Ground:
    """What all runs share: the server, the proxy, a package, and an empty workspace to copy."""

    folder: Path
    settings: S3Settings
    proxy: FaultProxy
    identifier: Identifier
    direct: Any
    source: Path
    template: Path
    capabilities: Capabilities
    read_timeout: float = PATIENT
    part_size: int = PART
    numbers: Iterator[int] = field(default_factory=itertools.count)


@contextmanager
def ground(folder: Path, settings: S3Settings, *, part_size: int = PART) -> Iterator[Ground]:
    """Everything that runs need, on a running server; flows try again at once and send small parts meanwhile."""
    with fault_proxy(settings.endpoint_url or "", strike) as proxy, Identifier() as identifier:
        direct = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region_name,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
        )
        store = open_store("b", settings)
        made = Ground(
            folder, settings, proxy, identifier, direct, folder / "package", folder / "template", store.capabilities()
        )
        made.part_size = part_size
        _package(made.source, large=part_size * 2 + part_size // 3)
        house = House(made.template, {}).settle()
        with house.open() as workspace:
            _ = workspace.catalog
        with _hurried(made):
            yield made


@contextmanager
def _hurried(made: Ground) -> Iterator[None]:
    """Small parts, short timeouts, and trying again at once."""
    usual = flows.workspace._s3, flows.steps.RETRY_DELAYS, S3Settings.part_size_for, flows.ledger.policy_texts
    flows.workspace._s3, flows.steps.RETRY_DELAYS = _small_parts(made, usual[0]), (0.01, 0.01)
    S3Settings.part_size_for = lambda self, size: self.part_size
    texts: list[Any] = []  # the policies stay as they are; reading them is a fifth of a run

    def policy_texts(workspace: Workspace) -> Any:
        texts[:] = texts or [usual[3](workspace)]
        return texts[0]

    flows.ledger.policy_texts = policy_texts
    try:
        yield
    finally:
        flows.workspace._s3, flows.steps.RETRY_DELAYS, S3Settings.part_size_for, flows.ledger.policy_texts = usual


@contextmanager
def ministack_ground(folder: Path) -> Iterator[Ground]:
    """The same, with a server of its own."""
    program = ministack_server.program()
    if program is None:
        raise RuntimeError("MiniStack is not installed: make test makes .venv-ministack for it")
    (folder / "server").mkdir()
    with ministack_server.ministack(program, folder / "server") as settings, ground(folder, settings) as made:
        yield made


def _package(folder: Path, *, large: int) -> None:
    (folder / "Quyển một").mkdir(parents=True)
    (folder / "Trang 0001.txt").write_text("Trăm năm trong cõi người ta", "utf-8")
    (folder / "Quyển một" / "Trang 0002.txt").write_text("Chữ tài chữ mệnh khéo là ghét nhau" * 40, "utf-8")
    (folder / "Quyển một" / "ảnh quét.bin").write_bytes(random.Random(7).randbytes(large))


def _small_parts(made: Ground, usual: Callable[[Any], S3Settings]) -> Callable[[Any], S3Settings]:
    def settings(given: Any) -> S3Settings:
        plain = usual(given)
        object.__setattr__(plain, "part_size", made.part_size)
        object.__setattr__(plain, "read_timeout", made.read_timeout)
        object.__setattr__(plain, "connect_timeout", 2.0)
        return plain

    return settings


@dataclass
class Play:
    """One run in a workspace and buckets of its own."""

    ground: Ground
    scenario: Scenario
    house: House
    buckets: dict[str, str]
    restored: Path

    def open(self) -> Any:
        return self.house.open()

    def bytes_of(self, store: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of one store, past the proxy."""
        if store == "a":
            root = self.house.store_folder("a")
            files = (path for path in root.rglob("*") if path.is_file())
            found = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
            return {key: data for key, data in found.items() if key.startswith(prefix)}
        direct, bucket = self.ground.direct, self.buckets[store]
        pages = direct.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {key: direct.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@contextmanager
def stage(made: Ground, scenario: Scenario) -> Iterator[Play]:
    """A workspace and two buckets for one run."""
    number = next(made.numbers)
    folder = made.folder / f"run-{number}"
    shutil.copytree(made.template, folder / "house")
    buckets = {name: f"run-{number}-{name}" for name in "bc"}
    for bucket in buckets.values():
        made.direct.create_bucket(Bucket=bucket)
    cloud = {
        "kind": "s3",
        "endpoint_url": made.proxy.url,
        "access_key_id": made.settings.access_key_id,
        "secret_access_key": made.settings.secret_access_key,
    }
    stores = {
        "a": {"kind": "local", "path": "stores/a", "region": "site-a"},
        **{name: {**cloud, "bucket": bucket, "region": f"site-{name}"} for name, bucket in buckets.items()},
    }
    house = House(folder / "house", stores, identifier=made.identifier).settle()
    calm(made)
    if scenario.probed:
        with house.open() as workspace:
            for name in buckets:
                workspace.catalog.save_capabilities(name, made.capabilities, workspace.clock())
    try:
        yield Play(made, scenario, house, buckets, folder / "out")
    finally:
        calm(made)
        for bucket in buckets.values():
            with suppress(ClientError):  # a run that did not end may still be putting
                _empty(made.direct, bucket)
        shutil.rmtree(folder, ignore_errors=True)


def calm(made: Ground) -> None:
    """Faults off, and time enough."""
    made.proxy.script()
    made.read_timeout = PATIENT


def _empty(direct: Any, bucket: str) -> None:
    for page in direct.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", ()):
            direct.delete_object(Bucket=bucket, Key=entry["Key"])
    direct.delete_bucket(Bucket=bucket)


def played(made: Ground, scenario: Scenario) -> None:
    """The whole of one scenario. Raises Broken with what did not hold."""
    untouched = tree(made.source)
    with stage(made, scenario) as play:
        identifier = _prepare(play)
        made.read_timeout = HURRIED if scenario.ends != "well" else PATIENT  # a busy machine must not fail it
        made.proxy.script(*scenario.rules)
        done, error = _under_faults(play, identifier)
        hurt = sum(made.proxy.hurt.values())
        calm(made)
        _require(tree(made.source) == untouched, "the producer's package was touched")
        _judge(play, done, error, hurt=hurt)
        _true_so_far(play)
        _mend(play)
        _true_so_far(play)
        _nothing_left(play)
        _require(tree(made.source) == untouched, "the producer's package was touched")


def _prepare(play: Play) -> str | None:
    """What must be there before the faults begin; gives the identifier of the AIP, None when none is needed."""
    made, flow = play.ground, play.scenario.flow
    if flow == "ingest":
        return None
    if flow == "replicate":
        made.proxy.script(Rule("reset-before", times=None))
    with play.open() as workspace:
        taken = in_ledger(workspace, ingest, str(made.source))
    calm(made)
    _require(taken.outcome == "accepted", f"preparing: {taken.outcome} {_codes(taken.findings)}")
    if flow == "repair":
        _damage(play, taken.identifier)
        with play.open() as workspace:
            words = Counter(each.word for each in in_ledger(workspace, audit, []))
        _require(words == {"intact": 1, "damaged": 2}, f"preparing: the audit says {dict(words)}")
    return str(taken.identifier)


def _damage(play: Play, identifier: str) -> None:
    """In b one object altered, one gone and one too many; in c the large one altered."""
    direct, bucket = play.ground.direct, play.buckets["b"]
    prefix = f"aip/{identifier}/v1/"
    page = direct.get_object(Bucket=bucket, Key=f"{prefix}data/Trang 0001.txt")["Body"].read()
    direct.put_object(Bucket=bucket, Key=f"{prefix}data/Trang 0001.txt", Body=page[::-1])
    direct.delete_object(Bucket=bucket, Key=f"{prefix}bag-info.txt")
    direct.put_object(Bucket=bucket, Key=f"{prefix}data/lạ.txt", Body=b"?")
    large = f"{prefix}data/Quyển một/ảnh quét.bin"
    whole = bytearray(direct.get_object(Bucket=play.buckets["c"], Key=large)["Body"].read())
    whole[100] ^= 1
    direct.put_object(Bucket=play.buckets["c"], Key=large, Body=bytes(whole))


def _under_faults(play: Play, identifier: str | None) -> tuple[Any, Exception | None]:
    """What the flow gave or raised. Raises Broken when it did not end in time."""
    bodies: dict[str, Callable[[Workspace], Any]] = {
        "ingest": lambda workspace: in_ledger(workspace, ingest, str(play.ground.source)),
        "replicate": lambda workspace: in_ledger(workspace, replicate, []),
        "audit": lambda workspace: in_ledger(workspace, audit, []),
        "repair": lambda workspace: in_ledger(workspace, repair, []),
        "restore": lambda workspace: in_ledger(workspace, restore, str(identifier), to=str(play.restored)),
        "restore-from-b": lambda workspace: in_ledger(
            workspace, restore, str(identifier), to=str(play.restored), store="b"
        ),
    }
    answers: list[Any] = []
    errors: list[Exception] = []

    def act() -> None:
        try:
            with play.open() as workspace:
                answers.append(bodies[play.scenario.flow](workspace))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=act, name=play.scenario.name, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)
        where = "".join(traceback.format_stack(frame)[-4:]) if frame else "?"
        raise Broken(f"did not end within {DEADLINE} s; it stands at\n{where}")
    return (answers[0] if answers else None), (errors[0] if errors else None)


def _judge(play: Play, done: Any, error: Exception | None, *, hurt: int) -> None:
    """Whether the answer given under faults was one of the right ones."""
    scenario = play.scenario
    _require(hurt > 0 or scenario.ends == "either", "no request was hurt: the scenario tests nothing")
    if error is not None:
        _right_error(scenario, error)
        return
    endings = done if isinstance(done, Sequence) else [done]
    verdict = worst_of(endings)
    findings = [finding for ending in endings for finding in _findings_of(ending)]
    told = f"{verdict.name}, {sorted({ending.word for ending in endings})}, {_codes(findings)}"
    if scenario.flow == "ingest":
        _require(done.outcome == "accepted", f"a store's fault fell on the package: {told}")
    found = {"restored"} if scenario.flow.startswith("restore") else set()
    _require(verdict is not Verdict.FOUND or {each.word for each in endings} <= found, f"called damage: {told}")
    if verdict is Verdict.WELL:
        _all_proved(play, told)
    elif verdict is Verdict.FAILED:
        grave = {finding.code for finding in findings if finding.severity is Severity.ERROR}
        unreadable = {"object-unreadable", "reads-differ"} & set(_codes(findings))
        _require(bool(grave & STORE_FAULTS or unreadable), f"failed, and no store is named: {told}")
        _require(grave <= STORE_FAULTS, f"failed for another reason than a store: {told}")
        _require(
            not scenario.codes or bool(grave & scenario.codes or unreadable),
            f"expected {set(scenario.codes)}: {told}",
        )
    _require(scenario.ends in ("either", verdict.name.lower()), f"was to end {scenario.ends}: {told}")


def _right_error(scenario: Scenario, error: Exception) -> None:
    """Only a restore raises; and what it raises is the store's, explained, with what to do next."""
    told = f"{type(error).__name__}: {error}"
    _require(scenario.flow.startswith("restore"), f"raised {told}")
    _require(isinstance(error, Explained) and error.next_step is not None, f"raised without explaining: {told}")
    _require(not isinstance(error, NoGoodCopy), f"said that no good copy is left: {told}")
    _require(scenario.ends in ("either", "failed"), f"was to end well: {told}")
    if scenario.flow == "restore":
        raise Broken(f"two good copies could be read, one of them on our own disk, and nothing was restored: {told}")
    _require(isinstance(error, StorageError) or "RestoreFailed" in told, f"raised {told}")


def _all_proved(play: Play, told: str) -> None:
    """Exit code 0 is a promise."""
    if play.scenario.flow.startswith("restore"):
        stored = play.bytes_of("a", "aip/")
        given = {path.relative_to(play.restored).as_posix() for path in play.restored.rglob("*") if path.is_file()}
        _require(len(given) == len(stored), f"said well, and restored {len(given)} of {len(stored)} files: {told}")
        return
    with play.open() as workspace:
        (version,) = workspace.catalog.versions()
        proved = {
            replica.store
            for replica in workspace.catalog.replicas(version.identifier, version.version)
            if (evidence := replica.evidence.get(Grade.BYTES)) and evidence.outcome is Outcome.INTACT
        }
    _require(proved == {"a", "b", "c"}, f"said well, and only {sorted(proved)} are proved: {told}")


def _true_so_far(play: Play) -> None:
    """What the catalog says is so: every proof against the true bytes, every event once, the chain whole."""
    with play.open() as workspace:
        versions = list(workspace.catalog.versions())
        _require(len(versions) == 1, f"{len(versions)} AIPs")
        version = versions[0]
        replicas = workspace.catalog.replicas(version.identifier, version.version)
        facts = {fact.path: fact for fact in workspace.catalog.objects(version.identifier, version.version)}
        for replica in replicas:
            evidence = replica.evidence.get(Grade.BYTES)
            if evidence is not None and evidence.outcome is Outcome.INTACT:
                _holds_all(play, replica.store, version.identifier, facts)
        if version.staged is None:
            policy = workspace.policy(version.policy)
            _require(
                may_release(policy, replicas, workspace.store_facts()), "the bag went before its copies were proved"
            )
        else:
            _require((workspace.folder / version.staged).is_dir(), "the bag that the catalog counts on is gone")
        _events_hold(workspace, version.identifier)
        _require(workspace.catalog.verify_chain().sound, "the chain of events does not hold")
        workspace.catalog.rebuild_projections()
        again = workspace.catalog.replicas(version.identifier, version.version)
        _require(again == replicas, "what the tables say cannot be rebuilt from the events")


def _holds_all(play: Play, store: str, identifier: str, facts: dict[str, Any]) -> None:
    prefix = object_key(identifier, 1, "")
    held = {key.removeprefix(prefix): data for key, data in play.bytes_of(store, prefix).items()}
    _require(held.keys() == facts.keys(), f"proved in {store}, but it holds {sorted(held.keys() ^ facts.keys())}")
    for path, data in held.items():
        _require(hashlib.sha256(data).hexdigest() == facts[path].sha256, f"proved in {store}, but {path} is altered")


def _events_hold(workspace: Workspace, identifier: str) -> None:
    happened = [each.event for each in workspace.catalog.events(identifier=identifier)]
    admitted = [e for e in happened if e.type is EventType.INGESTION_END and e.outcome is EventOutcome.SUCCESS]
    _require(len(admitted) == 1, f"{len(admitted)} admissions")
    claims = Counter(
        event.store
        for event in happened
        for change in event.detail.get("projection", ())
        if change["change"] == "claimed"
    )
    held = {replica.store for replica in workspace.catalog.replicas(identifier, 1)}
    _require(set(claims) == held and set(claims.values()) <= {1}, f"copies claimed {dict(claims)}, held {held}")


def _mend(play: Play) -> None:
    """Without faults everything becomes well, by the commands that the messages name."""
    with play.open() as workspace:
        in_ledger(workspace, replicate, [])
        first = in_ledger(workspace, audit, [])
        if worst_of(first) is not Verdict.WELL:
            mended = in_ledger(workspace, repair, [])
            _require(worst_of(mended) is Verdict.WELL, f"repair says {[each.word for each in mended]}")
        done = [*in_ledger(workspace, replicate, []), *in_ledger(workspace, audit, [])]
        _require(worst_of(done) is Verdict.WELL, f"not well again: {[each.word for each in done]}")
        (version,) = workspace.catalog.versions()
        _require(version.staged is None, "the bag was not let go although every copy is proved")
        notices = _codes(workspace.notices)
        _require(not notices, f"without faults there are notices: {notices}")


def _nothing_left(play: Play) -> None:
    """After tidying nothing unfinished is anywhere."""
    with play.open() as workspace:
        tidied = clear(workspace)
        _require(tidied.verdict is Verdict.WELL, f"tidying says {tidied.verdict.name}: {_codes(tidied.findings)}")
    for store, bucket in play.buckets.items():
        uploads = play.ground.direct.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        left = [upload["Key"] for upload in uploads]
        _require(not left, f"unfinished uploads are left in {store}: {left}")
    files = [path.name for path in play.house.folder.rglob("*") if "unfinished" in path.name]
    _require(not files, f"temporary files are left: {files}")
    _require(not play.house.leftovers(), f"the workspace is not tidy: {play.house.leftovers()}")


def _findings_of(ending: Any) -> list[Any]:
    found = list(getattr(ending, "findings", ()))
    for place in ("copies", "report", "after", "restored"):
        found += getattr(getattr(ending, place, None), "findings", ())
    if getattr(ending, "away", None) is not None:
        found.append(ending.away)
    return found


def _codes(findings: Any) -> list[str]:
    return sorted({finding.code for finding in findings})


def _require(held: bool, otherwise: str) -> None:
    if not held:
        raise Broken(otherwise)
