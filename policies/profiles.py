"""Bag profiles by name: a file `profiles/<name>.json` of the workspace's policies, else a built-in one.

Never fetched: what a profile asks must not change, or be out of reach, when a package comes. A profile that is not
there, or that cannot be understood whole, keeps the policy that names it from being used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies.problems import FieldPath, PolicyInvalid, Source, nearest, wrong
from preservation.bags.profile import LONGEST, Profile, ProfileInvalid, read_profile
from wording import say

NONE = "none"
FIELDS: tuple[tuple[str, str], ...] = (("acceptance", "bag_profile"), ("packaging", "bag_profile"))
_BUILT_IN = Path(__file__).parent / "profiles"


def profile_names(*, folder: Path | None = None) -> list[str]:
    """The names of all profiles that policies in `folder` can name, sorted."""
    return sorted({path.stem for each in _folders(folder) for path in each.glob("*.json")})


def find_profile(name: str, source: Source, *, folder: Path | None = None) -> Profile:
    """The profile of that name; `source` is where it was named. Raises PolicyInvalid."""
    known = profile_names(folder=folder)
    path = next((file for each in _folders(folder) if (file := each / f"{name}.json").is_file()), None)
    if name not in known or path is None:  # never a path: `../x` is no name of a profile
        meant = nearest(name, known)
        if meant is not None:
            message = say("There is no bag profile `{name}`. Probably meant: `{meant}`.", name=name, meant=meant)
        else:
            message = say("There is no bag profile `{name}`.", name=name)
        raise PolicyInvalid([wrong("policy-profile-unknown", message, source, expected=" | ".join(known), seen=name)])
    try:
        return read_file(path)
    except ProfileInvalid as error:
        raise PolicyInvalid(error.findings) from error


def read_file(path: Path) -> Profile:
    """The profile in a file. Raises ProfileInvalid."""
    file = f"built-in/profiles/{path.name}" if path.parent == _BUILT_IN else str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LONGEST + 1)
    except OSError as error:
        message = say("The bag profile cannot be read: {reason}.", reason=error.strerror or str(error))
        unreadable = wrong("profile-malformed", message, Source(file), expected="{…}", seen=error.strerror)
        raise ProfileInvalid([unreadable]) from error
    return read_profile(content, file=file)


def named_profiles(
    document: Mapping[str, Any], sources: Mapping[FieldPath, Source], *, folder: Path | None
) -> dict[str, Profile]:
    """Every profile that a whole policy names, by its name. Raises PolicyInvalid."""
    found: dict[str, Profile] = {}
    for part, field in FIELDS:
        name = document[part][field]
        if name != NONE and name not in found:
            found[name] = find_profile(name, sources.get((part, field), Source("built in")), folder=folder)
    return found


def _folders(folder: Path | None) -> list[Path]:
    return [each for each in (folder / "profiles" if folder is not None else None, _BUILT_IN) if each is not None]
