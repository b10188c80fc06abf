"""What was found in a package, seen with the policy's eyes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import preservation
from policies.acceptance import SHOWN_FORMATS, WAIVABLE, decide
from policies.model import DescriptorRule, FormatRule, Holey, Policy, SuppliedChecksums, Then, Waiver, When
from preservation.facts import FormatFact
from preservation.findings import Finding, Severity
from tests.policies.facts import NOW, Seen, accepting, file_format, finding
from wording import say


def outcome(
    policy: Policy,
    *found: Finding,
    kind: str = "bag",
    formats: tuple[FormatFact, ...] = (),
    descriptor: Seen | None = None,
) -> tuple[bool, dict[str, str]]:
    decision = decide(Seen(found), Seen(kind=kind), formats, descriptor, policy, now=NOW)
    return decision.accepted, {each.code: each.severity.value for each in decision.findings}


def test_a_package_without_findings_is_accepted() -> None:
    assert outcome(accepting()) == (True, {})


def test_an_error_rejects_and_a_warning_does_not() -> None:
    assert outcome(accepting(), finding("digest-differs")) == (False, {"digest-differs": "error"})
    assert outcome(accepting(), finding("name-decoded", "info")) == (True, {"name-decoded": "info"})
    assert outcome(accepting(), finding("names-differ-by-case", "warning"))[0]


def test_findings_of_the_supplied_checksums_count_too() -> None:
    supplied = Seen((finding("supplied-digest-differs"),), kind="checksum-list")
    assert not decide(Seen(), supplied, (), None, accepting(), now=NOW).accepted


@pytest.mark.parametrize("code", ["file-missing", "supplied-file-missing"])
def test_absent_files_reject_unless_the_policy_records_them(code: str) -> None:
    found = (finding(code, path="data/1.tif"), finding("oxum-differs"))
    assert outcome(accepting(), *found) == (False, {code: "error", "oxum-differs": "error"})
    holey = accepting(holey=Holey.RECORD)
    assert outcome(holey, *found) == (True, {code: "warning", "oxum-differs": "warning"})


def test_a_holey_delivery_excuses_nothing_but_what_is_absent() -> None:
    holey = accepting(holey=Holey.RECORD)
    assert not outcome(holey, finding("file-missing"), finding("digest-differs"))[0]
    assert not outcome(holey, finding("oxum-differs"))[0]  # nothing is absent, so the sum must hold
    assert not outcome(holey, finding("file-missing"), finding("tag-file-missing"))[0]


def test_absent_files_too_many_to_show_are_weighed_like_those_shown() -> None:
    more = Finding("findings-not-shown", Severity.ERROR, say("{count} more of {code}", count=9, code="file-missing"))
    other = replace(more, message=say("{count} more of {code}", count=9, code="digest-differs"))
    holey = accepting(holey=Holey.RECORD)
    assert outcome(holey, finding("file-missing"), more)[0]
    assert not outcome(holey, finding("file-missing"), other)[0]


def test_checksums_may_be_required_for_every_file() -> None:
    required = accepting(supplied_checksums=SuppliedChecksums.REQUIRE)
    assert outcome(required, kind="none") == (False, {"checksums-required": "error"})
    assert outcome(required, kind="checksum-list")[0]
    unlisted = finding("supplied-file-unlisted", "warning")
    assert outcome(accepting(), unlisted)[0]
    assert not outcome(required, unlisted)[0]


def test_the_descriptor() -> None:
    wrong = Seen((finding("descriptor-field-wrong"),))
    for rule, absent, present in (("optional", True, False), ("required", False, False), ("ignore", True, True)):
        policy = accepting(descriptor=DescriptorRule(rule))
        assert outcome(policy)[0] is absent
        assert outcome(policy, descriptor=wrong)[0] is present
        assert outcome(policy, descriptor=Seen())[0]


def test_the_default_records_what_is_odd_about_formats_and_asks_to_look_at_failures() -> None:
    odd = (
        file_format("a"),
        file_format("b", "none", None),
        file_format("c", "empty", None),
        file_format("d", mismatch=True),
        file_format("e", "failed", None),
    )
    accepted, found = outcome(accepting(), formats=odd)
    assert accepted
    assert found == {
        "format-unknown": "warning",
        "format-empty": "warning",
        "format-mismatch": "warning",
        "format-failed": "warning",
    }
    decisions = [decide(Seen(), Seen(), [each], None, accepting(), now=NOW).review for each in odd]
    assert decisions == [False, False, False, False, True]
    assert decide(Seen(), Seen(), reversed(odd), None, accepting(), now=NOW).review


def test_the_first_rule_that_fits_decides() -> None:
    only_tiff = accepting(
        formats=(FormatRule(Then.ACCEPT, puids=frozenset({"fmt/353"})), FormatRule(Then.REJECT, When.ANY))
    )
    assert outcome(only_tiff, formats=(file_format("a"),)) == (True, {})
    assert outcome(only_tiff, formats=(file_format("a", puid="fmt/12"),)) == (False, {"format-rejected": "error"})
    assert outcome(only_tiff, formats=(file_format("a", "none", None),)) == (False, {"format-unknown": "error"})


def test_a_rule_may_ask_for_two_things() -> None:
    rule = FormatRule(Then.REJECT, When.MISMATCH, frozenset({"fmt/353"}), reason="rename it")
    policy = accepting(formats=(rule,))
    assert not outcome(policy, formats=(file_format("a", mismatch=True),))[0]
    assert outcome(policy, formats=(file_format("a"),))[0]
    assert outcome(policy, formats=(file_format("a", puid="fmt/12", mismatch=True),))[0]


def test_every_condition_fits_what_it_says() -> None:
    shown = {
        When.UNKNOWN: file_format("x", "none", None),
        When.EMPTY: file_format("x", "empty", None),
        When.FAILED: file_format("x", "failed", None),
        When.EXTENSION_ONLY: file_format("x", "extension"),
        When.MISMATCH: file_format("x", mismatch=True),
        When.ANY: file_format("x"),
    }
    assert set(shown) == set(When)
    for when in When:
        policy = accepting(formats=(FormatRule(Then.REJECT, when),))
        for other, fact in shown.items():
            assert outcome(policy, formats=(fact,))[0] is not (when is other or when is When.ANY), (when, other)


def test_a_million_odd_files_make_a_bounded_number_of_findings_and_still_reject() -> None:
    policy = accepting(formats=(FormatRule(Then.REJECT, When.UNKNOWN),))
    formats = (file_format(f"{number}", "none", None) for number in range(SHOWN_FORMATS + 250))
    decision = decide(Seen(), Seen(), formats, None, policy, now=NOW)
    assert not decision.accepted
    assert len(decision.findings) == SHOWN_FORMATS + 1
    assert "250 more" in str(decision.findings[-1].message)
    assert decision.findings[-1].severity is Severity.ERROR


def waiver(code: str = "digest-differs", path: str | None = None, until: date = date(2026, 12, 31)) -> Waiver:
    return Waiver(code, "the vendor's list was made before cropping", "Nguyễn Thị Lan", until, path)


def test_a_waived_finding_stays_as_a_warning_and_is_named() -> None:
    given = finding("digest-differs", path="data/a.tif")
    decision = decide(Seen((given,)), Seen(), (), None, accepting(waivers=(waiver(path="data/*.tif"),)), now=NOW)
    assert decision.accepted
    assert [each.severity for each in decision.findings] == [Severity.WARNING]
    assert [(each.finding, each.waiver.by) for each in decision.waived] == [(given, "Nguyễn Thị Lan")]


@pytest.mark.parametrize(
    ("code", "path"),
    [("file-missing", "data/a.tif"), ("digest-differs", "data/b.jpg"), ("digest-differs", None)],
)
def test_a_waiver_covers_only_what_it_names(code: str, path: str | None) -> None:
    policy = accepting(waivers=(waiver(path="data/a.*"),))
    assert not outcome(policy, finding(code, path=path))[0]


def test_a_waiver_ends_and_says_so() -> None:
    today = accepting(waivers=(waiver(until=NOW.date()),))
    assert outcome(today, finding("digest-differs"))[0]
    ended = accepting(waivers=(waiver(until=date(2026, 11, 21)),))
    assert outcome(ended, finding("digest-differs")) == (False, {"digest-differs": "error", "waiver-expired": "info"})
    assert outcome(ended) == (True, {})


def test_what_makes_a_package_unsafe_is_never_waived() -> None:
    for code in ("link-leaves-package", "changed-while-read", "names-collide", "name-unsafe"):
        assert outcome(accepting(waivers=(waiver(code),)), finding(code)) == (False, {code: "error"})


def test_formats_can_be_waived_by_path() -> None:
    policy = accepting(
        formats=(FormatRule(Then.REJECT, When.UNKNOWN),), waivers=(waiver("format-unknown", "notes/*"),)
    )
    assert outcome(policy, formats=(file_format("notes/a.xyz", "none", None),))[0]
    assert not outcome(policy, formats=(file_format("pages/a.xyz", "none", None),))[0]


def test_every_code_that_can_be_waived_is_one_that_somebody_gives() -> None:
    rooms = [Path(preservation.__path__[0]), Path(decide.__code__.co_filename).parent]
    given: set[str] = set()
    for source in (each for room in rooms for each in room.rglob("*.py")):
        text = source.read_text(encoding="utf-8")
        if source.name == "acceptance.py":
            text = text[text.index("class HasFindings") :]
        given |= set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', text))
    assert WAIVABLE - given == set()
