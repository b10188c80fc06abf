"""Real commands, asked in Vietnamese: no English sentence is left in what they print, and nothing acts on a terminal."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.cli import main
from tests.language.messages import CATALOG, written
from tests.language.test_catalog import ENGLISH

Vankho = Callable[..., subprocess.CompletedProcess[str]]
PACKAGE = "Truyện Kiều"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("thư viện")


@pytest.fixture(scope="module")
def vankho(place: Path) -> Vankho:
    """Run the command in a Vietnamese locale, unless the environment says otherwise."""

    def run(*arguments: object, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("VANKHO_", "LC_", "LANG", "PREFECT_"))}
        env |= {"HOME": str(place), "COLUMNS": "200", "PREFECT_HOME": str(place / "prefect")} | environment
        words = [sys.executable, "-c", "from apps.cli.main import run; run()", *map(str, arguments)]
        done = subprocess.run(
            words, cwd=place, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120
        )
        assert code in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def here(place: Path, capsys, monkeypatch) -> Callable[..., tuple[str, str]]:
    """The same in this process, for what touches no workspace: quicker by a second each time."""

    def run(*arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        for name in ("VANKHO_LANG", "VANKHO_WORKSPACE", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["vankho", *arguments])
        monkeypatch.chdir(place)
        with pytest.raises(SystemExit) as ended:
            main.run()
        assert ended.value.code == code
        return capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def workspace(place: Path, vankho: Vankho) -> Path:
    vankho("init", "kho", "--lang", "vi")
    for name, spoilt in ((PACKAGE, False), ("Gói hỏng", True)):
        folder = place / name
        (folder / "Trang").mkdir(parents=True)
        pages = {f"Trang/Ảnh {number}.txt": f"Trăm năm trong cõi người ta {number}".encode() for number in (1, 2)}
        for path, content in pages.items():
            (folder / path).write_bytes(content)
        digests = {path: hashlib.md5(content).hexdigest() for path, content in pages.items()}
        if spoilt:
            digests["Trang/Ảnh 2.txt"] = "0" * 32
            digests["Trang/Ảnh 3.txt"] = "1" * 32
        (folder / "checksums.md5").write_text("".join(f"{digest}  {path}\n" for path, digest in digests.items()))
        (folder / "Thumbs.db").write_bytes(b"litter")
    return place / "kho"


@pytest.fixture(scope="module")
def left_in_english() -> Callable[[str], list[str]]:
    """What of a printed text is English of ours: a message as it stands in the source, or an English word."""
    templates = []
    for english, vietnamese in written(CATALOG.read_bytes()).items():
        literal = re.split(r"\{\w+\}", english.strip())
        if len("".join(literal)) >= 4 and literal != re.split(r"\{\w+\}", vietnamese.strip()):
            templates.append(
                (english, re.compile(r"(?<![\w-])" + ".+?".join(map(re.escape, literal)) + r"(?![\w-])"))
            )

    def find(text: str) -> list[str]:
        bare = re.sub(
            r"`[^`]*`|--?\w+|\S*[/._]\S*|<[^>]*>|bytes, provider, presence|(?<=[Cc]hính sách )default|"
            r"(?:safe|overdue|unknown|under-replicated|damaged)(?=\s+\()|(?:Plain Text|MD5) File",
            " ",
            text,
        )  # commands, files, names, words to type
        found = [english for english, pattern in templates if pattern.search(bare)]
        return found + ENGLISH.findall(bare)

    return find


def test_the_search_finds_english(left_in_english, vankho, workspace):
    printed = vankho("show", "nobody", "-w", workspace, "--lang", "en", code=2).stderr
    assert left_in_english(printed)
    assert left_in_english(vankho("audit", "--help", "--lang", "en").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *(
            [name, "--help"]
            for name in ("init", "ingest", "show", "events", "audit", "replicate", "repair", "restore")
        ),
        *([name, "--help"] for name in ("reconcile", "demo", "policy", "formats", "bag", "store")),
        ["policy", "explain", "--help"],
        ["store", "check", "--help"],
        ["bag", "check", "--help"],
    ],
    ids=" ".join,
)
def test_help(here, left_in_english, arguments):
    out, err = here("--lang", "vi", *arguments)
    assert out.startswith("Cách dùng: vankho")
    assert "Hiển thị trợ giúp này rồi kết thúc." in out
    assert left_in_english(out) == []
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nosuch"], 2, "Không có lệnh nosuch."),
        (["ingset", "x"], 2, "ingest"),
        (["show", "--nope"], 2, "Không có tùy chọn --nope."),
        (["show", "a", "b"], 2, "Thừa tham số: b"),
        (["restore", "a"], 2, "Thiếu --to."),
        (["restore", "a", "--to"], 2, "Tùy chọn --to cần có giá trị."),
        (["restore", "a", "--to", "b", "--version", "q"], 2, "Giá trị của --version phải là số nguyên."),
        (["audit", "--json=3"], 2, "Tùy chọn --json không nhận giá trị."),
        (["audit", "--evidence", "lời hứa"], 2, "Giá trị của --evidence không được chấp nhận."),
        (["show"], 2, "Chưa nêu không gian làm việc"),
        (["policy", "check", "không có.yaml"], 2, "không có.yaml"),
    ],
)
def test_wrong_usage(here, left_in_english, arguments, code, sentence):
    out, err = here("--lang", "vi", *arguments, code=code)
    assert sentence in out + err
    assert left_in_english(out + err) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        (["--lang", "vi", "nosuch"], {}, "vi"),
        (["--lang=vi", "nosuch"], {}, "vi"),
        (["show", "x", "y", "--lang", "vi"], {}, "vi"),
        (["nosuch"], {"VANKHO_LANG": "vi"}, "vi"),
        (["nosuch"], {"LANG": "vi_VN.UTF-8"}, "vi"),
        (["--lang", "en", "nosuch"], {"VANKHO_LANG": "vi", "LANG": "vi_VN.UTF-8"}, "en"),
        (["nosuch"], {"LC_ALL": "C.UTF-8", "LANG": "vi_VN.UTF-8"}, "en"),
        (["nosuch"], {}, "en"),
    ],
)
def test_every_way_to_choose_the_language(here, left_in_english, arguments, environment, language):
    _, err = here(*arguments, code=2, **environment)
    assert bool(left_in_english(err)) == (language == "en")


def test_a_day_of_work_in_vietnamese(vankho, workspace, place, left_in_english):
    """Take in, show, prove, give back, damage, find, mend: every line that a person reads."""
    vi = {"VANKHO_WORKSPACE": str(workspace), "VANKHO_LANG": "vi"}

    def says(*arguments: object, code: int = 0) -> str:
        done = vankho(*arguments, code=code, **vi)
        assert left_in_english(done.stdout + done.stderr) == [], done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "chấp nhận" in says("ingest", place / PACKAGE)
    refused = says("ingest", place / "Gói hỏng", code=1)
    assert "từ chối" in refused
    assert "Danh sách mã băm" in refused
    assert "đã có" in says("ingest", place / PACKAGE)
    assert "Không thấy gì ở chỗ này." in says("ingest", place / "không có gì", code=2)
    assert "thiếu bản sao lưu trữ" in says("show")
    identifier = json.loads(vankho("show", "--standing", "all", "--json", **vi).stdout)["versions"][0]["identifier"]
    assert "bộ sưu tập" in says("show", identifier)
    assert "tính mã băm" in says("events", identifier)
    assert "Nguyên vẹn" in says("audit", "--all")
    assert "khớp" in says("reconcile")
    says("replicate")
    says("store", "list")
    says("store", "check", "primary")
    says("formats", "report")
    says("formats", "identify", place / PACKAGE)
    explained = vankho(
        "policy", "explain", **vi
    ).stdout.splitlines()  # between heading and findings: the policy's own words
    assert left_in_english("\n".join([*explained[:2], *(line for line in explained if line.startswith("  "))])) == []
    assert "chưa đầy đủ" in says("bag", "check", place / PACKAGE, code=1)
    says("restore", identifier, "--to", place / "lấy lại")
    assert "hợp lệ" in says("bag", "check", place / "lấy lại")

    page = next((workspace / "stores" / "primary").rglob("Ảnh 1.txt"))
    page.chmod(0o644)
    page.write_bytes(page.read_bytes().replace(b"1", b"7"))
    assert "bị hỏng" in says("audit", "--all", code=1)
    assert "đã sửa chữa" in says("repair")
    assert "Nguyên vẹn" in says("audit", "--all")


def test_json_keeps_its_words_and_translates_its_sentences(vankho, workspace, left_in_english):
    vi = {"VANKHO_WORKSPACE": str(workspace), "VANKHO_LANG": "vi"}
    answer = json.loads(vankho("ingest", "--json", "Gói hỏng", code=1, **vi).stdout)[0]
    assert answer["outcome"] == "rejected"
    errors = [finding for finding in answer["findings"] if finding["severity"] == "error"]
    assert {finding["code"] for finding in errors} == {"supplied-digest-differs", "supplied-file-missing"}
    assert [left_in_english(finding["message"]) for finding in answer["findings"]] == [[]] * len(answer["findings"])
    error = json.loads(vankho("show", "không ai", "--json", code=2, **vi).stdout)["error"]
    assert left_in_english(error["message"] + error["next_step"]) == []


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_hostile_name_cannot_act_on_the_terminal(vankho, place, language):
    folder = place / f"hostile-{language}"
    folder.mkdir()
    (folder / "a\x1b[2J\u202egpj.exe").write_bytes(b"x")
    for arguments in (["bag", "check", folder], ["formats", "identify", folder], ["ingest", "x\x1b[31m\ny\u202e"]):
        done = vankho(*arguments, "--lang", language, code=None)
        printed = done.stdout + done.stderr
        assert printed
        assert not set("\x1b\u202e\r") & set(printed)
        assert "\ny" not in printed
