"""Runs hostile packages through ingest in batches, good packages before, between and after, and judges what came of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile import makers_files, makers_folders, makers_supplied, makers_tars, makers_zips
from tests.hostile.case import CannotMake, Case, folder, footprint

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "zip": makers_zips.CASES,
    "tar": makers_tars.CASES,
    "folder": makers_folders.CASES,
    "file": makers_files.CASES,
    "supplied": makers_supplied.CASES,
}
MOST_SECONDS, MOST_MEBIBYTES = 10.0, 512
MOST_CLOCK = 60.0  # a machine may be busy with other things; who waits for ever is caught
# Said of every package without checksums and of every file that is nothing in particular: no decision about this one.
_ALWAYS = {"fixity-starts-here", "format-unknown"}
_ACTS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # categories of characters that act on a terminal or hide on it
_AT_ONCE = 25  # packages in a batch that are measured one by one: as many steps as a run has
_GOOD_EVERY = 11


@dataclass
class Judged:
    """What came of a run: the answer for each case by name, and what is wrong with the run as a whole."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    cannot: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def all_cases() -> dict[str, list[Case]]:
    """Every case by family; no two have one name."""
    names = [f"{family} {one.name}" for family, cases in FAMILIES.items() for one in cases]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return FAMILIES


def run(cases: Sequence[tuple[str, Case]], root: Path) -> Judged:
    """Make the packages below `root`, take them in by a process of its own, look at everything before and after."""
    judged = Judged()
    house = _settle(root)
    with _listener() as (port, heard):
        (root / "port").write_text(str(port))
        made = _make(cases, root / "given", judged)
        batches = _batches(made, root / "given")
        before = {room: footprint(root / room) for room in ("given", "canary")}
        top = sorted(path.name for path in root.iterdir())
        answers = _take(house, batches, root)
        if {room: footprint(root / room) for room in before} != before:
            judged.wrong.append("the producer's folders, or what lies beside them, are not what they were")
        if sorted(path.name for path in root.iterdir()) != sorted([*top, "answers.json", "said", "sources.json"]):
            judged.wrong.append(f"something new stands beside the workspace: {sorted(root.iterdir())}")
        if heard:
            judged.wrong.append(f"a connection was made: {heard}")
    if not answers["sound"]:
        judged.wrong.append("the chain of events does not hold")
    names = {str(path): name for name, path in made}
    sources = [source for batch in batches for source in batch]
    for source, answer in zip(sources, answers["packages"], strict=True):
        if source in names:
            judged.answers[names[source]] = answer
        elif (answer["outcome"], answer["valid"], answer["proved"]) != ("accepted", True, 3):
            judged.wrong.append(f"a good package of the batch was kept back: {source}: {answer}")
    return judged


def problem(one: Case, answer: dict[str, Any]) -> str | None:
    """Why the answer is not the one in the name of the case; None when it is."""
    errors = {code for code, severity, _ in answer["findings"] if severity == "error"}
    seen = (
        errors if one.verdict == "rejected" else {code for code, _, _ in answer["findings"]} - (_ALWAYS - one.codes)
    )
    wanted = "rejected" if one.verdict == "rejected" else "accepted"
    if answer["outcome"] != wanted:
        return f"{answer['outcome']}: {answer['findings'][:3]} {answer['lines'][:2]}"
    if seen != one.codes:
        return f"said {sorted(seen)}, expected {sorted(one.codes)}"
    if not one.codes <= set(answer["recorded"]):
        return f"not in the history: {sorted(one.codes - set(answer['recorded']))}"
    if answer["seconds"] > MOST_SECONDS or answer["clock"] > MOST_CLOCK or answer["mebibytes"] > MOST_MEBIBYTES:
        return f"took {answer['seconds']} s ({answer['clock']} s by the clock) and {answer['mebibytes']} MiB"
    if answer["network"] or answer["left"]:
        return f"asked the network {answer['network']}, left behind {answer['left']}"
    if bad := [line for line in answer["lines"] if any(unicodedata.category(char) in _ACTS for char in line)]:
        return f"a line can act on a terminal: {bad[0]!r}"
    if len(answer["json"]) > 8 << 20:
        return f"{len(answer['json'])} characters of findings"
    json.loads(answer["json"])
    if wanted == "accepted" and (answer["valid"], answer["proved"]) != (True, 3):
        return f"its bag is not valid or not proved in three stores: {answer['valid']}, {answer['proved']}"
    if one.files is not None and _payload(Path(answer["bag"])) != one.files:
        return f"the payload is {sorted(_payload(Path(answer['bag'])))}"
    return None


def _payload(bag: Path) -> dict[str, bytes]:
    data = bag / "data"
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def _settle(root: Path) -> Path:
    (root / "canary").mkdir(parents=True)
    (root / "canary" / "bird.txt").write_text("still singing")
    house = root / "house"
    house.mkdir()
    stores = "\n".join(
        f'[stores.{name}]\nkind = "local"\npath = "stores/{name}"\nregion = "site-{name}"\n' for name in "abc"
    )
    (house / "vankho.toml").write_text(stores)
    return house


def _make(cases: Sequence[tuple[str, Case]], given: Path, judged: Judged) -> list[tuple[str, Path]]:
    given.mkdir()
    made = []
    for number, (family, one) in enumerate(cases):
        room = given / f"{number:03}"
        room.mkdir()
        name = f"{family} {one.name}"
        try:
            made.append((name, one.make(room)))
        except CannotMake as reason:
            judged.cannot[name] = str(reason)
    return made


def _batches(made: list[tuple[str, Path]], given: Path) -> list[list[str]]:
    """Batches of hostile packages, each with a good one before, between and after."""
    batches: list[list[str]] = []
    per_batch = 2 * _GOOD_EVERY
    for start in range(0, len(made), per_batch):
        hostile = [str(path) for _, path in made[start : start + per_batch]]
        good = []
        for number in range(3):
            room = given / f"good-{start}-{number}"
            room.mkdir()
            good.append(str(folder({"trang.txt": f"tốt {start} {number}".encode()})(room)))
        batches.append([good[0], *hostile[:_GOOD_EVERY], good[1], *hostile[_GOOD_EVERY:], good[2]])
        assert len(batches[-1]) <= _AT_ONCE
    return batches


def _take(house: Path, batches: list[list[str]], root: Path) -> dict[str, Any]:
    (root / "sources.json").write_text(json.dumps(batches), "ascii")
    command = [sys.executable, "-m", "tests.hostile.taker", str(house), str(root / "sources.json")]
    with (root / "said").open("wb") as said:
        done = subprocess.run(
            [*command, str(root / "answers.json")], cwd=ROOT, stdout=said, stderr=said, check=False, timeout=900
        )
    if done.returncode != 0:
        words = (root / "said").read_text("utf-8", "replace")[-3000:]
        raise AssertionError(f"the batch ended with {done.returncode}: {words}")
    answers: dict[str, Any] = json.loads((root / "answers.json").read_text("ascii"))
    return answers


@contextmanager
def _listener() -> Iterator[tuple[int, list[str]]]:
    """Somebody who listens on the loopback and must hear nothing."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    connection, who = server.accept()
                except TimeoutError:
                    continue
                heard.append(f"{who} {time.time()}")
                connection.close()

        ear = threading.Thread(target=listen, daemon=True)
        ear.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            ended.set()
            ear.join()


def clear(root: Path) -> None:
    """Remove the folder, also where no path reaches and Python would descend too far."""
    subprocess.run(["rm", "-rf", "--", str(root)], check=True)
