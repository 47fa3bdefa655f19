"""What a line of the log looks like, as text and as JSON, whatever is put into it."""

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.log_context import bound, note, noted, request_id, start_afresh
from common.log_lines import JsonFormatter, TextFormatter, printable
from common.log_masking import masker, secrets_in
from common.settings import load_settings
from common.virtual_keys import new_secret

AT = 1_795_366_984.0051
TEXT = st.text(st.characters(codec=None), max_size=40)


@pytest.fixture(autouse=True)
def nothing_noted():
    start_afresh({})


def record(message, *args, level=logging.INFO, error=None):
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("worker.runner", level, __file__, 1, message, args, exc_info)
    made.created = AT
    return made


def as_json(message, *args, formatter=None, **more):
    line = (formatter or JsonFormatter()).format(record(message, *args, **more))
    assert "\n" not in line
    return json.loads(line)


def test_a_line_is_a_constant_message_with_its_fields_beside_it():
    assert as_json("job ended: job_id=%s attempt=%d counted=%s", "j1", 2, True) == {
        "time": "2026-11-22T17:03:04.005Z",
        "level": "info",
        "logger": "worker.runner",
        "message": "job ended",
        "job_id": "j1",
        "attempt": 2,
        "counted": True,
    }


def test_the_same_line_as_text():
    line = TextFormatter().format(record("job ended: job_id=%s attempt=%d", "j1", 2))
    assert line == ("2026-11-22T17:03:04.005Z INFO worker.runner: job ended: job_id=j1 attempt=2")


def test_a_number_is_as_exact_as_its_line_asks_for():
    assert as_json("pause: delay_seconds=%.1f", 1.23456)["delay_seconds"] == 1.2


def test_what_is_not_known_is_left_out():
    assert "status" not in as_json("not delivered: status=%s", None)


@pytest.mark.parametrize(
    ("message", "args", "said"),
    [
        ("Task %(name)s received", ({"name": "t"},), "Task t received"),
        ("connected to %s", ("host",), "connected to host"),
        ("half: a=%s and %s", ("x", "y"), "half: a=x and y"),
        ("too few: a=%s b=%s", ("x",), "too few: a=%s b=%s"),
        ("nothing but text: a=b", (), "nothing but text: a=b"),
        (ValueError("an object"), (), "an object"),
    ],
)
def test_lines_of_others_are_shown_as_they_are(message, args, said):
    assert as_json(message, *args)["message"] == said


def test_a_field_cannot_pass_for_the_time_or_the_message():
    line = as_json("odd: message=%s time=%s", "forged", "never")
    assert (line["message"], line["time"]) == ("odd", "2026-11-22T17:03:04.005Z")


def test_what_is_being_worked_on_is_beside_every_line():
    with bound(job_id="j1", attempt=1):
        with bound(provider="openai"):
            note(model="gpt")
            inner = as_json("deep inside")
        outer = as_json("again: attempt=%d", 7)
    assert (inner["job_id"], inner["provider"], inner["model"]) == ("j1", "openai", "gpt")
    assert (outer["attempt"], "provider" in outer) == (7, False)
    assert noted() == {}


def test_the_id_of_a_request_is_known_inside_of_it():
    assert request_id() is None
    start_afresh({"request_id": "r1"})
    assert request_id() == "r1"


FORGED = "x\n2026-11-22T17:03:04.005Z ERROR worker.runner: forged\r\x1b[2K\x9b31m\u2028\u202e"


def test_no_text_ends_a_line_or_moves_a_cursor():
    text = TextFormatter().format(record("job ended: job_id=%s", FORGED))
    assert text.isprintable()
    assert as_json("job ended: job_id=%s", FORGED)["job_id"] == FORGED
    assert JsonFormatter().format(record("%s", FORGED)).isprintable()


def test_a_text_cannot_pass_for_a_field():
    line = TextFormatter().format(record("ended: model=%s status=%s", "m status=completed", "no"))
    assert line.endswith('ended: model="m status=completed" status=no')


@given(TEXT, TEXT)
def test_whatever_is_logged_is_one_line(name, value):
    args = (f"{name}: a=%s".replace("%s: ", ""), value)
    assert TextFormatter().format(record("got: a=%s b=%s", *args)).isprintable()
    parsed = as_json("got: a=%s b=%s", *args)
    assert parsed["message"] == "got"
    # Halves of surrogate pairs have no form on any line.
    if not any("\ud800" <= each <= "\udfff" for each in value):
        assert parsed["b"] == value


def failure(text):
    try:
        secret_local = "planted-local-value"
        raise ValueError(text + secret_local[:0])
    except ValueError as error:
        return error


def test_a_stack_is_a_field_and_shows_no_values_of_variables():
    line = as_json("attempt failed", error=failure("it broke"))
    assert line["exception"] == "ValueError"
    assert line["stack"].endswith("ValueError: it broke")
    assert "Traceback" in line["stack"]


def test_a_stack_in_text_is_set_in_so_that_nothing_in_it_passes_for_a_line():
    first, *rest = TextFormatter().format(record("failed", error=failure(FORGED))).split("\n")
    assert first.endswith("failed")
    assert all(line.startswith("    ") and printable(line) == line for line in rest)


def test_a_long_text_is_cut():
    assert len(as_json("got: a=%s", "x" * 100_000)["a"]) < 5000
    assert as_json("failed", error=failure("y" * 100_000))["stack"].endswith("y")


def test_secrets_of_the_settings_and_what_looks_like_one_are_masked():
    key, password = 'planted key/with "quotes', "planted-pass-word"
    settings = load_settings(
        {
            "MUNINN_PROVIDERS": json.dumps(
                {
                    "v": {
                        "base_url": "http://h/v1",
                        "api_key_env": "K",
                        "headers": {"x-key": "hdr-secret"},
                    }
                }
            ),
            "K": key,
            "MUNINN_REDIS_URL": f"redis://:{password}@host:6379/0",
        }
    )
    mask = masker(secrets_in(settings))
    virtual = new_secret()
    said = f"{key} {json.dumps(key)} {password} hdr-secret {virtual} http://u:other-one@h/"
    for form in (JsonFormatter(mask), TextFormatter(mask)):
        line = form.format(record("seen: a=%s", said, error=failure(said)))
        for secret in (key, password, "hdr-secret", virtual, "other-one"):
            assert secret not in line
            assert json.dumps(secret)[1:-1] not in line
        assert "***" in line


def test_failures_that_nobody_caught_and_warnings_are_lines_too(tmp_path):
    import subprocess

    program = (
        "import warnings, threading, sys\n"
        "from common.logs import set_up_logging\n"
        "from common.settings import load_settings\n"
        "set_up_logging(load_settings({'MUNINN_LOG_FORMAT': 'JSON'}))\n"
        "warnings.warn('careful')\n"
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()\n"
        "raise KeyError('x\\ny')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["logger"] for line in lines] == ["py.warnings", "common.logs", "common.logs"]
    assert [line.get("exception") for line in lines] == [None, "ZeroDivisionError", "KeyError"]
    assert done.returncode == 1
