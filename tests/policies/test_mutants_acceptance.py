"""What mutation testing found unguarded in the acceptance of packages: whole findings, limits, the exact last day."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acceptance import SHOWN_FORMATS, decide
from policies.identity import producer_identifier
from policies.model import DescriptorRule, FormatRule, Policy, SuppliedChecksums, Then, Waiver, When
from preservation.bags.profile import read_profile
from preservation.facts import FormatFact
from preservation.findings import Finding
from tests.bags.profiles import a_profile
from tests.policies.facts import NOW, Seen, accepting, file_format, finding, load_policy

TODAY = NOW.date()


def decided(policy: Policy, *formats: FormatFact, found: tuple[Finding, ...] = ()):
    return decide(Seen(found), Seen(kind="none"), formats, None, policy, now=NOW)


def told(policy: Policy, *formats: FormatFact, found: tuple[Finding, ...] = ()) -> list[tuple[object, ...]]:
    return [
        (each.code, each.severity.value, each.path, each.expected, each.seen, str(each.message))
        for each in decided(policy, *formats, found=found).findings
    ]


def test_what_is_said_when_no_checksums_came() -> None:
    assert told(accepting(supplied_checksums=SuppliedChecksums.REQUIRE)) == [
        (
            *("checksums-required", "error", None, "checksum list, bag manifest", "none"),
            "No checksums came with the package, and the policy asks for them. "
            "Ask the producer for a checksum list of all files.",
        )
    ]


def test_what_is_said_when_the_descriptor_is_wanting() -> None:
    assert told(accepting(descriptor=DescriptorRule.REQUIRED)) == [
        (
            *("descriptor-missing", "error", None, "metadata.json | metadata.yaml", "none"),
            "The package has no descriptor, and the policy asks for one.",
        )
    ]


# rule, fact, code, seen, message
SAID: list[tuple[When | None, FormatFact, str, str, str]] = [
    (
        *(When.FAILED, file_format("a", "failed", None), "format-failed", "failed"),
        "The format could not be identified within the limits of time and memory.",
    ),
    (When.EMPTY, file_format("a", "empty", None), "format-empty", "empty", "The file is empty."),
    (When.UNKNOWN, file_format("a", "none", None), "format-unknown", "none", "The format is unknown."),
    (
        *(When.MISMATCH, file_format("a", mismatch=True), "format-mismatch", "fmt/353"),
        "The content is a format, and the file name says otherwise.",
    ),
    (
        *(When.EXTENSION_ONLY, file_format("a", "extension"), "format-extension-only", "fmt/353"),
        "Only the file name says that this is a format.",
    ),
]
ACCUSED = [
    *SAID,
    (None, file_format("a"), "format-rejected", "fmt/353", "The policy does not accept the format a format."),
]
NOTED = [
    *SAID,
    (None, file_format("a"), "format-noted", "fmt/353", "The policy asks to note files of the format a format."),
]


@pytest.mark.parametrize(("when", "fact", "code", "seen", "message"), ACCUSED)
def test_a_format_that_rejects_is_told_whole(
    when: When | None, fact: FormatFact, code: str, seen: str, message: str
) -> None:
    rule = FormatRule(Then.REJECT, when, reason="only images")
    assert told(accepting(formats=(rule,)), fact) == [(code, "error", "a", "only images", seen, message)]


@pytest.mark.parametrize(("when", "fact", "code", "seen", "message"), NOTED)
def test_a_format_that_is_noted_is_told_whole(
    when: When | None, fact: FormatFact, code: str, seen: str, message: str
) -> None:
    rule = FormatRule(Then.REVIEW, when, reason="look at it")
    assert told(accepting(formats=(rule,)), fact) == [(code, "warning", "a", "look at it", seen, message)]


def test_what_is_said_goes_by_the_rule_and_not_only_by_the_file() -> None:
    anything = accepting(formats=(FormatRule(Then.REJECT, When.ANY),))
    for fact in (file_format("a", mismatch=True), file_format("a", "extension")):
        assert [each[0] for each in told(anything, fact)] == ["format-rejected"]
    nameless = replace(file_format("a"), name=None)
    assert told(anything, nameless)[0][5] == "The policy does not accept the format fmt/353."
    assert told(anything, replace(file_format("a"), puid=None))[0][4] == "signature"


def test_a_waiver_holds_on_its_last_day_and_is_told_of_on_the_next() -> None:
    def waived(until_in_days: int):
        waiver = Waiver("file-unlisted", "reason", "Lan", TODAY + timedelta(days=until_in_days), path="scans/*")
        return decided(accepting(waivers=(waiver,)), found=(finding("file-unlisted", path="scans/1.tif"),))

    assert waived(0).accepted
    assert [each.code for each in waived(0).findings] == ["file-unlisted"]
    expired = waived(-1)
    assert not expired.accepted
    told_of = expired.findings[-1]
    assert (told_of.code, told_of.severity.value, told_of.path) == ("waiver-expired", "info", "scans/*")
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    assert (
        str(told_of.message) == f"The waiver of `file-unlisted` by Lan held until {yesterday} and no longer counts."
    )


def test_an_expired_waiver_is_not_told_of_where_it_would_end_today() -> None:
    """Today is still covered, so what rejects now was not in its reach."""
    waiver = Waiver("file-unlisted", "reason", "Lan", TODAY, path="other/*")
    found = decided(accepting(waivers=(waiver,)), found=(finding("file-unlisted", path="scans/1.tif"),)).findings
    assert [each.code for each in found] == ["file-unlisted"]


@pytest.mark.parametrize(("more", "hidden"), [(0, []), (1, ["findings-not-shown"])])
def test_a_thousand_are_shown_and_the_next_is_counted(more: int, hidden: list[str]) -> None:
    policy = accepting(formats=(FormatRule(Then.REVIEW, When.UNKNOWN),))
    files = [file_format(str(number), "none", None) for number in range(SHOWN_FORMATS + more)]
    found = decided(policy, *files).findings
    assert [each.code for each in found] == ["format-unknown"] * SHOWN_FORMATS + hidden


def test_the_producers_identifier_is_the_first_that_says_something() -> None:
    policy = load_policy("default")

    def by(*places: str) -> Policy:
        return replace(policy, packaging=replace(policy.packaging, identifier_from=places))

    given = {"descriptor": " D-1 ", "bag_info": "B-1", "name": "0001"}
    assert producer_identifier(by("descriptor", "bag-info"), **given) == "D-1"
    assert producer_identifier(by("bag-info", "descriptor"), **given) == "B-1"
    assert producer_identifier(by("name"), **given) == "0001"
    assert producer_identifier(by("descriptor", "bag-info"), **given | {"descriptor": " \t"}) == "B-1"
    assert producer_identifier(by("descriptor", "bag-info"), descriptor=None, bag_info="", name="0001") is None


def test_what_is_said_when_a_profile_is_asked_for_and_no_bag_came() -> None:
    profile = read_profile(json.dumps(a_profile()).encode(), file="p.json")
    assert told(accepting(bag_profile=profile)) == [
        (
            *("profile-no-bag", "error", "bagit.txt", profile.identifier, "–"),
            "The policy asks for a bag that keeps to a profile, and the package is no bag.",
        )
    ]


def test_a_waiver_that_could_never_help_is_not_told_of_on_its_last_day() -> None:
    waiver = Waiver("link-leaves-package", "reason", "Lan", TODAY)
    found = decided(accepting(waivers=(waiver,)), found=(finding("link-leaves-package"),)).findings
    assert [each.code for each in found] == ["link-leaves-package"]
