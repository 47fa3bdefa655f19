"""How Celery is told where its broker is, and how failures of a broker come out."""

import ssl

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection

from common.broker import BrokerQueue, create_celery
from common.errors import ServiceUnavailable
from common.settings import load_settings
from tests.support.processes import HOST, free_port

STORE = "redis://127.0.0.1:6379/0"


def celery_for(broker_url, redis_url=STORE):
    return create_celery(load_settings({}, redis_url=redis_url, broker_url=broker_url))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:6380/2", "redis://h:6380/2"),
        ("rediss://:p@h:6380/2", "rediss://:p@h:6380/2?ssl_cert_reqs=required"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
        ("unix://:p%40@/run/r.sock?db=3", "redis+socket://:p%40@/run/r.sock?virtual_host=3"),
        ("amqp://u:p@h:5672//", "amqp://u:p@h:5672//"),
        ("amqps://u:p@h//", "amqps://u:p@h//"),
        (
            "redis+sentinel://:p%40w@a:1,b/3?master=m",
            "sentinel://:p%40w@a:1/3;sentinel://:p%40w@b:26379/3",
        ),
        ("redis+sentinel://u:p@a:1?master=m", "sentinel://u:p@a:1/0"),
    ],
)
def test_the_url_is_written_as_celery_wants_it(url, expected):
    assert celery_for(url).conf.broker_url == expected


def test_kombu_finds_the_server_behind_each_kind_of_url():
    socket = Connection(celery_for("unix:///run/r.sock?db=3").conf.broker_url)
    assert (socket.hostname or socket.virtual_host) == "3" or "/run/r.sock" in str(socket.as_uri())
    sentinel = Connection(celery_for("redis+sentinel://:p@a:1/3?master=m").conf.broker_url)
    assert (sentinel.hostname, sentinel.port, sentinel.password) == ("a", 1, "p")


@pytest.mark.parametrize(
    ("query", "checked"),
    [
        ("", ssl.CERT_REQUIRED),
        ("?ssl_ca_certs=/a.pem", ssl.CERT_REQUIRED),
        ("?ssl_cert_reqs=optional", ssl.CERT_OPTIONAL),
        ("?ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_celery_checks_certificates_as_the_store_does(query, checked):
    found = Connection(celery_for(f"rediss://h:6380/2{query}").conf.broker_url)
    assert found.ssl["ssl_cert_reqs"] is checked


def test_the_broker_is_the_store_when_it_has_no_url_of_its_own():
    assert celery_for("", "redis://h:1/4").conf.broker_url == "redis://h:1/4"


def test_sentinel_is_asked_for_the_master_that_the_url_names():
    conf = celery_for("redis+sentinel://a:1?master=mine").conf
    assert conf.broker_transport_options["master_name"] == "mine"


def test_rabbitmq_gets_quorum_queues_and_confirmed_messages():
    conf = celery_for("amqp://h//").conf
    assert conf.task_default_queue_type == "quorum"
    assert conf.broker_transport_options["confirm_publish"] is True
    assert conf.worker_disable_prefetch is False  # Celery can do that on Redis alone


def test_a_redis_that_refuses_does_not_end_the_worker():
    conf = celery_for("").conf
    assert conf.broker_channel_error_retry is True
    assert conf.broker_connection_max_retries is None
    assert conf.worker_disable_prefetch is True


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_cannot_be_reached_is_service_unavailable(scheme):
    queue = BrokerQueue(celery_for(f"{scheme}://{HOST}:{free_port()}//"))
    with pytest.raises(ServiceUnavailable) as failure:
        queue.send("00000000-0000-4000-8000-000000000000")
    assert failure.value.retry_after_seconds
    with pytest.raises(ServiceUnavailable):
        queue.oldest_waiting()
    assert queue.message("x") == b""


def test_a_broker_that_refuses_the_queue_is_an_unavailable_one():
    class Refusing:
        def send_task(self, *_: object, **__: object) -> None:
            raise PreconditionFailed("a queue of another type has this name")

    with pytest.raises(ServiceUnavailable):
        BrokerQueue(Refusing()).send("job 1")
