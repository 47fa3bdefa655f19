"""``python -m api``: one front process, set up by the environment."""

import os
import sys

from common.running.ports import front_fault
from common.settings import SettingsError, load_settings

# The HTTP server brings an allocator of its own, which reads this when it is loaded. It would keep
# a cache for each of a thousand threads: a third of all memory that calls in flight take.
ALLOCATOR = ("_RJEM_MALLOC_CONF", "tcache:false")


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"muninn: {error}", file=sys.stderr)
        return 2
    fault = front_fault(settings.host, settings.port)
    if fault is not None:
        print(f"muninn: {fault}", file=sys.stderr)
        return 1
    os.environ.setdefault(*ALLOCATOR)
    from api.server import serve  # after the settings, which fail fast

    serve(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
