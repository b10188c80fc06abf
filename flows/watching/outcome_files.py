"""What a producer is told beside the delivery: a page in Vietnamese and English, and JSON for programs.

Written whole or not at all. Only what bears our own mark is ever replaced or removed; nothing is written through a
link. What the system did wrong is told without its insides.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.ingest import Ingested
from flows.reporting.report_text import BETWEEN
from preservation.findings import Finding, Severity
from preservation.observed import in_sentence
from wording import Message, printable, printable_json, say
from wording.times import moment
from wording.translate import translate

SHOWN = 100  # findings on the page
MOST = 10_000  # findings in the JSON
LONGEST = 255  # bytes of a name on common file systems
KINDS = {"accepted": "accepted", "already-here": "accepted", "rejected": "rejected", "failed": "failed"}
SUFFIXES = (".vankho-accepted.txt", ".vankho-rejected.txt", ".vankho-failed.txt", ".vankho.json")


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be told of one delivery: `text` goes into the file with that suffix, `data` into the JSON."""

    suffix: str
    text: str
    data: str

    def files(self, name: str) -> dict[str, bytes]:
        """By name, what is to be written."""
        return {
            file_name(name, self.suffix): self.text.encode("utf-8"),
            file_name(name, SUFFIXES[-1]): self.data.encode("utf-8"),
        }

    def stale(self, name: str) -> list[str]:
        """The names of what an earlier outcome may have left."""
        return [file_name(name, each) for each in SUFFIXES[:-1] if each != self.suffix]


def file_name(name: str, suffix: str) -> str:
    """The name with the suffix; cut, with a digest of the whole, where it would be too long for a file."""
    raw = os.fsencode(name)
    if len(raw) + len(suffix) <= LONGEST:
        return name + suffix
    digest = "~" + hashlib.sha256(raw).hexdigest()[:8]
    cut = raw[: LONGEST - len(suffix) - len(digest)]
    return cut.decode("utf-8", "ignore") + digest + suffix  # never cut in the middle of a letter


def told(done: Ingested, name: str, *, at: datetime, policy: str, again: datetime | None = None) -> Told:
    """The outcome of one delivery. `again`: when one that the system failed is tried again."""
    kind = KINDS[done.outcome]
    findings = () if kind == "failed" else done.findings
    lines = list(_lines(done, name, at=at, policy=policy, again=again))
    pages = (_page(lines, findings, language) for language in ("vi", "en"))
    return Told(f".vankho-{kind}.txt", f"\n{BETWEEN}\n\n".join(pages), _json(done, name, findings, at, policy, again))


def _lines(
    done: Ingested, name: str, *, at: datetime, policy: str, again: datetime | None
) -> Iterator[Message | str]:
    match done.outcome:
        case "accepted":
            yield say("Vankho: the package was accepted.")
        case "already-here":
            yield say("Vankho: the package was accepted; its content was here already, and was not kept twice.")
        case "rejected":
            yield say("Vankho: the package was rejected.")
        case _:
            yield say("Vankho: the package could not be taken in yet; the fault lies with the system.")
    yield ""
    yield say("Package: {name}", name=name)
    yield say("Date: {at} (Asia/Ho_Chi_Minh)", at=moment(at))
    if done.identifier is not None:
        yield say("Identifier: {identifier}, version {version}", identifier=done.identifier, version=done.version)
        yield say("Files: {files}; bytes: {bytes}", files=done.files, bytes=done.bytes)
    yield ""
    if done.outcome == "failed":
        yield say(
            "It is tried again at {at}, and again after that until it succeeds.",
            at="–" if again is None else moment(again),
        )
        yield say("What to do: nothing. Leave the package where it is. Whoever runs Vankho has been told.")
        return
    yield say(
        "Checked: that the package can be read whole; names; checksum lists and manifests that came with it; the "
        "format of each file; the rules of the policy {policy}.",
        policy=policy,
    )
    if done.outcome == "rejected":
        yield say(
            "What to do: correct what is listed below, and put the corrected package in the same place, under the "
            "same name or another one. It is checked again by itself."
        )
        yield say("Nothing of your package was changed or moved.")
    else:
        yield say("What to do: nothing. Keep your own copy until your contract says that you may delete it.")


def _page(lines: Sequence[Message | str], findings: Sequence[Finding], language: str) -> str:
    text = [translate(line, language) if isinstance(line, Message) else line for line in lines]
    order = list(Severity)
    ordered = sorted(findings, key=lambda each: -order.index(each.severity))
    for mark, severity in ((say("Reasons:"), Severity.ERROR), (say("Also noticed:"), Severity.WARNING)):
        some = [each for each in ordered if each.severity is severity]
        if some:
            text += ["", translate(mark, language)]
            text += [line for each in some[:SHOWN] for line in _finding(each, language)]
        if len(some) > SHOWN:
            text.append(
                translate(say("  … and {count} more; the JSON file has them.", count=len(some) - SHOWN), language)
            )
    return "\n".join(text) + "\n"


def _finding(each: Finding, language: str) -> Iterator[str]:
    place = f"{printable(each.path)}: " if each.path else ""
    yield f"  - {place}{translate(each.message, language)} [{each.code}]"
    if each.expected:
        yield "      " + translate(say("expected: {value}", value=in_sentence(each.expected)), language)
    if each.seen:
        yield "      " + translate(say("seen: {value}", value=in_sentence(each.seen)), language)


def _json(
    done: Ingested, name: str, findings: Sequence[Finding], at: datetime, policy: str, again: datetime | None
) -> str:
    data = {
        "vankho": 1,
        "outcome": done.outcome,
        "name": name.encode("utf-8", "backslashreplace").decode(),
        "at": at.isoformat(),
        "policy": policy,
        "identifier": done.identifier,
        "version": done.version,
        "files": done.files,
        "bytes": done.bytes,
        "try_again_at": None if again is None else again.isoformat(),
        "finding_count": len(findings),
        "findings": [
            {
                "code": each.code,
                "severity": each.severity.value,
                "path": each.path,
                "message": {language: translate(each.message, language) for language in ("vi", "en")},
                "expected": each.expected,
                "seen": each.seen,
            }
            for each in findings[:MOST]
        ],
    }
    return printable_json(data) + "\n"


def is_ours(beginning: bytes) -> bool:
    """Whether a file that begins so was written by `told`: only then may it be replaced."""
    return beginning.startswith(b"Vankho: ") or beginning.lstrip(b"{ \r\n").startswith(b'"vankho": ')


def write(folder: Path, name: str, what: Told) -> Path:
    """Write both files into the folder; gives the page. Raises OSError, FileExistsError when a file of that name is
    not ours.
    """
    files = what.files(name)
    for each in files:
        if (folder / each).is_symlink() or ((folder / each).exists() and not _ours(folder / each)):
            raise FileExistsError(each)
    for each, content in files.items():
        _write(folder / each, content)
    for each in what.stale(name):
        if _ours(folder / each):
            (folder / each).unlink(missing_ok=True)
    return folder / next(iter(files))


def _ours(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor
        return is_ours(opened.read(64))


def _write(file: Path, content: bytes) -> None:
    half = file.with_name(f".vankho-{secrets.token_hex(8)}.tmp")
    try:
        with half.open("xb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        half.replace(file)
    except BaseException:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise
