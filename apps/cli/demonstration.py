"""`vankho demo`: the whole path on sample packages, and one damaged byte found and mended. Starts what it needs.

Every claim it prints was checked just before; the exit code is 0 only when all of them held.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.cli import screen, shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session
from apps.cli.ingesting import ingested_json, ingested_lines
from flows.audit import Audited, audit
from flows.ingest import Ingested, ingest_batch
from flows.outcomes import Verdict
from flows.repair import RepairedReplica, repair
from flows.running.run import carry_out
from flows.workspace import Workspace, open_workspace
from preservation.errors import UsageError
from preservation.facts import Grade, Outcome, Role
from preservation.findings import Severity
from preservation.replicas.layout import object_key
from wording import Message, say
from wording.translate import translate

_MARK = ".vankho-demo"  # a folder with this file was made by an earlier demonstration and may be made anew
STORES = ("primary", "cloud-a", "cloud-b")
DAMAGED_STORE = "cloud-b"


@dataclass
class _Teller:
    """Says each thing as it becomes true, and remembers what was not."""

    session: Session
    broken: list[Message]

    def tell(self, *lines: Line) -> None:
        """Print lines now; programs that asked for JSON get one document at the end instead."""
        if not self.session.as_json:
            screen.show(Answer(None, lines), as_json=False, language=self.session.language)

    def check(self, held: bool, claim: Message) -> None:
        """Print the claim as held or as broken."""
        self.tell(say("  ok: {claim}", claim=claim) if held else say("  NOT SO: {claim}", claim=claim))
        if not held:
            self.broken.append(claim)


def demonstrate(session: Session, folder: Path, package: Sequence[str], *, keep: bool) -> Answer:
    """The whole path in the folder, which is made anew. Raises UsageError when something else stands there."""
    teller = _Teller(session, [])
    began = time.monotonic()
    _require(package)
    prepared = _fresh(folder)
    with _servers(prepared, teller) as prefect:
        with (
            screen.progress(wanted=not session.as_json, language=session.language) as progress,
            open_workspace(prepared, progress=progress) as workspace,
        ):
            done = _take_in(workspace, prepared, package, teller)
            found = _damage_and_mend(workspace, prepared, done, teller)
        seconds = time.monotonic() - began
        teller.tell(*_what_next(folder, done, seconds=seconds, broken=teller.broken))
        if keep:
            _wait(teller, prefect)
    data = {
        "ingested": [ingested_json(each, session.language) for each in done],
        **found,
        "held": not teller.broken,
        "broken": [translate(claim, session.language) for claim in teller.broken],
        "seconds": round(seconds, 1),
    }
    return Answer(data, [], Verdict.FOUND if teller.broken else Verdict.WELL)


def _require(package: Sequence[str]) -> None:
    """Raise UsageError for a package that is not there, before anything is begun."""
    for path in package:
        if not Path(path).exists():
            raise UsageError(
                say("There is no package {path}.", path=path),
                where=path,
                next_step=say("Check the path, and that the disk is connected."),
            )


def _fresh(folder: Path) -> Path:
    """An empty folder for the demonstration. Raises UsageError when something else stands there."""
    if folder.exists() and not (folder / _MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            say("{folder} holds something else; the demonstration does not touch it.", folder=folder),
            where=str(folder),
            next_step=say("Name another folder: vankho demo DIR."),
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # the current folder is emptied, but cannot be taken away
    (folder / _MARK).touch()
    return folder.resolve()


@contextmanager
def _servers(folder: Path, teller: _Teller) -> Iterator[str]:
    """Two S3 servers, each with its own credentials, a Prefect server, and settings. Gives Prefect's address."""
    from examples.servers import prefect_server, rclone_s3, wait_for_prefect  # late: only the demonstration

    teller.tell(say("1. Starting two S3 servers and a Prefect server on this machine"))
    with ExitStack() as running:
        prefect = running.enter_context(prefect_server(folder / "prefect"))
        endpoints = {}
        keys = {name: (f"demo-{name}", secrets.token_urlsafe(24)) for name in STORES[1:]}
        for name, (access, secret) in keys.items():
            server = rclone_s3(folder / "servers" / name, name, access_key=access, secret_key=secret)
            endpoints[name] = running.enter_context(server)
        _write_settings(folder, endpoints, keys, prefect)
        wait_for_prefect(prefect, folder / "prefect")
        os.environ["PREFECT_API_URL"] = prefect
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        yield prefect


