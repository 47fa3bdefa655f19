"""A provider as a row of data: where it is, how it is authenticated, how long it may take.

A provider with no behaviour of its own needs no class, only a row. Rows come from three places:
those ready for OpenAI and Azure OpenAI (present when their key is in the environment), the
operator's own (``MUNINN_PROVIDERS`` or ``MUNINN_PROVIDERS_FILE``), and the built-in ``echo``.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from common.setting_types import Count, SilenceSeconds

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# For those who write JSON or TOML, where pydantic has words for those who write Python.
# https://www.rfc-editor.org/rfc/rfc9110#name-fields
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[ \t!-~\xa0-\xff]*[!-~\xa0-\xff])?)?")
IN_WORDS = {
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "extra_forbidden": "there is no such field",
}


class ProviderRow(BaseModel):
    """One configured provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["responses", "echo"] = Field(
        "responses", description="`responses`: a server that speaks the Responses API over HTTP."
    )
    base_url: str = Field(
        "", description="Up to and including the version, as for an OpenAI SDK: `https://host/v1`."
    )
    api_key_env: str | None = Field(
        None, description="Name of the environment variable that holds the key."
    )
    api_key: SecretStr | None = Field(None, description="The key itself; prefer `api_key_env`.")
    api_key_envs: tuple[str, ...] | None = Field(
        None, description="Instead of `api_key_env`: variables that hold keys to be used in turn."
    )
    api_keys: tuple[SecretStr, ...] | None = Field(
        None, description="Such keys themselves; prefer `api_key_envs`."
    )
    allow_caller_keys: bool = Field(
        False,
        description="Whether callers may send a key of their own for it; without a key in its row "
        "they have to.",
    )
    auth_header: str = Field(
        "authorization", description="`authorization` sends `Bearer <key>`; others the bare key."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request.")
    models: dict[str, str] = Field(
        default_factory=dict, description="Aliases: the caller's model name to the provider's."
    )
    background: bool = Field(
        False,
        description="The server has a background mode of its own: jobs are submitted there in it "
        "and followed, so that a lost worker costs no second call.",
    )
    max_in_flight: Count | None = Field(
        None,
        description="Jobs that call it at once, over all workers; others wait in no worker's slot.",
    )
    connect_timeout_seconds: SilenceSeconds = Field(
        10.0, description="The longest time that connecting may take."
    )
    read_timeout_seconds: SilenceSeconds = Field(
        600.0, description="The longest silence allowed while waiting for an answer."
    )
    max_answer_bytes: Count = Field(
        64 * 1024 * 1024, description="A longer answer is refused as invalid."
    )

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        if value and not _has_host(value):
            raise ValueError("must name a host, and a port only as a number")
        return value.rstrip("/")

    @field_validator("auth_header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if not HEADER.fullmatch(value):
            raise ValueError("must be the name of a header")
        return value

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(HEADER.fullmatch(name) and is_sendable(text) for name, text in value.items()):
            raise ValueError("must be names and values of headers, as HTTP can send them")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _is_variable(cls, value: str | None) -> str | None:
        # Said without the value: what stands here by mistake is most often the key itself.
        if value is not None and not VARIABLE.fullmatch(value):
            raise ValueError("must be the name of an environment variable")
        return value

    @field_validator("api_key_envs")
    @classmethod
    def _are_variables(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if not all(VARIABLE.fullmatch(name) for name in value or ()):
            raise ValueError("must be names of environment variables")
        return value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...] | None) -> tuple[SecretStr, ...] | None:
        if not all(key.get_secret_value().strip() for key in value or ()):
            raise ValueError("must not hold an empty key")
        return value

    @property
    def own_keys(self) -> tuple[SecretStr, ...]:
        """The keys of the row, once they were read; see ``with_key``."""
        return self.api_keys or ((self.api_key,) if self.api_key else ())


def is_sendable(text: str) -> bool:
    """Whether it can be the value of a header."""
    return _HEADER_VALUE.fullmatch(text) is not None


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False


def ready_rows(environ: Mapping[str, str]) -> dict[str, ProviderRow]:
    """Rows for the providers whose own, well-known variables are set."""
    rows: dict[str, ProviderRow] = {}
    if environ.get("OPENAI_API_KEY"):
        base_url = environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        table = {"base_url": base_url, "api_key_env": "OPENAI_API_KEY"}
        rows["openai"] = _row_of_table("openai", table, "OPENAI_BASE_URL")
    if environ.get("AZURE_OPENAI_API_KEY") and environ.get("AZURE_OPENAI_ENDPOINT"):
        table = {
            "base_url": environ["AZURE_OPENAI_ENDPOINT"].rstrip("/") + "/openai/v1",
            "api_key_env": "AZURE_OPENAI_API_KEY",
            "auth_header": "api-key",
        }
        rows["azure"] = _row_of_table("azure", table, "AZURE_OPENAI_ENDPOINT")
    return rows


def check_rows(rows: Mapping[str, ProviderRow], environ: Mapping[str, str]) -> None:
    """Raise ValueError naming the row and the field where a row cannot work."""
    for name, row in rows.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"provider name {name!r}: use lower-case letters, digits, _ . -")
        if row.kind == "responses" and not row.base_url:
            raise ValueError(f"provider {name}: base_url is missing")
        if (row.api_key_env or row.api_key) and (row.api_key_envs or row.api_keys):
            raise ValueError(f"provider {name}: give either one key or api_key_envs, not both")
        field = "api_key_envs" if row.api_key_envs else "api_key_env"
        for variable in _variables(row):
            if not environ.get(variable, "").strip():
                raise ValueError(f"provider {name}: {field} names {variable}, which is not set")


def with_key(name: str, row: ProviderRow, environ: Mapping[str, str]) -> ProviderRow:
    """The row with the keys that its variables hold; they win over those written in it.

    Raises ValueError naming the row for a key that cannot be sent.
    """
    keys = [SecretStr(environ[variable]) for variable in _variables(row)]
    if not all(is_sendable(key.get_secret_value().strip()) for key in (*row.own_keys, *keys)):
        raise ValueError(f"provider {name}: its key is not what HTTP can send in a header")
    if not keys:
        return row
    field = {"api_keys": tuple(keys)} if row.api_key_envs else {"api_key": keys[0]}
    return row.model_copy(update=field)


def _variables(row: ProviderRow) -> tuple[str, ...]:
    return row.api_key_envs or ((row.api_key_env,) if row.api_key_env else ())


def rows_of_file(path: Path, variable: str) -> dict[str, ProviderRow]:
    """The rows of a TOML file; raise ValueError that starts with ``variable`` and the path."""
    where = f"{variable}: {path}"
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{where}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{where}: not valid TOML: {error}") from None
    return {name: _row_of_table(name, table, where) for name, table in tables.items()}


def fault_in_words(error: ValidationError) -> tuple[list[str], str]:
    """Place and description of the first fault, without the value: it may be a secret."""
    fault = error.errors(include_url=False, include_input=False)[0]
    words = IN_WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    return [str(part) for part in fault["loc"]], words


def _row_of_table(name: str, table: Any, where: str) -> ProviderRow:
    try:
        return ProviderRow.model_validate(table)
    except ValidationError as error:
        place, words = fault_in_words(error)
        raise ValueError(f"{where}: {'.'.join([name, *place])}: {words}") from None
