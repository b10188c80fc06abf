"""The veil over what libraries write, piece by piece; and the log that is asked for with VANKHO_LOG."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from flows import logs
from flows.failures import as_finding
from flows.rebuilding import catalog_backup
from flows.running.run import answering_server
from flows.settings_files import holds_credentials, read_settings
from flows.workspace import open_workspace
from preservation.errors import PolicyError, UsageError
from storage_adapters.s3_errors import translated
from storage_adapters.settings import S3Settings
from wording import secrets
from wording.secrets import keep_secret, veiled

ROOT = Path(__file__).resolve().parents[2]
SECRET = "planted/in+the=veil-0460"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging and the secrets known are those of the process; the next test finds them as they were."""
    known, root, factory = set(secrets._known), logging.getLogger(), logging.getLogRecordFactory()
    handlers, level, sql = list(root.handlers), root.level, logging.getLogger("sqlalchemy").level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.getLogger("sqlalchemy").setLevel(sql)
    logging.setLogRecordFactory(factory)
    secrets._known.clear()
    secrets._known.update(known)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def url_encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_known_secret_is_hidden_in_every_form_that_travels() -> None:
    keep_secret(SECRET, None, "")
    for way in (str, quote, quote_plus, json.dumps, repr, lambda text: quote(text, safe=""), encoded, url_encoded):
        shown = veiled(f"before {way(SECRET)} after")
        assert "***" in shown
        assert way(SECRET).strip("'\"") not in shown
    assert veiled(f"<{SECRET}>") == "<***>"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    keep_secret("planted-0461", "planted-0461-and-more")
    assert veiled("x planted-0461-and-more y") == "x *** y"


def test_a_secret_of_three_letters_does_not_empty_every_line() -> None:
    keep_secret("abc")
    assert veiled("abc") == "abc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AWS4-HMAC-SHA256 Credential=AKIAX/20261122/r/s3", "AWS4-HMAC-SHA256 Credential=***/20261122/r/s3"),
        ("Signature=" + "a1" * 32 + "'", "Signature=***'"),
        ("Signature:\n" + "a1" * 32, "Signature:\n***"),
        ("x-amz-security-token:abc//def==\nhost:x", "x-amz-security-token:***\nhost:x"),
        ("{'X-Amz-Security-Token': b'abc//def==', 'a': 1}", "{'X-Amz-Security-Token': b'***', 'a': 1}"),
        ("?X-Amz-Credential=AK%2F1&X-Amz-Signature=9f&x=1", "?X-Amz-Credential=***&X-Amz-Signature=***&x=1"),
        ("'Authorization': 'Bearer pnu_1', 'b'", "'Authorization': 'Bearer ***', 'b'"),
        ("(b'authorization', b'Basic dXNlcg==')", "(b'authorization', b'Basic ***')"),
        ("http://user:pass@host/bucket", "http://user:***@host/bucket"),
        ("postgresql+psycopg://u:p%40@h:1/d", "postgresql+psycopg://u:***@h:1/d"),
        ("http://user:pa/ss@host/bucket", "http://user:***@host/bucket"),
        ("http://host:80/a b@c", "http://host:80/a b@c"),
        ("SHA-256 " + "a1" * 32, "SHA-256 " + "a1" * 32),
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_told_it(text: str, shown: str) -> None:
    assert veiled(text) == shown


def logged(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_the_log_is_its_owners_alone_and_one_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "vankho.log"
    logs.set_up({"VANKHO_LOG": str(file), "AWS_SECRET_ACCESS_KEY": SECRET})
    logs.set_up({"VANKHO_LOG": str(file)})  # again: no line twice
    log = logging.getLogger("somebody.elses")
    log.debug("key %s\x1b[2J", SECRET)
    log.debug("plain %d", 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = logged(file)
    assert [line["message"] for line in lines] == ["key ***\x1b[2J", "plain 1"]
    assert lines[0]["logger"] == "somebody.elses"
    assert lines[0]["level"] == "DEBUG"
    assert lines[0]["at"].endswith("+00:00")
    assert "\x1b" not in file.read_text("utf-8")


def test_tracebacks_are_veiled_with_all_that_led_to_them(tmp_path: Path) -> None:
    file = tmp_path / "vankho.log"
    logs.set_up({"VANKHO_LOG": str(file), "MY_TOKEN": SECRET})
    try:
        try:
            raise ValueError(f"refused {SECRET}")
        except ValueError as first:
            raise RuntimeError("later") from first
    except RuntimeError:
        logging.getLogger("x").exception("with %s", SECRET, stack_info=True)
        logging.getLogger("x").debug("none", exc_info=(None, None, None))
    text = file.read_text("utf-8")
    assert SECRET not in text
    assert "refused ***" in logged(file)[0]["traceback"]
    assert "RuntimeError: later" in logged(file)[0]["traceback"]


def test_a_record_that_holds_content_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "vankho.log"
    logs.set_up({"VANKHO_LOG": str(file), "MY_TOKEN": SECRET})
    logging.getLogger("x").debug("a" * (logs.LONGEST - 4) + SECRET + "b" * logs.LONGEST)
    (line,) = logged(file)
    assert len(line["message"]) < logs.LONGEST + 40
    assert SECRET[:6] not in line["message"]


def test_a_record_without_secrets_stays_as_it_was() -> None:
    logs.set_up({})
    record = logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "%s and %s", ("a", "b"), None)
    assert (record.msg, record.args) == ("%s and %s", ("a", "b"))


def test_a_librarys_mistake_in_its_own_line_stops_nothing() -> None:
    keep_secret(SECRET)
    logs.set_up({})
    record = logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, "broken %d", (SECRET,), None)
    assert record.getMessage() == "broken %d ('***',)"


