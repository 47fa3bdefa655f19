"""`muninn up` with JSON: nothing but JSON comes out, whatever its children write."""

import io
import json

from common.running.console import Console


def lines_of(*calls):
    stream = io.BytesIO()
    console = Console(stream, is_json=True)
    for call, *arguments in calls:
        getattr(console, call)(*arguments)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_a_child_wrote_as_json_stays_as_it_is():
    assert lines_of(("line", "api", b'{"message":"m"}')) == [{"message": "m"}]


def test_any_other_line_becomes_one():
    (line,) = lines_of(("line", "redis", b"# WARNING \xff \x1b[31m"))
    assert (line["logger"], line["level"]) == ("redis", "info")
    assert line["message"] == "# WARNING \ufffd \x1b[31m"
    assert line["time"].endswith("Z")


def test_the_supervisor_speaks_json_too_and_shows_nothing_to_copy():
    found = lines_of(("say", "stopping"), ("block", "examples"), ("line", "api", b" "))
    assert [(line["logger"], line["message"]) for line in found] == [("muninn", "stopping")]
