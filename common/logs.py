"""How the processes log: one line an event, to standard error, as text or as JSON."""

import logging
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from common.log_lines import JsonFormatter, LineFormatter, Source, TextFormatter
from common.log_masking import masker, secrets_in
from common.settings import Settings

log = logging.getLogger(__name__)

_more: list[Source] = []


def set_up_logging(settings: Settings) -> None:
    """Log as the settings say, everything in one form: our lines, those of libraries, warnings,
    and failures that nobody has caught."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_formatter(settings))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # At debug it tells the URLs that it calls, and those of webhooks may hold a token.
    logging.getLogger("urllib3").setLevel(max(logging.getLogger().level, logging.INFO))
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def line_formatter(settings: Settings) -> LineFormatter:
    """What turns a record into a line."""
    mask = masker(secrets_in(settings))
    kind = JsonFormatter if settings.log_format == "json" else TextFormatter
    return kind(mask, _all_more)


def add_source(source: Source) -> None:
    """From now on ask it for more fields with each line; it has to be quick."""
    _more.append(source)


def _all_more() -> Mapping[str, Any]:
    return {name: value for source in _more for name, value in source().items()} if _more else {}


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, Exception):
        log.critical("nobody caught a failure", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    error = failed.exc_value
    if error is not None and not isinstance(error, SystemExit):
        log.critical("nobody caught a failure", exc_info=(type(error), error, failed.exc_traceback))
