"""kill -9 at every point of the writer: nothing half-made is ever taken for a bag, and running again finishes it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.bags.write import write_bag

PAGES = {f"trang {n}.tif": bytes([n]) * 3000 for n in range(4)}
POINTS = ("rename", "fsync", "unlink", "write")


def killed_at(point: int, work) -> bool:
    """Run `work` in a child that dies, buffers unwritten, at its point-th step; False when it got to its end."""
    child = os.fork()
    if child == 0:
        left = point

        def dying(real):
            def step(*args, **kwargs):
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                return real(*args, **kwargs)

            return step

        os.rename, os.fsync, os.unlink = dying(os.rename), dying(os.fsync), dying(os.unlink)
        Path.open, Path.unlink = dying(Path.open), dying(Path.unlink)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "the writer itself failed"
    return code == 9


@pytest.mark.parametrize("given", [None, {"bagit.txt": b"old", "manifest-md5.txt": b"old"}])
def test_every_kill_point(given, receive_files, plan_for, tmp_path):
    place = tmp_path / "out" / "b"
    place.parent.mkdir()
    point = survived = 0
    while True:
        folder = tmp_path / "staging" / f"s-{point}"
        received = receive_files(PAGES, given_tags=given, set_aside={"Thumbs.db": b"x"}, folder=folder)
        plan = plan_for(received, algorithms=("sha256", "md5"), descriptor=b"{}")
        killed = killed_at(point, lambda: write_bag(received, plan, destination=place))  # noqa: B023
        finished = place.exists()
        assert finished or killed
        if finished:
            assert check_bag(place).findings == ()
        else:
            half = folder / "bag"
            if half.exists():
                report = check_bag(half)
                assert not report.valid or report.matched == len(PAGES)  # valid means whole, even here
            plan = plan_for(received, algorithms=("sha256",))  # the second run may even be asked for less
            survived += 1
            assert check_bag(write_bag(received, plan, destination=place).path).findings == ()
        for path, content in PAGES.items():
            assert (place / "data" / path).read_bytes() == content
        shutil.rmtree(place)
        if not killed:
            break
        point += 1
    assert survived > 20
