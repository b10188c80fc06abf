"""How everything stands, for a person: one sentence, the words with their counts, and a table by store and grade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apps.cli import shapes
from apps.cli.answer import Cell, Line, Table
from flows.reporting.incidents import KINDS
from flows.standing import Overview, days_to_finish
from policies.standing import Word
from preservation.catalog.coverage import Coverage, Waiting
from wording import Message, say
from wording.times import moment

REASONS = {
    "throttled": say("late because of a budget or throttle"),
    "away": say("late because the store is away"),
    "failed": say("late because reading failed"),
    "stopped": say("late because the run was ended"),
    "not-run": say("late because no audit of what is due ran"),
}


def lines(told: Overview) -> list[Line]:
    """The whole answer."""
    summary = told.summary
    if not summary.versions.number:
        return [say("Nothing is here yet.")]
    found: list[Line] = [
        say(
            "AIPs: {aips}, versions: {versions}, files: {files}, {size}; safe: {safe} of {versions} versions.",
            aips=summary.aips,
            versions=summary.versions.number,
            files=summary.versions.items,
            size=shapes.size(summary.versions.bytes),
            safe=summary.words[Word.SAFE].number if Word.SAFE in summary.words else 0,
        )
    ]
    found += [
        say("  {standing}: {count}", standing=shapes.outcome(word.value), count=summary.words[word.value].number)
        for word in reversed(Word)  # the gravest first
        if word.value in summary.words
    ]
    if summary.unjudged:
        found.append(
            say(
                "  still to be judged by the policies as they are now: {count}; they are in none of these counts, "
                "and in the table by the rules before. Run the command again.",
                count=summary.unjudged,
            )
        )
    found.append(_coverage(summary.coverage))
    found += [_late(each, told) for each in summary.coverage if each.overdue.number]
    found += [line for each in summary.waiting for line in _waiting(each)]
    return [*found, *_incidents(told)]


def page(listed: Sequence[Line], word: str, *, then: str | None, unjudged: int) -> list[Line]:
    """A list of versions, how sure it is, and how to see more of it."""
    found: list[Line] = list(listed) or [say("No version is {standing}.", standing=shapes.outcome(word))]
    if unjudged:
        found.append(
            say(
                "Still to be judged by the policies as they are now: {count} versions; until then the rules before "
                "say whether they are in this list. Run the command again.",
                count=unjudged,
            )
        )
    if then is not None:
        found.append(say("More: `vankho show --standing {word} --after {place}`", word=word, place=then))
    return found


def _coverage(coverage: Sequence[Coverage]) -> Table:
    headings = (
        *(say("Store"), say("Evidence"), say("Proved in time"), say("Overdue"), say("Due today")),
        *(say("Oldest proof"), say("Next due"), say("To finish at the speed of 7 days")),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            each.store,
            shapes.GRADES[each.grade],
            say("{part} of {whole}", part=each.in_time.number, whole=each.wanted.number),
            each.overdue.number,
            each.due_today.number,
            "–" if each.oldest_proof is None else moment(each.oldest_proof),
            "–" if each.next_due is None else moment(each.next_due),
            _finish(each),
        )
        for each in coverage
    ]
    return Table(headings, rows)


def _finish(each: Coverage) -> Message | str:
    days = days_to_finish(each)
    if days is None:
        return say("nothing was proved in the last 7 days")
    if not days:
        return "–"
    return say("{days} days", days=f"{days:.1f}") if days >= 1 else say("less than a day")


def _late(each: Coverage, told: Overview) -> Message:
    reasons = told.late.get((each.store, each.grade), {})
    for word in ("failed", "away", "throttled"):  # the one that asks most of somebody
        if reasons.get(word):
            return say(
                "  {store}, {grade}: {reason}: {count} of {late}",
                store=each.store,
                grade=shapes.GRADES[each.grade],
                reason=REASONS[word],
                count=reasons[word],
                late=each.overdue.number,
            )
    return say(
        "  {store}, {grade}: overdue: {late}, of which never proved: {never}",
        store=each.store,
        grade=shapes.GRADES[each.grade],
        late=each.overdue.number,
        never=each.never.number - each.new.number,
    )


def _waiting(each: Waiting) -> list[Line]:
    if not each.all.number or each.oldest is None:
        return []
    return [
        say(
            "  {store} lacks: {absent} copies absent, {unproved} not proved, {damaged} damaged; {size} in all, the "
            "oldest since {since}",
            store=each.store,
            absent=each.absent.number,
            unproved=each.unproved.number,
            damaged=each.damaged.number,
            size=shapes.size(each.all.bytes),
            since=moment(each.oldest),
        )
    ]


def _incidents(told: Overview) -> Iterator[Line]:
    """What a standing does not tell yet: a copy that cannot be read keeps its proof until that is too old."""
    if not any(told.kinds.values()):
        return
    yield say(
        "Open incidents: {count}, not acknowledged: {new}. `vankho incident list` names them.",
        count=sum(told.kinds.values()),
        new=told.unacknowledged,
    )
    for kind, number in told.kinds.items():
        if number:
            yield say("  {kind}: {count}", kind=KINDS[kind], count=number)
