"""The Vietnamese catalog: complete, up to date, with the same gaps and codes, in the words of the glossary."""

from __future__ import annotations

import re
import string
import unicodedata
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from tests.language.messages import CATALOG, NotLiteral, brought_up_to_date, messages, said, written

# Words of the glossary's last table, and the French and English that would show that nobody translated.
FORBIDDEN = ("kiểm toán", "tài sản", "bản tóm lược", "đồng bộ", "quý vị")
ENGLISH = re.compile(r"\b(the|is|are|was|of|and|not|this|that|for|with|has|have|from|cannot|must)\b", re.IGNORECASE)
CODE = re.compile(r"`[^`]*`|--[a-z-]+|VANKHO_\w+|\w+\.(?:txt|toml|db|json)\b|\b[A-Z][A-Z0-9]+(?:-\d+)?\b")
# English words in capitals; all others are names.
EMPHASIS = {"BROKEN", "NOT", "SO", "OPTIONS", "COMMAND", "ARGS", "LOST", "AS", "FAR", "CAN", "SEE"}


def gaps(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def codes(text: str) -> list[str]:
    return sorted(set(CODE.findall(text)) - EMPHASIS)


def complaints(found: set[str], vietnamese: dict[str, str]) -> list[str]:
    """What is wrong with these translations of these messages; nothing when nothing is."""
    wrong = []
    for text in sorted(found):
        ours = vietnamese.get(text, "")
        if not ours.strip():
            wrong.append(f"no Vietnamese: {text!r}")
            continue
        if gaps(text) != gaps(ours):
            wrong.append(f"other gaps: {text!r} {ours!r}")
        if codes(text) and not set(codes(text)) <= set(codes(ours)):
            wrong.append(f"names or commands lost: {text!r} {ours!r}")
        if not unicodedata.is_normalized("NFC", ours):
            wrong.append(f"not NFC: {ours!r}")
        if any(word in ours.casefold() for word in FORBIDDEN):
            wrong.append(f"a word we do not use: {ours!r}")
        if ENGLISH.search(re.sub(r"`[^`]*`|\{\w+\}|\w+\.\w+|--\w+", "", ours)):
            wrong.append(f"English in the Vietnamese: {ours!r}")
        if (text[:2] == "  ") != (ours[:2] == "  ") or (len(text) > 3 and (text[-1] in ".?:") != (ours[-1] in ".?:")):
            wrong.append(f"other shape: {text!r} {ours!r}")
    return wrong


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return messages()


@pytest.fixture(scope="module")
def vietnamese() -> dict[str, str]:
    return written(CATALOG.read_bytes())


def test_every_message_and_every_help_text_has_its_vietnamese(found, vietnamese):
    assert len(found) > 600  # the search itself works
    assert complaints(set(found), vietnamese) == []


def test_catalog_is_up_to_date_with_the_source(found):
    before = CATALOG.read_bytes()
    assert brought_up_to_date(before, found) == before, "run `make messages`"


def test_a_missing_or_spoilt_entry_is_noticed(found, vietnamese):
    text = "The store “{store}” has no object “{key}”."
    assert text in found
    for spoilt, complaint in {
        "": "no Vietnamese",
        vietnamese[text].replace("{key}", "{keys}"): "other gaps",
        vietnamese[text].replace("{key}", "…"): "other gaps",
        unicodedata.normalize("NFD", vietnamese[text]): "not NFC",
        vietnamese[text].replace("đối tượng", "tài sản"): "a word we do not use",
        vietnamese[text].replace("không có", "has no"): "English in the Vietnamese",
        vietnamese[text].removesuffix("."): "other shape",
    }.items():
        assert [each.split(":")[0] for each in complaints({text}, {text: spoilt})] == [complaint]
    assert complaints({text}, {}) == [f"no Vietnamese: {text!r}"]


def test_extraction_adds_what_is_new_and_drops_what_is_gone(found):
    new = {text: files for text, files in found.items() if text != "Store"} | {"A new sentence.": {"apps/new.py"}}
    updated = brought_up_to_date(CATALOG.read_bytes(), new)
    assert "Store" not in written(updated)
    assert written(updated)["A new sentence."] == ""
    assert complaints({"A new sentence."}, written(updated)) == ["no Vietnamese: 'A new sentence.'"]
    assert brought_up_to_date(updated, new) == updated


def test_extraction_reads_literals_joined_literals_and_nothing_else():
    assert list(said("say('a ' 'b')\nwording.say('c', x=1)\nessay('d')")) == ["a b", "c"]
    for source in ("say(f'a {b}')", "say(text)", "say('a' + b)", "say()", "say(*words)"):
        with pytest.raises(NotLiteral, match="place:1"):
            list(said(source, "place"))


def test_entries_are_sorted_and_none_is_fuzzy_obsolete_or_bound_to_a_line():
    text = CATALOG.read_text("utf-8")
    catalog = read_po(BytesIO(CATALOG.read_bytes()), locale="vi")
    ids = [str(entry.id) for entry in catalog if entry.id]
    assert ids == sorted(ids)
    assert catalog.locale_identifier == "vi"
    assert not catalog.fuzzy
    assert not any(entry.fuzzy for entry in catalog if entry.id)
    assert not catalog.obsolete
    assert "#~" not in text
    assert not re.search(r"^#: .*:\d+", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("english", "word"),
    [
        ("AIP", "gói tin lưu trữ (AIP)"),
        ("Store", "kho lưu trữ số"),
        ("Copies", "bản sao lưu trữ"),
        ("Version", "phiên bản"),
        ("damaged", "bị hỏng"),
        ("overdue", "quá hạn"),
        ("unknown", "chưa xác định"),
        ("accepted", "chấp nhận"),
        ("rejected", "từ chối"),
        ("failed", "thất bại"),
        ("warning", "cảnh báo"),
        ("replication", "nhân bản"),
        ("recovery", "phục hồi"),
        ("fixity check", "kiểm tra toàn vẹn"),
        ("format identification", "nhận dạng định dạng"),
        ("validation", "kiểm tra hợp lệ"),
        ("quarantine", "vùng cách ly"),
        ("Agent", "tác nhân"),
        ("Event", "sự kiện bảo quản"),
        ("Title or source", "nhan đề"),
        ("Medium", "phương tiện lưu trữ"),
        ("  producer identifier: {identifier}", "mã định danh"),
        ("  collection: {collection}", "bộ sưu tập"),
        ("The package has no descriptor, and the policy asks for one.", "siêu dữ liệu mô tả"),
        ("The producer supplied no checksums. Proof that nothing changed starts with this reception.", "mã băm"),
        ("{manifest} lists this path more than once.", "{manifest}"),
        ("This file is in the payload, but no manifest lists it.", "danh mục tệp (manifest)"),
        ("The restored bag is valid.", "gói bagit"),
    ],
)
def test_words_of_the_glossary(vietnamese, english, word):
    assert word.casefold() in vietnamese[english].casefold()


def test_words_that_mean_two_things_are_kept_apart(vietnamese):
    """Audit is no financial audit, replica no certified copy, restore no backup, catalog no manifest."""
    for english, ours in vietnamese.items():
        if re.search(r"\b(replicas?|copies)\b", english, re.IGNORECASE) and not re.search(r"\bown cop", english):
            plain = re.sub(r"bản sao lưu trữ", "", ours.casefold())
            assert "bản sao" not in plain, ours
        if re.search(r"\bcatalog\b", english, re.IGNORECASE):
            assert "danh mục" not in ours.casefold(), ours
