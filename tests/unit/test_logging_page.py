"""The lines shown in docs/logging.md are such as Muninn writes."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from common.log_context import start_afresh
from common.log_lines import JsonFormatter, LineFormatter, TextFormatter
from tests.unit.test_log_lines import record

PAGE = (Path(__file__).parents[2] / "docs" / "logging.md").read_text("utf-8")
LINES = [json.loads(line) for line in re.findall(r"^\{\"time\".*$", PAGE, re.MULTILINE)]
TEMPLATES = {
    "request": "request: method=%s route=%s status=%d duration_ms=%.1f",
    "job ended": "job ended: job_id=%s attempt=%d status=%s code=%s counted=%s",
}


def written(shown: dict, formatter: LineFormatter) -> str:
    """The line that these fields make."""
    template = TEMPLATES[shown["message"]]
    of_line = re.findall(r"(\w+)=%", template)
    own = {"time", "level", "logger", "message"}
    start_afresh({name: value for name, value in shown.items() if name not in own})
    made = record(template, *[shown.get(name) for name in of_line])
    made.name, made.created = shown["logger"], datetime.fromisoformat(shown["time"]).timestamp()
    try:
        return formatter.format(made)
    finally:
        start_afresh({})


def test_the_page_shows_a_request_and_a_job():
    assert {line["message"] for line in LINES} == TEMPLATES.keys()


@pytest.mark.parametrize("shown", LINES, ids=lambda line: line["message"])
def test_a_line_shown_is_what_is_written(shown):
    assert written(shown, JsonFormatter()) in PAGE


def test_the_line_shown_as_text_is_the_same_one():
    assert written(LINES[1], TextFormatter()) in PAGE


@pytest.mark.parametrize("message", TEMPLATES)
def test_the_lines_shown_are_in_the_code(message):
    root = Path(__file__).parents[2]
    sources = [p.read_text("utf-8") for d in ("api", "worker") for p in (root / d).glob("*.py")]
    assert any(f'"{TEMPLATES[message]}"' in source for source in sources)