def _write_settings(folder: Path, endpoints: dict[str, str], keys: dict[str, tuple[str, str]], prefect: str) -> None:
    lines = [
        "# Made by `vankho demo`.",
        "[stores.primary]",
        'kind = "local"\npath = "stores/primary"\nprovider = "library"\nregion = "site-1"\nmedium = "disk"\n',
    ]
    private = []
    for number, (name, endpoint) in enumerate(endpoints.items(), start=2):
        lines.append(
            f'[stores.{name}]\nkind = "s3"\nbucket = "{name}"\nendpoint_url = "{endpoint}"\n'
            f'provider = "provider-{name[-1]}"\nregion = "site-{number}"\nmedium = "object storage"\n'
        )
        access, secret = keys[name]
        private.append(f'[stores.{name}]\naccess_key_id = "{access}"\nsecret_access_key = "{secret}"\n')
    lines.append(f'[prefect]\napi_url = "{prefect}"\n')
    (folder / "vankho.toml").write_text("\n".join(lines), encoding="utf-8")
    secret_file = folder / "vankho.secrets.toml"
    secret_file.touch(mode=0o600)
    secret_file.write_text("\n".join(private), encoding="utf-8")


def _take_in(workspace: Workspace, folder: Path, own: Sequence[str], teller: _Teller) -> list[Ingested]:
    from examples.samples import make_samples

    teller.tell(say("2. Making sample packages"))
    samples = make_samples(folder / "samples")
    teller.tell(*(say("  {name}: {about}", name=sample.path.name, about=sample.about) for sample in samples))
    teller.tell(say("3. Taking them in: receive, check, identify, bag, copy to three stores, read every byte back"))
    sources = [*(str(sample.path) for sample in samples), *(str(Path(path).absolute()) for path in own)]
    done = carry_out(workspace, ingest_batch, sources=sources)
    for each in done:
        teller.tell(*ingested_lines(each, teller.session.language))
    for sample, each in zip(samples, done, strict=False):
        errors = {finding.code for finding in each.findings if finding.severity is Severity.ERROR}
        name = sample.path.name
        if sample.expected == "accepted":
            teller.check(each.outcome == "accepted", say("{name} is accepted", name=name))
        else:
            rightly = each.outcome == "rejected" and errors == set(sample.reasons)
            reasons = ", ".join(sample.reasons)
            teller.check(rightly, say("{name} is rejected, for {reasons}", name=name, reasons=reasons))
    for each in done[len(samples) :]:
        teller.check(each.outcome == "accepted", say("{name} is accepted", name=Path(each.source).name))
    accepted = [each for each in done if each.outcome == "accepted"]
    teller.check(
        bool(accepted) and all(_three_proved(each) for each in accepted),
        say("each accepted package has three copies, every byte of them read back and right"),
    )
    return done


def _three_proved(each: Ingested) -> bool:
    proofs = {replica.store: replica.evidence.get(Grade.BYTES) for replica in each.replicas}
    return set(proofs) == set(STORES) and all(p is not None and p.outcome is Outcome.INTACT for p in proofs.values())


