"""What a response used: tokens, and money in whole billionths of a dollar, which add up. Pure."""

from typing import Any, NamedTuple

NANO = 1_000_000_000
# What a server claims beyond this is no count of anything; sums of many stay far from 64 bits.
MOST_TOKENS = 1_000_000_000
MOST_NANO_DOLLARS = 10_000 * NANO


class Usage(NamedTuple):
    """What one response used; zero where that is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    nano_dollars: int = 0


NOTHING = Usage()


def usage_of(usage: Any, cost: dict[str, float] | None = None) -> Usage:
    """What the ``usage`` of a response tells. ``cost`` is by our own price list; without one the
    ``cost`` in there counts, an object with ``total_cost`` or a number of dollars."""
    if not isinstance(usage, dict):
        return NOTHING
    price = usage.get("cost") if cost is None else cost
    dollars = price.get("total_cost") if isinstance(price, dict) else price
    return Usage(
        _tokens(usage.get("input_tokens")),
        _tokens(usage.get("output_tokens")),
        _nano_dollars(dollars),
    )


def _tokens(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else 0


def _nano_dollars(value: Any) -> int:
    # Not a number is not between the two either.
    is_price = type(value) in (int, float) and 0 <= value <= MOST_NANO_DOLLARS / NANO
    return round(value * NANO) if is_price else 0
