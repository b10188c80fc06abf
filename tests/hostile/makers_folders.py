"""Hostile folders: names that act on screens and systems, links, pipes, devices, depths, what systems leave behind."""

from __future__ import annotations

import os
import socket
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.case import CannotMake, Case, Make, case, folder, may_not
from tests.hostile.raw_zip import cp1258

VIET = "Ảnh_Nguyễn_Đình_Chiểu.tif"
ONE = {"trang 1.txt": b"Tram nam trong coi nguoi ta"}

# Names that every store can hold and that trouble somebody all the same: what must come back byte for byte.
LEGAL_NAMES = {
    "percent": "trang%0A1%25%2F.txt",
    "formula": '=HYPERLINK("http:,,evil.example","x").txt',
    "formula-plus": "+cmd|' ,C calc'!A0",
    "formula-at": "@SUM(1+1)*cmd",
    "html": "<img src=x onerror=alert(1)>.tif",
    "script": "<script>alert(1)<,script>",
    "shell": "$(touch evil);`touch evil`&&|.txt",
    "option": "-rf",
    "quotes": "a\"b'c.txt",
    "template": "{what} {0} {{x}} %s %(name)s ${HOME}",
    "markup": "[bold red]x[/bold red].txt".replace("/", ","),
    "right-to-left": "ảnh\u202egpj.exe",
    "isolate": "a\u2066b\u2069.txt",
    "zero-width": "tra\u200bng\u200d\ufeff.txt",
    "soft-hyphen": "trang\u00ad.txt",
    "line-separator": "a\u2028b\u2029.txt",
    "private-use": "chữ \ue000\U000f0000.txt",
    "blank-ends": " both ends ",
    "no-break-blank": "\u00a0a\u202f.txt",
    "dot-end": "trailing dot.",
    "windows-device": "CON",
    "windows-device-suffix": "aux.txt",
    "windows-signs": 'a:b*c?d"e<f>g|h.txt',
    "back-slash": "a\\b.txt",
    "drive-like": "C: scan.txt",
    "tilde": "~root",
    "dots": "...",
    "hidden": ".hidden",
    "nfc": unicodedata.normalize("NFC", "Địa chí Huế.txt"),
    "nfd": unicodedata.normalize("NFD", "Gia Định thành thông chí.txt"),
    "255-bytes": "x" * 255,
    "255-bytes-vietnamese": "ế" * 85,
    "emoji": "📜🇻🇳.txt",
    "plus-and-blank": "a+b c&d=e?f#g.txt",
    "combining-pile": "a" + "\u0301" * 60,
    "tag-characters": "flag\U000e0041\U000e007f.txt",
    "han-nom": "𡨸喃.txt",
    "manifest-like": "tagmanifest-sha256.txt.tif",
    "bag-like": "bagit.txt.tif",
}
WARNED = {
    "name-hides-characters": {"right-to-left", "isolate", "zero-width", "soft-hyphen", "line-separator", "tag-characters"},
    "name-not-portable": {
        "formula", "formula-plus", "html", "script", "shell", "quotes", "blank-ends", "dot-end", "windows-device",
        "windows-device-suffix", "windows-signs", "formula-at", "back-slash", "drive-like", "dots", "plus-and-blank",
    },
}  # fmt: skip


def legal_names() -> Iterator[Case]:
    for word, name in LEGAL_NAMES.items():
        codes = [code for code, words in WARNED.items() if word in words]
        verdict = "accepted-with-event" if codes else "accepted"
        yield case(f"{verdict}--name-{word}", folder({name: word.encode()}), *codes, files={name: word.encode()})
    twins = {"a/Trang.tif": b"1", "a/TRANG.TIF": b"2"}
    yield case("accepted-with-event--names-differ-by-case", folder(twins), "names-differ-by-case", files=twins)
    longest = "/".join(["đ" * 100] * 4) + "/" + "x" * (832 - 804)
    yield case("accepted--path-as-long-as-stores-hold", folder({longest: b"x"}), files={longest: b"x"})


