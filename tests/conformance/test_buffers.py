"""Never more is lent than there is room for, nobody waits for ever, and the same memory serves again."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from storage_adapters.buffers import SMALL, STEP, Buffers


@given(sizes=st.lists(st.integers(0, 5 << 20), min_size=1, max_size=40))
@settings(deadline=None, max_examples=25)
def test_threads_share_the_room_and_each_has_its_piece_to_itself(sizes: list[int]):
    room, lock = 6 << 20, threading.Lock()
    buffers, lent, most = Buffers(room), 0, 0
    waiting = list(enumerate(sizes))
    wrong: list[str] = []

    def work() -> None:
        nonlocal lent, most
        while True:
            with lock:
                if not waiting:
                    return
                number, size = waiting.pop()
            with buffers.lend(size) as piece:
                with lock:
                    lent += size
                    most = max(most, lent)
                mark = bytes([number]) * min(size, 100)
                piece[: len(mark)] = mark
                if len(piece) != size or bytes(piece[: len(mark)]) != mark:
                    wrong.append(f"{number}: {len(piece)}")
                with lock:
                    lent -= size

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert wrong == []
    assert most <= room
    assert buffers._lent == 0


def test_what_is_larger_than_the_room_has_it_for_itself():
    buffers = Buffers(10)
    with buffers.lend(100) as piece:
        assert len(piece) == 100
    with buffers.lend(10):
        pass


def test_the_same_memory_serves_again_and_one_piece_is_kept():
    buffers = Buffers(8 * STEP)
    with buffers.lend(SMALL + 1) as first, buffers.lend(STEP):
        place = first.obj
    with buffers.lend(STEP // 2) as again:
        assert again.obj is place or len(again.obj) == STEP
    assert len(buffers._kept) == 1


def test_an_error_inside_gives_the_memory_back():
    buffers = Buffers(SMALL)
    for _ in range(3):
        try:
            with buffers.lend(SMALL):
                raise ValueError
        except ValueError:
            pass
    assert buffers._lent == 0
