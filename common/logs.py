"""How the processes log: one line an event, to standard error."""

import logging


def set_up_logging(level: str) -> None:
    """Log from ``level`` on (a name in lower case)."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
