"""The settings of one workspace: `vankho.toml`, overridden by a secrets file, overridden by the environment.

`VANKHO_STORES__CLOUD_A__ENDPOINT_URL` overrides `endpoint_url` of `[stores.cloud-a]`. Credentials come only from
the environment, from a named AWS profile, or from `vankho.secrets.toml`, which must be readable by its owner alone.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from policies.times import is_time_zone
from preservation.errors import PolicyError
from wording import Message, say
from wording.secrets import keep_secret

SETTINGS_FILE = "vankho.toml"
SECRETS_FILE = "vankho.secrets.toml"
_LOG_FILE = "vankho_log"  # as pydantic spells the names of variables


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CatalogSettings(_Part):
    """Where the catalog is: an SQLAlchemy URL; a relative SQLite path is relative to the workspace."""

    url: str = Field(default="sqlite:///catalog.db", repr=False)  # it may hold a password


class PriceSettings(_Part):
    """What reading from a store costs, in one currency: for budgets in money and for looking ahead."""

    currency: str = ""
    per_1000_requests: float = Field(default=0.0, ge=0)
    per_gib_read: float = Field(default=0.0, ge=0)


class BandwidthSettings(_Part):
    """How many bytes a second may go to a store and come from it, in these hours of the day (always, without)."""

    upload: int | None = Field(default=None, ge=4096)
    download: int | None = Field(default=None, ge=4096)
    hours: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
    time_zone: str | None = None  # of the hours; that of the machine unless said

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None and not is_time_zone(name):
            raise ValueError("no such time zone")
        return name


class _Audited(_Part):
    """What audits of any store are held to; nothing that its adapter needs to know."""

    audits_at_once: int = Field(default=1, ge=1, le=16)
    prices: PriceSettings | None = None
    bandwidth: BandwidthSettings | None = None


class LocalStoreSettings(_Audited):
    """A folder on a disk of this machine; a relative path is relative to the workspace."""

    kind: Literal["local"]
    path: Path
    at_once: int | None = Field(default=None, ge=1, le=64)
    provider: str = ""
    region: str = ""
    medium: str = ""


class S3StoreSettings(_Audited):
    """A bucket of an S3-compatible service; the meaning of each key stands in storage_adapters/settings.py."""

    kind: Literal["s3"]
    bucket: str
    endpoint_url: str | None = None
    region_name: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    profile: str | None = None
    addressing_style: Literal["path", "virtual", "auto"] = "path"
    verify: bool = True
    ca_bundle: Path | None = None
    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=60.0, gt=0)
    part_size: int = Field(default=64 << 20, ge=8 << 20)
    requests: int = Field(default=16, ge=1, le=128)
    provider: str = ""
    region: str = ""
    medium: str = ""


StoreSettings = Annotated[LocalStoreSettings | S3StoreSettings, Field(discriminator="kind")]
NOT_THE_ADAPTERS = {"kind", *_Audited.model_fields}  # what the settings of a store say to others than its adapter


class PrefectSettings(_Part):
    """A running Prefect server in which runs are seen; without `api_url` the usual local address is tried. Scheduled
    runs wait in the work pool `pool`. `database` is where the server of `vankho up` keeps its own data, and `runs`
    how many runs go on there at once.
    """

    api_url: str | None = None
    pool: str = Field(default="vankho", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
    database: SecretStr | None = None  # postgresql+asyncpg://user:password@host/prefect; else SQLite in the workspace
    runs: int = Field(default=4, ge=1, le=64)


class WorkSettings(_Part):
    """Threads for the large files of one package, and processes for the packages of a batch; else as the machine has
    cores.
    """

    threads: int | None = Field(default=None, ge=1, le=64)
    processes: int | None = Field(default=None, ge=1, le=64)


class ChannelSettings(_Part):
    """A way to reach people, as an address of Apprise: mail, a webhook, a chat. The address is a secret."""

    url: SecretStr
    timeout: float = Field(default=10.0, gt=0, le=120)  # seconds for one notice


class NoticesSettings(_Part):
    """The channels that policies name under `notification`."""

    channels: dict[str, ChannelSettings] = {}


class LogSettings(_Part):
    """The log: where, how much, for whom. A relative file is the workspace's; without one, standard error."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None


class WatchdogSettings(_Part):
    """How long after its time an audit may begin, and how long a run may be silent, before it is called so."""

    tolerance_hours: float = Field(default=2.0, gt=0)
    silence_hours: float = Field(default=12.0, gt=0)


class WebSettings(_Part):
    """`vankho serve`: what callers must show, and the names by which it may be called besides this machine's own."""

    token: SecretStr | None = Field(default=None, min_length=16)
    hosts: tuple[str, ...] = ()


class CircuitSettings(_Part):
    """After how many failures of a whole store in a row it is left alone until it answers a probe."""

    failures: int = Field(default=3, ge=1, le=1000)


