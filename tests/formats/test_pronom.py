"""Signatures read, sorted and matched: the same answers as FIDO with FIDO's signatures, the truth with PRONOM's own."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preservation.formats.edges import edges_of
from preservation.formats.pronom.cache import cached
from preservation.formats.pronom.containers import Containers, ContainerUnreadable
from preservation.formats.pronom.demands import demands
from preservation.formats.pronom.facts import NO_END, WINDOW, Demand, Release
from preservation.formats.pronom.matcher import Matcher
from preservation.formats.pronom.releases import ReleaseUnreadable, fido_files, fido_release, pronom_release
from preservation.formats.pronom.sequences import sequence


@pytest.fixture(scope="module")
def release():
    return fido_release()


@pytest.fixture(scope="module")
def stock():
    """FIDO's class as it comes."""
    from fido.fido import Fido
    from fido.versions import get_local_versions

    versions = get_local_versions()
    return Fido(
        quiet=True,
        format_files=[versions.pronom_signature, versions.fido_extension_signature],
        handle_matches=lambda *_: None,
    )


def both(stock, matcher, head: bytes, tail: bytes):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        theirs = [(stock.get_puid(element), name) for element, name in stock.match_formats(head, tail)]
    ours = [(known.puid, name) for known, name in matcher.match(head, tail)]
    return ours, theirs, said.getvalue()


@pytest.mark.corpora
def test_byte_signatures_answer_as_fido_on_every_seventh_real_file(corpora, release, stock):
    matcher = Matcher(release)
    files = sorted(
        path
        for name in ("pronom-skeletons", "scanned-packages", "bagit-conformance-suite")
        for path in corpora(name).rglob("*")
        if path.is_file() and path.stat().st_size
    )[::7]
    matched = 0
    for path in files:
        with path.open("rb") as file:
            head, tail = edges_of(file.fileno(), path.stat().st_size)
            ours, theirs, _ = both(stock, matcher, head, tail.whole())
            assert matcher.match(head, tail) == matcher.match(head, tail.whole())
        assert ours == theirs, path
        matched += bool(ours)
    assert len(files) > 300
    assert matched > 250


def test_generated_files_get_fidos_answers(release, stock):
    """A file made from each of many patterns, then the same with a byte changed, cut or added."""
    import random

    drawn = random.Random(20261122)
    matcher = Matcher(release)
    signatures = [signature for known in release.formats for signature in known.signatures]
    matched = 0
    for signature in drawn.sample(signatures, 80):
        whole = from_patterns(signature, drawn)
        for content in (whole, spoilt(whole, drawn), whole[: len(whole) // 2], b"\0" + whole):
            ours, theirs, _ = both(stock, matcher, content[:WINDOW], content[-WINDOW:])
            assert ours == theirs, (signature.name, content[:60])
            matched += bool(ours)
    assert matched > 60


def from_patterns(signature, drawn) -> bytes:
    """Bytes with every literal that the signature demands, where it is demanded."""
    size = 400 + max((each.near for p in signature.patterns for each in p.demands), default=0) * 2
    content = bytearray(drawn.randbytes(min(size, 60_000)))
    for pattern in signature.patterns:
        for each in pattern.demands:
            start = len(content) - each.near - len(each.literal) if each.from_end else each.near
            content[start : start + len(each.literal)] = each.literal
    return bytes(content)


def spoilt(content: bytes, drawn) -> bytes:
    place = drawn.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << drawn.randrange(8)]) + content[place + 1 :]


@pytest.mark.corpora
def test_the_truth_of_release_118(corpora):
    """At least 99 in 100 of PRONOM's own skeleton files exactly, containers without exception."""
    folder = next(corpora("pronom-v118").rglob("DROID_SignatureFile_V118.xml")).parent
    newest = pronom_release(folder / "DROID_SignatureFile_V118.xml", folder / "container-signature-20240501.xml")
    assert (newest.label, newest.dated) == ("PRONOM v118, containers 2024-05-01", "2024-04-29")
    matcher, containers = Matcher(newest), Containers(newest, most=64 << 20)
    answers = Counter()
    for path in sorted(corpora("pronom-skeletons").rglob("*")):
        found = re.match(r"(x-fmt|fmt)-(\d+)-", path.name)
        if found is None or not path.is_file():
            continue
        kind = "container" if "container" in path.name else "byte"
        answers[kind, exact(path, f"{found[1]}/{found[2]}", matcher, containers)] += 1
    assert answers["container", True] == 255
    assert answers["container", False] == 0
    assert answers["byte", True] >= 1946
    assert answers["byte", True] + answers["byte", False] == 1952
    # The rest: five Nikon NEF whose marks stand half a megabyte in, beyond the window; one XLS that two versions fit.


def exact(path: Path, puid: str, matcher: Matcher, containers: Containers) -> bool:
    with path.open("rb") as file:
        head, tail = edges_of(file.fileno(), os.fstat(file.fileno()).st_size)
        matches = matcher.match(head, tail)
        if kind := containers.kind_of(matches):
            with contextlib.suppress(ContainerUnreadable):
                matches = containers.match(file, kind) or matches
    extension = path.suffix[1:].lower()
    named = [known for known, _ in matches if extension in known.extensions] or [known for known, _ in matches]
    return {known.puid for known in named} == {puid}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_demand_never_rules_out_what_the_expression_matches(data):
    regex, anchored = data.draw(expressions())
    content = data.draw(st.binary(max_size=30).map(lambda more: more) | st.lists(PIECES).map(b"".join))
    compiled = re.compile(regex)
    found = compiled.match(content) if anchored else compiled.search(content)
    if found:
        assert all(stands(each, content) for each in demands(regex, anchored=anchored)), regex