def old_names() -> Iterator[Case]:
    old = cp1258(VIET)
    yield case("accepted-with-event--name-cp1258", folder({old: b"x"}), "name-decoded", files={VIET: b"x"})
    yield case(
        "accepted-with-event--name-latin-1", folder({b"caf\xe9.txt": b"x"}), "name-decoded", files={"café.txt": b"x"}
    )
    yield case(
        "accepted-with-event--name-no-encoding-at-all",
        folder({b"\xff\xfe\xd2\x8f.txt": b"x"}),
        "name-decoded",
    )
    yield case(
        "accepted-with-event--folder-name-not-utf-8",
        folder({b"Th\xf4ng/1.txt": b"x", b"Th\xf4ng/2.txt": b"y"}),
        "name-decoded",
        files={"Thông/1.txt": b"x", "Thông/2.txt": b"y"},
    )
    yield case(
        "rejected--two-old-names-that-mean-one",
        folder({"café.txt": b"1", b"caf\xe9.txt": b"2"}),
        "entry-repeated",
    )
    yield case("accepted--package-called-in-no-encoding", called(b"G\xf3i \xff tin"))
    yield case("accepted--package-called-with-escapes", called("gói\x1b[2J\n\u202e\r tin".encode()))
    yield case("accepted--package-called-like-an-option", called(b"--json"))


