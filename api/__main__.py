"""``python -m api``: one front process, set up by the environment."""

import sys

from common.settings import SettingsError, load_settings


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"muninn: {error}", file=sys.stderr)
        return 2
    from api.server import serve  # after the settings, which fail fast

    serve(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
