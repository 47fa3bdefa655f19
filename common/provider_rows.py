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

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
    connect_timeout_seconds: float = Field(
        10.0, gt=0, description="The longest time that connecting may take."
    )
    read_timeout_seconds: float = Field(
        600.0, gt=0, description="The longest silence allowed while waiting for an answer."
    )
    max_answer_bytes: int = Field(
        64 * 1024 * 1024, gt=0, description="A longer answer is refused as invalid."
    )

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _is_variable(cls, value: str | None) -> str | None:
        # Said without the value: what stands here by mistake is most often the key itself.
        if value is not None and not VARIABLE.fullmatch(value):
            raise ValueError("must be the name of an environment variable")
        return value


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
        if row.api_key_env and not environ.get(row.api_key_env):
            raise ValueError(
                f"provider {name}: api_key_env names {row.api_key_env}, which is not set"
            )


def with_key(row: ProviderRow, environ: Mapping[str, str]) -> ProviderRow:
    """The row with the key that its ``api_key_env`` names; such a key wins over ``api_key``."""
    if not row.api_key_env:
        return row
    return row.model_copy(update={"api_key": SecretStr(environ[row.api_key_env])})


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
    return [str(part) for part in fault["loc"]], fault["msg"].removeprefix("Value error, ")


def _row_of_table(name: str, table: Any, where: str) -> ProviderRow:
    try:
        return ProviderRow.model_validate(table)
    except ValidationError as error:
        place, words = fault_in_words(error)
        raise ValueError(f"{where}: {'.'.join([name, *place])}: {words}") from None
