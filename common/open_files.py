"""How many files and connections a process may have open."""

import contextlib
import resource


def allow_open_files() -> None:
    """As many as the system lets us have: a call takes up to two, and the usual limit for those who
    do not ask is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has another limit above this one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
