"""``python -m worker``: one worker process, set up by the environment."""

import sys

from common.logs import set_up_logging
from common.open_files import allow_open_files
from common.settings import SettingsError, load_settings
from common.tracing import start_tracing


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"muninn: {error}", file=sys.stderr)
        return 2
    set_up_logging(settings)
    allow_open_files()
    start_tracing(settings, "worker")
    from worker.app import create_worker, run_worker  # after the settings: Celery takes a while

    run_worker(create_worker(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