def refused_names() -> Iterator[Case]:
    yield case("rejected--name-newline", folder({"a\nerror: forged row.txt": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--name-carriage-return", folder({"a\rb": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--name-escape", folder({"\x1b[31mred\x1b]0;t\x07": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--name-tab", folder({"a\tb": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--name-c1-control", folder({"\x9b2Jx": b"x", "\x85": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--name-delete", folder({"a\x7fb": b"x"}), "name-not-storable", "package-empty")
    yield case("rejected--name-noncharacter", folder({"a\uffff": b"x", "ok": b"x"}), "name-not-storable")
    yield case(
        "rejected--name-of-unfinished", folder({".vankho-unfinished-1": b"x", "ok": b"x"}), "name-not-storable"
    )
    twins = {unicodedata.normalize(form, VIET): form.encode() for form in ("NFC", "NFD")}
    yield case("rejected--names-nfc-and-nfd", folder(twins), "names-collide")
    folders = {unicodedata.normalize(form, "Huế") + "/" + form: b"x" for form in ("NFC", "NFD")}
    yield case("rejected--folder-names-nfc-and-nfd", folder(folders), "names-collide")
    longest = "/".join(["đ" * 100] * 4) + "/" + "x" * (833 - 804)
    yield case("rejected--path-one-byte-too-long", folder({longest: b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--65-folders-deep", folder({"d/" * 65 + "f": b"x", "ok": b"x"}), "name-not-storable")
    yield case("rejected--10000-folders-deep", deep(10_000), "name-not-storable")


def not_files() -> Iterator[Case]:
    yield case("rejected--link-out", links(l="/etc/passwd"), "link-leaves-package")
    yield case("rejected--link-up", links(l="../../../etc/passwd"), "link-leaves-package")
    yield case("rejected--link-inside", links(l="trang 1.txt"), "link-not-followed")
    yield case("rejected--link-to-a-folder-outside", links(l="/etc"), "link-leaves-package")
    yield case("rejected--link-to-the-package-itself", links(l="."), "link-not-followed")
    yield case("rejected--links-in-a-loop", links(a="b", b="a"), "link-not-followed")
    yield case("rejected--link-dangling", links(l="not there"), "link-not-followed")
    yield case("rejected--link-to-proc", links(l="/proc/self/fd/0"), "link-leaves-package")
    yield case("rejected--link-target-not-utf-8", links(l=os.fsdecode(b"caf\xe9\x1b[2J")), "link-not-followed")
    yield case("accepted--hard-links-inside", hard_links("inside"), files={**ONE, "2": ONE["trang 1.txt"]})
    yield case("accepted--hard-link-to-a-file-outside", hard_links("outside"))
    yield case("rejected--fifo", with_more(lambda top: os.mkfifo(top / "pipe")), "special-file")
    yield case("rejected--socket", with_more(listening), "special-file")
    yield case("rejected--device", with_more(device), "special-file")
    yield case("rejected--fifo-as-the-package", a_pipe, "not-a-package")
    yield case("rejected--device-as-the-package", lambda _: Path("/dev/zero"), "not-a-package")
    yield case("rejected--plain-file-as-the-package", plain, "not-a-package")


def empty_and_odd() -> Iterator[Case]:
    yield case("rejected--empty", folder({}), "package-empty")
    yield case("rejected--empty-folders-only", folder({}, "a/b/c", "d"), "package-empty")
    yield case("accepted-with-event--empty-folders", folder(ONE, "a/b", "c"), "folder-empty", files=ONE)
    yield case("accepted-with-event--empty-folder-old-name", folder({"1": b"o"}, b"Th\xf4ng"), "folder-empty")
    yield case("accepted-with-event--one-file-of-no-bytes", folder({"rỗng.txt": b""}), "format-empty")
    yield case(
        "accepted-with-event--1000-files-of-no-bytes", folder({f"{n}": b"" for n in range(1000)}), "format-empty"
    )
    yield case("accepted--sparse-file-of-64-mebibytes", with_more(sparse))
    yield case("accepted--file-without-rights", without_rights)
    junk = {
        ".DS_Store": b"\0\0\0\1Bud1",
        "._trang 1.txt": b"\0\5\26\7",
        "Thumbs.db": b"\xd0\xcf",
        "desktop.ini": b"[x]",
    }
    yield case(
        "accepted-with-event--litter-of-systems",
        folder({"1": b"junk", **junk}),
        "system-litter",
        files={"1": b"junk"},
    )
    yield case(
        "accepted-with-event--litter-folders",
        folder({"1": b"mac", "__MACOSX/._trang 1.txt": b"x", "$RECYCLE.BIN/desktop.ini": b"x"}),
        "system-litter",
        files={"1": b"mac"},
    )
    yield case(
        "accepted-with-event--litter-with-a-carriage-return",
        folder({"1": b"icon", "Icon\r": b""}),
        "system-litter",
        "name-decoded",
        files={"1": b"icon"},
    )
    yield case("rejected--litter-only", folder({".DS_Store": b"x", "Thumbs.db": b"y"}), "package-empty")
    inside = {"._kho/trang.txt": b"x", "Thumbs.db/trang.txt": b"y"}
    yield case("accepted--folders-called-like-litter", folder({**ONE, **inside}), files={**ONE, **inside})


def called(name: bytes) -> Make:
    def make(room: Path) -> Path:
        package = folder({"trang 1.txt": name})(room)
        named = room / os.fsdecode(name)
        package.rename(named)
        return named

    return make


def with_more(add: Callable[[Path], object]) -> Make:
    def make(room: Path) -> Path:
        top = folder(ONE)(room)
        try:
            add(top)
        except OSError as error:
            if may_not(error):
                raise CannotMake(str(error)) from error
            raise
        return top

    return make


def without_rights(room: Path) -> Path:
    """Who may read everything may read this as well; anybody else is told what cannot be read."""
    top = folder({"trang 1.txt": b"nobody may read this"})(room)
    (top / "trang 1.txt").chmod(0)
    return top


def links(**targets: str) -> Make:
    def add(top: Path) -> None:
        for name, target in targets.items():
            (top / name).symlink_to(target)

    return with_more(add)


def hard_links(where: str) -> Make:
    def add(top: Path) -> None:
        if where == "inside":
            os.link(top / "trang 1.txt", top / "2")
        else:
            (top.parent / "outside.txt").write_bytes(b"outside")
            os.link(top.parent / "outside.txt", top / "2")

    return with_more(add)


def deep(depth: int) -> Make:
    """Folders in folders, farther down than any path reaches."""

    def add(top: Path) -> None:
        here = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)

    return with_more(add)


def listening(top: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)  # a socket's path holds 108 bytes only
        made.bind(f"/proc/self/fd/{descriptor}/s")
        os.close(descriptor)


def device(top: Path) -> None:
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))


def sparse(top: Path) -> None:
    with (top / "bản đồ.img").open("wb") as file:
        file.truncate(64 << 20)


def a_pipe(room: Path) -> Path:
    os.mkfifo(room / "pipe")
    return room / "pipe"


def plain(room: Path) -> Path:
    (room / "scan.pdf").write_bytes(b"%PDF-1.4 only a file")
    return room / "scan.pdf"


CASES = [*legal_names(), *old_names(), *refused_names(), *not_files(), *empty_and_odd()]
