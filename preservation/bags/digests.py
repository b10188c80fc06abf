"""The digest algorithms a manifest can be checked by, under the names that RFC 8493 section 2.4 makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Hash(Protocol):
    """A running digest of hashlib."""

    @property
    def digest_size(self) -> int:
        """Bytes of the digest."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in bytes."""

    def digest(self) -> bytes:
        """The digest of all bytes taken in."""


# Each begins a digest, with the bytes that it is given or none. The name is the common one, letters and digits of
# it in lower case: "SHA3-256" is sha3256.
ALGORITHMS: dict[str, Callable[..., Hash]] = {
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
    "sha3224": hashlib.sha3_224,
    "sha3256": hashlib.sha3_256,
    "sha3384": hashlib.sha3_384,
    "sha3512": hashlib.sha3_512,
    "blake2s256": hashlib.blake2s,
    "blake2b256": partial(hashlib.blake2b, digest_size=32),
    "blake2b512": hashlib.blake2b,
}

# In IANA's "Named Information Hash Algorithm Registry", and MD5 and SHA-1, which the RFC allows beside it.
REGISTERED = frozenset(ALGORITHMS) - {"sha224"}
