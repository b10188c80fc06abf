"""The cheap looks that come before a pattern never answer otherwise than the pattern would."""

from __future__ import annotations

from itertools import product

from preservation.bags import manifests, paths


def test_no_unsafe_path_passes_the_cheap_look() -> None:
    for length in range(6):
        for letters in product("aC/.\\~%:\0", repeat=length):
            path = "".join(letters)
            assert paths.is_safe(path) == (not paths._UNSAFE.search(path)), path


def test_no_litter_passes_the_cheap_look() -> None:
    names = ("Thumbs.db", "desktop.ini", ".DS_Store", "._a", "._", "x._a", "a.tif")
    for name in [form for each in names for form in (each, each.upper(), each.lower(), each.title())]:
        for path in (name, f"data/{name}", f"data/{name}/b", f"data/x{name}"):
            if manifests._LITTER.search(path):
                assert manifests._may_be_litter(path), path
