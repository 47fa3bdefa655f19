"""What is read from a connection at once, and in which order what follows is told."""

import pytest

from common.errors import ProviderInvalidAnswer
from common.providers.base import UpstreamCall
from common.providers.exchange import Exchange

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"  # without a length: the body is all that comes


class Script:
    """A connection on which these pieces come; an error is raised, None is nothing yet."""

    raw_socket = None

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.sock = self
        self.is_closed = False

    def set_timeout(self, seconds):
        """Nothing is waited for."""

    def sendall(self, data):
        """It is not looked at."""

    def recv(self, size):
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def recv_now(self, size):
        if self.pieces and self.pieces[0] is None:
            return self.pieces.pop(0)
        return self.recv(size)

    def close(self):
        self.is_closed = True


def begun(*pieces):
    script = Script(*pieces)
    exchange = Exchange(script, UpstreamCall(), 5.0, lambda connection: None)
    exchange.begin(b"head", b"body")
    return script, exchange


def test_what_came_together_is_read_together_though_little_was_awaited():
    script, exchange = begun(HEAD + b"a" * 20_000, b"b")
    assert exchange.read_some() == b"a" * 20_000
    assert exchange.read_some() == b"b"
    assert script.pieces == []


def test_nothing_is_waited_for_when_no_more_has_come():
    _, exchange = begun(HEAD, b"a" * 4096, None, b"b")
    assert exchange.read_some() == b"a" * 4096
    assert exchange.read_some() == b"b"


def test_a_reset_is_told_after_what_came_before_it_and_is_no_end():
    script, exchange = begun(HEAD, b"a" * 4096, ConnectionResetError(), b"")
    assert exchange.read_some() == b"a" * 4096
    with pytest.raises(ProviderInvalidAnswer):
        exchange.read_some()
    assert script.is_closed


def test_an_end_right_after_what_was_read_is_an_end():
    script, exchange = begun(HEAD, b"a" * 4096, b"", b"")
    assert exchange.read_some() == b"a" * 4096
    assert exchange.read_some() == b""
    assert script.is_closed
