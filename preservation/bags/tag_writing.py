"""The tag files of a bag, written: what is known of its files, their names as delivered, bag-info, manifests.

Every tag file that stands there in the end is in the tag manifests, with the digests of what was written. The
writer's side only; the form of a single line is in `tag_files`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import lru_cache
from itertools import chain, repeat
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING

from preservation.bags.plan import WRITERS_LABELS, BagPlan
from preservation.bags.premis import write_premis
from preservation.bags.staged import changed, hashes
from preservation.bags.tag_files import DECLARATION, bag_info_lines, encoded, human_size, manifest_line
from preservation.facts import FileFact, FormatFact
from preservation.inventory import FactFile

if TYPE_CHECKING:
    from preservation.packages.received import Received

_METADATA = ("premis.xml", "formats.json", "original-names.json", "submission", "set-aside")


def described(
    files: Iterable[FileFact], formats: Iterable[FormatFact]
) -> Iterator[tuple[FileFact, FormatFact | None]]:
    """Each file with its format; both come in the order of the inventory, a file may lack one."""
    rest = iter(formats)
    known = next(rest, None)
    for file in files:
        if known is not None and known.path == file.path:
            yield file, known
            known = next(rest, None)
        else:
            yield file, None
    if known is not None:
        raise ValueError(f"a format is known of {known.path}, which the inventory does not have there")


def write_metadata(plan: BagPlan, files: FactFile[FileFact], bag: Path) -> None:
    """The descriptor, the PREMIS record and the formats. ValueError for a descriptor named like one of ours."""
    folder = bag / "metadata"
    if plan.descriptor is not None:
        if plan.descriptor_name in _METADATA or "/" in plan.descriptor_name:
            raise ValueError(f"not a name for the descriptor: {plan.descriptor_name!r}")
        (folder / plan.descriptor_name).write_bytes(plan.descriptor)
    with (folder / "premis.xml").open("wb") as out:
        known_files = described(files, plan.formats)
        write_premis(out, identifier=plan.identifier, version=plan.version, files=known_files, events=plan.events)
    with (folder / "formats.json").open("wb") as out:
        out.write(b'{"files": [')
        for number, (known, other) in enumerate(
            zip(plan.formats, plan.second_opinions or repeat(None), strict=False)
        ):
            path, rest = encode_basestring(f"data/{known.path}"), _rest_of(replace(known, path=""))
            if other is not None:
                rest = f'{rest[:-1]}, "second_opinion": {{{_rest_of(replace(other, path=""))}}}'
            out.write(f'{"," if number else ""}\n{{"path": {path}, {rest}'.encode())
        out.write(b"\n]}\n")


@lru_cache(maxsize=1024)
def _rest_of(known: FormatFact) -> str:
    """A format as JSON, all but its path. Few differ: nearly every page of a book has the same."""
    facts = {field.name: getattr(known, field.name) for field in fields(known) if field.name != "path"}
    return json.dumps(facts, ensure_ascii=False)[1:]


def write_names(received: Received, files: Iterable[FileFact], bag: Path) -> None:
    """The producer's bytes of the names that ours differ from; without such a name there is no such file."""
    named = chain(
        ((f"data/{file.path}", file.original_name) for file in files),
        ((f"metadata/set-aside/{file.path}", file.original_name) for file in received.set_aside),
        ((f"metadata/submission/{file.path}", file.original_name) for file in received.given_tag_files),
    )
    lines = (
        json.dumps({"path": path, "original_base64": base64.b64encode(name).decode("ascii")}, ensure_ascii=False)
        for path, name in named
        if name is not None
    )
    first = next(lines, None)
    if first is None:
        return
    with (bag / "metadata" / "original-names.json").open("wb") as out:
        out.write(b'{"names": [\n' + first.encode())
        out.writelines(b",\n" + line.encode() for line in lines)
        out.write(b"\n]}\n")


def write_manifests(files: Iterable[FileFact], algorithms: tuple[str, ...], bag: Path) -> None:
    """The payload manifests, one for each algorithm."""
    with ExitStack() as held:
        outs = {name: held.enter_context((bag / f"manifest-{name}.txt").open("wb")) for name in algorithms}
        for file in files:
            for name, out in outs.items():
                out.write(manifest_line(file.digests[name], f"data/{file.path}"))


def write_bag_info(received: Received, plan: BagPlan, bag: Path) -> None:
    """bag-info.txt. Raises ValueError when the plan sets an element that is the writer's to set."""
    if taken := sorted(label for label in plan.bag_info if label.lower() in WRITERS_LABELS):
        raise ValueError(f"the writer itself sets {', '.join(taken)}")
    elements: dict[str, str | tuple[str, ...]] = {
        "Bag-Software-Agent": plan.agent,
        "Bagging-Date": plan.bagging_date.isoformat(),
        "External-Identifier": plan.identifier,
        "Vankho-AIP-Version": str(plan.version),
        "Vankho-Content-Digest": f"sha256:{received.content_digest}",
        "Vankho-Submission": received.submission.id,
        "Payload-Oxum": f"{received.bytes}.{received.files}",
        "Bag-Size": human_size(received.bytes),
        **plan.bag_info,
    }
    if received.empty_folders:
        elements["Vankho-Empty-Folder"] = tuple(encoded(f"data/{folder}") for folder in received.empty_folders)
    with (bag / "bag-info.txt").open("wb") as out:
        out.writelines(bag_info_lines(elements))


def tag_facts(received: Received, bag: Path, algorithms: tuple[str, ...]) -> list[FileFact]:
    """Every tag file that stands there now, and bagit.txt, which comes last; sorted by path bytes."""
    facts = [_bytes_fact("bagit.txt", DECLARATION, algorithms)]
    expected = {f"metadata/submission/{file.path}": file for file in received.given_tag_files}
    expected |= {f"metadata/set-aside/{file.path}": file for file in received.set_aside}
    for path in _tag_paths(bag):
        file = bag / path
        known = hashes(file, {*algorithms, "sha256"})
        given = expected.pop(path, None)
        if given is not None and known["sha256"] != given.digests.get("sha256", known["sha256"]):
            raise changed(path, f"sha256 {given.digests['sha256']}", f"sha256 {known['sha256']}")
        facts.append(FileFact(path, file.stat().st_size, known, given.original_name if given else None))
    if expected:
        raise changed(min(expected), "a file", "no file")
    return sorted(facts, key=lambda fact: fact.path.encode())


def _tag_paths(bag: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(bag):
        if Path(folder) == bag:
            folders.remove("data")
        for name in names:
            yield (Path(folder) / name).relative_to(bag).as_posix()


def _bytes_fact(path: str, content: bytes, algorithms: Iterable[str]) -> FileFact:
    """The fact of a file with this content."""
    digests = {
        name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in {*algorithms, "sha256"}
    }
    return FileFact(path, len(content), digests)


def write_tag_manifests(tags: list[FileFact], algorithms: tuple[str, ...], bag: Path) -> list[FileFact]:
    """The tag manifests, which list every tag file but one another; returns the facts of themselves."""
    written = []
    for name in algorithms:
        content = b"".join(manifest_line(tag.digests[name], tag.path) for tag in tags)
        (bag / f"tagmanifest-{name}.txt").write_bytes(content)
        written.append(_bytes_fact(f"tagmanifest-{name}.txt", content, algorithms))
    return written
