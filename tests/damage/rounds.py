"""One round of the lab: damage, audit at a weak grade and by reading, repair, compare with what was."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from apps.cli import copies as commands
from preservation.facts import Grade
from tests.damage import oracle
from tests.damage.hands import OnDisk
from tests.damage.kinds import KINDS, files_below, stray
from tests.damage.lab import Copy, Damage, Library, ask, audited, do_damage, prefix_of

LATE = 3  # every so many rounds copies rot after the audit
Result = tuple[str, str, str | None]  # family, case, why it failed


def play(library: Library, seed: int, *, among: Collection[str] = tuple(KINDS)) -> Iterator[Result]:
    """One round from its seed; a result for each damaged replica and grade, and for each repaired replica."""
    rng = random.Random(seed)
    library.as_it_was()
    damage = do_damage(library, rng, among=among)
    for grade in (rng.choice([Grade.PRESENCE, Grade.PROVIDER]), Grade.BYTES):
        yield from _noted(audited(library, damage, grade), damage, grade.value, seed)
    if any(damage.unreadable.values()):  # the cable is plugged in again
        yield from _noted(
            audited(library, damage, Grade.BYTES, through=False), damage, "bytes", seed, only="unreadable"
        )
    for store in library.hands:
        yield "strays / reconcile", f"seed {seed}, {store}", _reconciled(library, store, rng)
    if seed % LATE == 0:
        yield "rot after the audit", f"seed {seed}", _late(library, rng)
    yield from _repaired(library, damage, seed)


def _late(library: Library, rng: random.Random) -> str | None:
    """After the audits and before the repair, copies that repair would ask first rot too, each where it is needed."""
    known = {copy for copy in library.copies if _files(library, copy) != library.was[copy[:2]]}
    rotten = set()
    for version, was in library.was.items():
        now = {store: _files(library, (*version, store)) for store in library.hands}
        for path in [path for path, content in was.items() if content]:
            good = [store for store in now if now[store].get(path) == was[path]]
            if len(good) in range(2, len(now)) and rng.random() < 0.5:
                library.hands[good[0]].write(prefix_of(*version) + path, was[path][::-1] + b"!")
                rotten.add((*version, good[0]))
    if not rotten:
        return None
    moved = {  # right only under another name: its own copy is mended first, the others by the next repair
        (*version, path)
        for version, was in library.was.items()
        for path in was
        if all(_files(library, (*version, store)).get(path) != was[path] for store in library.hands)
    }
    ask(commands.mend, library)
    for copy in known - rotten:
        now, was = _files(library, copy), library.was[copy[:2]]
        others = [_files(library, (*copy[:2], store)) for store in library.hands]
        left = {path for path in was if any(other.get(path) == was[path] for other in others)}
        if any(now.get(path) != was[path] for path in left - {path for path in was if (*copy[:2], path) in moved}):
            return f"{_name(copy)}: a good copy was left, but another was asked first"
    faults = audited(library, Damage(), Grade.BYTES)  # now the rot of the donors is seen, if it is seen
    return next((f"{_name(copy)}: {fault}" for copy, fault in faults.items() if fault is not None), None)


def lose(library: Library, seed: int) -> Iterator[Result]:
    """No good copy of some object is left: repair says so, names it, and touches nothing of it."""
    rng = random.Random(seed)
    library.as_it_was()
    damage = Damage()
    for version, was in rng.sample([*library.was.items()], 2):
        path, content = rng.choice([(path, content) for path, content in was.items() if len(content) > 8])
        for store, hand in library.hands.items():
            how = rng.choice(["delete", "same", "own"])
            wrong = content[::-1] + b"?" if how == "same" else rng.randbytes(len(content))
            hand.delete(prefix_of(*version) + path) if how == "delete" else hand.write(
                prefix_of(*version) + path, wrong
            )
            damage.kinds[(*version, store)] = "no good copy left"
    library.hands["a"].write(prefix_of(*rng.choice([*library.was])) + "data/lạ", b"strange")
    yield from _noted(audited(library, damage, Grade.BYTES), damage, "bytes", seed)
    yield from _repaired(library, damage, seed)


def spoil(library: Library, seed: int) -> Iterator[Result]:
    """One store spoils what is put into it: repair notices at the first object, stops there and calls a person."""
    rng = random.Random(seed)
    library.as_it_was()
    store = rng.choice([*library.hands])
    hand = library.hands[store]
    for version in library.was:
        for path in rng.sample([*library.was[version]], 3):
            hand.delete(prefix_of(*version) + path)
    audited(library, Damage(), Grade.BYTES)
    put: list[str] = []

    def spoilt(key: str) -> None:
        if key.startswith("aip/"):
            put.append(key)
            hand.write(key, b"spoilt")

    with Damage(spoil={store: spoilt}).lines():
        _said, text, code = ask(commands.mend, library)
    fault = f"{len(put)} objects were put" if len(put) != 1 else f"exit code {code}" if code != 3 else None
    yield "a store that spoils", f"seed {seed}", fault or (None if "Call a person" in text else "called nobody")
    audited(library, Damage(), Grade.BYTES)
    with Damage().lines():  # it has a new disk
        _said, _text, code = ask(commands.mend, library)
    whole = all(_files(library, copy) == library.was[copy[:2]] for copy in library.copies)
    yield "a store that was mended", f"seed {seed}", None if whole and code == 0 else f"exit code {code}"


def _reconciled(library: Library, store: str, rng: random.Random) -> str | None:
    """Something strange is put beside the replicas; all of it and nothing else is named."""
    hand = library.hands[store]
    prefixes = [prefix_of(*version) for version in library.was]
    for _ in range(rng.choice([0, 1, 3])):
        stray(hand, rng, prefixes)
    right = oracle.reconciled(
        {prefix_of(*version): files for version, files in library.was.items()},
        files_below(hand, ""),
        known={"README.txt", "verify_ledger.py"},
        known_below="ledger/",
    )
    (said,), text, code = ask(commands.compare, library, store=store)
    told = {(finding["code"], finding["path"]) for finding in said["findings"]}
    if told != right:
        return f"said {sorted(told - right, key=str)}, left out {sorted(right - told, key=str)}"
    if code != bool(right) or ("disagrees" in text) != bool(right):
        return f"exit code {code}, with {len(right)} disagreements"
    return None


def _noted(
    faults: Mapping[Copy, str | None], damage: Damage, grade: str, seed: int, *, only: str | None = None
) -> Iterator[Result]:
    for copy, fault in faults.items():
        kind = damage.kinds.get(copy, "undamaged")
        if fault is not None or (kind != "undamaged" and only in (None, kind)):
            yield f"{kind} / {grade}", f"seed {seed}, {_name(copy)}", fault


def _repaired(library: Library, damage: Damage, seed: int) -> Iterator[Result]:
    before = {copy: _files(library, copy) for copy in library.copies}
    lost = {
        (*version, path)
        for version, was in library.was.items()
        for path in was
        if not oracle.recoverable(path, was, [before[*version, store] for store in library.hands])
    }
    said, text, code = ask(commands.mend, library)
    if any(each["after"] != "intact" for each in said):  # what one copy lacked, another found under another name
        said, text, code = ask(commands.mend, library)
    wrong = {copy for copy in library.copies if before[copy] != library.was[copy[:2]]}
    kept = _evidence(library.house.evidence_folder)
    for copy in sorted(wrong):
        fault = _fault(library, copy, before[copy], lost, kept.get(copy, set()))
        yield f"repair of {damage.kinds.get(copy, 'undamaged')}", f"seed {seed}, {_name(copy)}", fault
    yield "repair as a whole", f"seed {seed}", _said_right(library, before, lost, said, text, code)
    yield "nothing else was touched", f"seed {seed}", _untouched(library, before, wrong)


def _files(library: Library, copy: Copy) -> dict[str, bytes]:
    return files_below(library.hands[copy[2]], prefix_of(copy[0], copy[1]))


def _evidence(folder: Path) -> dict[Copy, set[bytes]]:
    """Bytes kept, by the copy that they come from."""
    kept: dict[Copy, set[bytes]] = {}
    for key in OnDisk(folder).all_keys() if folder.is_dir() else ():
        identifier, version, store, _try, *_path = key.split("/")
        kept.setdefault((identifier, int(version[1:]), store), set()).add((folder / key).read_bytes())
    return kept


def _fault(
    library: Library, copy: Copy, before: Mapping[str, bytes], lost: set[tuple[str, int, str]], kept: set[bytes]
) -> str | None:
    """Everything that is left anywhere is right again; what is lost is as it was found; what went is kept."""
    was, now = library.was[copy[:2]], _files(library, copy)
    lacking = {path for path in was if (*copy[:2], path) in lost and before.get(path) != was[path]}
    for path in sorted({*was, *now}):
        if path in lacking or (path not in was and lacking):
            if now.get(path) != before.get(path):
                return f"{path!r} was touched though no good copy is left"
        elif now.get(path) != was.get(path):
            return f"{path!r} is not as it was"
    gone = {path: content for path, content in before.items() if now.get(path) != content}
    missed = [path for path, content in gone.items() if content not in kept]
    return f"no evidence was kept of {missed}" if missed else None


def _said_right(
    library: Library,
    before: Mapping[Copy, Mapping[str, bytes]],
    lost: set[tuple[str, int, str]],
    said: list[Any],
    text: str,
    code: int,
) -> str | None:
    lacking = {
        (*copy, path)
        for copy in library.copies
        for path, right in library.was[copy[:2]].items()
        if (*copy[:2], path) in lost and before[copy].get(path) != right
    }
    told = {
        (each["identifier"], each["version"], each["store"], finding["path"])
        for each in said
        for finding in each["findings"]
        if finding["code"] == "no-good-copy"
    }
    if told != lacking:
        return f"said to be lost {sorted(told - lacking)}, and did not say {sorted(lacking - told)}"
    if code != (1 if lacking else 0):
        return f"exit code {code}, with {len(lacking)} objects lost"
    if lacking and not ("LOST" in text and all(path in text for *_, path in lacking)):
        return "the screen does not name all that is lost"
    return None


def _untouched(library: Library, before: Mapping[Copy, Mapping[str, bytes]], wrong: set[Copy]) -> str | None:
    touched = [_name(copy) for copy in library.copies if copy not in wrong and _files(library, copy) != before[copy]]
    return f"changed: {touched}" if touched else None


def _name(copy: Copy) -> str:
    return f"{copy[0]} v{copy[1]} in {copy[2]}"
