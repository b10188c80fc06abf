"""The settings of one workspace: every section and key of `vankho.toml`, as docs/reference/settings.md has them.

`VANKHO_STORES__CLOUD_A__ENDPOINT_URL` overrides `endpoint_url` of `[stores.cloud-a]`. What is read from where, and
what is refused besides, stands in `settings_files`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from policies.times import is_time_zone

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
    stores_side_by_side: bool = False  # copies of one package to several stores; else one store after the other


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
