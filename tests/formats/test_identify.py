"""Real worker processes: order, parallel work, what is recorded, and that no worker is ever left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

import preservation
from preservation.facts import Basis, FileFact, FormatFact
from preservation.formats import Identifier, IdentifierUnavailable, Limits, identify, identify_paths

ROOT = Path(preservation.__file__).resolve().parents[1]

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d494844520000000100000001080600000000000000") + bytes.fromhex(
    "0000000049454e44ae426082"
)


def one(path: Path, **options) -> FormatFact:
    (fact,) = identify_paths([path], **options)
    return fact


def gone(pid: int) -> bool:
    """Whether the process is dead (a zombie nobody waits for counts as dead)."""
    for _ in range(80):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def pids(identifier: Identifier) -> list[int]:
    return [worker._process.pid for worker in identifier._all]


def test_a_payload_is_answered_in_order_whatever_the_workers_do(tmp_path):
    facts = []
    for number in range(120):
        path = f"trang/{number:04}.{'pdf' if number % 2 else 'png'}"
        (tmp_path / "trang").mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(PDF if number % 2 else PNG)
        facts.append(FileFact(path, 1, {}))
    answers = list(identify(tmp_path, iter(facts), workers=3))
    assert [answer.path for answer in answers] == [fact.path for fact in facts]
    assert {(answer.puid, answer.basis) for answer in answers[1::2]} == {("fmt/18", Basis.SIGNATURE)}
    assert all(answer.path.endswith("png") == (answer.mime == "image/png") for answer in answers)


def test_every_answer_names_the_tool_and_the_release_of_its_signatures(tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    (tmp_path / "b").touch()
    for fact in identify_paths([tmp_path, tmp_path / "missing"]):
        assert fact.tool == "vankho 0.1.0"
        assert fact.signatures == "PRONOM v109, containers 2020-01-21"


def test_what_an_answer_rests_on_is_said(tmp_path):
    (tmp_path / "signature.pdf").write_bytes(PDF)
    (tmp_path / "mismatch.jpg").write_bytes(PDF)
    (tmp_path / "no-extension").write_bytes(PDF)
    (tmp_path / "UPPER.PDF").write_bytes(PDF)
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "text.txt").write_text("Chữ quốc ngữ\n")
    (tmp_path / "unknown.qqq").write_bytes(b"\x01\x02\x03\x04")
    facts = {Path(fact.path).name: fact for fact in identify_paths([tmp_path])}
    assert {name: (fact.puid, fact.basis, fact.extension_mismatch) for name, fact in facts.items()} == {
        "signature.pdf": ("fmt/18", Basis.SIGNATURE, False),
        "mismatch.jpg": ("fmt/18", Basis.SIGNATURE, True),
        "no-extension": ("fmt/18", Basis.SIGNATURE, False),
        "UPPER.PDF": ("fmt/18", Basis.SIGNATURE, False),
        "empty.pdf": (None, Basis.EMPTY, False),
        "text.txt": ("x-fmt/111", Basis.EXTENSION, False),
        "unknown.qqq": (None, Basis.NONE, False),
    }
    assert facts["text.txt"].candidates, "several formats claim .txt; the others are kept"
    assert facts["signature.pdf"].candidates == ()
    assert facts["signature.pdf"].version == "1.4"


def test_a_file_that_is_missing_or_may_not_be_read_is_failed_with_the_reason(tmp_path):
    fact = one(tmp_path / "nowhere.tif")
    assert (fact.basis, fact.puid, fact.note) == (Basis.FAILED, None, "cannot be read: No such file or directory")


def test_folders_are_walked_sorted_and_a_named_link_is_followed(tmp_path):
    folder = tmp_path / "real"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "2.pdf").write_bytes(PDF)
    (folder / "a.pdf").write_bytes(PDF)
    (tmp_path / "link").symlink_to(folder)
    assert [fact.path for fact in identify_paths([tmp_path / "link"])] == [
        str(tmp_path / "link" / "a.pdf"),
        str(tmp_path / "link" / "b" / "2.pdf"),
    ]


def test_one_identifier_serves_a_batch_and_ends_its_workers(tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    with Identifier() as identifier:
        for _ in range(3):
            assert [fact.puid for fact in identifier.identify(tmp_path, [FileFact("a.pdf", 1, {})])] == ["fmt/18"]
        workers = pids(identifier)
    assert workers
    assert all(gone(pid) for pid in workers)


def test_a_list_of_any_length_is_taken_a_little_at_a_time(tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield FileFact("a.pdf", 1, {})

    answers = identify(tmp_path, endless())
    for _ in range(20):
        next(answers)
    answers.close()
    assert taken <= 7 * 64  # what two workers are given ahead, and no more however long the list is


def test_threads_may_share_one_identifier(tmp_path):
    names = {"pdf": "fmt/18", "txt": "x-fmt/111", "qqq": None}
    for extension in names:
        (tmp_path / f"a.{extension}").write_bytes(PDF if extension == "pdf" else b"\x01\x02")
    answered = {}

    def ask(extension):
        facts = identifier.identify(tmp_path, [FileFact(f"a.{extension}", 1, {})] * 40)
        answered[extension] = {(fact.path, fact.puid) for fact in facts}

    with Identifier() as identifier:
        threads = [Thread(target=ask, args=(extension,)) for extension in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answered == {extension: {(f"a.{extension}", puid)} for extension, puid in names.items()}


def test_entering_does_not_wait_for_the_signatures():
    started = time.monotonic()
    with Identifier() as identifier:
        assert time.monotonic() - started < 0.3
        assert len(pids(identifier)) == 1, "the first worker loads in the background"


def test_closing_does_not_wait_for_a_slow_file(tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    with Identifier(limits=Limits(seconds=60), workers=1) as identifier:
        list(identifier.identify_paths([tmp_path]))
        (worker,) = pids(identifier)
        os.kill(worker, signal.SIGSTOP)
        asking = Thread(target=lambda: list(identifier.identify_paths([tmp_path])), daemon=True)
        asking.start()
        time.sleep(0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert gone(worker)


def test_ctrl_c_at_the_terminal_is_for_the_parent_alone():
    """Else a file would be recorded as failed because somebody interrupted the run."""
    with Identifier() as identifier:
        (worker,) = pids(identifier)
        assert os.getpgid(worker) == worker


def test_an_exception_of_the_caller_ends_the_workers(tmp_path):
    for number in range(50):
        (tmp_path / f"{number}.pdf").write_bytes(PDF)
    workers = []
    with pytest.raises(ZeroDivisionError), Identifier() as identifier:
        for _ in identifier.identify_paths([tmp_path]):
            workers = pids(identifier)
            raise ZeroDivisionError
    assert workers
    assert all(gone(pid) for pid in workers)


def test_a_caller_that_stops_asking_leaves_no_worker(tmp_path):
    for number in range(50):
        (tmp_path / f"{number}.pdf").write_bytes(PDF)
    before = children()
    answers = identify_paths([tmp_path])
    next(answers)
    assert children() - before
    answers.close()
    assert not children() - before


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()} | {
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


ENDLESS = """
import sys
from pathlib import Path
from preservation.formats import Identifier
with Identifier() as identifier:
    for fact in identifier.identify_paths([Path(sys.argv[1])] * 1_000_000):
        print(*[worker._process.pid for worker in identifier._all], flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path, how):
    (tmp_path / "a.pdf").write_bytes(PDF)
    parent = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path / "a.pdf")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    for _ in range(40):
        workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert workers
    parent.send_signal(how)
    _, errors = parent.communicate(timeout=20)
    assert all(gone(pid) for pid in workers)
    if how is signal.SIGINT:
        assert "KeyboardInterrupt" in errors
        assert errors.count("Traceback") == 1, "the workers do not add theirs"