def _damage_and_mend(workspace: Workspace, folder: Path, done: Sequence[Ingested], teller: _Teller) -> dict[str, Any]:
    """Damage one byte behind the engine's back; it must find exactly that file in exactly that store, and mend it."""
    victim = next((each for each in done if each.identifier is not None and each.version is not None), None)
    if victim is None or victim.identifier is None or victim.version is None:
        teller.check(False, say("there is a copy to damage"))
        return {"damaged": None, "found": [], "repaired": []}
    path, offset = _damage(workspace, folder, victim.identifier, victim.version, teller)
    teller.tell(say("5. Auditing every copy in every store"))
    audited = carry_out(workspace, audit, references=[])
    wrong = [
        (each.report.identifier, each.report.store, finding.path, finding.code)
        for each in audited
        for finding in each.report.findings
    ]
    teller.tell(*_seen(audited, teller))
    teller.check(
        wrong == [(victim.identifier, DAMAGED_STORE, path, "object-altered")],
        say("the audit finds exactly this file in exactly this store, and nothing else"),
    )
    teller.tell(say("6. Repairing it from a copy that is proved good now"))
    mended = carry_out(workspace, repair, references=[])
    teller.tell(*_mended(mended))
    repaired = [
        (each.version.identifier, each.store, item, donor)
        for each in mended
        if each.repaired
        for item, donor in each.repaired.repaired
    ]
    rightly = [where for *where, _ in repaired] == [[victim.identifier, DAMAGED_STORE, path]]
    teller.check(rightly, say("this file, and no other, was brought back"))
    teller.tell(say("7. Proving all copies again"))
    again = carry_out(workspace, audit, references=[])
    intact = len(again) == len(audited) and all(each.report.outcome is Outcome.INTACT for each in again)
    teller.check(intact, say("all {copies} copies are intact, every byte read back", copies=len(again)))
    return {
        "damaged": {"store": DAMAGED_STORE, "path": path, "offset": offset},
        "found": [{"store": store, "path": path, "code": code} for _, store, path, code in wrong],
        "repaired": [{"path": path, "from": donor} for _, _, path, donor in repaired],
    }


def _damage(workspace: Workspace, folder: Path, identifier: str, version: int, teller: _Teller) -> tuple[str, int]:
    """Flip one byte of the largest payload file in one store's own folder; gives the path and which byte."""
    from examples.servers import flip_byte, object_file

    payload = (fact for fact in workspace.catalog.objects(identifier, version) if fact.role is Role.PAYLOAD)
    path = max(payload, key=lambda fact: fact.size).path
    key = object_key(identifier, version, path)
    offset = flip_byte(object_file(folder / "servers" / DAMAGED_STORE, DAMAGED_STORE, key))
    teller.tell(
        say(
            "4. Damaging one byte behind Vankho's back: byte {offset} of {path} in store {store}",
            offset=offset,
            path=path,
            store=DAMAGED_STORE,
        )
    )
    return path, offset


def _seen(audited: Sequence[Audited], teller: _Teller) -> list[Line]:
    return [
        line
        for each in audited
        if each.report.findings
        for line in shapes.finding_lines(each.report.findings, teller.session.language)
    ]


def _mended(mended: Sequence[RepairedReplica]) -> list[Line]:
    lines: list[Line] = []
    for each in mended:
        if each.repaired is not None:
            lines += [say("  {path} brought back from {donor}", path=p, donor=d) for p, d in each.repaired.repaired]
            lines += [say("  what was there is kept in {file}", file=file) for file in each.repaired.kept]
    return lines


def _what_next(folder: Path, done: Sequence[Ingested], *, seconds: float, broken: Sequence[Message]) -> list[Line]:
    one = next((each.identifier for each in done if each.identifier), None)
    place = shlex.quote(str(folder))
    vankho = "vankho" if shutil.which("vankho") else shlex.quote(sys.argv[0])  # `make demo` activates no environment
    lines: list[Line] = [
        say("All of this was so. It took {seconds} s.", seconds=round(seconds, 1))
        if not broken
        else say("Not all of this was so: {count} claims did not hold.", count=len(broken)),
        say("Look at it yourself:"),
        f"  {vankho} --workspace {place} show",
    ]
    if one is not None:
        lines += [
            f"  {vankho} --workspace {place} events {one[:8]}",
            f"  {vankho} bag check {place}/stores/primary/aip/{one}/v1",
            f"  {vankho} --workspace {place} restore {one[:8]} --from primary --to {place}/restored",
        ]
    lines += [
        f"  {vankho} --workspace {place} formats report",
        say("The servers end with this command; `vankho demo --keep` leaves them running, Prefect's pages too."),
    ]
    return lines


def _wait(teller: _Teller, prefect: str) -> None:
    teller.tell(say("Running until Ctrl-C. Prefect's pages: {url}", url=prefect.removesuffix("/api")))
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
