"""Write the bag of an accepted package: move the payload in, write the tag files, put it all on the disk, rename.

Promises: payload bytes are never copied or changed; nothing stands at the destination until the bag is whole and
on the disk; after a kill it may simply be called again with the same submission. Refuses (FixityError) to bag
bytes that are not the received ones. It judges nothing: that is the checker's work, done from the path alone.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import lru_cache
from itertools import chain, repeat
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING

from preservation.bags.plan import WRITERS_LABELS, BagPlan, WrittenBag, load_object
from preservation.bags.premis import write_premis
from preservation.bags.tag_files import (
    DECLARATION,
    bag_info_lines,
    encoded,
    human_size,
    manifest_line,
    sync_folder,
)
from preservation.errors import FixityError
from preservation.facts import FileFact, FormatFact, ObjectFact, Role
from preservation.inventory import FactFile, load_file, write_facts
from wording import say

if TYPE_CHECKING:
    from preservation.packages.received import Received
    from preservation.packages.submission import Submission

_BUFFER = 1 << 20  # bytes read at a time


def write_bag(received: Received, plan: BagPlan, *, destination: Path) -> WrittenBag:
    """Write the bag and rename it to `destination` (same file system as the staging folder, must not exist).

    Raises FixityError when staged bytes are not the received ones or the destination is taken, ValueError for a
    plan that contradicts itself, OSError when the disk fails or is full.
    """
    _refuse_taken(destination)
    bag = received.submission.folder / "bag"
    _clear_tag_files(bag)
    _move_in(received, bag)
    digests = _complete_digests(received, bag / "data", plan.algorithms)
    _write_metadata(plan, digests, bag)
    _write_names(received, digests, bag)
    _write_manifests(digests, plan.algorithms, bag)
    _write_bag_info(received, plan, bag)
    tags = _tag_facts(received, bag, plan.algorithms)
    tags += _write_tag_manifests(tags, plan.algorithms, bag)
    (bag / "bagit.txt").write_bytes(DECLARATION)
    objects = write_facts(
        received.submission.folder / "objects.jsonl", _objects(tags, digests, plan.formats), load_object
    )
    _sync(received.submission)
    _refuse_taken(destination)
    os.rename(bag, destination)  # noqa: PTH104 - the atomic step is to be seen
    sync_folder(destination.parent)
    return WrittenBag(
        destination,
        objects,
        object_count=received.files + len(tags),
        object_bytes=received.bytes + sum(tag.size for tag in tags),
    )


def _refuse_taken(destination: Path) -> None:
    # Looked at first, because a rename would silently replace an empty folder.
    if os.path.lexists(destination):
        raise FixityError(
            say("A bag stands at this place already; it is not replaced."),
            where=str(destination),
            next_step=say("Find out which run left it there before you remove it."),
        )


def _clear_tag_files(bag: Path) -> None:
    """Take away what a killed run may have written; what it moved in stays, for it exists nowhere else."""
    (bag / "metadata").mkdir(parents=True, exist_ok=True)
    for folder in (bag, bag / "metadata"):
        for entry in folder.iterdir():
            if not entry.is_dir():
                entry.unlink()


def _move_in(received: Received, bag: Path) -> None:
    _move(received.payload, bag / "data")
    if received.given_tags is not None:
        _move(received.given_tags, bag / "metadata" / "submission")
    if received.set_aside:
        _move(received.aside, bag / "metadata" / "set-aside")


def _move(source: Path, target: Path) -> None:
    """Rename, unless a killed run did so already."""
    if target.is_dir():
        if source.is_dir() and any(source.iterdir()):
            raise FixityError(
                say("The staged files stand in two places, so it is not clear which ones belong into the bag."),
                where=str(source),
                seen=str(target),
                next_step=say("Ingest the package again."),
            )
        return
    os.rename(source, target)  # noqa: PTH104 - never a copy: payload bytes are written once


def _complete_digests(received: Received, data: Path, algorithms: tuple[str, ...]) -> FactFile[FileFact]:
    """The inventory with the plan's algorithms and SHA-256; what is missing is computed from the staged copy."""
    wanted = sorted({*algorithms, "sha256"})

    def complete() -> Iterator[FileFact]:
        for file in received.inventory:
            size = _size(f"{data}/{file.path}")
            if size != file.size:
                raise _changed(file.path, f"{file.size} bytes", "no file" if size is None else f"{size} bytes")
            known = file.digests
            if not set(wanted) <= set(known):
                known = _hashes(data / file.path, {*wanted, *known})
                for name, digest in file.digests.items():
                    if known[name] != digest:
                        raise _changed(file.path, f"{name} {digest}", f"{name} {known[name]}")
            as_wanted = known is file.digests and len(known) == len(wanted)
            yield file if as_wanted else replace(file, digests={name: known[name] for name in wanted})

    return write_facts(received.submission.folder / "payload.jsonl", complete(), load_file)


def _size(path: str) -> int | None:
    """The size of the regular file, None when no such file stands there."""
    try:
        seen = os.lstat(path)
    except OSError:
        return None
    return seen.st_size if stat.S_ISREG(seen.st_mode) else None


