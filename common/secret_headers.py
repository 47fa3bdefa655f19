"""Which of the headers that are sent to a provider are credentials. Pure."""

import re
from collections.abc import Iterator, Mapping

_SECRET = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)


def credentials_in(headers: Mapping[str, str]) -> Iterator[str]:
    """Their values, by the look of their names: whole, and without a scheme such as Bearer."""
    for name, value in headers.items():
        if _SECRET.search(name):
            yield value
            _, space, rest = value.partition(" ")
            if space:
                yield rest
