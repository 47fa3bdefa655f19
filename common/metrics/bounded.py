"""Keeps the values of a label few and short, whatever others make up. Pure."""

import re

OTHER = "other"
LONGEST = 80
_NOT_SHOWN = re.compile(r"[^A-Za-z0-9_.:/@+-]+")


class BoundedLabel:
    """Lets so many values through, those that come first; all further ones are ``other``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shown: dict[str, str] = {}

    def __call__(self, value: str) -> str:
        """The value as a label."""
        known = self._shown.get(value)
        if known is not None:
            return known
        if len(self._shown) >= self._most:
            return OTHER
        # Two threads may both come by here: one value more than the bound does no harm.
        return self._shown.setdefault(value, _NOT_SHOWN.sub("_", value[:LONGEST]) or OTHER)
