"""Credentials that are planted, every form in which they could get out, and the places where one looks for them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.servers.postgres import PASSWORD

PLANTED = {
    "S3 access key": "PLANTEDKEYID0451XY",
    "S3 secret key": "planted/secret+key-0452zz",
    "S3 session token": "planted//session+token==0453zz",
    "S3 access key of another store": "PLANTEDOTHERID0454XY",
    "S3 secret key of another store": "planted/other+secret-0455zz",
    "wrong S3 secret key": "planted/wrong+secret-0456zz",
    "password in an address": "planted-in-address-0457zz",
    "PostgreSQL password": PASSWORD,
    "wrong PostgreSQL password": "planted:wrong@/pass-0458zz",
    "Prefect API key": "pnu_planted0459zz",
}


def forms(secret: str) -> set[bytes]:
    """The ways in which a secret may be written, backwards too."""
    texts = {secret, secret[::-1], quote(secret), quote(secret, safe=""), quote_plus(secret), secret.lower()}
    texts |= {json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.encode().hex(), secret.replace("/", "\\/")}
    ways = {text.encode() for text in texts}
    ways.add(base64.b64encode(secret.encode()).rstrip(b"="))
    ways.add(base64.urlsafe_b64encode(secret.encode()).rstrip(b"="))
    # Inside a longer text ("user:secret") base64 begins at another place; the middle is the same.
    for before in (b"x", b"xx"):
        ways.add(base64.b64encode(before + secret.encode())[4:-4])
    return {way for way in ways if len(way) > 5}


WAYS = {name: forms(secret) for name, secret in PLANTED.items()}


def found(content: bytes) -> set[str]:
    """The names of the secrets that are in it, in whatever form."""
    return {name for name, ways in WAYS.items() if any(way in content for way in ways)}


def found_in_files(folders: Iterable[Path], *, except_for: Iterable[str] = ()) -> dict[str, set[str]]:
    """file → the secrets in its content or its name; whole files, for these are small."""
    seen = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.name in except_for or path.is_symlink():
                continue
            here = found(os.fsencode(path))
            if path.is_file():
                here |= found(path.read_bytes())
            if here:
                seen[str(path)] = here
    return seen


def children(parent: int) -> Iterator[tuple[int, bytes, bytes]]:
    """(process, arguments, environment) of every process below the parent, as `ps` and /proc show them."""
    try:
        tasks = list(Path(f"/proc/{parent}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            begun = [int(word) for word in (task / "children").read_text().split()]
        except OSError:  # the thread, or the process, has ended meanwhile
            continue
        for pid in begun:
            try:
                yield pid, Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            yield from children(pid)
