"""Adversarial bags by what they are made of: links, special files, archives; and bags against a profile."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bags.cases import Case, family
from tests.bags.golden import ZEROS, A, Make, bag, fifo, old, plus, then, unix_socket
from tests.bags.profiles import IDENTIFIER, INFO, a_profile


def link(path: str, target: str) -> Make:
    return then(bag(), lambda b: (b / path).symlink_to(target))


def hidden_behind_a_link(b: Path) -> None:
    """The payload moved away whole, and a link in its place: every file can be read through it."""
    (b / "data").rename(b.parent / "away")
    (b / "data").symlink_to(b.parent / "away")


def hard_linked(b: Path) -> None:
    """A second name of the same file, listed as any other: on the disk it is a regular file."""
    os.link(b / "data/a.txt", b / "data/b.txt")


def too_deep(b: Path) -> None:
    """Folders whose path no system call takes whole."""
    folder = os.open(b / "data", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)


LINKS = family("links", {
    "valid a file with two names": (then(bag({"data/a.txt": A, "data/b.txt": A}), lambda b: ((b / "data/b.txt").unlink(), hard_linked(b))), set()),
    "invalid the payload folder is a link": (then(bag(), hidden_behind_a_link), {"link-in-bag", "data-folder-missing"}),
    "invalid link to the bag itself": (link("data/loop", ".."), {"link-in-bag"}),
    "invalid link to /dev/zero": (link("data/zero", "/dev/zero"), {"link-in-bag"}),
    "invalid link in a tag folder": (then(bag(**{"t/x": b"x"}), lambda b: (b / "t/l").symlink_to("x")), {"link-in-bag"}),
    "invalid link that turns in a circle": (then(bag(), lambda b: ((b / "data/1").symlink_to("2"), (b / "data/2").symlink_to("1"))), {"link-in-bag"}),
    "invalid link in place of a listed file": (then(bag(), lambda b: ((b / "data/a.txt").rename(b.parent / "a"), (b / "data/a.txt").symlink_to(b.parent / "a"))), {"link-in-bag"}),
    "invalid link in place of the manifest": (then(bag(), lambda b: ((b / "manifest-sha256.txt").rename(b / "m"), (b / "manifest-sha256.txt").symlink_to("m"))), {"link-in-bag", "manifest-missing", "tagmanifest-incomplete"} - {"tagmanifest-incomplete"}),
    "invalid listed through a linked folder": (then(plus(f"{ZEROS}  data/l/x\n"), lambda b: (b / "data/l").symlink_to("/etc")), {"link-in-bag"}),
    "invalid pipe beside the payload": (fifo("pipe"), {"special-file"}),
    "invalid pipe named like a tag manifest": (fifo("tagmanifest-md5.txt"), {"special-file"}),
    "invalid pipe for bag-info.txt": (fifo("bag-info.txt"), {"special-file"}),
    "invalid pipe for fetch.txt": (fifo("fetch.txt"), {"special-file"}),
    "invalid socket": (then(bag(), unix_socket), {"special-file"}),
    "invalid name not UTF-8": (then(bag(), lambda b: Path(os.fsdecode(os.fsencode(b) + b"/data/Truy\xd2n")).touch()), {"name-not-utf8"}),
    "invalid folder name not UTF-8": (then(bag(), lambda b: Path(os.fsdecode(os.fsencode(b) + b"/data/\xff")).mkdir()), {"name-not-utf8"}),
    "invalid deeper than the system takes": (then(bag(), too_deep), {"file-unreadable"}),
    "invalid nothing at the path": (lambda folder: folder / "nowhere", {"source-not-found"}),
})  # fmt: skip


def packed(
    form: str, *, top: str = "túi/", make: Make | None = None, entries: tuple[Any, ...] = ()
) -> Callable[[Path], Path]:
    """The bag in an archive; `entries` are added as they are: (ZipInfo or name, bytes), or TarInfo and bytes."""

    def write(folder: Path) -> Path:
        (make or bag())(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        named = [(top + path.relative_to(folder).as_posix(), path.read_bytes()) for path in files]
        archive = folder.with_name(f"bag.{form}")
        if form == "zip":
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
                for name, content in (*named, *entries):
                    out.writestr(name, content)
        else:
            kind = tarfile.GNU_FORMAT if form != "pax" else tarfile.PAX_FORMAT
            with tarfile.open(archive, "w:gz" if form == "tar.gz" else "w", format=kind) as out:
                for name, content in (*named, *entries):
                    member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
                    member.size = len(content) if member.isreg() else 0
                    out.addfile(member, io.BytesIO(content))
        return archive

    return write


def edited(make: Callable[[Path], Path], edit: Callable[[bytearray], None]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        archive = make(folder)
        content = bytearray(archive.read_bytes())
        edit(content)
        archive.write_bytes(content)
        return archive

    return write


def cut(part: float) -> Callable[[bytearray], None]:
    return lambda content: content.__delitem__(slice(int(len(content) * part), None))


def flip(needle: bytes, offset: int) -> Callable[[bytearray], None]:
    def edit(content: bytearray) -> None:
        content[content.find(needle) + offset] ^= 1

    return edit


def lying_size(content: bytearray) -> None:
    struct.pack_into("<I", content, content.rfind(b"PK\x01\x02") + 24, 3 << 30)


def plain_zip(folder: Path) -> Path:
    bag()(folder)
    archive = folder.with_name("bag.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            out.write(path, path.relative_to(folder).as_posix())
    return archive


def zip_link(name: str, mode: int) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info, b"a.txt"


def null_named() -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo("x")
    info.filename = "data/a.txt\0.exe"
    return info, A


def tar_entry(name: str, kind: bytes, target: str = "a.txt") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def elsewhere(content: bytes, name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder.with_name(name)).write_bytes(content)
        return folder.with_name(name)

    return write


def pipe(folder: Path) -> Path:
    os.mkfifo(folder.with_name("pipe"))
    return folder.with_name("pipe")


def listening(folder: Path) -> Path:
    home = Path.cwd()
    os.chdir(folder.parent)
    try:
        with socket.socket(socket.AF_UNIX) as here:
            here.bind("s")
    finally:
        os.chdir(home)
    return folder.with_name("s")


def tar_bomb(folder: Path) -> Path:
    member = tarfile.TarInfo("data/zeros")
    member.size = 1 << 60
    folder.with_name("b.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    return folder.with_name("b.tar")


def sparse(folder: Path) -> Path:
    """A GNU sparse member: a few bytes that stand for a whole file of zeros."""
    archive = packed("tar", top="")(folder)
    member = tarfile.TarInfo("data/sparse")
    raw = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[483:495] = b"00000001000\0"
    raw[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(raw))[0]
    content = archive.read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 512)
    archive.write_bytes(content + bytes(raw) + bytes(1024))
    return archive


def old_tar(folder: Path) -> Path:
    """As tar wrote it before POSIX: without the word "ustar" in the header."""
    archive = packed("tar", top="")(folder)
    content = bytearray(archive.read_bytes())
    with tarfile.open(archive) as members:
        starts = [member.offset for member in members]
    for start in starts:
        content[start + 257 : start + 265] = bytes(8)
        content[start + 148 : start + 156] = b"%06o\0 " % tarfile.calc_chksums(bytes(content[start : start + 512]))[0]
    archive.write_bytes(content)
    return archive


UNREADABLE = {"archive-unreadable"}
ARCHIVES = family("archives", {
    **{f"valid {form}": (packed(form), set()) for form in ("zip", "tar", "tar.gz", "pax")},
    **{f"valid {form} without a folder": (packed(form, top=""), set()) for form in ("zip", "tar", "tar.gz")},
    "valid tar from before POSIX": (old_tar, set()),
    "valid zip under another name": (lambda f: packed("zip")(f).rename(f.with_name("bag.bin")), set()),
    "valid zip with folders of its own": (packed("zip", entries=(("túi/data/", b""), ("túi/data/sub/", b""))), set()),
    "valid tar in Vietnamese": (packed("tar", make=bag({"data/Tiếng Việt/ế.tif": A})), set()),
    "warning something beside the bag": (packed("zip", entries=(("__MACOSX/._a", b"x"),)), {"archive-outside-bag"}),
    "invalid damaged inside": (packed("zip", make=then(bag(), lambda b: (b / "data/a.txt").write_bytes(b"mou"))), {"digest-differs"}),
    "invalid two bags": (packed("zip", entries=(("other/bagit.txt", b"x"),)), {"bagit-txt-missing", "data-folder-missing", "manifest-missing"}),
    "invalid bag two folders down": (packed("zip", top="a/b/"), {"bagit-txt-missing", "data-folder-missing", "manifest-missing"}),
    **{f"invalid {form} cut short": (edited(packed(form, make=bag({"data/x": os.urandom(30_000)})), cut(0.5)), UNREADABLE) for form in ("zip", "tar", "tar.gz")},
    "invalid gzip of something else": (elsewhere(b"\x1f\x8b\x08\x00", "x.tar.gz"), UNREADABLE),
    "invalid only the letters PK": (elsewhere(b"PK\x03\x04", "x.zip"), UNREADABLE),
    "invalid text": (elsewhere("Xin chào".encode(), "x.txt"), {"not-a-bag"}),
    "invalid nothing at all": (elsewhere(b"", "x"), {"not-a-bag"}),
    "invalid 7-Zip": (elsewhere(b"7z\xbc\xaf\x27\x1c" + bytes(100), "x.7z"), {"not-a-bag"}),
    "invalid pipe": (pipe, {"not-a-bag"}),
    "invalid socket": (listening, {"not-a-bag"}),
    "invalid tar bomb": (tar_bomb, UNREADABLE),
    "invalid zip with a lying size": (edited(packed("zip", make=bag({"data/x": bytes(9000)})), lying_size), UNREADABLE),
    "invalid zip whose entry fails its own checksum": (edited(plain_zip, flip(b"mot", 0)), {"file-unreadable"}),
    "invalid zip encrypted": (edited(packed("zip", top="", make=bag(**{"zz.bin": b"x", "tagmanifest-sha256.txt": None})), lambda c: c.__setitem__(c.rfind(b"PK\x01\x02") + 8, c[c.rfind(b"PK\x01\x02") + 8] | 1)), {"archive-encrypted"}),
    "invalid zip with a null in a name": (packed("zip", top="", entries=(null_named(),)), {"archive-path-unsafe"}),
    **{f"invalid zip entry {name!r}": (packed("zip", top="", entries=((name, b"x"),)), {"archive-path-unsafe"}) for name in ("../evil", "/etc/evil", "data/../../evil", "C:/evil", "C:\\evil", "\\\\host\\evil", "..\\evil", "data//x", "data/./x")},
    **{f"invalid tar entry {name!r}": (packed("tar", top="", entries=((name, b"x"),)), {"archive-path-unsafe"}) for name in ("../evil", "/etc/evil", "data/../../evil")},
    "invalid tar entry twice": (packed("tar", top="", entries=(("data/a.txt", b"x"),)), {"archive-duplicate"}),
    "invalid tar entry twice, once with ./": (packed("tar", top="", entries=(("./data/a.txt", b"x"),)), {"archive-duplicate"}),
    "invalid zip link": (packed("zip", top="", entries=(zip_link("data/l", stat.S_IFLNK | 0o777),)), {"link-in-bag"}),
    "invalid zip pipe": (packed("zip", top="", entries=(zip_link("data/p", stat.S_IFIFO | 0o644),)), {"special-file"}),
    **{f"invalid tar {name}": (packed("tar", top="", entries=(tar_entry("data/l", kind),)), {code}) for name, kind, code in (("link", tarfile.SYMTYPE, "link-in-bag"), ("hard link", tarfile.LNKTYPE, "link-in-bag"), ("pipe", tarfile.FIFOTYPE, "special-file"), ("device", tarfile.BLKTYPE, "special-file"), ("unknown kind", b"Z", "special-file"))},
    "invalid tar link over a listed file": (packed("tar", top="", make=then(bag(), lambda b: (b / "data/a.txt").unlink()), entries=(tar_entry("data/a.txt", tarfile.SYMTYPE, "/etc/passwd"),)), {"link-in-bag"}),
    "invalid tar sparse": (sparse, {"special-file"}),
    "invalid name of thirty thousand folders": (packed("zip", top="", entries=(("data/" + "a/" * 30_000 + "x", b"x"),)), {"archive-path-unsafe"}),
})  # fmt: skip


def asked(name: str, codes: set[str], make: Callable[[Path], object] | None = None, **changes: Any) -> Case:
    """A bag that names the profile, which was changed so."""
    return Case("profiles", name, make or bag(bag_info=INFO), frozenset(codes), a_profile(**changes))


LABEL = {"required": True}
SUPPLIED = [
    asked("valid keeps to it", set()),
    asked("valid packed", set(), packed("zip", make=bag(bag_info=INFO)), Serialization="required", Accept_Serialization=["application/zip"]),
    asked("valid names two profiles", set(), bag(bag_info=f"BagIt-Profile-Identifier: https://x.example/1\n{INFO}")),
    asked("valid label in other letters", set(), bag(bag_info=INFO.replace("Source-Org", "SOURCE-org"))),
    asked("valid value that is accepted", set(), labels={"Source-Organization": {"values": ["A", "Thư viện Hà Nội"]}}),
    asked("valid repeated where that is allowed", set(), bag(bag_info=INFO + "X: 1\nX: 2\n"), labels={"X": {"required": True, "repeatable": True}}),
    asked("valid tag files by pattern", set(), bag(bag_info=INFO, **{"metadata/a/b.xml": b"x"}), **{"Tag-Files-Allowed": ["metadata/*"], "Tag-Files-Required": ["metadata/a/b.xml"]}),
    asked("valid payload by pattern", set(), **{"Payload-Files-Allowed": ["data/*.txt"], "Payload-Files-Required": ["data/a.txt"]}),
    asked("valid payload folder demanded", set(), **{"Payload-Files-Required": ["data/sub/"]}),
    asked("valid empty payload", set(), bag({}, bag_info=INFO), **{"Data-Empty": True}),
    asked("valid one empty file", set(), bag({"data/.keep": b""}, bag_info=INFO), **{"Data-Empty": True}),
    asked("valid fetch demanded", set(), bag(bag_info=INFO, fetch="http://x - data/a.txt\n"), **{"Fetch.txt-Required": True}),
    asked("warning recommended label absent", {"profile-label-recommended"}, labels={"Contact-Email": {"recommended": True}}),
    asked("invalid names no profile", {"profile-not-named"}, bag(bag_info="Source-Organization: x\n")),
    asked("invalid names another profile", {"profile-not-named"}, bag(bag_info=INFO.replace(IDENTIFIER, IDENTIFIER + "?"))),
    asked("invalid names it in other letters", {"profile-not-named"}, bag(bag_info=INFO.replace("so-hoa", "SO-HOA"))),
    asked("invalid without bag-info.txt", {"profile-not-named", "profile-label-missing", "profile-bag-info-missing"}, bag()),
    asked("invalid required label absent", {"profile-label-missing"}, labels={"Contact-Name": LABEL}),
    asked("invalid value not accepted", {"profile-value-refused"}, labels={"Source-Organization": {"values": ["A"]}}),
    asked("invalid one of two values not accepted", {"profile-value-refused"}, bag(bag_info=INFO + "X: 1\nX: 2\n"), labels={"X": {"values": ["1"]}}),
    asked("invalid repeated", {"profile-label-repeated"}, bag(bag_info=INFO + "X: 1\nx: 2\n"), labels={"X": {"repeatable": False}}),
    asked("invalid manifest demanded", {"profile-manifest-missing"}, Manifests_Required=["sha256", "sha512"]),
    asked("invalid manifest not allowed", {"profile-manifest-refused"}, bag(bag_info=INFO, algorithms=("sha256", "md5")), Manifests_Allowed=["sha256"]),
    asked("invalid tag manifest demanded", {"profile-manifest-missing"}, **{"Tag-Manifests-Required": ["sha512"]}),
    asked("invalid tag manifest not allowed", {"profile-manifest-refused"}, **{"Tag-Manifests-Allowed": ["sha512"]}),
    asked("invalid fetch not allowed", {"profile-fetch-refused"}, bag(bag_info=INFO, fetch="http://x - data/a.txt\n"), **{"Allow-Fetch.txt": False}),
    asked("invalid fetch demanded", {"profile-fetch-missing"}, **{"Fetch.txt-Required": True}),
    asked("invalid payload not empty", {"profile-data-not-empty"}, **{"Data-Empty": True}),
    asked("invalid two empty files", {"profile-data-not-empty"}, bag({"data/a": b"", "data/b": b""}, bag_info=INFO), **{"Data-Empty": True}),
    asked("invalid version", {"profile-version-refused"}, **{"Accept-BagIt-Version": ["0.97"]}),
    asked("invalid 0.97 where 1.0 is asked", {"profile-version-refused"}, old(bag_info=INFO)),
    asked("invalid a folder where a file is asked", {"profile-serialization"}, Serialization="required", Accept_Serialization=["application/zip"]),
    asked("invalid packed where a folder is asked", {"profile-serialization"}, packed("tar", make=bag(bag_info=INFO)), Serialization="forbidden"),
    asked("invalid tar where zip is asked", {"profile-archive-refused"}, packed("tar", make=bag(bag_info=INFO)), Serialization="optional", Accept_Serialization=["application/zip"]),
    asked("invalid tag file demanded", {"profile-file-missing"}, **{"Tag-Files-Required": ["mets.xml"]}),
    asked("invalid tag file not allowed", {"profile-file-refused"}, bag(bag_info=INFO, notes=b"x"), **{"Tag-Files-Allowed": ["mets.xml"]}),
    asked("invalid payload file demanded", {"profile-file-missing"}, **{"Payload-Files-Required": ["data/mets.xml"]}),
    asked("invalid payload file not allowed", {"profile-file-refused"}, **{"Payload-Files-Allowed": ["data/*.tif"]}),
    asked("invalid keeps to it, and a file is damaged", {"digest-differs"}, then(bag(bag_info=INFO), lambda b: (b / "data/a.txt").write_bytes(b"mou"))),
]  # fmt: skip

FORMS = [*LINKS, *ARCHIVES, *SUPPLIED]
