"""The places that are watched: one that a person names, or those of the settings."""

from __future__ import annotations

from pathlib import Path

from flows.settings import LocalStoreSettings, WatchSettings
from flows.watching.drop_folder import DropFolder, Markers
from flows.watching.watched import Place, Watched
from flows.workspace import Workspace
from preservation.errors import UsageError
from wording import say

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def places(
    workspace: Workspace,
    folder: Path | None,
    *,
    settle: str | None,
    policy: str | None,
    collection: str | None,
) -> list[Watched]:
    """The folder named, else every place of the settings; the options given count for all of them.

    Raises UsageError when there is none, or when one lies in the workspace or a store, or holds one.
    """
    named = {"-": WatchSettings(folder=folder.absolute())} if folder is not None else workspace.settings.watch
    if not named:
        raise UsageError(
            say("No place to watch was named, and the settings have none."),
            where="vankho.toml: watch",
            next_step=say("Name a folder, or add [watch.NAME] with folder = … to vankho.toml."),
        )
    return [
        Watched(
            _place(workspace, name, each),
            seconds(settle or each.settle),
            workspace.folder / (each.outcomes or Path("outcomes", *((name,) if name != "-" else ()))),
            policy or each.policy,
            collection or each.collection,
            apart=each.outcomes is not None,
        )
        for name, each in named.items()
    ]


def seconds(text: str) -> float:
    """A length of time as `60s`, `5m` or `1h`. Raises UsageError."""
    try:
        return float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        raise UsageError(say("{text} is no length of time.", text=text), expected="60s, 5m, 1h", seen=text) from None


def _place(workspace: Workspace, name: str, settings: WatchSettings) -> Place:
    markers = Markers(settings.marker == "required", settings.marker_beside, settings.marker_inside)
    if settings.folder is None:
        from flows.watching.drop_bucket import DropBucket  # late: it loads boto3

        return DropBucket.of(workspace, name, settings, markers)
    folder = (workspace.folder / settings.folder).resolve()
    stores = [each.path for each in workspace.settings.stores.values() if isinstance(each, LocalStoreSettings)]
    for taken in (workspace.folder, *((workspace.folder / path).resolve() for path in stores)):
        if folder.is_relative_to(taken) or taken.is_relative_to(folder):
            raise UsageError(
                say("A watched folder may neither hold nor lie in the workspace or a store: {folder}", folder=folder),
                where=str(folder),
                seen=str(taken),
                next_step=say("Name a folder of its own, to which producers deliver and nothing else is written."),
            )
    if not folder.is_dir():
        raise UsageError(
            say("{path} does not exist.", path=folder),
            where=str(folder),
            next_step=say("Check the path, and that the disk is connected."),
        )
    return DropFolder(folder, markers)
