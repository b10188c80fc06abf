"""What gives out while a command works: room on the disk, rights, and files that change under the reader.

Every case: one clear error that names what it is about, nothing half visible, nothing left behind; what was wrong is
put right, the same command is run again, and all is well.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from preservation.bags.check import check_bag
from tests.crash.judge import _object_by_object, _unfinished
from tests.crash.lab import Lab, give_to_nobody, new_house
from tests.flows.houses import House, package, proofs

MEBIBYTE = 1 << 20
PAGES = {"a.txt": b"small", "b.bin": bytes(range(256)) * (6 * MEBIBYTE // 1024), "c.txt": b"small too"}  # b: 1.5 MiB
PLACE = "data/b.bin"  # in a bag


@dataclass(frozen=True)
class Trouble:
    """A command, what goes wrong, and what it is to say: the code of a finding or the name of an exception.

    `verdict` is that of the troubled run, None when it raised. `touch` makes the trouble, `mend` puts it right.
    """

    flow: str
    prepare: Callable[[Path, House, Lab], None]
    says: str | None
    verdict: int | None
    wrong: dict[str, Any] = field(default_factory=dict)
    touch: Callable[[Path, House], None] = lambda _base, _house: None
    mend: Callable[[Path, House], None] = lambda _base, _house: None
    names: str = ""  # what the error must name
    stores: int = 2


def tried(trouble: Trouble, lab: Lab) -> str | None:
    """None when all was as it must be."""
    with lab.place() as base:
        house = new_house(base, stores=trouble.stores)
        (base / "out").mkdir()
        package(base / "p", PAGES, identifier="TVQG-0042")
        trouble.prepare(base, house, lab)
        trouble.touch(base, house)
        if trouble.wrong.get("unprivileged"):
            give_to_nobody(base)
        request = {
            "workspace": str(house.folder),
            "flow": trouble.flow,
            "parameters": _parameters(trouble.flow, base),
        }
        wrong = dict(trouble.wrong)
        if "meanwhile" in wrong:
            wrong["meanwhile"] = {**wrong["meanwhile"], "folder": str(base / wrong["meanwhile"]["folder"])}
        answer = lab.zygote.ask(**request, **wrong)
        _said(trouble, answer)
        _nothing_half_visible(base, house, but=str(wrong.get("meanwhile")))
        trouble.mend(base, house)
        if not (base / "out/bag").exists():
            again = lab.zygote.ask(**request, unprivileged=trouble.wrong.get("unprivileged"))
            assert {each["verdict"] for each in again.get("answer", [{"verdict": -1}])} <= {0}, again
        _all_well(trouble, base, house)
    return None


def _parameters(flow: str, base: Path) -> dict[str, Any]:
    if flow == "ingest":
        return {"source": str(base / "p")}
    if flow == "restore":
        return {"reference": "TVQG-0042", "to": str(base / "out/bag")}
    return {"references": []}


def _said(trouble: Trouble, answer: dict[str, Any]) -> None:
    assert answer["status"] == 0, answer
    assert not answer["hung"] and not answer["orphans"], answer
    if trouble.verdict is None:
        assert answer.get("raised") == trouble.says, answer
        return
    (done,) = answer.get("answer", [answer])
    assert done.get("verdict") == trouble.verdict, answer
    assert set(done["codes"]) == ({trouble.says} if trouble.says else set()), answer
    assert trouble.names in " ".join(done["about"]), answer


def _nothing_half_visible(base: Path, house: House, *, but: str) -> None:
    out = base / "out/bag"
    assert not out.exists() or check_bag(out).valid, "the restored bag is half visible"
    assert _unfinished(base) == []
    staged = [path for path in house.leftovers() if not path.startswith("bags/")]
    assert staged == [], staged
    with house.open() as workspace:
        assert workspace.catalog.verify_chain().sound
        for version in workspace.catalog.versions():
            for replica in workspace.catalog.replicas(version.identifier, version.version):
                if proofs([replica])[replica.store] == "intact" and f"stores/{replica.store}" not in but:
                    assert list(_object_by_object(workspace, house, version, replica.store)) == []


def _all_well(trouble: Trouble, base: Path, house: House) -> None:
    kept = "bags/" if trouble.stores == 1 else "-"  # one copy is less than the policy's floor: the bag stays
    assert [path for path in house.leftovers() if not path.startswith(kept)] == []
    with house.open() as workspace:
        (version,) = workspace.catalog.versions()
        held = workspace.catalog.replicas(version.identifier, version.version)
        assert proofs(held) == dict.fromkeys(house.stores, "intact")
        for name in house.stores:
            assert list(_object_by_object(workspace, house, version, name)) == []
        assert workspace.catalog.verify_chain().sound
    if trouble.flow == "restore":
        assert check_bag(base / "out/bag").valid
        assert [path.name for path in (base / "out").iterdir()] == ["bag"]


# -- how it begins


def _delivered(base: Path, house: House, lab: Lab) -> None:
    """Nothing was done yet."""


def _kept(base: Path, house: House, lab: Lab) -> None:
    lab.finish(house, "ingest", {"source": str(base / "p")})


def _one_copy(base: Path, house: House, lab: Lab) -> None:
    stores = house.stores
    house.stores = {"a": stores["a"]}
    house.settle()
    _kept(base, house, lab)
    house.stores = stores
    house.settle()


def _no_copy(base: Path, house: House, lab: Lab) -> None:
    """Admitted, and the store was away."""
    stores = house.stores
    house.stores = {"a": {**stores["a"], "path": str(base / "not mounted")}}
    house.settle()
    _kept(base, house, lab)
    house.stores = {"a": stores["a"]}
    house.settle()


def _damaged(base: Path, house: House, lab: Lab) -> None:
    _kept(base, house, lab)
    (page,) = house.store_folder("b").glob(f"aip/*/v1/{PLACE}")
    page.chmod(0o644)
    page.write_bytes(b"rotten")
    lab.finish(house, "audit", {"references": []})


# -- what goes wrong, and how it is put right

FULL = {"largest": MEBIBYTE}
NOBODY = {"unprivileged": True}


def _mode(where: str, mode: int, base: Path, house: House) -> None:
    if "*" not in where and "[" not in where:
        (base / where).mkdir(parents=True, exist_ok=True)
    for path in sorted(base.glob(where)):
        path.chmod(mode)


def _deed(deed: str, step: str, folder: str, pattern: str, at: int = 1) -> dict[str, Any]:
    return {"meanwhile": {"step": step, "at": at, "deed": deed, "folder": folder, "pattern": pattern}}


def _delivered_again(base: Path, house: House) -> None:
    shutil.rmtree(base / "p", ignore_errors=True)
    package(base / "p", PAGES, identifier="TVQG-0042")


def _put_back(where: str, base: Path, house: House) -> None:
    """The right bytes again, as when the disk is connected again."""
    for folder in base.glob(where):
        (folder / PLACE).unlink(missing_ok=True)
        (folder / PLACE).write_bytes(PAGES["b.bin"])


def _closed(where: str) -> dict[str, Any]:
    return {"touch": partial(_mode, where, 0o500), "mend": partial(_mode, where, 0o700), "wrong": NOBODY}


UNREADABLE = {"touch": partial(_mode, "p/[ab].*", 0), "mend": partial(_mode, "p/*", 0o644), "wrong": NOBODY}
READING = "changed-while-read"
STORE_B = "house/stores/b/aip/*/v1/**"

TROUBLES = {
    "ingest: no room in the workspace": Trouble("ingest", _delivered, "disk-full", 3, FULL),
    "ingest: files that may not be read, all named": Trouble(
        "ingest", _delivered, "file-unreadable", 1, names="a.txt b.bin", **UNREADABLE
    ),
    "ingest: a workspace that may not be written": Trouble("ingest", _delivered, "denied", 3, **_closed("house/staging")),
    "ingest: the folder vanishes while it is read": Trouble(
        "ingest", _delivered, READING, 1, _deed("vanish", "receive", "p", "."), mend=_delivered_again, names="b.bin"
    ),
    **{
        f"ingest: a file is gone or changed while it is read: {deed}": Trouble(
            "ingest", _delivered, READING, 1, _deed(deed, "receive", "p", "b.bin", at), mend=_delivered_again, names="b.bin"
        )
        for deed, at in (("vanish", 1), ("grow", 2), ("shrink", 2), ("rewrite", 2))
    },
    "copy: no room in the store": Trouble("replicate", _one_copy, "store-full", 3, FULL),
    "copy: a store that may not be written": Trouble(
        "replicate", _one_copy, "store-denied", 3, **_closed("house/stores/b")
    ),
    **{
        f"copy: the workspace's bag changes meanwhile, another donor helps: {deed}": Trouble(
            "replicate", _one_copy, None, 0, _deed(deed, "copy > b", "house/bags", f"*/{PLACE}")
        )
        for deed in ("vanish", "grow", "shrink", "rewrite")
    },
    **{
        f"copy: the only bag changes meanwhile: {deed}": Trouble(
            "replicate", _no_copy, "store-failed", 3, _deed(deed, "copy > a", "house/bags", f"*/{PLACE}"),
            mend=partial(_put_back, "house/bags/*"), stores=1,
        )
        for deed in ("vanish", "grow", "shrink", "rewrite")
    },
    "repair: no room": Trouble("repair", _damaged, "disk-full", 3, FULL),
    "repair: a store that may not be written": Trouble(
        "repair", _damaged, "store-denied", 3, **_closed(STORE_B)
    ),
    "repair: the donor changes meanwhile": Trouble(
        "repair", _damaged, "no-good-copy", 1, _deed("rewrite", "verify > b", "house/stores/a", f"aip/*/v1/{PLACE}"),
        mend=partial(_put_back, "house/stores/a/aip/*/v1"),
    ),
    "restore: no room": Trouble("restore", _kept, "OSError", None, FULL),
    "restore: a folder that may not be written": Trouble("restore", _kept, "PermissionError", None, **_closed("out")),
    **{
        f"restore: a store changes meanwhile, another helps: {deed}": Trouble(
            "restore", _kept, "place-passed-over", 1, _deed(deed, "restore", "house/stores/a", f"aip/*/v1/{PLACE}"),
            mend=partial(_put_back, "house/stores/a/aip/*/v1"),
        )
        for deed in ("vanish", "grow", "shrink", "rewrite")
    },
}  # fmt: skip

CASES: dict[str, Callable[[Lab], str | None]] = {name: partial(tried, trouble) for name, trouble in TROUBLES.items()}
