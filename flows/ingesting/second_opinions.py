"""The second opinion on formats, where a policy asks for one: Siegfried is asked about every payload file as well.

Its answers stand beside ours in the bag; ours count. Where the two contradict each other, acceptance asks a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flows.workspace import Workspace
from policies.model import Policy, SecondIdentifier
from preservation import events
from preservation.errors import PolicyError
from preservation.facts import Event, EventOutcome, EventType, FormatFact
from preservation.formats.opinions import Kinship, disagreements, installed
from preservation.formats.report import format_report
from preservation.inventory import FactFile, load_format, write_facts
from preservation.packages.received import Received
from wording import say


@dataclass(frozen=True, slots=True)
class Opinions:
    """Both answers about every file, in the same order."""

    ours: FactFile[FormatFact]
    theirs: FactFile[FormatFact]
    known: Kinship

    def differing(self) -> Iterator[tuple[FormatFact, FormatFact]]:
        """The files about which they contradict each other: our answer, and the other."""
        return disagreements(self.ours, self.theirs, self.known)


def require(policy: Policy) -> None:
    """Raise PolicyError when the policy asks for what is not installed, before anything is begun."""
    if asked_for(policy) and not installed():
        raise PolicyError(
            say("The policy asks for a second opinion by Siegfried, and the package `pygfried` is not installed."),
            where=f"{policy.name}: acceptance.second_opinion",
            expected="none",
            seen=policy.acceptance.second_opinion.value,
            next_step=say('Install it with `pip install "vankho[siegfried]"`, or set the field to `none`.'),
        )


def asked_for(policy: Policy) -> bool:
    """Whether the policy asks for one."""
    return policy.acceptance.second_opinion is SecondIdentifier.SIEGFRIED


def ask(workspace: Workspace, received: Received, formats: FactFile[FormatFact]) -> Opinions:
    """Both answers about every file."""
    workspace.progress.begin("ask for a second opinion", received.files)
    answers = workspace.siegfried.identify(received.payload, workspace.counted(received.inventory))
    theirs = write_facts(received.submission.folder / "second-opinions.jsonl", answers, load_format)
    return Opinions(formats, theirs, workspace.kinship)


def told(workspace: Workspace, received: Received, opinions: Opinions) -> Event:
    """That Siegfried was asked, and what it said in numbers."""
    report = format_report(opinions.theirs)
    differing = sum(1 for _ in opinions.differing())
    return events.event(
        EventType.FORMAT_IDENTIFICATION,
        workspace.clock(),
        agent=report.tools[0][0] if report.tools else events.AGENT,
        outcome=EventOutcome.WARNING if differing else EventOutcome.SUCCESS,
        submission=received.submission.id,
        detail={**report.as_json(), "second_opinion": True, "disagreements": differing},
    )
