"""A whole Ceph cluster of one node with the RADOS Gateway, in memory: a real S3 service that keeps no checksums.

Needs Debian's packages and about 15 s. Any user can run it; everything is in one temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from storage_adapters.settings import S3Settings
from tests.servers.processes import answers, dying_with_us, free_port, wait_until

PACKAGES = "ceph-mon ceph-osd radosgw ceph-common"
_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "rados", "ceph-authtool", "monmaptool")

# cephx must be on: without it the gateway waits for ever. One replica on one disk, one placement group a pool.
_CONF = """\
[global]
fsid = {fsid}
mon_initial_members = a
mon_host = {mons}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_ipv4 = true
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {folder}/keyring
admin_socket =
run_dir = {folder}
pid_file =
log_file = {folder}/$name.log
crash_dir = {folder}/crash
mon_data = {folder}/mon
mon_cluster_log_file = {folder}/cluster.log
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_update_on_start = false
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 3221225472
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_data = {folder}/rgw
rgw_dns_name = localhost
rgw_thread_pool_size = 64
"""

_KEYS = {
    "mon.": ["mon", "allow *"],
    "client.admin": ["mon", "allow *", "osd", "allow *"],
    "client.rgw.a": ["mon", "allow rw", "osd", "allow rwx"],
    "osd.0": ["mon", "allow profile osd", "osd", "allow *"],
}


def missing() -> list[str]:
    """The programs that are not installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in _PROGRAMS if shutil.which(name, path=path) is None]


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its S3 service, and `rados` to reach what lies on its disk."""

    settings: S3Settings
    conf: Path

    def rados(self, *words: str) -> str:
        """What `rados` says of the pool in which the gateway keeps the bytes of objects."""
        return _run(["rados", "-c", str(self.conf), "-p", "default.rgw.buckets.data", *words], self.conf.parent)


@contextlib.contextmanager
def ceph(*, bucket: str = "vankho") -> Iterator[Cluster]:
    """A cluster, its gateway, one user and one bucket."""
    with tempfile.TemporaryDirectory(prefix="vankho-ceph-") as name, contextlib.ExitStack() as daemons:
        folder = Path(name)
        port = free_port()
        mons = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"
        conf = folder / "ceph.conf"
        conf.write_text(_CONF.format(fsid=uuid.uuid4(), mons=mons, folder=folder, port=port))
        _start_monitor(folder, conf, mons, daemons)
        _start_disk(folder, conf, daemons)
        _start_gateway(folder, conf, port, daemons)
        user = ["radosgw-admin", "-c", str(conf), "user", "create", "--uid=vankho", "--display-name=Vankho"]
        _run([*user, "--access-key=vankho-test", "--secret-key=vankho-secret"], folder)
        settings = S3Settings(
            bucket=bucket,
            endpoint_url=f"http://127.0.0.1:{port}",
            access_key_id="vankho-test",
            secret_access_key="vankho-secret",
            connect_timeout=5,
            read_timeout=60,
        )
        client(settings).create_bucket(Bucket=bucket)
        yield Cluster(settings, conf)


def client(settings: S3Settings) -> Any:
    """A plain client for what a test does behind the store's back."""
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region_name,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
    )


def _start_monitor(folder: Path, conf: Path, mons: str, daemons: contextlib.ExitStack) -> None:
    for number, (entity, caps) in enumerate(_KEYS.items()):
        create = ["--create-keyring"] if number == 0 else []
        flags = [word for kind, cap in zip(caps[::2], caps[1::2], strict=True) for word in ("--cap", kind, cap)]
        _run(["ceph-authtool", *create, str(folder / "keyring"), "--gen-key", "-n", entity, *flags], folder)
    fsid = conf.read_text().split("fsid = ")[1].split()[0]
    monmap = str(folder / "monmap")
    _run(["monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", mons, monmap], folder)
    keyring = ["--keyring", str(folder / "keyring"), "-c", str(conf)]
    _run(["ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, *keyring], folder)
    _daemon(["ceph-mon", "-f", "-i", "a", "-c", str(conf)], folder, daemons)


def _start_disk(folder: Path, conf: Path, daemons: contextlib.ExitStack) -> None:
    (folder / "osd").mkdir()
    disk = str(uuid.uuid4())
    admin = ["ceph", "-c", str(conf)]
    _run([*admin, "osd", "new", disk], folder)
    keyring = ["--keyring", str(folder / "keyring")]
    _run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk, "-c", str(conf), *keyring], folder)
    _run([*admin, "auth", "import", "-i", str(folder / "keyring")], folder)
    _run([*admin, "osd", "crush", "add", "osd.0", "1.0", "host=localhost", "root=default"], folder)
    _daemon(["ceph-osd", "-f", "-i", "0", "-c", str(conf)], folder, daemons)
    wait_until(
        lambda: "1 up" in _run([*admin, "osd", "stat"], folder),
        seconds=60,
        what="ceph-osd",
        log=folder / "osd.0.log",
    )


def _start_gateway(folder: Path, conf: Path, port: int, daemons: contextlib.ExitStack) -> None:
    (folder / "rgw").mkdir()
    _daemon(["radosgw", "-f", "-n", "client.rgw.a", "-c", str(conf)], folder, daemons)
    wait_until(lambda: answers(port), seconds=120, what="radosgw", log=folder / "client.rgw.a.log")


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=_env())
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _daemon(command: Sequence[str], folder: Path, daemons: contextlib.ExitStack) -> None:
    """Started last, stopped first: the disk's daemon waits for a living monitor."""
    log = daemons.enter_context((folder / "daemons.log").open("ab"))
    process = subprocess.Popen(dying_with_us(command), cwd=folder, stdout=log, stderr=log, env=_env())

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    daemons.callback(stop)


def _env() -> dict[str, str]:
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
