"""A small draw of what `make identify-diff` asks of twenty thousand files, and proof that it would notice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preservation.facts import Basis
from preservation.formats.pronom.releases import fido_release
from tests.formats.drawn import Sources, draw, encoded_files
from tests.formats.stock import difference, stock_fido
from tests.formats.table import comparer, drawn_answers

pytestmark = pytest.mark.filterwarnings("ignore:IM image format")


@pytest.fixture(scope="module")
def release():
    return fido_release()


@pytest.fixture(scope="module")
def sources(release):
    return Sources({"release 109": release}, encoded_files())


@pytest.fixture(scope="module")
def fido():
    return stock_fido()


def test_drawn_files_get_fidos_answers(release, sources, fido):
    seen = drawn_answers(2, range(100), sources, comparer(release, fido))
    assert [each for each in seen if each[3]] == []
    assert sum(kind == "the same" for _, _, kind, _ in seen) > 75


def test_a_format_that_is_lost_is_noticed(release, sources, fido):
    """The comparison itself: without the signatures of PDF, PDFs get another answer."""
    fewer = replace(release, formats=tuple(each for each in release.formats if "pdf" not in each.extensions))
    pdfs = replace(sources, encoded=[each for each in sources.encoded if each[0] == "a.pdf"])
    seen = drawn_answers(118, range(40), pdfs, comparer(fewer, fido))
    assert any(why for family, _, _, why in seen if family == "real encoders")


def test_the_same_number_is_the_same_file(sources):
    files = [draw(7, number, sources) for number in range(20)]
    assert files == [draw(7, number, sources) for number in range(20)]
    assert len({file.content for file in files}) > 15


def test_another_answer_is_no_difference_of_the_allowed_kinds():
    assert difference(Basis.SIGNATURE, {"fmt/11"}, Basis.SIGNATURE, {"fmt/12"}) is None
    assert difference(Basis.SIGNATURE, {"fmt/11"}, Basis.EXTENSION, {"fmt/11"}) is None
    assert difference(Basis.CONTAINER, {"fmt/412"}, Basis.CONTAINER, {"fmt/40"}) is None
