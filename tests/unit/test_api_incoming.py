"""Reading a request: its body above all."""

import io

import pytest

from api.incoming import Incoming
from common.errors import InvalidJson, RequestTooLarge

LIMIT = 10


class CountingStream(io.BytesIO):
    """Counts the bytes that were read of it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def incoming(data=b"", length=None, **environ):
    stream = CountingStream(data)
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return stream, Incoming({"wsgi.input": stream, **environ})


def chunked(data):
    return incoming(data, **{"wsgi.input_terminated": True})


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_a_body_up_to_the_limit_is_read_whole(size):
    data = b"x" * size
    assert incoming(data, size)[1].body(LIMIT) == data
    assert chunked(data)[1].body(LIMIT) == data


def test_what_follows_the_body_is_not_read():
    stream, request = incoming(b"x" * 10 + b"next", 10)
    assert request.body(LIMIT) == b"x" * 10
    assert stream.count == 10


@pytest.mark.parametrize("size", [11, 25, 1000])
def test_a_longer_body_is_refused_and_read_on_for_a_while_only(size):
    for stream, request in (incoming(b"x" * size, size), chunked(b"x" * size)):
        with pytest.raises(RequestTooLarge, match="10 bytes"):
            request.body(LIMIT)
        assert stream.count == min(size, 4 * LIMIT)


def test_a_body_that_ends_too_early_is_refused():
    with pytest.raises(InvalidJson, match="ended after 3 bytes"):
        incoming(b"abc", 10)[1].body(LIMIT)


@pytest.mark.parametrize("length", ["", "-5", "5.0", "five"])
def test_without_a_usable_length_there_is_no_body(length):
    assert incoming(b"abc", length)[1].body(LIMIT) == b""


def test_headers_are_found_in_any_case_and_stripped():
    request = Incoming({"HTTP_X_BF_ASYNC": " true "})
    assert request.header("X-Bf-Async") == "true"
    assert request.header("x-bf-other") is None


def test_of_a_query_parameter_given_twice_the_last_counts():
    request = Incoming({"QUERY_STRING": "a=1&b=&a=2"})
    assert request.query() == {"a": "2", "b": ""}
    assert Incoming({}).query() == {}
