"""Several keys for one provider: used in turn, rested when they are turned down."""

import json
import threading
from collections import Counter

import pytest

from common.errors import ProviderAnsweredError
from common.provider_rows import ProviderRow
from common.providers.background_api import BackgroundProvider
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.key_rests import LIMITED_SECONDS, LONGEST_SECONDS, REFUSED_SECONDS, KeyRests
from common.providers.registry import build_registry
from common.providers.responses_api import ResponsesApiProvider
from common.settings import load_settings
from tests.support.upstream import Upstream, json_answer, sse_answer
from tests.support.vendor import RESPONSE, events

REQUEST = ProviderRequest("m", {"model": "m", "input": "x"})
KEYS = ["key-number-one", "key-number-two", "key-number-three"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("common.providers.key_rests.KeyRests.__init__.__defaults__", (clock,))
    return clock


def fault(status, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return json_answer({"error": {"message": f"no: {status}"}}, status=status, headers=sent)


class Vendor:
    """Answers each key as it is told to, and well when it is told nothing."""

    def __init__(self):
        self.answers = {}

    def __call__(self, peer, seen):
        well = sse_answer(events()) if seen.json["stream"] else [json_answer(RESPONSE)]
        told = self.answers.get(key_of(seen))
        for piece in [told] if told else well:
            peer.send(piece)


def key_of(seen):
    return seen.headers["authorization"].removeprefix("Bearer ")


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def upstream(vendor):
    with Upstream(vendor) as server:
        yield server


@pytest.fixture
def provider(upstream, clock):
    environ = {f"KEY_{number}": key for number, key in enumerate(KEYS)}
    row = {"base_url": f"{upstream.url}/v1", "api_key_envs": list(environ)}
    settings = load_settings({"MUNINN_PROVIDERS": json.dumps({"up": row}), **environ})
    registry = build_registry(settings)
    yield registry.providers["up"]
    registry.close()


def asked(upstream):
    """The keys that came since the last look, by their numbers."""
    found = [KEYS.index(key_of(seen)) for seen in upstream.seen]
    upstream.seen.clear()
    return found


def create(provider):
    return provider.create(REQUEST, UpstreamCall())


def test_each_call_takes_the_next_key(provider, upstream):
    for _ in range(4):
        create(provider)
    assert asked(upstream) == [0, 1, 2, 0]


def test_threads_share_the_turns_evenly(provider, upstream):
    threads = [threading.Thread(target=create, args=[provider]) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(asked(upstream)) == {0: 10, 1: 10, 2: 10}


@pytest.mark.parametrize("status", [429, 401, 403])
def test_the_next_key_is_asked_at_once_and_the_one_turned_down_rests(
    status, provider, upstream, vendor
):
    vendor.answers[KEYS[0]] = fault(status)
    assert create(provider).body["id"] == "resp_1"
    assert asked(upstream) == [0, 1]
    for _ in range(4):
        create(provider)
    assert 0 not in asked(upstream)


def test_a_stream_takes_the_next_key_before_its_first_event(provider, upstream, vendor):
    vendor.answers[KEYS[0]] = fault(429)
    stream = provider.stream(REQUEST, UpstreamCall())
    kinds = [event.name for batch in stream for event in batch]
    stream.close()
    assert kinds[-1] == b"response.completed"
    assert asked(upstream) == [0, 1]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (fault(429, retry_after="7"), 7),
        (fault(429, retry_after_ms="2500"), 2.5),
        (fault(429), LIMITED_SECONDS),
        (fault(429, retry_after="999999"), LONGEST_SECONDS),
        (fault(401), REFUSED_SECONDS),
    ],
    ids=["Retry-After", "in ms", "none", "too long", "refused"],
)
def test_it_rests_for_as_long_as_it_shall(answer, seconds, provider, upstream, vendor, clock):
    vendor.answers[KEYS[0]] = answer
    create(provider)
    vendor.answers.clear()
    asked(upstream)
    clock.now += seconds - 0.01
    for _ in range(3):
        create(provider)
    assert 0 not in asked(upstream)
    clock.now += 0.02
    for _ in range(3):
        create(provider)
    assert 0 in asked(upstream)


def test_when_all_are_limited_the_answer_says_when_the_first_comes_back(provider, upstream, vendor):
    for key, seconds in zip(KEYS, ("50", "5", "500"), strict=True):
        vendor.answers[key] = fault(429, retry_after=seconds)
    with pytest.raises(ProviderAnsweredError) as caught:
        create(provider)
    assert (caught.value.status, asked(upstream)) == (429, [0, 1, 2])
    assert caught.value.retry_after_seconds == pytest.approx(5)
    # From now on one call asks one key: the one that comes back first. It may be back already.
    with pytest.raises(ProviderAnsweredError):
        create(provider)
    assert asked(upstream) == [1]
    vendor.answers.clear()
    create(provider)
    create(provider)
    assert asked(upstream) == [1, 1]


def test_a_limit_of_one_key_counts_more_than_the_refusal_of_another(provider, upstream, vendor):
    vendor.answers = dict(zip(KEYS, [fault(401), fault(429), fault(403)], strict=True))
    for expected in ([0, 1, 2], [1]):
        with pytest.raises(ProviderAnsweredError) as caught:
            create(provider)
        assert (caught.value.status, asked(upstream)) == (429, expected)


def test_what_is_refused_to_all_keys_rests_none(provider, upstream, vendor, caplog):
    vendor.answers = dict.fromkeys(KEYS, fault(403))
    for first in (0, 1):
        with pytest.raises(ProviderAnsweredError) as caught:
            create(provider)
        assert caught.value.status == 403
        assert asked(upstream)[0] == first
    assert "rests" not in caplog.text


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_other_failures_are_not_the_keys(status, provider, upstream, vendor):
    vendor.answers = dict.fromkeys(KEYS, fault(status))
    with pytest.raises(ProviderAnsweredError):
        create(provider)
    assert asked(upstream) == [0]


def test_the_log_names_the_provider_and_the_place_of_the_key_and_no_answer_any(
    provider, vendor, caplog
):
    told = json_answer({"error": {"message": f"{KEYS[0]} {KEYS[1]}"}}, status=429)
    vendor.answers = dict.fromkeys(KEYS, told)
    with pytest.raises(ProviderAnsweredError) as caught:
        create(provider)
    assert caught.value.message == "*** ***"
    assert "provider key rests: provider=up place=0 refused=False seconds=60" in caplog.text
    assert "key-number" not in caplog.text + repr(vars(caught.value))


def test_a_callers_key_neither_rests_nor_rotates(provider, upstream, vendor):
    vendor.answers["key-of-a-caller"] = fault(429)
    own = provider.with_key("key-of-a-caller")
    for _ in range(2):
        with pytest.raises(ProviderAnsweredError):
            own.create(REQUEST, UpstreamCall())
    assert {key_of(seen) for seen in upstream.seen} == {"key-of-a-caller"}
    upstream.seen.clear()
    create(provider)
    assert asked(upstream) == [0]


def test_a_background_response_is_asked_about_with_the_key_that_began_it(upstream, clock):
    owners = {"resp_1": KEYS[1]}

    def account(peer, seen):
        known = seen.method == "POST" and not seen.target.endswith("/cancel")
        known = known or owners["resp_1"] == key_of(seen)
        peer.send(json_answer(RESPONSE) if known else fault(404))

    upstream.script = [account]
    row = {"base_url": f"{upstream.url}/v1", "api_keys": KEYS, "background": True}
    settings = load_settings({"MUNINN_PROVIDERS": json.dumps({"up": row})})
    registry = build_registry(settings)
    provider = registry.providers["up"]
    assert isinstance(provider, BackgroundProvider)
    call = UpstreamCall()
    provider.submit(REQUEST, UpstreamCall(), "job-1")
    provider.submit(REQUEST, call, "job-2")
    for _ in range(2):
        provider.retrieve("resp_1", call)
    assert asked(upstream) == [0, 1, 1, 1]
    # Another worker, which does not know by which it was begun, asks each until one is known.
    other = UpstreamCall()
    provider.retrieve("resp_1", other)
    provider.retrieve("resp_1", other)
    provider.cancel("resp_1", UpstreamCall())
    assert asked(upstream) == [0, 1, 1, 0, 1]
    owners["resp_1"] = "lost"
    with pytest.raises(ProviderAnsweredError) as caught:
        provider.retrieve("resp_1", UpstreamCall())
    assert (caught.value.status, asked(upstream)) == (404, [0, 1, 2])
    registry.close()


def test_one_key_of_several_is_an_ordinary_provider():
    row = {"base_url": "http://127.0.0.1:1/v1", "api_keys": ["only-one-key"]}
    registry = build_registry(load_settings({"MUNINN_PROVIDERS": json.dumps({"up": row})}))
    provider = registry.providers["up"]
    assert type(provider) is ResponsesApiProvider
    assert provider._whole.headers["authorization"] == "Bearer only-one-key"
    registry.close()


def test_turns_start_over_in_each_process_and_a_rest_never_refuses(clock):
    rests = KeyRests("up", 2, clock)
    rests.limited(0, None)
    rests.limited(1, 5)
    assert rests.order() == ([], [1, 0])
    assert rests.back_after_seconds() == 5
    rests.served(1)
    assert rests.order() == ([1], [0])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api_key": "k1", "api_keys": ["k2"]}, "give either one key or api_key_envs"),
        ({"api_key_env": "A", "api_key_envs": ["A", "B"]}, "give either one key or api_key_envs"),
        ({"api_key_envs": ["A", "MISSING"]}, "api_key_envs names MISSING, which is not set"),
        ({"api_key_envs": ["sk-secret"]}, "api_key_envs: must be names of environment variables"),
        ({"api_keys": ["k2", " "]}, "api_keys: must not hold an empty key"),
    ],
)
def test_a_row_that_cannot_work_is_refused_by_name(fields, words):
    row = {"base_url": "http://a", **fields}
    environ = {"MUNINN_PROVIDERS": json.dumps({"up": row}), "A": "a", "B": "b"}
    with pytest.raises(Exception, match=words) as caught:
        load_settings(environ)
    assert "sk-secret" not in str(caught.value)


def test_nothing_of_a_row_shows_its_keys():
    row = ProviderRow(base_url="http://a", api_keys=tuple(KEYS))
    assert "key-number" not in repr(row) + row.model_dump_json()
