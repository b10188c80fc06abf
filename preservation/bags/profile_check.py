"""Does a bag keep to a bag profile? Checking code: looks at what is in the bag, never at who wrote it.

Everything that does not conform is told. What a profile asks is no part of RFC 8493, so it is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from preservation.bags.archives import GZIP, TAR, ZIP
from preservation.bags.bag_info import Elements
from preservation.bags.bag_view import BagView
from preservation.bags.paths import Bag
from preservation.bags.profile import LabelRule, Profile, matches
from preservation.bags.report import NOTHING, Notes
from wording import say

_BAG_INFO = "bag-info.txt"
_LABEL = "bagit-profile-identifier"
# The MIME types under which profiles name the archives that can be read here.
_MIME = {
    ZIP: {ZIP, "application/x-zip-compressed"},
    TAR: {TAR, "application/x-tar"},
    GZIP: {GZIP, "application/x-gzip", "application/x-gtar", "application/tar+gzip", "application/x-compressed-tar"},
}
_STANDARD = re.compile(r"(bagit|bag-info|fetch|(tag)?manifest-[^/]*)\.txt")


def judge_profile(profile: Profile, bag: Bag, elements: Elements, notes: Notes) -> None:
    """Every demand of the profile, on the bag as it lies there."""
    _judge_form(profile, bag, notes)
    _judge_bag_info(profile, bag.view, elements, notes)
    algorithms = (profile.manifests_required, profile.manifests_allowed)
    _judge_manifests("manifest", *algorithms, bag.view, notes)
    algorithms = (profile.tag_manifests_required, profile.tag_manifests_allowed)
    _judge_manifests("tagmanifest", *algorithms, bag.view, notes)
    _judge_fetch(profile, bag.view, notes)
    _judge_files(profile, bag.view, notes)


def _judge_form(profile: Profile, bag: Bag, notes: Notes) -> None:
    version, form = bag.declared.version, bag.view.form
    if version not in profile.versions:
        text = say("The profile does not accept this version of BagIt.")
        accepted = ", ".join(profile.versions)
        notes.error("profile-version-refused", text, "bagit.txt", expected=accepted, seen=version or NOTHING)
    if (form is None and profile.serialization == "required") or (form and profile.serialization == "forbidden"):
        text = say(
            "The profile says whether a bag comes packed in one file or as a folder; this one comes otherwise."
        )
        notes.error("profile-serialization", text, ".", expected=profile.serialization, seen=form or "folder")
    elif form and profile.accept_serialization is not None and not _MIME[form] & set(profile.accept_serialization):
        text = say("The profile does not accept this kind of archive.")
        accepted = ", ".join(profile.accept_serialization)
        notes.error("profile-archive-refused", text, ".", expected=accepted, seen=form)


def _judge_bag_info(profile: Profile, view: BagView, elements: Elements, notes: Notes) -> None:
    values: dict[str, list[str]] = {}
    for label, value in elements:
        values.setdefault(label.lower(), []).append(value)
    named = values.get(_LABEL, [])
    if profile.identifier not in named:
        text = say("The bag does not say in bag-info.txt that it keeps to this profile.")
        seen = ", ".join(named) or NOTHING
        notes.error("profile-not-named", text, _BAG_INFO, expected=profile.identifier, seen=seen)
    for label, rule in profile.labels.items():
        _judge_label(label, rule, values.get(label.lower(), []), notes)
    if _BAG_INFO not in view.files:
        text = say("The profile needs a bag-info.txt, and there is none.")
        notes.error("profile-bag-info-missing", text, _BAG_INFO, expected=_BAG_INFO, seen=NOTHING)


def _judge_label(label: str, rule: LabelRule, values: Sequence[str], notes: Notes) -> None:
    if not values and rule.required:
        text = say("bag-info.txt lacks the element {label}, which the profile demands.", label=label)
        notes.error("profile-label-missing", text, _BAG_INFO, expected=label, seen=NOTHING)
    elif not values and rule.recommended:
        text = say("bag-info.txt lacks the element {label}, which the profile recommends.", label=label)
        notes.warning("profile-label-recommended", text, _BAG_INFO, expected=label, seen=NOTHING)
    if len(values) > 1 and not rule.repeatable:
        text = say("The element {label} stands more than once, which the profile forbids.", label=label)
        notes.error("profile-label-repeated", text, _BAG_INFO, expected="1", seen=str(len(values)))
    for value in values:
        if rule.values and value not in rule.values:
            text = say("The profile does not accept this value of {label}.", label=label)
            notes.error("profile-value-refused", text, _BAG_INFO, expected=" | ".join(rule.values), seen=value)


def _judge_manifests(
    kind: str, required: Sequence[str], allowed: Sequence[str] | None, view: BagView, notes: Notes
) -> None:
    there = {m[1] for path in view.files if (m := re.fullmatch(rf"{kind}-([^/]*)\.txt", path))}
    for algorithm in required:
        if algorithm not in there:
            text = say("The profile demands a manifest of this algorithm.")
            name = f"{kind}-{algorithm}.txt"
            notes.error(
                "profile-manifest-missing", text, name, expected=name, seen=", ".join(sorted(there)) or NOTHING
            )
    for algorithm in sorted(there):
        if allowed is not None and algorithm not in allowed:
            text = say("The profile does not allow a manifest of this algorithm.")
            accepted = ", ".join(allowed) or NOTHING
            notes.error(
                "profile-manifest-refused", text, f"{kind}-{algorithm}.txt", expected=accepted, seen=algorithm
            )


def _judge_fetch(profile: Profile, view: BagView, notes: Notes) -> None:
    name = "fetch.txt"
    if name in view.files and not profile.allow_fetch:
        text = say("The profile does not allow a fetch.txt.")
        notes.error("profile-fetch-refused", text, name, expected=NOTHING, seen=name)
    if name not in view.files and profile.fetch_required:
        text = say("The profile demands a fetch.txt.")
        notes.error("profile-fetch-missing", text, name, expected=name, seen=NOTHING)


def _judge_files(profile: Profile, view: BagView, notes: Notes) -> None:
    for path in (*profile.tag_files_required, *profile.payload_files_required):
        if path not in view.files and path.rstrip("/") not in view.folders:
            text = say("The profile demands this file.")
            notes.error("profile-file-missing", text, path, expected=path, seen=NOTHING)
    for path, allowed in _limited(profile, view):
        if not matches(path, allowed):
            text = say("The profile does not allow this file.")
            notes.error("profile-file-refused", text, path, expected=", ".join(allowed) or NOTHING, seen=path)
    files, size = view.payload()
    if profile.data_empty and (files > 1 or size > 0):
        text = say("The profile asks for an empty payload: no file, or one file of no bytes.")
        notes.error("profile-data-not-empty", text, "data", expected="0.0, 0.1", seen=f"{size}.{files}")


def _limited(profile: Profile, view: BagView) -> Iterator[tuple[str, Sequence[str]]]:
    """The files about which the profile has a list, with that list; the tag files of the RFC are always allowed."""
    for path in view.files:
        if path.startswith("data/"):
            if profile.payload_files_allowed is not None:
                yield path, profile.payload_files_allowed
        elif profile.tag_files_allowed is not None and not _STANDARD.fullmatch(path):
            yield path, profile.tag_files_allowed
