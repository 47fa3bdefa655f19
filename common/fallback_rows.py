"""Fallbacks in the settings: which models stand in for which. Pure."""

from collections.abc import Container, Mapping
from fnmatch import fnmatchcase

from common.provider_rows import ProviderRow
from common.virtual_keys import is_model_pattern

Fallbacks = Mapping[str, tuple[str, ...]]

_WILD = frozenset("*?[")


def fallbacks_of(table: Fallbacks, provider: str, model: str) -> tuple[str, ...]:
    """Who stands in for a provider's model: the entry of its very name, or else the first whose
    pattern fits it."""
    name = f"{provider}/{model}"
    if name in table:
        return table[name]
    found = (models for pattern, models in table.items() if fnmatchcase(name, pattern))
    return next(found, ())


def check_fallbacks(table: Fallbacks, rows: Mapping[str, ProviderRow], default: str) -> None:
    """Raise ValueError naming the entry that can fit nothing, or leads to no provider."""
    for pattern, models in table.items():
        provider = pattern.partition("/")[0]
        if not is_model_pattern(pattern):
            raise ValueError(f"{pattern!r}: takes patterns such as openai/* or openai/gpt-4o")
        if not _WILD & set(provider) and provider not in rows:
            raise ValueError(f"{pattern!r}: no provider {provider!r}; configured: {_names(rows)}")
        for model in models:
            _check_model(pattern, model, rows, rows[default].models)


def _check_model(
    pattern: str, model: str, rows: Mapping[str, ProviderRow], aliases: Container[str]
) -> None:
    provider, slash, rest = model.partition("/")
    if not provider.strip() or (slash and not rest.strip()):
        raise ValueError(f"{pattern!r}: a fallback is a model name or provider/model")
    if slash and provider not in rows and model not in aliases:
        raise ValueError(f"{pattern!r}: no provider {provider!r}; configured: {_names(rows)}")


def _names(rows: Mapping[str, ProviderRow]) -> str:
    return ", ".join(rows)
