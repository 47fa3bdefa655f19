"""The version of the installed package."""

from functools import cache
from importlib.metadata import version as _version_of


@cache
def version() -> str:
    """Such as ``0.1.0``; looked up once."""
    return _version_of("muninn")
