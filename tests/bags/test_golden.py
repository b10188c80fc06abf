"""The golden bags get the verdict of their name; and the checker's answer holds under floods, rights and long paths."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from preservation.bags import check
from preservation.bags.check import check_bag
from tests.bags.bag_maker import make_bag
from tests.bags.golden import GOLDEN, ZEROS


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", GOLDEN)
def test_the_name_is_the_verdict(name, tmp_path):
    make, expected = GOLDEN[name]
    make(tmp_path / "bag")
    report = check_bag(tmp_path / "bag")
    verdict = name.split()[0]
    weight = "error" if verdict == "invalid" else "warning"
    assert report.valid is (verdict != "invalid"), report.findings
    assert {f.code for f in report.findings if f.severity == weight} == expected, report.findings
    assert verdict != "valid" or expected or not report.findings


def test_enough_of_them():
    assert len(GOLDEN) >= 94
    assert all(re.match(r"(valid|warning|invalid) ", name) for name in GOLDEN)


def test_every_error_is_reported_not_only_the_first(tmp_path):
    many = {f"data/{n}.txt": b"x" for n in range(20)}
    made = make_bag(tmp_path / "bag", many, tags={"bag-info.txt": b"Payload-Oxum: 1.1\n"})
    for n in range(5):
        (made / f"data/{n}.txt").unlink()
        (made / f"data/{n + 5}.txt").write_bytes(b"y")
        (made / f"data/new{n}.txt").touch()
    found = [(f.code, f.path) for f in check_bag(made).findings]
    assert sorted(found) == sorted(
        [("oxum-differs", "bag-info.txt")]
        + [("file-missing", f"data/{n}.txt") for n in range(5)]
        + [("digest-differs", f"data/{n}.txt") for n in range(5, 10)]
        + [("file-unexpected", f"data/new{n}.txt") for n in range(5)]
    )


def test_a_flood_of_findings_is_bounded_and_counted(tmp_path):
    made = make_bag(
        tmp_path / "bag",
        {},
        tags={"manifest-sha256.txt": b"".join(f"{ZEROS}  data/{n}\n".encode() for n in range(3000))},
    )
    report = check_bag(made)
    assert len(report.missing) == 1000
    assert [str(f.message) for f in report.findings if f.code == "findings-not-shown"] == [
        "2000 more findings of the kind file-missing are not shown."
    ]
    assert not report.valid and not report.complete


def as_nobody(work: Callable[[], bool]) -> bool:
    """What `work` answers in a child that is not root, for root may read everything."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.seteuid(65534)
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_may_not_be_read_is_not_called_damaged():
    with tempfile.TemporaryDirectory() as home:  # not tmp_path: nobody else may enter that one
        Path(home).chmod(0o755)
        made = make_bag(Path(home) / "bag")
        (made / "data/a.txt").chmod(0)
        (made / "data/sub").chmod(0)

        def seen() -> bool:
            errors = [(f.code, f.path) for f in check_bag(made).findings]
            return sorted(errors) == [
                ("file-unreadable", "data/a.txt"),
                ("folder-unreadable", "data/sub"),
            ]

        assert as_nobody(seen)
        (made / "data/sub").chmod(0o755)


def test_a_path_that_confuses_the_library(tmp_path):
    made = make_bag(tmp_path / "tagmanifest-sha256.txt" / "bag tagmanifest-")
    assert check_bag(made).valid


def test_a_path_longer_than_the_system_takes(tmp_path):
    made = make_bag(tmp_path / "bag")
    folder = os.open(made / "data", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    report = check_bag(made)
    assert not report.valid
    assert {f.code for f in report.findings} <= {"folder-unreadable", "file-unreadable"}


@pytest.mark.timeout(20)
def test_endless_continuation_lines_take_no_endless_time(tmp_path):
    made = make_bag(tmp_path / "bag", tags={"bag-info.txt": b"A: b\n" + b" x\n" * 190_000})
    assert check_bag(made).valid


def test_valid_rests_on_proof_not_on_silence(tmp_path, monkeypatch):
    """Should a later change lose files on the way to the comparison, nobody complains, and the bag is not valid."""
    made = make_bag(tmp_path / "bag")
    real = check.compared

    @contextmanager
    def without_the_last(*asked, **how):
        with real(*asked, **how) as answers:
            yield [each for each in answers if each.checked][:-1]

    monkeypatch.setattr(check, "compared", without_the_last)
    report = check_bag(made)
    assert report.findings == ()
    assert not report.valid
