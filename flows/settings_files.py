"""Settings as they are read: `vankho.toml`, overridden by a secrets file, overridden by the environment.

Credentials come only from the environment, from a named AWS profile, or from `vankho.secrets.toml`, which must be
readable by its owner alone; they are hidden from logs from here on. Refuses those in addresses, and two stores in one
place.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import ValidationError

from flows.settings import SECRETS_FILE, SETTINGS_FILE, LocalStoreSettings, S3StoreSettings, Settings
from flows.settings_errors import explained
from preservation.errors import PolicyError
from wording import say
from wording.secrets import keep_secret


def read_settings(workspace: Path) -> Settings:
    """The settings of the workspace. Raises PolicyError with file, field, reason and what is accepted."""
    file = workspace / SETTINGS_FILE
    data = _merge(_read_toml(file), _read_secrets(workspace / SECRETS_FILE))
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise explained(error, file) from None  # pydantic's own text repeats the values, secrets among them
    _keep_secrets(settings, file)
    _refuse_shared_places(settings, workspace, file)
    return settings


def settings_stamp(workspace: Path) -> tuple[object, ...]:
    """Changes when one of the files is written, comes or goes."""
    seen: list[object] = []
    for name in (SETTINGS_FILE, SECRETS_FILE):
        with suppress(OSError):
            file = (workspace / name).stat()
            seen.append((name, file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size))
    return tuple(seen)


def holds_credentials(address: str) -> bool:
    """Whether an address may name a user or a password, as https://user:password@host does; / may be part of one."""
    return "@" in address.partition("://")[2]


def _keep_secrets(settings: Settings, file: Path) -> None:
    """Hide every credential from logs; refuse those in addresses, which are shown, logged and put into errors."""
    addresses = {"prefect.api_url": settings.prefect.api_url}
    for name, store in settings.stores.items():
        if isinstance(store, S3StoreSettings):
            given = (store.access_key_id, store.secret_access_key, store.session_token)
            keep_secret(*(each.get_secret_value() for each in given if each is not None))
            addresses[f"stores.{name}.endpoint_url"] = store.endpoint_url
    for name, place in settings.watch.items():
        given = (place.access_key_id, place.secret_access_key, place.session_token)
        keep_secret(*(each.get_secret_value() for each in given if each is not None))
        addresses[f"watch.{name}.endpoint_url"] = place.endpoint_url
    for channel in settings.notices.channels.values():
        keep_secret(*_secrets_in(channel.url.get_secret_value()))
    if settings.web.token is not None:
        keep_secret(settings.web.token.get_secret_value())
    if settings.prefect.database is not None:
        keep_secret(*_secrets_in(settings.prefect.database.get_secret_value()))
    password = settings.catalog.url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    options = parse_qsl(settings.catalog.url.partition("?")[2])  # libpq takes passwords there too
    keep_secret(password, unquote(password), *(value for name, value in options if "pass" in name))
    for field, address in addresses.items():
        if holds_credentials(address or ""):
            raise PolicyError(
                say(
                    "{file}: {field} holds a user name or a password, which an address must not.",
                    file=file.name,
                    field=field,
                ),
                where=f"{file}: {field}",
                expected="https://host",
                next_step=say(
                    "Take them out of the address. Keys of a store belong into {secrets} or the environment.",
                    secrets=SECRETS_FILE,
                ),
            )


def _secrets_in(url: str) -> Iterator[str]:
    """What of a channel's address tells a secret: the whole, its password, tokens in its path and its options."""
    parts = urlsplit(url)
    yield url
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    for word in (password, *((user,) if not password else ()), *(value for _, value in parse_qsl(parts.query))):
        if len(word) >= 8 or word == password:
            yield word
            yield unquote(word)
    tokens = (*(() if "." in parts.netloc else (parts.netloc,)), *parts.path.split("/"))
    yield from (token for token in tokens if len(token) >= 16)


def _refuse_shared_places(settings: Settings, workspace: Path, file: Path) -> None:
    """Two stores in one place would count one copy twice, and prove it twice."""
    taken: dict[tuple[str, str], str] = {}
    for name, store in settings.stores.items():
        if isinstance(store, LocalStoreSettings):
            place = ("", str((workspace / store.path).resolve()))
        else:
            place = ((store.endpoint_url or "").rstrip("/").lower(), store.bucket)
        other = taken.setdefault(place, name)
        if other != name:
            raise PolicyError(
                say(
                    "{file}: the stores {one} and {other} are the same place; two copies there would be one.",
                    file=file.name,
                    one=other,
                    other=name,
                ),
                where=f"{file}: stores.{name}",
                seen=place[1],
                next_step=say("Give every store a folder or a bucket of its own."),
            )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PolicyError(
            say("{folder} is not a Vankho workspace: it has no {file}.", folder=file.parent, file=SETTINGS_FILE),
            where=str(file),
            next_step=say(
                "Make one with `vankho init {folder}`, or name another with --workspace.", folder=file.parent
            ),
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(
            say("{file} cannot be read as TOML: {reason}", file=file, reason=str(error)),
            where=str(file),
            next_step=say("Correct the line named, then run the command again."),
        ) from None


def _read_secrets(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise PolicyError(
            say("{file} holds secrets and others on this machine can read it.", file=file),
            where=str(file),
            expected="-rw-------",
            seen=stat.filemode(mode | stat.S_IFREG),
            next_step=say("Run `chmod 600 {file}`.", file=file),
        )
    return _read_toml(file)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
