"""The page of a run's report: the same in Vietnamese and in English, for whoever answers for the copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from flows.reporting.report_files import message_of
from flows.reporting.tally import PARTS
from wording import Message, say
from wording.times import to_the_second
from wording.translate import translate

BETWEEN = "=" * 60  # the two languages
SHOWN = 50  # rows that are not well; rows.csv has all

FLOWS = {
    "ingest": say("Ingest"),
    "audit": say("Audit"),
    "replicate": say("Replication"),
    "repair": say("Repair"),
    "reconcile": say("Comparison of catalog and stores"),
    "restore": say("Restore"),
    "retire": say("Store given up"),
    "rename": say("Store renamed"),
    "update": say("Signatures of formats"),
}
WORDS = {
    "well": say("All well."),
    "found": say("Something was found."),
    "failed": say("The system could not do all its work."),
    "usage": say("Some of what was asked for is wrong."),
    "interrupted": say("Interrupted by a person. What was done stands; run the same command again to go on."),
    "broken-off": say("The run was broken off: its process died. What it had done by then stands and is told here."),
}
OUTCOMES = {
    "accepted": say("accepted"),
    "already-here": say("already here"),
    "rejected": say("rejected"),
    "failed": say("failed"),
    "intact": say("intact"),
    "damaged": say("damaged"),
    "unreadable": say("unreadable"),
    "skipped": say("skipped"),
    "repaired": say("repaired"),
    "restored": say("restored"),
    "agrees": say("agrees"),
    "disagrees": say("disagrees"),
    "altered": say("altered"),
    "missing": say("missing"),
    "unexpected": say("unexpected"),
    "checked": say("checked"),
}
_WELL = frozenset({"intact", "accepted", "already-here", "repaired", "restored", "agrees", "skipped"})
GRADES = {
    "bytes": say("bytes read back"),
    "provider": say("provider's checksum"),
    "presence": say("presence"),
}


def page(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the page, first Vietnamese, then English. `rows` are read once, and the first few kept."""
    wrong = [row for _, row in zip(range(SHOWN + 1), (row for row in rows if not_well(row)), strict=False)]
    for language in ("vi", "en"):
        for line in (*_opening(head), *_counted(head), *_why(head), *_wrong(wrong)):
            yield translate(line, language) if isinstance(line, Message) else line
        yield BETWEEN if language == "vi" else ""


def not_well(row: Mapping[str, Any]) -> bool:
    """Whether a person should look at this row."""
    return row["outcome"] not in _WELL


def moment(at: str | datetime | None) -> str:
    """The time as people here write it."""
    if at is None:
        return "–"
    when = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return to_the_second(when)


def _opening(head: Mapping[str, Any]) -> Iterator[Message | str]:
    yield say("{flow}: report of run {run}", flow=FLOWS.get(head["flow"], head["flow"]), run=head["run"])
    yield WORDS.get(head["word"], str(head["word"]))
    if (reason := message_of(head.get("reason"))) is not None:
        yield say("  {reason}", reason=reason)
    yield ""
    yield say(
        "Began {began}, ended {ended} (Asia/Ho_Chi_Minh), {lasted}.",
        began=moment(head["began"]),
        ended=moment(head["ended"]),
        lasted=str(timedelta(seconds=int(head["lasted_seconds"]))) if head["lasted_seconds"] is not None else "–",
    )
    yield say("By {agent}, asked for by {by}.", agent=head["agent"], by=head["by"])
    if head["policies"]:
        yield say("Policies: {policies}.", policies=", ".join(head["policies"]))


def _counted(head: Mapping[str, Any]) -> Iterator[Message | str]:
    counts = head["counts"]
    yield ""
    if counts["packages"]["checked"]:
        yield say("Packages: {checked} = {parts}.", **_parts(counts["packages"]))
    if counts["stores"]["checked"]:
        yield say("Stores: {checked} = {parts}.", **_parts(counts["stores"]))
    if counts["by_store"]:
        yield say("Copies: {checked} = {parts}.", **_parts(counts["copies"], apart=("skipped",)))
        if counts["copies"].get("skipped"):
            yield say("Copies skipped: {count}.", count=counts["copies"]["skipped"])
        for part in counts["by_store"]:
            grade = GRADES.get(part["grade"] or "", "–")
            outcome = OUTCOMES.get(part["outcome"], part["outcome"])
            count, store = part["copies"], part["store"]
            yield say("  {store}, {grade}: {count} {outcome}", store=store, grade=grade, count=count, outcome=outcome)
    if counts["objects"]["checked"]:
        yield say("Files in the copies: {checked} = {parts}.", **_parts(counts["objects"], words=PARTS))
    yield say("Bytes: {bytes}.", bytes=counts["bytes"])
    if not counts["rows"]:
        yield say("There was nothing to do.")
    if head.get("incomplete"):
        yield say("The disk had no room for all rows; the counts hold them, rows.csv does not.")


def _parts(counts: Mapping[str, int], words: Iterable[str] = (), apart: Iterable[str] = ()) -> dict[str, Any]:
    names = list(words) or [word for word in counts if word != "checked" and word not in apart]
    parts = [say("{count} {outcome}", count=counts[name], outcome=OUTCOMES.get(name, name)) for name in names]
    return {"checked": counts["checked"], "parts": reduce(_plus, parts) if parts else 0}


def _plus(one: Message, other: Message) -> Message:
    return Message("{one} + {other}", {"one": one, "other": other})


def _why(head: Mapping[str, Any]) -> Iterator[Message | str]:
    reasons = [each for each in head["counts"]["reasons"] if each["first"] is not None]
    if reasons:
        yield ""
        yield say("Why, and how often:")
    for each in reasons:
        sentence = message_of(each["first"]["message"]) or each["code"]
        word = OUTCOMES.get(each["outcome"], each["outcome"])
        count, code = each["rows"], each["code"]
        yield say("  {count} {outcome}: {code}. {sentence}", count=count, outcome=word, code=code, sentence=sentence)
    for notice in head["notices"]:
        yield say("  Notice: {text}", text=message_of(notice["message"]) or notice["code"])


def _wrong(rows: list[Mapping[str, Any]]) -> Iterator[Message | str]:
    if rows:
        yield ""
        yield say("What is not well, one by one:")
    for row in rows[:SHOWN]:
        what = row["source"] if row["kind"] == "package" and row["source"] else row["identifier"] or row["store"]
        place = f"{what} v{row['version']}" if row["version"] else str(what)
        word = OUTCOMES.get(row["outcome"], row["outcome"])
        if row["store"] and row["store"] != what:
            yield say("  {outcome}: {place} in {store}", outcome=word, place=place, store=row["store"])
        else:
            yield say("  {outcome}: {place}", outcome=word, place=place)
        if row["reason"] is not None and (sentence := message_of(row["reason"]["message"])) is not None:
            yield say("    {sentence}", sentence=sentence)
    if len(rows) > SHOWN:
        yield say("  … and more; rows.csv has all.")
