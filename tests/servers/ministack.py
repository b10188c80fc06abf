"""MiniStack: the emulator that verifies SHA-256, returns it, and honours conditions, on completing too.

Lives in an environment of its own (`.venv-ministack`, from ministack-constraints.txt): it needs an older botocore.
Its root key and the key "test" skip every check of signatures, so the tests get a user of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3

from storage_adapters.settings import S3Settings
from tests.servers.processes import free_port, running

ROOT = {
    "aws_access_key_id": "vankho-root",
    "aws_secret_access_key": "vankho-root-secret",
    "region_name": "us-east-1",
}


def program() -> Path | None:
    """Where MiniStack is installed, None when it is not."""
    beside = Path(__file__).resolve().parents[2] / ".venv-ministack" / "bin" / "ministack"
    if beside.exists():
        return beside
    found = shutil.which("ministack")
    return Path(found) if found else None


@contextlib.contextmanager
def ministack(command: Path, folder: Path, *, bucket: str = "vankho") -> Iterator[S3Settings]:
    """A server with one bucket and one user who may do everything in S3."""
    port = free_port()
    env = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ROOT["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT["aws_secret_access_key"],
        "BIND_HOST": "127.0.0.1",  # its default is every interface
        "GATEWAY_PORT": str(port),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
    }
    url = f"http://127.0.0.1:{port}"
    with running([str(command)], port=port, log=folder / "ministack.log", env=env):
        access, secret = user_who_may(url, "vankho", "s3:*")
        boto3.client("s3", endpoint_url=url, **ROOT).create_bucket(Bucket=bucket)
        yield S3Settings(
            bucket=bucket,
            endpoint_url=url,
            access_key_id=access,
            secret_access_key=secret,
            connect_timeout=5,
            read_timeout=30,
        )


def user_who_may(url: str | None, name: str, *actions: str) -> tuple[str, str]:
    """A new user with these rights in every bucket; access key and secret key."""
    iam = boto3.client("iam", endpoint_url=url, **ROOT)
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
