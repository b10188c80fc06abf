"""The kinds of damage. Each is done to one replica by hands that know nothing of the engine, at random places."""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.damage.hands import Hand


@dataclass
class Spot:
    """The replica to be damaged: `prefix` in the store that `hand` reaches into; others of the same store beside it.

    `twin` reaches into a store that is to hold the same wrong bytes. `unreadable` and `flickering` are keys that the store will not give, or gives wrongly the first time.
    """

    hand: Hand
    prefix: str
    earlier: str | None  # prefix of the version before
    other: str  # prefix of another AIP in the same store
    rng: random.Random
    twin: Hand | None = None
    unreadable: set[str] = field(default_factory=set)
    flickering: set[str] = field(default_factory=set)

    def files(self) -> dict[str, bytes]:
        return files_below(self.hand, self.prefix)

    def any_file(self, *, least: int = 0) -> tuple[str, bytes] | None:
        """A file of at least so many bytes: (key, content)."""
        fit = [(path, content) for path, content in self.files().items() if len(content) >= least]
        if not fit:
            return None
        path, content = self.rng.choice(fit)
        return self.prefix + path, content

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        replace_below(self.hand, self.prefix, files)


def files_below(hand: Hand, prefix: str) -> dict[str, bytes]:
    """Path below the prefix → bytes."""
    return {key.removeprefix(prefix): hand.read(key) for key in hand.all_keys(prefix)}


def replace_below(hand: Hand, prefix: str, files: Mapping[str, bytes]) -> None:
    before = files_below(hand, prefix)
    for path in before.keys() - files.keys():
        hand.delete(prefix + path)
    for path, content in files.items():
        if before.get(path) != content:
            hand.write(prefix + path, content)


