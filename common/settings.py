"""All settings: typed, documented, read from the environment once, checked at start."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from common.encryption_keys import encryption_keys
from common.fallback_rows import check_fallbacks
from common.key_rows import KeyRow, hashed_rows
from common.provider_rows import (
    ProviderRow,
    check_rows,
    fault_in_words,
    ready_rows,
    rows_of_file,
    with_key,
)
from common.setting_types import (
    Address,
    BrokerUrl,
    Count,
    CountOrNone,
    Folder,
    HostNames,
    Port,
    Seconds,
    SecondsOrNone,
    SilenceSeconds,
    StoreUrl,
    Threads,
    Token,
    WholeSeconds,
)
from common.variables import PREFIX as PREFIX
from common.variables import WELL_KNOWN as WELL_KNOWN
from common.variables import values_of, variable_in
from common.variables import variable_of as variable_of
from common.webhook_rows import WebhookRow, ready_webhooks


class SettingsError(Exception):
    """A setting is missing or wrong; the message names its variable and never its value."""


class Settings(BaseModel):
    """What can be set, one field each; the variable is the field's name with MUNINN_ in front."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    redis_url: StoreUrl = Field(
        "redis://127.0.0.1:6379/0",
        description="Where jobs live. `muninn up` starts an embedded server when it is not set.",
    )
    broker_url: BrokerUrl = Field(
        "", description="Celery's broker, when it shall not be the Redis of `REDIS_URL`."
    )
    host: Address = Field("127.0.0.1", description="Address the front listens on.")
    port: Port = Field(8080, description="Port the front listens on.")
    data_dir: Path = Field(
        Path(".muninn"), description="Where the embedded server keeps its append-only file."
    )
    embedded_fsync: Literal["always", "everysec"] = Field(
        "always",
        description="When the embedded server forces writes to disk; `everysec` is faster and may "
        "lose the last second when the machine dies.",
    )
    front_threads: Threads = Field(
        1024, description="Inline calls and streams that one front process serves at once."
    )
    worker_concurrency: Threads = Field(
        500, description="Provider calls that one worker process runs at once."
    )
    default_provider: str = Field(
        "", description="Provider of model names without a prefix; empty: the first configured."
    )
    providers: dict[str, ProviderRow] = Field(
        default_factory=dict, description="Provider rows, as one JSON object by name."
    )
    providers_file: Path | None = Field(
        None, description="A TOML file with a table `[name]` for each provider row."
    )
    fallbacks: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Who is asked when a provider fails and the request itself names nobody, as "
        "one JSON object: from model patterns such as `openai/*` to lists of models.",
    )
    stream_heartbeat_seconds: SilenceSeconds = Field(
        15.0, description="A comment is sent when a stream is silent for this long."
    )
    max_body_bytes: Count = Field(
        20 * 1024 * 1024, description="The longest request body accepted."
    )
    client_timeout_seconds: SilenceSeconds = Field(
        60.0,
        description="What a client gets to send its body, or each megabyte of a longer one, and to "
        "take more of an answer that waits for it; on Linux alone.",
    )
    result_ttl_seconds: WholeSeconds = Field(
        3600, description="How long a finished job can be polled, when not asked otherwise."
    )
    max_result_ttl_seconds: WholeSeconds = Field(
        7 * 24 * 3600, description="The longest time a caller may ask for."
    )
    max_queued_jobs: Count = Field(
        100_000, description="Jobs waiting at once; above it a submit answers 429."
    )
    keep_input_bytes: CountOrNone = Field(
        65_536,
        description="A longer request body is dropped when its job ends; `input_items` needs it.",
    )
    max_job_events: Count = Field(
        10_000,
        description="Events kept of one streamed job, roughly; who reads from further back gets "
        "the output so far instead.",
    )
    max_store_bytes: CountOrNone = Field(
        0,
        description="Memory the store's server may use before a submit answers 429; 0: 80 % of its "
        "own `maxmemory`, if it has one.",
    )
    run_deadline_seconds: Seconds = Field(
        1800.0, description="A job that has run for longer fails with `deadline_exceeded`."
    )
    queue_deadline_seconds: Seconds = Field(
        24 * 3600.0, description="A job that has waited for longer fails in the same way."
    )
    lease_seconds: Seconds = Field(
        30.0, description="A worker silent for this long loses its jobs to the others."
    )
    max_attempts: Count = Field(
        3, description="Workers a job may lose before it fails with `worker_lost`."
    )
    max_provider_attempts: Count = Field(
        5, description="Calls made for a job whose provider fails in a way that may pass."
    )
    shutdown_grace_seconds: SecondsOrNone = Field(
        25.0, description="What a stopping worker or front gives its running jobs and calls to end."
    )
    webhooks: dict[str, WebhookRow] = Field(
        default_factory=dict, description="Webhook endpoints, as one JSON object by name."
    )
    webhook_timeout_seconds: SilenceSeconds = Field(
        10.0, description="What a receiver of webhooks gets to answer, all in all."
    )
    webhook_max_attempts: Count = Field(
        12, description="Deliveries tried before one is given up; 12 take about a day."
    )
    webhook_first_delay_seconds: Seconds = Field(
        5.0, description="The pause after a failed delivery; each is three times the last."
    )
    webhook_allow_private: bool = Field(
        False, description="Whether webhooks may go to private, loopback and other inner addresses."
    )
    require_keys: Literal["auto", "true", "false"] = Field(
        "auto",
        description="Whether calls need a virtual key. `auto`: as soon as there is one; `true`: "
        "also before that; `false`: never, and then inline calls need no Redis from the start.",
    )
    allowed_hosts: HostNames = Field(
        "",
        description="Names, with commas between, by which an open gateway may be called besides "
        "its addresses and `localhost`; `*`: any. Empty: none on loopback, else any.",
    )
    keys: dict[str, KeyRow] = Field(
        default_factory=dict,
        description="Virtual keys beside those of `muninn keys`, as one JSON object by name.",
    )
    encryption_keys: tuple[SecretStr, ...] | None = Field(
        None,
        description="Fernet keys with commas between, for what jobs keep of their callers' own "
        "provider keys: the first encrypts, all decrypt.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Lines for people, or one JSON object a line for a log system."
    )
    access_log: bool = Field(
        False,
        description="Whether every request gets a line; those that failed with a 5xx always do.",
    )
    metrics_token: Token | None = Field(
        None,
        description="A bearer token that opens `/metrics`, and without which (or an admin key) it "
        "stays closed.",
    )
    metrics_dir: Folder | None = Field(
        None,
        description="A folder that the processes of one machine count in together, so that the "
        "front's `/metrics` shows the workers too. `muninn up` makes one.",
    )
    metrics_port: Port = Field(
        0, description="Port of a stand-alone worker's own `/metrics`; 0: none."
    )
    metrics_host: Address = Field("127.0.0.1", description="Address that port is on.")
    tracing: bool = Field(
        False,
        description="Whether OpenTelemetry spans are exported, to where the `OTEL_*` variables "
        "say; needs the extra `tracing`.",
    )
    tracing_redis: bool = Field(
        False, description="Whether each Redis command of a traced request or job gets a span."
    )

    @field_validator("log_level", "log_format", "require_keys", mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("encryption_keys", mode="before")
    @classmethod
    def _are_encryption_keys(cls, value: Any) -> Any:
        return encryption_keys(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _default_below_longest(self) -> "Settings":
        if self.result_ttl_seconds > self.max_result_ttl_seconds:
            raise ValueError(
                f"{variable_of('result_ttl_seconds')}: must not be above "
                f"{variable_of('max_result_ttl_seconds')} ({self.max_result_ttl_seconds})"
            )
        return self

    @property
    def effective_broker_url(self) -> str:
        """Where Celery's messages go: the broker of its own, or else the store."""
        return self.broker_url or self.redis_url


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read, complete and check the settings; raise SettingsError with a line a person can act on.

    ``overrides`` are values by field name that win over the environment.
    """
    environ = os.environ if environ is None else environ
    try:
        settings = Settings(**(values_of(Settings.model_fields, environ) | overrides))
        rows = _all_rows(settings, environ)
        webhooks = ready_webhooks(settings.webhooks, environ)
        keys = _hashed_keys(settings, environ)
    except ValidationError as error:
        raise SettingsError(_first_fault(error, environ)) from None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    default = settings.default_provider or next(iter(rows))
    if default not in rows:
        known = ", ".join(rows)
        raise SettingsError(
            f"{variable_of('default_provider')}: no provider {default!r}; configured: {known}"
        )
    _check_fallbacks(settings, rows, default)
    _check_urls(settings)
    _check_tracing(settings)
    ready = {"providers": rows, "default_provider": default, "webhooks": webhooks, "keys": keys}
    return settings.model_copy(update=ready)


def _hashed_keys(settings: Settings, environ: Mapping[str, str]) -> dict[str, KeyRow]:
    try:
        return hashed_rows(settings.keys, environ)
    except ValueError as error:
        raise SettingsError(f"{variable_of('keys')}: {error}") from None


def _check_fallbacks(settings: Settings, rows: Mapping[str, ProviderRow], default: str) -> None:
    try:
        check_fallbacks(settings.fallbacks, rows, default)
    except ValueError as error:
        raise SettingsError(f"{variable_of('fallbacks')}: {error}") from None


def _check_urls(settings: Settings) -> None:
    if settings.redis_url.startswith("redis+cluster:") and not settings.broker_url:
        raise SettingsError(
            f"{variable_of('broker_url')}: Celery cannot use a Redis Cluster; name another broker"
        )


def _check_tracing(settings: Settings) -> None:
    if settings.tracing and find_spec("opentelemetry") is None:
        raise SettingsError(
            f"{variable_of('tracing')}: needs packages that are not installed, "
            "those of the extra `tracing`"
        )


def _all_rows(settings: Settings, environ: Mapping[str, str]) -> dict[str, ProviderRow]:
    """All provider rows with their keys read; the operator's own win over the ready ones."""
    rows = ready_rows(environ)
    if settings.providers_file is not None:
        rows |= rows_of_file(settings.providers_file, variable_of("providers_file"))
    rows |= settings.providers
    rows.setdefault("echo", ProviderRow(kind="echo"))
    check_rows(rows, environ)
    return {name: with_key(name, row, environ) for name, row in rows.items()}


def _first_fault(error: ValidationError, environ: Mapping[str, str]) -> str:
    """The first fault in words, without the value: it may be a secret."""
    place, words = fault_in_words(error)
    if not place:
        return words
    known = place[0] in Settings.model_fields
    variable = variable_in(environ, place[0]) if known else place[0]
    return f"{'.'.join([variable, *place[1:]])}: {words}"