class WatchSettings(_Part):
    """A place that `vankho watch` takes packages from: a folder (a relative one is the workspace's), or what lies
    below `prefix` in a bucket, which is reached as the bucket of a store is. `outcomes` is where outcomes are written
    instead of beside the packages.
    """

    folder: Path | None = None
    bucket: str | None = None
    prefix: str = ""
    policy: str | None = None
    collection: str | None = None
    settle: str = Field(default="60s", pattern=r"^\d+(\.\d+)?(s|m|h)$")
    marker: Literal["optional", "required"] = "optional"
    marker_beside: str = Field(default=".ready", pattern=r"^\.[^/]+$")  # what is added to the package's name
    marker_inside: str = Field(default="_READY", pattern=r"^[^/.][^/]*$")  # a file in it
    outcomes: Path | None = None
    endpoint_url: str | None = None
    region_name: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    profile: str | None = None
    addressing_style: Literal["path", "virtual", "auto"] = "path"
    verify: bool = True
    ca_bundle: Path | None = None
    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _one_kind(self) -> WatchSettings:
        if (self.folder is None) == (self.bucket is None):
            raise ValueError("folder or bucket")
        return self


class Settings(BaseSettings):
    """All settings of a workspace."""

    model_config = SettingsConfigDict(
        env_prefix="VANKHO_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    catalog: CatalogSettings = CatalogSettings()
    stores: dict[str, StoreSettings] = {}
    policy: str = "default"
    prefect: PrefectSettings = PrefectSettings()
    work: WorkSettings = WorkSettings()
    notices: NoticesSettings = NoticesSettings()
    log: LogSettings | None = None
    watchdog: WatchdogSettings = WatchdogSettings()
    circuit: CircuitSettings = CircuitSettings()
    watch: dict[str, WatchSettings] = {}
    web: WebSettings = WebSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the files. VANKHO_LOG is a file's name, and not the section [log]."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = {key: value for key, value in env_settings.env_vars.items() if key != _LOG_FILE}
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _one_name_per_store(cls, data: dict[str, Any]) -> dict[str, Any]:
        """`cloud_a` from the environment means `[stores.cloud-a]`: a variable's name cannot hold `-`."""
        stores = dict(data.get("stores", {}))
        for name in list(stores):
            spelled = next((n for n in stores if n != name and _env_name(n) == name), None)
            if spelled is not None:
                stores[spelled] = {**stores[spelled], **stores.pop(name)}
        return {**data, "stores": stores}


def _env_name(store: str) -> str:
    return store.lower().replace("-", "_")


def read_settings(workspace: Path) -> Settings:
    """The settings of the workspace. Raises PolicyError with file, field, reason and what is accepted."""
    file = workspace / SETTINGS_FILE
    data = _merge(_read_toml(file), _read_secrets(workspace / SECRETS_FILE))
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise _explained(error, file) from None  # pydantic's own text repeats the values, secrets among them
    _keep_secrets(settings, file)
    _refuse_shared_places(settings, workspace, file)
    return settings


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


def _explained(error: ValidationError, file: Path) -> PolicyError:
    # A misspelt key first: that the right one is missing is only what comes of it.
    first = min(
        error.errors(include_input=False, include_url=False), key=lambda each: each["type"] != "extra_forbidden"
    )
    # The discriminator stands in pydantic's location as if it were a key; it is none in the file.
    place = [str(part) for part in first["loc"]]
    if len(place) > 2 and place[0] == "stores" and place[2] in ("local", "s3"):
        del place[2]
    field = ".".join(place) or "-"
    return PolicyError(
        say("{file}: setting {field} is wrong: {reason}", file=file.name, field=field, reason=_reason(first, place)),
        where=f"{file}: {field}",
        expected=KINDS if first["type"].startswith("union_tag") else _accepted(place),
        next_step=say("Correct the setting in {file} or in the environment.", file=file.name),
    )


KINDS = "local, s3"  # of stores


def _reason(error: ErrorDetails, place: list[str]) -> Message:
    match error["type"]:
        case "extra_forbidden":
            near = get_close_matches(place[-1], _known(place), n=1)
            if near:
                return say("there is no such setting; the nearest is {near}.", near=near[0])
            return say("there is no such setting.")
        case "missing":
            return say("it is needed and not there.")
        case "union_tag_not_found" | "union_tag_invalid":
            return say("a store needs kind = local or kind = s3.")
        case "too_short" | "string_too_short":
            return say("it needs at least {least} characters.", least=error.get("ctx", {}).get("min_length", 1))
        case "value_error" if place[:1] == ["watch"]:
            return say("a watched place needs either folder or bucket.")
        case _:
            return say("the value does not fit.")


def _known(place: list[str]) -> list[str]:
    if place[:1] == ["stores"] and len(place) > 3 and place[2] == "prices":
        return sorted(PriceSettings.model_fields)
    if place[:1] == ["stores"] and len(place) > 3 and place[2] == "bandwidth":
        return sorted(BandwidthSettings.model_fields)
    if place[:1] == ["stores"] and len(place) > 2:
        return sorted({*LocalStoreSettings.model_fields, *S3StoreSettings.model_fields})
    part: dict[str, type[BaseModel]] = {
        "catalog": CatalogSettings,
        "prefect": PrefectSettings,
        "work": WorkSettings,
        "notices": ChannelSettings if len(place) > 2 else NoticesSettings,
        "log": LogSettings,
        "watchdog": WatchdogSettings,
        "circuit": CircuitSettings,
        "watch": WatchSettings,
        "web": WebSettings,
    }
    return sorted(part.get(place[0], Settings).model_fields)


def _accepted(place: list[str]) -> str:
    return ", ".join(_known(place)) if place else ""
