"""Drives the real flows through a script of faults, and then looks whether all that is promised held.

Three stores: one a folder, two in buckets of a real S3 server behind the fault proxy. What is claimed to be proved is
compared with the server's own bytes, read past the proxy. At the end the faults are switched off, and everything must
become well, with nothing left behind.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.outcomes import Verdict, worst_of
from flows.repair import repair
from flows.replicate import replicate
from flows.restore import restore
from flows.workspace import Workspace
from tests.faults.promises import Broken, codes, judge, nothing_left, proved_in, require, true_so_far
from tests.faults.stage import PATIENT, Ground, Play, Scenario, calm, stage
from tests.flows.houses import tree
from tests.servers.fault_proxy import Rule

FLOWS = ("ingest", "replicate", "audit", "repair", "restore")
DEADLINE = (
    120.0  # seconds for one flow under faults; with the timeouts below none comes near it, but machines are busy
)
HURRIED = 0.4  # read timeout while faults rage


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
        require(tree(made.source) == untouched, "the producer's package was touched")
        judge(play, done, error, hurt=hurt)
        true_so_far(play)
        _mend(play)
        true_so_far(play)
        nothing_left(play)
        require(tree(made.source) == untouched, "the producer's package was touched")


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
    require(taken.outcome == "accepted", f"preparing: {taken.outcome} {codes(taken.findings)}")
    if flow == "repair":
        _damage(play, taken.identifier)
        with play.open() as workspace:
            words = Counter(each.word for each in in_ledger(workspace, audit, []))
        require(words == {"intact": 1, "damaged": 2}, f"preparing: the audit says {dict(words)}")
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


def _mend(play: Play) -> None:
    """Without faults everything becomes well, by the commands that the messages name."""
    with play.open() as workspace:
        done = [*in_ledger(workspace, replicate, []), *in_ledger(workspace, audit, [])]
        if worst_of(done) is not Verdict.WELL:
            mended = in_ledger(workspace, repair, [])
            require(worst_of(mended) is Verdict.WELL, f"repair says {[each.word for each in mended]}")
            done = [*in_ledger(workspace, replicate, []), *in_ledger(workspace, audit, [])]
        require(worst_of(done) is Verdict.WELL, f"not well again: {[each.word for each in done]}")
        (version,) = workspace.catalog.versions()
        require(version.staged is None, "the bag was not let go although every copy is proved")
        notices = codes(workspace.notices)
        require(not notices, f"without faults there are notices: {notices}")
        require(proved_in(workspace) == {"a", "b", "c"}, f"not well again: only {proved_in(workspace)} are proved")
