"""Notices through Apprise to real servers: sent once, kept when nobody takes them, never in the way of a run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.ingest import ingest_batch
from flows.ledger import in_ledger
from flows.outcomes import Verdict
from flows.reporting import channels, notices
from flows.reporting.rows import Kind, Row
from flows.workspace import Workspace, open_workspace
from preservation.catalog import outbox
from preservation.facts import Outcome
from preservation.findings import Finding, Severity
from tests.watching.rooms import Ended, Room, kept, prove
from tests.watching.servers import Side, mail_server, webhook
from wording import say

TOKEN = "b7c9e2a4d6f80123456789"
POLICY = "extends: default\nnotification: {officer: [mail], sysadmin: [hook], immediate: [damage]}\n"


@pytest.fixture
def mail() -> Iterator[Side]:
    with mail_server() as side:
        yield side


@pytest.fixture
def hook() -> Iterator[Side]:
    with webhook() as side:
        yield side


@pytest.fixture
def room(tmp_path: Path, mail: Side, hook: Side) -> Room:
    urls = {
        "mail": f"mailto://127.0.0.1:{mail.port}?from=kho@thuvien.vn&to=lan@thuvien.vn&name=Kho",
        "hook": f"json://127.0.0.1:{hook.port}/{TOKEN}",
    }
    secrets = "".join(
        f"[notices.channels.{name}]\nurl = {json.dumps(url)}\ntimeout = 0.5\n" for name, url in urls.items()
    )
    return Room(tmp_path / "w").settle(
        secrets=secrets, policies={"default": POLICY.replace("extends: default\n", "")}
    )


@pytest.fixture
def workspace(room: Room) -> Iterator[Workspace]:
    with room.open() as opened:
        yield opened


def audit(workspace: Workspace, *rows: Row, verdict: Verdict = Verdict.WELL) -> list[Ended]:
    for row in rows or (Row(kind=Kind.COPY, outcome="intact", store="a"),):
        workspace.run.tell(row)
    return [Ended(verdict)]


def waiting(workspace: Workspace) -> dict[str, int]:
    return {channel: count for channel, count, _ in outbox.waiting(workspace.catalog.database)}


def folder(workspace: Workspace) -> list[str]:
    return sorted(file.name.split("-", 2)[2].rsplit("-", 1)[0] for file in workspace.folder.glob("notices/*/*.txt"))


FAILED = Row(
    kind=Kind.PACKAGE,
    outcome="failed",
    source="gói 1",
    reason=Finding("disk-full", Severity.ERROR, say("disk seven")),
)


def test_one_digest_for_each_role(workspace: Workspace, mail: Side, hook: Side) -> None:
    in_ledger(workspace, audit)
    (letter,) = mail.taken
    assert letter["Subject"].startswith("Vankho: ")
    assert workspace.catalog.database is not None
    assert hook.taken == []  # nothing for the sysadmin
    in_ledger(workspace, lambda workspace: audit(workspace, FAILED, verdict=Verdict.FAILED))
    assert len(mail.taken) == 2
    (posted,) = hook.taken
    assert "disk seven" in posted["message"]
    assert waiting(workspace) == {}
    assert folder(workspace) == ["officer-digest", "officer-digest", "sysadmin-digest"]


def test_each_package_that_is_rejected_is_told_of_once(tmp_path: Path, room: Room, mail: Side, hook: Side) -> None:
    """A real ingest: the officer is told by name of what the vendor must deliver again, the sysadmin of nothing."""
    for name in ("gói 1", "gói 2"):
        (tmp_path / name).mkdir()
    with open_workspace(room.folder) as workspace:
        for name in ("gói 1", "gói 2", "gói 2"):
            (done,) = in_ledger(workspace, ingest_batch, sources=[str(tmp_path / name)])
            assert done.outcome == "rejected"
        said = [letter.get_body(("plain",)).get_content() for letter in mail.taken]
        assert ["gói 1" in each for each in said] == [True, False]
        assert ["gói 2" in each for each in said] == [False, True]
        assert "từ chối: " in said[0]
        assert hook.taken == []
        in_ledger(workspace, ingest_batch, sources=[str(tmp_path / "nowhere")])
        assert [f"{tmp_path / 'nowhere'}" in each["message"] for each in hook.taken] == [True]


def test_the_same_is_not_sent_twice_in_a_day(room: Room, workspace: Workspace, mail: Side) -> None:
    for _ in range(5):
        in_ledger(workspace, audit)
        room.clock.go_on(minutes=30)
    assert len(mail.taken) == 1
    room.clock.go_on(hours=24)
    in_ledger(workspace, audit)
    assert len(mail.taken) == 2
    room.clock.now -= timedelta(days=3650)  # a clock that was set back keeps nothing back
    in_ledger(workspace, audit)
    assert len(mail.taken) == 3


def test_a_run_that_did_nothing_says_nothing(workspace: Workspace, mail: Side, hook: Side) -> None:
    in_ledger(workspace, lambda workspace: [])
    assert (mail.asked, hook.asked, folder(workspace)) == (0, 0, [])


def test_damage_is_told_while_the_run_goes_on_and_once(workspace: Workspace, mail: Side) -> None:
    of = kept(workspace)
    seen: list[int] = []

    def damaging(workspace: Workspace) -> list[Ended]:
        for store in "abc":
            prove(workspace, of, store, Outcome.DAMAGED)
            workspace.run.tell(Row(kind=Kind.COPY, outcome="damaged", store=store, policy="default"))
            seen.append(len(mail.taken))
        return [Ended(Verdict.FOUND)]

    in_ledger(workspace, damaging)
    assert seen == [1, 1, 1]  # the first at once, the others together at the end, and the digest
    assert [next(iter(re.findall("[0-9]+", each["Subject"])), "") for each in mail.taken[:2]] == ["1", "2"]
    for _ in range(3):
        in_ledger(workspace, damaging)
    assert sum("officer-damage" in name for name in folder(workspace)) == 2


def test_an_immediate_kind_that_a_policy_leaves_out_waits_for_the_digest(room: Room, mail: Side) -> None:
    (room.folder / "policies/default.yaml").write_text(POLICY.replace("[damage]", "[]").partition("\n")[2])
    with room.open() as workspace:
        prove(workspace, kept(workspace), "a", Outcome.DAMAGED)
        in_ledger(workspace, lambda workspace: audit(workspace, verdict=Verdict.FOUND))
        assert "officer-damage" not in folder(workspace)


@pytest.mark.parametrize("mood", ["refuses", "hangs"])
def test_a_server_that_fails_gets_it_when_it_comes_back(
    room: Room, workspace: Workspace, mail: Side, hook: Side, mood: str
) -> None:
    mail.mood = hook.mood = mood
    began = time.monotonic()
    failing = lambda workspace: audit(workspace, FAILED, verdict=Verdict.FAILED)  # noqa: E731
    assert in_ledger(workspace, failing)[0].verdict is Verdict.FAILED
    assert time.monotonic() - began < 6
    assert waiting(workspace) == {"mail": 1, "hook": 1}
    assert {notice.code for notice in workspace.notices} == {"notice-not-sent"}
    asked = hook.asked
    in_ledger(workspace, lambda workspace: [])
    assert hook.asked == asked  # not at once again
    mail.mood = hook.mood = "well"
    hook.over.set()
    mail.over.set()
    room.clock.go_on(minutes=2)
    in_ledger(workspace, lambda workspace: [])
    assert waiting(workspace) == {}
    assert len([each for each in hook.taken if "disk seven" in each["message"]]) >= 1


def test_what_gathered_is_one_mail(room: Room, workspace: Workspace, mail: Side) -> None:
    mail.mood = "refuses"
    for number in range(6):
        rows = [Row(kind=Kind.COPY, outcome="intact", store="a")] * (number + 1)
        in_ledger(workspace, lambda workspace, rows=rows: audit(workspace, *rows))
        room.clock.go_on(hours=7)
    taken, mail.mood = len(mail.taken), "well"
    in_ledger(workspace, lambda workspace: [])
    (letter,) = mail.taken[taken:]
    assert "6" in letter["Subject"]
    assert waiting(workspace) == {}


def test_a_channel_that_is_not_set_up_is_seen(room: Room) -> None:
    (room.folder / "vankho.secrets.toml").unlink()
    with room.open() as workspace:
        in_ledger(workspace, audit)
        (notice,) = outbox.listed(workspace.catalog.database, limit=9, waiting_only=True)
        assert notice.channel == "mail"
        assert "mail" in str(notice.trouble)
        assert folder(workspace) == ["officer-digest"]


@pytest.mark.parametrize(
    "url", ["nonsense://x", "json://", "windows://", f"https://nobody/{TOKEN}\x00", "", "mailto:lan"]
)
def test_an_address_that_cannot_be_used_is_refused_in_words(room: Room, url: str) -> None:
    text = f"[notices.channels.hook]\nurl = {json.dumps(url)}\ntimeout = 0.5\n"
    (room.folder / "vankho.secrets.toml").write_text(text)
    with room.open() as workspace:
        with pytest.raises(channels.NotSent) as refused:
            notices.test_channel(workspace, "hook", workspace.clock())
        assert TOKEN not in str(refused.value)


def test_a_test_notice_arrives(workspace: Workspace, hook: Side) -> None:
    notices.test_channel(workspace, "hook", workspace.clock())
    assert [each["title"] for each in hook.taken] == [hook.taken[0]["title"]]


def test_no_address_stands_in_what_is_kept_or_said(room: Room, workspace: Workspace, hook: Side) -> None:
    hook.mood = "refuses"
    in_ledger(workspace, lambda workspace: audit(workspace, FAILED, verdict=Verdict.FAILED))
    said = str(workspace.notices) + repr(workspace.settings)
    assert TOKEN not in said
    for file in room.folder.rglob("*"):
        if file.is_file() and file.name != "vankho.secrets.toml":
            assert TOKEN.encode() not in file.read_bytes(), file


def test_whatever_goes_wrong_here_changes_no_verdict(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("a fault of ours")

    for name in ("tell_at_once", "send_waiting"):
        monkeypatch.setattr(notices, name, broken)
    assert in_ledger(workspace, audit) == [Ended()]
    assert {notice.code for notice in workspace.notices} == {"not-all-told"}
