"""Opening stores: cheap where no S3 is configured, and no secret where it can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage_adapters.capabilities import describe
from storage_adapters.opening import LocalSettings, MemorySettings, S3Settings, open_store
from storage_adapters.settings import MIB
from storage_adapters.store import Capabilities


def test_opening_other_stores_does_not_load_boto3():
    code = (
        "import sys; from storage_adapters.opening import *; from storage_adapters import conformance;"
        "open_store('m', MemorySettings()); open_store('l', LocalSettings(path='.'));"
        "print([name for name in ('boto3', 'botocore', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_credentials_are_not_shown():
    shown = repr(S3Settings(bucket="b", access_key_id="AKIA", secret_access_key="hush", session_token="token"))
    assert not any(secret in shown for secret in ("AKIA", "hush", "token"))


def test_where_a_store_stands_is_known_for_every_kind():
    for settings in (
        MemorySettings(provider="p", region="r", medium="m"),
        LocalSettings(path=Path(), provider="p", region="r", medium="m"),
        S3Settings(bucket="b", provider="p", region="r", medium="m"),
    ):
        assert (settings.provider, settings.region, settings.medium) == ("p", "r", "m")
        if settings.kind != "s3":
            assert open_store("name", settings).name == "name"


@pytest.mark.parametrize("wrong", [{"part_size": 5 * MIB}, {"page_size": 0}, {"page_size": 1001}])
def test_sizes_that_services_refuse_are_refused_here(wrong: dict[str, int]):
    with pytest.raises(ValueError, match="size"):
        S3Settings(bucket="b", **wrong)


@pytest.mark.parametrize("size", [1, 64 * MIB, 640_000 * MIB, 640_000 * MIB + 1, 5 << 40])
def test_parts_grow_so_that_ten_thousand_hold_the_object(size: int):
    part = S3Settings(bucket="b").part_size_for(size)
    assert part >= 64 * MIB
    assert part % MIB == 0
    assert -(-size // part) <= 10_000


def test_every_capability_has_a_sentence_whether_there_or_not():
    strong = describe(Capabilities(True, True, ("sha256",), True, True))
    weak = describe(Capabilities(False, False, (), False, False))
    assert len(strong) == len(weak) == 5
    assert not {str(each) for each in strong} & {str(each) for each in weak}
