"""What a response cost, by the price list of the ``genai-prices`` package.

The list is part of the installed package; nothing is fetched. A model or provider that it does not
know has no price, and then nothing is said.
"""

from functools import lru_cache
from typing import Any

from common.answers import Exchange

MODELS_REMEMBERED = 4096


def response_cost(exchange: Exchange, response: dict[str, Any]) -> dict[str, float] | None:
    """The cost of the response that this exchange brought."""
    return cost_of(exchange.provider, exchange.model_deployment, response.get("usage"))


def cost_of(provider: str, model: str, usage: Any) -> dict[str, float] | None:
    """The cost of this usage in US dollars, in the words of the reference page."""
    if not isinstance(usage, dict) or not _is_priced(provider, model):
        return None
    tokens = _tokens(usage)
    if tokens is None:
        return None
    from genai_prices import Usage, calc_price

    price = calc_price(Usage(**tokens), model, provider_id=provider)
    return {
        "input_tokens_cost": float(price.input_price),
        "output_tokens_cost": float(price.output_price),
        "total_cost": float(price.total_price),
    }


@lru_cache(maxsize=MODELS_REMEMBERED)
def _is_priced(provider: str, model: str) -> bool:
    """Whether the list knows the model. Loading it takes a while, so it is loaded when asked."""
    from genai_prices import Usage, calc_price

    try:
        calc_price(Usage(input_tokens=1, output_tokens=1), model, provider_id=provider)
    except LookupError:
        return False
    return True


def _tokens(usage: dict[str, Any]) -> dict[str, int] | None:
    """The counts that have prices of their own; None when they make no sense."""
    read = _object(usage.get("input_tokens_details"))
    cached = read.get("cached_tokens", read.get("cached_read_tokens"))
    counts = {
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cache_read_tokens": cached or 0,
    }
    whole = {name: count for name, count in counts.items() if type(count) is int and count >= 0}
    is_sound = len(whole) == len(counts) and whole["cache_read_tokens"] <= whole["input_tokens"]
    return whole if is_sound else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