def flip(spot: Spot, *, bits: int = 1) -> None:
    found = spot.any_file(least=1)
    if found is not None:
        key, content = found
        changed = bytearray(content)
        for bit in spot.rng.sample(range(len(changed) * 8), min(bits, len(changed) * 8)):
            changed[bit // 8] ^= 1 << bit % 8
        spot.hand.write(key, bytes(changed))


def flip_many(spot: Spot) -> None:
    flip(spot, bits=spot.rng.randint(2, 64))


def truncate(spot: Spot) -> None:
    found = spot.any_file(least=1)
    if found is not None:
        key, content = found
        spot.hand.write(key, content[: spot.rng.randrange(len(content))])


def extend(spot: Spot) -> None:
    found = spot.any_file()
    if found is not None:
        key, content = found
        spot.hand.write(key, content + spot.rng.randbytes(spot.rng.randint(1, 99)))


def zeros(spot: Spot) -> None:
    found = spot.any_file(least=1)
    if found is not None:
        key, content = found
        spot.hand.write(key, bytes(len(content)))


def delete(spot: Spot) -> None:
    found = spot.any_file()
    if found is not None:
        spot.hand.delete(found[0])


def add(spot: Spot) -> None:
    name = spot.rng.choice(
        ["data/thêm.txt", "data/.hidden", "data/Trang 0001.txt.bak", "metadata/x", "manifest-md5.txt", "data/ trước",
         unicodedata.normalize("NFD", "data/Phụ lục.txt"), "fetch.txt", "data/=HYPERLINK(1)", "z"]
    )  # fmt: skip
    spot.hand.write(spot.prefix + name, spot.rng.randbytes(spot.rng.choice([0, 1, 50])))


def rename(spot: Spot, to: Callable[[str], str]) -> None:
    paths = [path for path in spot.files() if to(path) not in spot.files()]
    if paths:
        path = spot.rng.choice(paths)
        content = spot.hand.read(spot.prefix + path)
        spot.hand.delete(spot.prefix + path)
        spot.hand.write(spot.prefix + to(path), content)


def rename_case(spot: Spot) -> None:
    rename(spot, str.upper if spot.rng.random() < 0.5 else str.swapcase)


def rename_normal_form(spot: Spot) -> None:
    def other_form(path: str) -> str:
        composed = unicodedata.normalize("NFC", path)
        return composed if composed != path else unicodedata.normalize("NFD", path)

    rename(spot, other_form)


def move(spot: Spot) -> None:
    rename(spot, lambda path: "data/khác/" + path.rpartition("/")[2])


def swap_objects(spot: Spot) -> None:
    files = list(spot.files().items())
    pairs = [(one, two) for one in files for two in files if one[0] < two[0] and one[1] != two[1]]
    if pairs:
        (one, first), (two, second) = spot.rng.choice(pairs)
        spot.hand.write(spot.prefix + one, second)
        spot.hand.write(spot.prefix + two, first)


def swap_aips(spot: Spot) -> None:
    """Two valid replicas change places: each is a bag without a fault."""
    _swap(spot, spot.other)


def swap_versions(spot: Spot) -> None:
    _swap(spot, spot.earlier or spot.other)


def _swap(spot: Spot, with_prefix: str) -> None:
    mine, theirs = spot.files(), files_below(spot.hand, with_prefix)
    spot.replace_all(theirs)
    replace_below(spot.hand, with_prefix, mine)


def roll_back(spot: Spot) -> None:
    """The older version stands where the newer one was: a valid bag of the same AIP."""
    if spot.earlier is not None:
        spot.replace_all(files_below(spot.hand, spot.earlier))


def another_bag(spot: Spot) -> None:
    """A valid bag that says it is this AIP, with the payload of another."""
    files, mine = files_below(spot.hand, spot.other), spot.files()
    if "bag-info.txt" in mine:
        files["bag-info.txt"] = mine["bag-info.txt"]
    spot.replace_all(sealed(files))


def forge(spot: Spot) -> None:
    """One file is changed, and every manifest with it: the bag stays valid in itself."""
    files = spot.files()
    payload = [path for path in files if path.startswith("data/")]
    if payload:
        path = spot.rng.choice(payload)
        files[path] = spot.rng.choice([files[path][::-1] + b"!", bytes(len(files[path]) or 1), b"forged"])
        spot.replace_all(sealed(files))


def two_agree(spot: Spot) -> None:
    """The same forgery in two stores: whoever counts voices would take it for right."""
    forge(spot)
    if spot.twin is not None:
        replace_below(spot.twin, spot.prefix, spot.files())


def lose_mark(spot: Spot) -> None:
    if "bagit.txt" in spot.files():
        spot.hand.delete(spot.prefix + "bagit.txt")


def lose_folder(spot: Spot) -> None:
    folder = spot.rng.choice(["", "data/", "metadata/"])
    for key in spot.hand.all_keys(spot.prefix + folder):
        spot.hand.delete(key)


def unreadable(spot: Spot) -> None:
    found = spot.any_file()
    if found is not None:
        spot.unreadable.add(found[0])


def flicker(spot: Spot) -> None:
    found = spot.any_file(least=1)
    if found is not None:
        spot.flickering.add(found[0])


def several(spot: Spot) -> None:
    for name in spot.rng.sample([kind for kind in KINDS if kind not in ("several", *BOTH, *EARLIER)], 3):
        KINDS[name](spot)


KINDS: dict[str, Callable[[Spot], None]] = {
    "flip": flip,
    "flip many": flip_many,
    "truncate": truncate,
    "extend": extend,
    "zeros": zeros,
    "delete": delete,
    "add": add,
    "rename case": rename_case,
    "rename NFC/NFD": rename_normal_form,
    "move": move,
    "swap objects": swap_objects,
    "swap AIPs": swap_aips,
    "swap versions": swap_versions,
    "roll back": roll_back,
    "another bag": another_bag,
    "forge": forge,
    "two agree": two_agree,
    "mark lost": lose_mark,
    "folder lost": lose_folder,
    "unreadable": unreadable,
    "flicker": flicker,
    "several": several,
}
BOTH = ("swap AIPs", "swap versions", "two agree")  # these damage two replicas at once
EARLIER = ("swap versions", "roll back")  # these need an earlier version


def stray(hand: Hand, rng: random.Random, prefixes: list[str]) -> str:
    """Something outside every replica that the catalog knows; gives its key."""
    near = rng.choice(prefixes)
    key = rng.choice(
        [
            "junk.bin", "Ảnh của ai.jpg", "aip/notes.txt", "aip/another/v1/data/x", "aip/another/v1/bagit.txt",
            near.replace("/v", "/v9"), near.rsplit("/v")[0] + "/notes.txt", near[:-1] + ".bak/bagit.txt", "readme.txt",
            "ledger.txt",
        ]
    )  # fmt: skip
    key += "data/x" if key.endswith("/") else ""
    hand.write(key, b"whose?")
    return key


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with every manifest, and the Payload-Oxum, made to fit them (RFC 8493, sections 2.1.3 and 2.2.1)."""
    made = dict(files)
    payload = {path: content for path, content in files.items() if path.startswith("data/")}
    if "bag-info.txt" in made:
        oxum = f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}".encode()
        made["bag-info.txt"] = re.sub(rb"Payload-Oxum: [0-9.]+", oxum, made["bag-info.txt"])
    for name in [name for name in files if re.fullmatch(r"manifest-\w+\.txt", name)]:
        made[name] = _manifest(name, payload)
    tags = {p: c for p, c in made.items() if not p.startswith(("data/", "tagmanifest-"))}
    for name in [name for name in files if re.fullmatch(r"tagmanifest-\w+\.txt", name)]:
        made[name] = _manifest(name, tags)
    return made


def _manifest(name: str, files: Mapping[str, bytes]) -> bytes:
    algorithm = name.rpartition("-")[2].removesuffix(".txt")
    digests = {path: hashlib.new(algorithm, content).hexdigest() for path, content in files.items()}
    return "".join(f"{digests[path]}  {path.replace('%', '%25')}\n" for path in sorted(files)).encode()
