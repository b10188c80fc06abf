"""Which language is spoken, and what becomes of the values in a sentence."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from wording import say
from wording.translate import choose_language, translate


@pytest.mark.parametrize(
    ("asked", "environment", "language"),
    [
        (None, {}, "en"),
        ("vi", {"VANKHO_LANG": "en", "LANG": "en_US.UTF-8"}, "vi"),
        ("en", {"VANKHO_LANG": "vi", "LC_ALL": "vi_VN.UTF-8"}, "en"),
        (None, {"VANKHO_LANG": "vi", "LC_ALL": "en_US.UTF-8"}, "vi"),
        (None, {"VANKHO_LANG": "en", "LANG": "vi_VN"}, "en"),
        (None, {"VANKHO_LANG": "VI"}, "vi"),
        (None, {"VANKHO_LANG": "", "LANG": "vi_VN"}, "vi"),
        (None, {"LANG": "vi_VN.UTF-8"}, "vi"),
        (None, {"LANG": "vi_VN.UTF-8@quot"}, "vi"),
        (None, {"LANG": "vi"}, "vi"),
        (None, {"LC_MESSAGES": "vi_VN", "LANG": "en_US"}, "vi"),
        (None, {"LC_ALL": "", "LANG": "vi_VN"}, "vi"),
        (None, {"LC_ALL": "C", "LANG": "vi_VN"}, "en"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "vi_VN"}, "en"),
        (None, {"LC_ALL": "POSIX"}, "en"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
        (None, {"LANG": "vim"}, "en"),
        (None, {"LC_ALL": "fr_FR", "LANG": "vi_VN"}, "en"),
        ("de", {"VANKHO_LANG": "vi"}, "vi"),
    ],
)
def test_choice_of_language(asked, environment, language):
    assert choose_language(asked, environment) == language


def test_sentences_inside_a_sentence_are_translated():
    reason = say(
        "{path} could not be read: {reason} This is no evidence of damage.", path="a.tif", reason=say("Store")
    )
    whole = say("  because: {reason}", reason=reason)
    assert "Kho lưu trữ số" in translate(whole, "vi")
    assert translate(whole, "vi").startswith("  vì: Không đọc được a.tif")
    assert translate(whole, "en") == str(whole)


def test_a_sentence_without_vietnamese_is_said_in_english():
    assert translate(say("Nobody says {this}.", this=1), "vi") == "Nobody says 1."  # said in a test, not in a room


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred", "\u202egpj.exe", "a\nvankho: all well", "\u2028", "\x07", "\udcff", "\u200b"]
)
def test_values_cannot_act_on_a_terminal(language, hostile):
    message = say("  because: {reason}", reason=say("{path} does not exist.", path=hostile))
    text = translate(message, language)
    assert text.isprintable()
    assert text.encode("utf-8")
    assert hostile not in text


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_value_is_never_read_as_a_template(language):
    assert "{path} {0} %s" in translate(say("{path} does not exist.", path="{path} {0} %s"), language)
    assert "Đình_Chiểu" in translate(say("{path} does not exist.", path="Đình_Chiểu"), language)


def test_english_readers_do_not_wait_for_babel():
    program = (
        "import sys; sys.argv = ['vankho', '--lang', 'en', '--help']\n"
        "from apps.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "sys.exit('babel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL).returncode == 0


def test_vietnamese_readers_hardly_wait():
    """Processor time of the first sentence, the catalog read: about 0.1 s; three times that on a bad day."""
    program = (
        "import time\nfrom wording import say\nfrom wording.translate import translate\n"
        "begun = time.process_time()\ntranslate(say('Store'), 'vi')\nprint(time.process_time() - begun)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3


def test_later_sentences_cost_nothing():
    translate(say("Store"), "vi")
    begun = time.process_time()
    for number in range(10_000):
        translate(say("{path} does not exist.", path=number), "vi")
    assert time.process_time() - begun < 1
