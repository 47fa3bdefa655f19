"""RabbitMQ as the broker, by its URL alone."""

import json

import pytest
from kombu import Connection

from common.store.keys import JOBS_QUEUE
from tests.support.calling import check_error, poll_to_the_end, post, submit
from tests.support.processes import Muninn, StoreServer
from tests.support.rabbitmq import SERVER, RabbitMq
from tests.support.upstream import HOLD, Upstream, json_answer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(SERVER is None, reason="rabbitmq-server is not installed")

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}


class Site:
    """RabbitMQ for the messages, a store for the records, and a Muninn on both."""

    def __init__(self, folder) -> None:
        self.rabbit = RabbitMq(folder / "rabbit")
        self.upstream = Upstream(b"").__enter__()
        self.server = StoreServer(folder / "store")
        self.muninn = Muninn(
            folder,
            self.server.url,
            broker_url=self.rabbit.url,
            providers=json.dumps({"upstream": {"base_url": f"{self.upstream.url}/v1"}}),
            default_provider="upstream",
            lease_seconds=2,
        ).start()
        self.v1 = f"{self.muninn.root}/openai/v1"

    def stop(self) -> None:
        self.muninn.stop()
        self.server.stop()
        self.rabbit.stop()
        self.upstream.__exit__(None, None, None)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("rabbitmq"))
    yield site
    site.stop()


def test_jobs_run_over_a_quorum_queue(site):
    ends = [poll_to_the_end(site.v1, submit(site.v1, "echo/hello", input=str(n))) for n in range(5)]
    assert [end["output_text"] for end in ends] == [str(n) for n in range(5)]
    with Connection(site.rabbit.url) as connection:
        declared = connection.default_channel.queue_declare(
            JOBS_QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )  # a queue of another type would refuse
    assert declared.message_count == 0
    with site.server.client() as client:
        assert not client.exists(JOBS_QUEUE)


def test_a_killed_worker_and_a_lost_message_cost_no_job(site):
    site.upstream.script = [[HOLD], json_answer(ANSWER)]
    [worker] = site.muninn.workers
    running = submit(site.v1, "m")
    site.upstream.wait_for_requests(1)
    worker.kill()
    waiting = submit(site.v1, "echo/hello")
    with Connection(site.rabbit.url) as connection:
        assert connection.default_channel.queue_purge(JOBS_QUEUE) == 1
    site.muninn.start_worker()
    assert poll_to_the_end(site.v1, running)["status"] == "completed"
    assert poll_to_the_end(site.v1, waiting)["status"] == "completed"
    assert len(site.upstream.seen) == 2


def test_without_its_broker_a_submit_is_refused_and_leaves_nothing(site):
    """The last: the broker is killed, and comes back."""
    with site.server.client() as client:
        before = set(client.scan_iter("muninn:*:job:*"))
        site.rabbit.process.kill()
        answer = post(site.v1, {"model": "echo/hello", "input": "x"}, x_bf_async="true")
        check_error(answer, 503, "service_unavailable", "service_unavailable")
        assert set(client.scan_iter("muninn:*:job:*")) == before
    assert post(site.v1, {"model": "echo/hello", "input": "x"}).ok
    site.rabbit.restart()
    wait_until(
        lambda: post(site.v1, {"model": "echo/hello", "input": "x"}, x_bf_async="true").ok,
        "submits are accepted again",
    )
    assert poll_to_the_end(site.v1, submit(site.v1, "echo/hello"))["status"] == "completed"
