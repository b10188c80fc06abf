"""Claiming a delivery: what is no package, and who may remove a staging folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from preservation.errors import PackageUnreadable
from preservation.facts import Form
from preservation.packages import claim, release, sweep

ROOT = Path(__file__).parents[2]


def refused(source: Path, staging: Path) -> tuple[str, str | None]:
    with pytest.raises(PackageUnreadable) as error:
        claim(source, staging=staging, submission_id="s")
    (finding,) = error.value.findings
    return finding.code, finding.path


def test_what_is_no_package(tmp_path):
    plain, empty, pipe = (tmp_path / name for name in ("page.tif", "empty.zip", "pipe"))
    plain.write_bytes(b"II*\0" + bytes(600))
    empty.touch()
    os.mkfifo(pipe)
    staging = tmp_path / "staging"
    assert refused(tmp_path / "gone", staging) == ("source-not-found", str(tmp_path / "gone"))
    assert refused(plain, staging) == ("not-a-package", str(plain))
    assert refused(empty, staging) == ("not-a-package", str(empty))
    assert refused(pipe, staging) == ("not-a-package", str(pipe))
    (tmp_path / "dangling").symlink_to("gone")
    assert refused(tmp_path / "dangling", staging)[0] == "source-not-found"
    assert not staging.exists()


def test_the_form_is_told_by_the_bytes_not_by_the_name(tmp_path, make_zip, make_tar):
    for path, form in [
        (make_zip({"a": b""}, name="misnamed.tar"), Form.ZIP),
        (make_tar({"a": b""}, name="misnamed.zip"), Form.TAR),
        (make_tar({"a": b""}, name="misnamed.doc.gz"), Form.TAR),
    ]:
        submission = claim(path, staging=tmp_path / "staging", submission_id=form.value + path.name)
        assert submission.form is form
        release(submission)


def test_a_folder_that_holds_the_workspace(tmp_path):
    (tmp_path / "a.tif").touch()
    assert refused(tmp_path, tmp_path / "work/staging")[0] == "source-holds-workspace"


def test_release_leaves_nothing(tmp_path, make_folder):
    submission = claim(make_folder({"a": b""}), staging=tmp_path / "staging", submission_id="s")
    assert sweep(tmp_path / "staging") == []  # its owner lives
    assert submission.folder.is_dir()
    release(submission)
    assert not submission.folder.exists()


def test_an_id_is_used_once(tmp_path, make_folder):
    submission = claim(make_folder({"a": b""}), staging=tmp_path / "staging", submission_id="s")
    with pytest.raises(FileExistsError):
        claim(submission.source, staging=tmp_path / "staging", submission_id="s")
    assert sweep(tmp_path / "staging") == []
    release(submission)


def test_what_a_killed_owner_left_is_swept_and_a_living_owner_is_not(tmp_path, make_folder):
    source, staging = make_folder({"a": b"a"}), tmp_path / "staging"
    code = (
        "import sys; from pathlib import Path; from preservation.packages import claim, receive, Litter\n"
        "from preservation.progress import Silent\n"
        "s = claim(Path(sys.argv[1]), staging=Path(sys.argv[2]), submission_id='dead')\n"
        "receive(s, algorithms=frozenset(), litter=Litter.KEEP, progress=Silent())\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    mine = claim(source, staging=staging, submission_id="mine")
    with subprocess.Popen(
        [sys.executable, "-c", code, source, staging], stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        assert sweep(staging) == []
        owner.kill()
        owner.wait()
    assert sweep(staging) == ["dead"]
    assert sweep(staging) == []
    assert mine.folder.is_dir()
    release(mine)


def test_a_folder_whose_owner_died_before_locking_is_swept(tmp_path):
    (tmp_path / "staging/half").mkdir(parents=True)
    assert sweep(tmp_path / "staging") == ["half"]
    assert sweep(tmp_path / "nowhere") == []