PIECES = st.sampled_from([b"AB", b"A", b"BA", b"\0", b"C", b"CAB", b"BB"])


@st.composite
def expressions(draw):
    """Expressions of the kinds that FIDO's and DROID's conversions make."""
    piece = st.sampled_from(
        [b"AB", b"A", b"C", b".{1,2}", b".{2}", b".*", b"[A-C]", b"(?:AB|C)", b"(?!A)", b"(?:A(?:B|C).{0,2})", b"(A)"]
    )
    body = b"".join(draw(st.lists(piece, min_size=1, max_size=6)))
    kind = draw(st.sampled_from(["start", "end", "anywhere"]))
    if kind == "start":
        return rb"(?s)\A" + body, draw(st.booleans())
    return b"(?s)" + body + (rb"\Z" if kind == "end" else b""), False


def stands(demand: Demand, content: bytes) -> bool:
    """Said without slices, which is how the code says it."""
    for at in range(len(content) - len(demand.literal) + 1):
        end = at + len(demand.literal)
        near, far = (len(content) - end, len(content) - at) if demand.from_end else (at, end)
        if content.startswith(demand.literal, at) and demand.near <= near and far <= demand.far:
            return True
    return False


def test_literals_are_demanded_where_they_must_stand():
    assert demands(rb"(?s)\A.{4}AB.{0,9}C", anchored=True) == (Demand(b"AB", 4, 6, False), Demand(b"C", 6, 16, False))
    assert demands(rb"(?s)AB.{3}\Z", anchored=False) == (Demand(b"AB", 3, 5, True),)
    assert demands(rb"(?s)AB.*C", anchored=False) == (Demand(b"AB", 0, NO_END, False), Demand(b"C", 0, NO_END, False))
    assert demands(rb"(?si)AB", anchored=True) == ()


@pytest.mark.parametrize(
    ("written", "matching", "other"),
    [
        ("50 4B 03 04", b"PK\3\4", b"PK\3\5"),
        ("'Word' [ '6'-'7' ] 00", b"Word7\0", b"Word8\0"),
        ("(22|27) '1.0'", b"'1.0", b"x1.0"),
        ("[01:04]", b"\4", b"\5"),
        ("[!01]", b"\2", b"\1"),
        ("[&01]", b"\3", b"\2"),
        ("[~03]", b"\2", b"\4"),
        ("[22 27]", b"'", b"("),
        ("[00FE:0101]", b"\0\xff", b"\1\2"),
        ("41{2}42", b"A..B", b"A.B"),
        ("41{1-2}42", b"A.B", b"AB"),
        ("41*42", b"A........B", b"A........C"),
        ("41??42", b"A.B", b"AB"),
        ("'a''b'", b"ab", b"a'b"),
    ],
)
def test_sequences_mean_what_pronom_says(written, matching, other):
    expression = re.compile(b"(?s)" + sequence(written))
    assert expression.fullmatch(matching)
    assert not expression.fullmatch(other)


@pytest.mark.parametrize("written", ["4", "[01", "(41|42", "[02:01]", "xyz", "{a}", "[0001:02]"])
def test_what_is_no_sequence_is_refused(written):
    with pytest.raises(ValueError, match=r"."):
        re.compile(sequence(written))


def test_a_cached_release_is_the_release(tmp_path, release):
    calls = []

    def read():
        calls.append(1)
        return release

    assert cached(fido_files(), read, folder=tmp_path / "c") == release
    assert cached(fido_files(), read, folder=tmp_path / "c") == release
    assert len(calls) == 1
    (kept,) = (tmp_path / "c").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_cache_that_others_changed_or_could_change_is_not_used(tmp_path, release):
    def made() -> int:
        calls = []
        cached(fido_files(), lambda: calls.append(1) or release, folder=tmp_path)
        return len(calls)

    assert (made(), made()) == (1, 0)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole.replace(b"fmt/11", b"fmt/12", 1))
    assert (made(), made()) == (1, 0)
    kept.write_bytes(whole[: len(whole) // 2])
    assert (made(), made()) == (1, 0)
    kept.chmod(0o666)
    assert made() == 1


def test_a_cache_that_cannot_be_kept_is_none(tmp_path, release):
    (tmp_path / "file").touch()
    assert cached(fido_files(), lambda: release, folder=tmp_path / "file") == release


def test_an_account_without_a_home_has_no_cache(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number of its own."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cached(fido_files(), lambda: release) == release


@pytest.mark.parametrize(
    "text",
    ["", "<x/>", "<FFSignatureFile/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><FFSignatureFile>&b;</FFSignatureFile>"],
)
def test_a_file_that_is_no_release_is_refused_with_the_reason(tmp_path, text):
    file = tmp_path / "DROID_SignatureFile_V1.xml"
    file.write_text(text)
    with pytest.raises(ReleaseUnreadable) as refused:
        pronom_release(file, fido_files()[2])
    assert str(file) in (refused.value.where or "")
    assert refused.value.next_step is not None


def test_many_that_make_the_cache_at_once_leave_one_whole_file(tmp_path: Path, release: Release) -> None:
    """As workers do that start together on a new machine; one finds half a file that a crash left."""
    (tmp_path / ".signatures-left-by-a-crash").write_bytes(b"half")
    with ThreadPoolExecutor(4) as together:
        answers = list(together.map(lambda _: cached(fido_files(), lambda: release, folder=tmp_path), range(8)))
    assert all(answer == release for answer in answers)
    (kept,) = tmp_path.glob("signatures-*.json")
    assert cached(fido_files(), lambda: pytest.fail("not from the cache"), folder=tmp_path) == release
    assert kept.stat().st_mode & 0o077 == 0
