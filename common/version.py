"""The version of the installed package."""

from functools import cache
from importlib.metadata import version as _version_of


@cache
def version() -> str:
    return _version_of("muninn")
