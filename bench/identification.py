"""How fast formats are identified: Vankho's engine against FIDO's class, on the same files, in turn.

Sets are made here (fixed seed): scans (pages of 450 KB with their ALTO), tiny (4 KB of many kinds), masters (30 MB).
Both read the files themselves, in this one process, warm; prints minimum, median and maximum of files a second and
the ratio of the medians. `python -m bench.identification [rounds] [folder of your own files]`
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fido.fido import Fido
from fido.versions import get_local_versions

from preservation.formats.edges import edges_of
from preservation.formats.engine import Engine
from preservation.formats.limits import Limits
from preservation.formats.pronom.releases import fido_release

Identify = Callable[[Path], object]


def main(rounds: int, own: Path | None) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        for name, files in _sets(Path(place), own):
            _compare(name, files, rounds)
    return 0


def _compare(name: str, files: Sequence[Path], rounds: int) -> None:
    ways = {"vankho": _ours(), "fido": _theirs()}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):  # the first round compiles and warms, and is not counted
        for way, identify in ways.items():
            began = time.perf_counter()
            for file in files:
                identify(file)
            if number:
                rates[way].append(len(files) / (time.perf_counter() - began))
    for way, seen in rates.items():
        line = f"min {min(seen):8.0f}  median {statistics.median(seen):8.0f}  max {max(seen):8.0f} files/s"
        print(f"{name:8} {way:8} {line}")
    ratio = statistics.median(rates["vankho"]) / statistics.median(rates["fido"])
    print(f"{name:8} vankho / fido: {ratio:.1f} ({len(files)} files, {rounds} rounds)")


def _ours() -> Identify:
    engine = Engine(fido_release(), Limits(), tool="bench")

    def identify(file: Path) -> object:
        with file.open("rb") as opened:
            head, tail = edges_of(opened.fileno(), os.fstat(opened.fileno()).st_size)
            return engine.identify(head, tail, file.name, lambda: opened)

    return identify


def _theirs() -> Identify:
    versions = get_local_versions()
    fido = Fido(
        quiet=True,
        format_files=[versions.pronom_signature, versions.fido_extension_signature],
        handle_matches=lambda *_: None,
    )

    def identify(file: Path) -> object:
        with contextlib.redirect_stderr(io.StringIO()):
            return fido.identify_file(str(file))

    return identify


def _sets(folder: Path, own: Path | None) -> Iterator[tuple[str, list[Path]]]:
    drawn = random.Random(4)
    kinds = {
        "tif": b"II*\0\x08\0\0\0",
        "jpg": bytes.fromhex("ffd8ffe000104a46494600010101012c012c0000"),
        "xml": b'<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">',
        "pdf": b"%PDF-1.4\n",
        "txt": "Trăm năm trong cõi người ta ".encode(),
        "jp2": bytes.fromhex("0000000c6a5020200d0a870a00000014667479706a7032200000000" + "06a703220") + bytes(3),
    }
    yield "tiny", _made(folder / "tiny", 600, {kind: (start, 4096) for kind, start in kinds.items()}, drawn)
    scans = {kind: (kinds[kind], 450_000 if kind != "xml" else 60_000) for kind in ("jpg", "jp2", "xml", "pdf")}
    yield "scans", _made(folder / "scans", 120, scans, drawn)
    yield "masters", _made(folder / "masters", 10, {"tif": (kinds["tif"], 30_000_000)}, drawn)
    if own is not None:
        yield "own", [path for path in own.rglob("*") if path.is_file() and path.stat().st_size]


def _made(folder: Path, count: int, kinds: dict[str, tuple[bytes, int]], drawn: random.Random) -> list[Path]:
    folder.mkdir()
    files = []
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        start, size = kinds[kind]
        file = folder / f"{number:05}.{kind}"
        file.write_bytes(start + drawn.randbytes(size - len(start)))
        files.append(file)
    return files


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(int(given[0]) if given else 5, Path(given[1]) if len(given) > 1 else None))
