"""Our checker and the bagit library on the same bags: where they differ, both answers must stand, and ours count."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from preservation.bags.check import check_bag
from preservation.bags.second_opinion import SecondOpinion, disagreement, second_opinion
from tests.bags.adversarial_forms import LINKS
from tests.bags.adversarial_text import TEXT
from tests.bags.bag_maker import make_bag
from tests.bags.cases import Case
from tests.bags.golden import GOLDEN

PATIENCE = 5.0  # seconds that the library gets for one small bag


def folder_bags() -> list[Case]:
    """Every bag that is a folder; the huge and the deep ones, which would only cost time, are left out."""
    golden = [Case("golden", name, make, frozenset(codes)) for name, (make, codes) in GOLDEN.items()]
    slow = ("megabyte", "of 17 MB", "deeper than", "nowhere", "nothing at the path")
    return [case for case in (*golden, *TEXT, *LINKS) if not any(word in case.name for word in slow)]


def mutated(folder: Path, seed: int) -> Path:
    """A valid bag in which, by the seed, one to three files were changed, cut, removed, renamed or added."""
    draw = random.Random(seed)
    names = ["data/a.txt", "data/Nguyễn.tif", "data/sub/b c.txt", "data/sub/%.txt"][: draw.randint(1, 4)]
    payload = {name: draw.randbytes(draw.randint(0, 50)) for name in names}
    bag = make_bag(
        folder, payload, tags={"bag-info.txt": b"Payload-Oxum: 0.0\n" if draw.random() < 0.2 else b"A: b\n"}
    )
    for _ in range(draw.randint(0, 3)):
        files = sorted(path for path in bag.rglob("*") if path.is_file())
        file = draw.choice(files)
        match draw.choice(["flip", "cut", "remove", "rename", "add", "line"]):
            case "flip" if file.stat().st_size:
                content = bytearray(file.read_bytes())
                content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
                file.write_bytes(content)
            case "cut":
                file.write_bytes(file.read_bytes()[: -draw.randint(1, 5)])
            case "remove" if len(files) > 1:
                file.unlink()
            case "rename":
                file.rename(file.with_name(file.name + draw.choice([" ", "x", "%", "ế"])))
            case "add":
                file.with_name(f"{draw.choice('xyz')}.txt").write_bytes(b"new")
            case "line":
                lines = file.read_bytes().splitlines(keepends=True)
                draw.shuffle(lines)
                file.write_bytes(b"".join(lines + lines[: draw.randint(0, 1)]))
    return bag


def compared(path: Path) -> tuple[str, str | None]:
    """What the two say ("agree", "differ", "silent") and why what is kept of it is wrong, None when it is right."""
    before = check_bag(path)
    opinion = second_opinion(path, timeout=PATIENCE)
    after = check_bag(path)
    if (before.valid, before.findings) != (after.valid, after.findings):
        return "differ", "our answer changed after the library was asked"
    kept, doubt = opinion.beside(before.valid), disagreement(before, opinion)
    if (kept["ours"], kept["valid"]) != (before.valid, opinion.valid):
        return "differ", f"kept {kept}"
    if opinion.valid is None:
        return "silent", None if doubt is None and kept["agrees"] is None and opinion.message else f"kept {kept}"
    if opinion.valid is before.valid:
        return "agree", None if doubt is None and kept["agrees"] is True else f"kept {kept}"
    whole = doubt is not None and doubt.path and doubt.expected and doubt.seen and doubt.severity == "warning"
    return "differ", None if whole and kept["agrees"] is False else f"{before.valid} and {opinion}: {doubt}"


def answers(report_valid: bool) -> Iterator[SecondOpinion]:
    """Whatever the library could say of a bag."""
    for valid in (True, False, None):
        yield SecondOpinion(valid, f"of a bag that we call {report_valid}")