def _changed(path: str, expected: str, seen: str) -> FixityError:
    return FixityError(
        say("A staged file is not as it was received. Its bytes changed while the package was being worked on."),
        where=path,
        expected=expected,
        seen=seen,
        next_step=say(
            "Check the disk of the workspace, then ingest the package again; the producer's copy is untouched."
        ),
    )


def _hashes(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as stream:
        while block := stream.read(_BUFFER):
            for one in running.values():
                one.update(block)
    return {name: one.hexdigest() for name, one in running.items()}


def _described(
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


def _write_metadata(plan: BagPlan, files: FactFile[FileFact], bag: Path) -> None:
    folder = bag / "metadata"
    if plan.descriptor is not None:
        if plan.descriptor_name in _METADATA or "/" in plan.descriptor_name:
            raise ValueError(f"not a name for the descriptor: {plan.descriptor_name!r}")
        (folder / plan.descriptor_name).write_bytes(plan.descriptor)
    with (folder / "premis.xml").open("wb") as out:
        described = _described(files, plan.formats)
        write_premis(out, identifier=plan.identifier, version=plan.version, files=described, events=plan.events)
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


_METADATA = ("premis.xml", "formats.json", "original-names.json", "submission", "set-aside")


def _write_names(received: Received, files: Iterable[FileFact], bag: Path) -> None:
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


def _write_manifests(files: Iterable[FileFact], algorithms: tuple[str, ...], bag: Path) -> None:
    with ExitStack() as held:
        outs = {name: held.enter_context((bag / f"manifest-{name}.txt").open("wb")) for name in algorithms}
        for file in files:
            for name, out in outs.items():
                out.write(manifest_line(file.digests[name], f"data/{file.path}"))


def _write_bag_info(received: Received, plan: BagPlan, bag: Path) -> None:
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


def _tag_facts(received: Received, bag: Path, algorithms: tuple[str, ...]) -> list[FileFact]:
    """Every tag file that stands there now, and bagit.txt, which comes last; sorted by path bytes."""
    facts = [_bytes_fact("bagit.txt", DECLARATION, algorithms)]
    expected = {f"metadata/submission/{file.path}": file for file in received.given_tag_files}
    expected |= {f"metadata/set-aside/{file.path}": file for file in received.set_aside}
    for path in _tag_paths(bag):
        file = bag / path
        known = _hashes(file, {*algorithms, "sha256"})
        given = expected.pop(path, None)
        if given is not None and known["sha256"] != given.digests.get("sha256", known["sha256"]):
            raise _changed(path, f"sha256 {given.digests['sha256']}", f"sha256 {known['sha256']}")
        facts.append(FileFact(path, file.stat().st_size, known, given.original_name if given else None))
    if expected:
        raise _changed(min(expected), "a file", "no file")
    return sorted(facts, key=lambda fact: fact.path.encode())


def _tag_paths(bag: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(bag):
        if Path(folder) == bag:
            folders.remove("data")
        for name in names:
            yield (Path(folder) / name).relative_to(bag).as_posix()


def _bytes_fact(path: str, content: bytes, algorithms: Iterable[str]) -> FileFact:
    digests = {
        name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in {*algorithms, "sha256"}
    }
    return FileFact(path, len(content), digests)


def _write_tag_manifests(tags: list[FileFact], algorithms: tuple[str, ...], bag: Path) -> list[FileFact]:
    """The tag manifests, which list every tag file but one another; returns the facts of themselves."""
    written = []
    for name in algorithms:
        content = b"".join(manifest_line(tag.digests[name], tag.path) for tag in tags)
        (bag / f"tagmanifest-{name}.txt").write_bytes(content)
        written.append(_bytes_fact(f"tagmanifest-{name}.txt", content, algorithms))
    return written


def _objects(
    tags: Iterable[FileFact], payload: Iterable[FileFact], formats: Iterable[FormatFact]
) -> Iterator[ObjectFact]:
    """Every file of the bag, sorted by path bytes; "data/" stands between the tag files."""
    ordered = sorted(tags, key=lambda tag: tag.path.encode())
    yield from (_tag_object(tag) for tag in ordered if tag.path.encode() < b"data/")
    for file, known in _described(payload, formats):
        yield ObjectFact(
            f"data/{file.path}", file.size, file.digests["sha256"], Role.PAYLOAD, file.original_name, known
        )
    yield from (_tag_object(tag) for tag in ordered if tag.path.encode() > b"data/")


def _tag_object(tag: FileFact) -> ObjectFact:
    return ObjectFact(tag.path, tag.size, tag.digests["sha256"], Role.TAG, tag.original_name)


def _sync(submission: Submission) -> None:
    """Everything written so far reaches the disk, names and bytes, before the rename says that the bag is whole.

    One syncfs of the file system that holds the bag instead of an fsync of each of perhaps a million files, which
    would take twice the time of writing them. Asked of a file that was open before the first byte was written, it
    tells of every write that failed since. Where the C library has no syncfs, sync() waits for every file system on
    Linux as well.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(submission.lock) != 0:
        raise OSError(ctypes.get_errno(), "the disk could not store the bag", str(submission.folder))
