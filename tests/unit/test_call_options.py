"""What is stored with a job beside its request, read by another version while a deploy rolls."""

from common.inference import CallOptions


def test_an_option_of_a_newer_version_is_left_out() -> None:
    stored = b'{"raw_response":true,"of_tomorrow":1}'
    assert CallOptions.from_json(stored) == CallOptions(raw_response=True)
