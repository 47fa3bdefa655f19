"""How long a page of a list is."""

from common.errors import InvalidValue

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100


def page_limit(query: dict[str, str]) -> int:
    """The query's ``limit``. Raises InvalidValue for one that is out of bounds."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_LIMIT))
    if not (is_number and 1 <= int(text) <= LARGEST_LIMIT):
        raise InvalidValue(f"limit takes 1 to {LARGEST_LIMIT}.", param="limit")
    return int(text)
