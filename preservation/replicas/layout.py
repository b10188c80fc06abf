"""Where things lie inside a store, so that it can be read without this software and without the catalog.

`aip/<identifier>/v<N>/` holds one AIP version as an unpacked bag, byte-identical in every store.
A version is never changed; a correction is version N+1. `README.txt` at the root says this to whoever finds it.
"""

from __future__ import annotations

import hashlib
import io
import re

from storage_adapters.errors import ObjectExists
from storage_adapters.store import Store

AIPS = "aip/"
README_KEY = "README.txt"
_BESIDE = frozenset({README_KEY, "verify_ledger.py"})
_LEDGER = "ledger/"  # its own checker says what belongs there
_KEY = re.compile(r"aip/(?P<identifier>[^/]+)/v(?P<version>[1-9][0-9]*)/(?P<path>.+)", re.DOTALL)

README = """\
This store holds copies made for long-term preservation. Please do not add, change or delete anything here.
Kho này giữ bản sao lưu trữ phục vụ bảo quản lâu dài. Xin không thêm, sửa hoặc xóa bất cứ thứ gì ở đây.

Layout
  README.txt                     this page
  aip/<identifier>/v<N>/         version N of one archival information package (AIP), as an unpacked BagIt bag
  ledger/                        the history of all packages: every event, bound to the one before by its digest
  verify_ledger.py               checks that history; run it with: python3 verify_ledger.py

Every aip/<identifier>/v<N>/ is a complete bag by RFC 8493 (https://www.rfc-editor.org/rfc/rfc8493):
  bagit.txt                      written last; where it is absent, copying was cut short
  bag-info.txt                   who, when, what; External-Identifier is the AIP's identifier
  manifest-sha256.txt            digest of every payload file (further algorithms may stand beside it)
  tagmanifest-sha256.txt         digest of every other file
  data/                          the payload: the files as the producer delivered them
  metadata/                      premis.xml (objects and events), formats.json, the descriptor, and what came with
                                 the delivery but is not payload (submission/, set-aside/)

To check a copy without any special software, go into its folder and run
  sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt
A version never changes; a correction is the next version. The highest N is the current one.

In ledger/, <9999-N>-book-N is book N; the highest book counts, lower ones were set aside by a recorded decision.
  checkpoints/                   one for each time the history was written here, newest first; put last
  events/                        one event a line: its digest, a space, the event as JSON. The digest is SHA-256 over
                                 the digest before (32 bytes; zeros for event 1) and the bytes of the JSON
  objects/                       the files of each package that an event admitted, one a line (gzip)
  policies/                      the rules in force
"""


def replica_prefix(identifier: str, version: int) -> str:
    """The prefix of one AIP version; the slash at the end keeps v1 from matching v10."""
    return f"{AIPS}{identifier}/v{version}/"


def object_key(identifier: str, version: int, path: str) -> str:
    """The key of one file of the bag (`path` relative to the bag)."""
    return replica_prefix(identifier, version) + path


def parse_key(key: str) -> tuple[str, int, str] | None:
    """(identifier, version, path in the bag) of a key, or None when it is not part of an AIP."""
    match = _KEY.fullmatch(key)
    return (match["identifier"], int(match["version"]), match["path"]) if match else None


def belongs_beside(key: str) -> bool:
    """Whether a key that is part of no AIP belongs into a store all the same."""
    return key in _BESIDE or key.startswith(_LEDGER)


def leave_readme(store: Store) -> None:
    """Put README.txt at the root of the store unless something stands there already."""
    text = README.encode()
    try:
        store.put(README_KEY, io.BytesIO(text), size=len(text), sha256=hashlib.sha256(text).hexdigest())
    except ObjectExists:
        return