def test_importing_is_cheap():
    """Neither FIDO nor lxml is loaded by the parent."""
    code = "import sys, preservation.formats; print([m for m in ('fido', 'lxml', 'olefile') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def test_modules_in_the_current_folder_are_not_run(tmp_path):
    """A package folder may hold files named like our modules, and an officer may stand in it."""
    (tmp_path / "a.pdf").write_bytes(PDF)
    for name in ("fido", "lxml", "olefile", "json", "preservation"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')")
    code = (
        f"import sys; sys.path[:] = [p for p in sys.path if p] + [{str(ROOT)!r}]\n"
        "from pathlib import Path; from preservation.formats import identify_paths\n"
        "print([fact.puid for fact in identify_paths([Path('a.pdf')])])"
    )
    answer = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert answer.stdout.strip() == "['fmt/18']", answer.stderr


def test_an_identifier_that_cannot_start_says_so(tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    with pytest.raises(IdentifierUnavailable) as caught:
        one(tmp_path / "a.pdf", limits=Limits(memory=24 << 20))
    assert caught.value.next_step is not None
    assert "memory limit 24 MiB" in (caught.value.detail or "")


def test_what_is_printed_in_a_worker_cannot_pass_for_an_answer():
    """A library may print; the answers go through a descriptor of their own."""
    code = (
        "import os; from preservation.facts import Basis, FormatFact\n"
        "from preservation.formats.worker import keep_answers_clean, send\n"
        "answers = keep_answers_clean(); print('forged', flush=True); os.write(1, b'forged')\n"
        "send(answers, FormatFact('', 'fmt/18', None, Basis.NONE, tool='t', signatures='s'))"
    )
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT))["puid"] == "fmt/18"