def test_what_only_bears_the_name_of_a_secret_is_none(tmp_path: Path) -> None:
    logs.set_up({"USE_TOKENS": "true", "PGPASSWORD": "pässw"})
    assert veiled("true pässw") == "true ***"


def test_a_log_that_cannot_be_written_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        logs.set_up({"VANKHO_LOG": str(tmp_path / "nowhere" / "vankho.log")})


def test_a_store_that_repeats_what_it_was_sent_tells_nobody() -> None:
    from botocore.exceptions import ClientError

    keep_secret(SECRET)
    answer = {"Error": {"Code": SECRET, "Message": f"you sent {SECRET}"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error = translated(ClientError(answer, "PutObject"), store="s", key="k", settings=S3Settings(bucket="b"))
    assert SECRET not in f"{error} {error.detail} {error.what.values}"
    assert "you sent ***" in str(error.detail)


def test_what_was_unforeseen_is_told_without_secrets() -> None:
    keep_secret(SECRET)
    assert SECRET not in str(as_finding(RuntimeError(f"could not use {SECRET}")).message)


CRASHING = """
import sys, flows.storing.stores
def crash(workspace): raise RuntimeError("could not use " + sys.argv[1])
flows.storing.stores.list_stores = crash
from apps.cli.main import run
run(["store", "list", "--workspace", sys.argv[2]])
"""


def test_the_traceback_on_the_screen_is_veiled_too(tmp_path: Path) -> None:
    (tmp_path / "vankho.toml").write_text("")
    environment = os.environ | {"VANKHO_DEBUG": "1", "SOME_SECRET": SECRET, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CRASHING, SECRET, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "RuntimeError: could not use ***" in done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("https://user:pass@host/api", True),
        ("https://user@host", True),
        ("https://user:pa/ss@host", True),
        ("http://127.0.0.1:4200/api", False),
        ("nonsense", False),
    ],
)
def test_credentials_in_an_address(address: str, holds: bool) -> None:
    assert holds_credentials(address) is holds


@pytest.mark.parametrize(
    "text",
    [
        f'[stores.a]\nkind = "s3"\nbucket = "b"\nendpoint_url = "https://user:{SECRET}@host"\n',
        f'[prefect]\napi_url = "https://user:{SECRET}@host/api"\n',
    ],
)
def test_settings_with_credentials_in_an_address_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "vankho.toml").write_text(text)
    with pytest.raises(PolicyError) as caught:
        read_settings(tmp_path)
    error = caught.value
    assert SECRET not in f"{error} {error.where} {error.seen} {error.expected} {error.detail} {error.next_step}"


def test_prefects_address_with_credentials_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vankho.toml").write_text("")
    monkeypatch.setenv("PREFECT_API_URL", f"https://user:{SECRET}@127.0.0.1/api")
    with open_workspace(tmp_path) as workspace, pytest.raises(UsageError) as caught:
        answering_server(workspace)
    assert SECRET not in str(caught.value)


def test_settings_keep_their_secrets_when_they_are_shown(tmp_path: Path) -> None:
    (tmp_path / "vankho.toml").write_text(f'[catalog]\nurl = "postgresql://u:{SECRET}@h/d"\n')
    settings = read_settings(tmp_path)
    assert SECRET not in repr(settings)
    assert veiled(f"conninfo {SECRET}") == "conninfo ***"


@pytest.mark.parametrize(
    "text",
    [
        '[catalog]\nurl = "postgresql://u:{secret}@127.0.0.1:1/d"\n',
        "catalog = {{ url = 'postgresql://u:{quoted}@127.0.0.1:1/d' }}\n",
        '[catalog]\nurl = "postgresql://u@127.0.0.1:1/d?password={quoted}"\n',
        '[stores.a]\nkind = "s3"\nbucket = "b"\nsecret_access_key = "{secret}"\n',
        '[stores.a]\nkind = "s3"\nbucket = "b"\n"session_token" = """\n{secret}"""\n',
        'stores.a = {{ kind = "s3", bucket = "b", access_key_id = "{secret}" }}\n',
    ],
)
def test_settings_are_copied_without_what_is_secret_however_it_is_spelt(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "vankho.toml").write_text(text.format(secret=SECRET, quoted=quote(SECRET, safe="")))
    with open_workspace(folder) as workspace:
        catalog_backup._settings(workspace, tmp_path)
    copied = (tmp_path / "vankho.toml").read_text()
    assert "planted" not in copied
    assert "kind" in copied or "url" in copied
