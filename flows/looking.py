"""A workspace for whoever only looks, for months: settings, policies and catalog as they are at each look.

Promises: nothing is made, changed or judged; one pool of connections serves all, opened anew when the catalog's
address or file is another one; a catalog that does not answer is not asked again by everybody at once.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from flows.settings import Settings, WebSettings
from flows.settings_files import read_settings, settings_stamp
from flows.workspace import Workspace
from preservation.catalog.catalog import Catalog
from preservation.catalog.opening import Database, address_of
from preservation.catalog.read_only import open_to_read
from preservation.errors import CatalogError, PolicyError

REST = 2.0  # seconds in which a catalog that did not answer is not asked again

Stamp = tuple[object, ...]


class Looking:
    """Gives the workspace as it is now; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._lock = threading.Lock()
        self._settings: tuple[Stamp, Settings] | None = None
        self._database: tuple[Stamp, Database] | None = None
        self._failed: tuple[float, CatalogError] | None = None

    def settings(self) -> Settings:
        """As the files are now. Raises PolicyError."""
        stamp = settings_stamp(self.folder)
        if self._settings is None or self._settings[0] != stamp:
            self._settings = stamp, read_settings(self.folder)
        return self._settings[1]

    def web(self) -> WebSettings:
        """What callers must show, by the settings as they were when they were last right."""
        with suppress(PolicyError):
            self.settings()
        return self._settings[1].web if self._settings is not None else WebSettings()

    def workspace(self) -> Workspace:
        """The workspace, whose catalog can only be read. Raises PolicyError, CatalogError."""
        workspace = Workspace(self.folder, self.settings())
        workspace.__dict__["catalog"] = Catalog(self._opened(workspace.settings), workspace.judge)
        return workspace

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            self._let_go()

    def _opened(self, settings: Settings) -> Database:
        address = address_of(settings.catalog.url, base=self.folder)
        # A catalog that was rebuilt is another file at the same place.
        file = _stamp(Path(address.database or ""))[:2] if address.get_backend_name() == "sqlite" else ()
        stamp = (str(address), file)
        with self._lock:
            if self._database is not None and self._database[0] == stamp:
                return self._database[1]
            if self._failed is not None and time.monotonic() - self._failed[0] < REST:
                raise self._failed[1].with_traceback(None)
            self._let_go()
            try:
                database = open_to_read(address)
            except CatalogError as error:
                self._failed = time.monotonic(), error
                raise
            self._database, self._failed = (stamp, database), None
            return database

    def _let_go(self) -> None:
        if self._database is not None:
            self._database[1].engine.dispose()
            self._database = None


def _stamp(file: Path) -> Stamp:
    """Which file it is, and for small ones also what is in it; () when it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size
