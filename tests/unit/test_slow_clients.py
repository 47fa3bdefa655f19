"""Which connections are those of the clients that are late."""

import pytest

from api.client_sockets import ClientSocket
from api.slow_clients import those_of_late


def connections(*heard_at: float, answered_at: float = 0.0) -> list[ClientSocket]:
    times = enumerate(heard_at)
    return [ClientSocket(number, ("a", number), at, answered_at) for number, at in times]


def hung_up(late, sockets, calls=(), bodies=()):
    return sorted(each.descriptor for each in those_of_late(late, sockets, calls, bodies))


@pytest.mark.parametrize(
    ("heard_at", "calls", "guilty"),
    [
        ([100.0], [], [0]),
        ([99.0], [99.01], []),
        ([99.0, 100.0], [99.01], [1]),
        ([99.99, 100.04], [100.06], []),  # in doubt, until the call ends
        ([99.99, 100.04], [], [0]),
        ([99.0, 99.2, 100.0], [99.3, 99.1], [2]),
        ([100.0], [99.0], [0]),
        ([100.0], [106.0], [0]),
        ([100.0, 130.0], [130.01, 140.0, 140.01], [0]),  # others have been answered already
    ],
)
def test_a_connection_is_cleared_by_a_call_that_was_whole_soon_after_its_last_data(
    heard_at, calls, guilty
):
    assert hung_up([100.001], connections(*heard_at), calls) == guilty


@pytest.mark.parametrize(
    ("heard_at", "bodies", "guilty"),
    [
        ([100.0, 130.0], [130.001], [0]),  # it has just begun
        ([159.0, 159.9], [140.0], [0]),  # both move, and one of them has time left
        ([155.0, 156.0, 159.9], [140.0], [0]),
        ([159.0], [140.0, 141.0], []),
        ([], [140.0], []),
        ([99.98, 99.99], [100.1], []),  # in doubt, until the other one is late as well
        ([99.98, 99.99], [], [1]),
    ],
)
def test_a_body_that_has_time_left_is_let_alone(heard_at, bodies, guilty):
    assert hung_up([100.001], connections(*heard_at), bodies=bodies) == guilty


def test_a_connection_that_was_sent_anything_meanwhile_is_let_alone():
    """An answer, or the handshake of one that was not there yet."""
    resting = connections(99.9, 130.0, answered_at=130.0)
    slow = ClientSocket(7, ("a", 7), 99.0, 90.0)
    assert hung_up([100.0], resting) == []
    assert hung_up([100.0], [*resting, slow]) == [7]


def test_no_more_are_hung_up_on_than_are_late():
    assert len(hung_up([100.0, 100.0], connections(*[99.9] * 9, *[130.0] * 9))) == 2


def test_who_asked_for_leave_to_send_a_body_is_found_too():
    assert hung_up([100.0], connections(99.99, answered_at=100.1)) == [0]


def test_who_was_not_noticed_for_long_is_found_too():
    assert hung_up([100.0], connections(60.0)) == [0]
