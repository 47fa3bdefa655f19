"""Redis Sentinel and Redis Cluster, by URL alone."""

import json
import threading
import time
import uuid

import pytest
import redis
import requests

from common.queue import build_message
from common.settings import Settings
from common.store import JobStore, open_store
from common.store.endings import LOOK_AGAIN_SECONDS
from common.store.maintenance import JobMaintenance
from tests.support.calling import poll_to_the_end, post, submit
from tests.support.processes import HOST, Muninn, Process, StoreServer, binary, free_port
from tests.support.stored_jobs import DONE, submitted
from tests.support.strict import check_response
from tests.support.upstream import HOLD, Upstream, json_answer
from tests.support.waiting import wait_until

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}
MASTER = "muninn-master"
FAILOVER_SECONDS = 20


class Topology:
    """A front and a worker on servers that the test arranges."""

    def __init__(self, folder, url: str, **settings: object) -> None:
        self.upstream = Upstream(json_answer(ANSWER)).__enter__()
        self.muninn = Muninn(
            folder,
            url,
            providers=json.dumps({"upstream": {"base_url": f"{self.upstream.url}/v1"}}),
            default_provider="upstream",
            lease_seconds=2,
            **settings,
        ).start()
        self.v1 = f"{self.muninn.root}/openai/v1"

    def stop(self) -> None:
        self.muninn.stop()
        self.upstream.__exit__(None, None, None)


class Sentinel:
    """One sentinel whose word is enough, and which loses patience after a second."""

    def __init__(self, folder, master: StoreServer) -> None:
        self.port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"bind {HOST}\nport {self.port}\ndir {folder}\n"
            f"sentinel monitor {MASTER} {HOST} {master.port} 1\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\n"
            f"sentinel failover-timeout {MASTER} 3000\n"
        )
        argv = [binary(), str(config), "--sentinel"]
        self.process = Process("sentinel", argv, folder / "sentinel.log")
        self.client = redis.Redis(host=HOST, port=self.port)
        wait_until(self._knows_the_replica, "the sentinel knows the replica")

    def _knows_the_replica(self) -> bool:
        try:
            return bool(self.client.sentinel_slaves(MASTER))
        except redis.RedisError:
            return False

    def stop(self) -> None:
        self.client.close()
        self.process.stop()


@pytest.fixture
def pair(tmp_path):
    """Master and replica."""
    at_once = ["--repl-diskless-sync-delay", "0"]
    master = StoreServer(tmp_path / "master", *at_once)
    replica = StoreServer(tmp_path / "replica", *at_once, "--replicaof", HOST, str(master.port))
    with replica.client() as client:
        wait_until(lambda: client.info()["master_link_status"] == "up", "the replica has it all")
    yield master, replica
    replica.stop()
    master.stop()


@pytest.fixture
def sentinel(tmp_path, pair):
    sentinel = Sentinel(tmp_path, pair[0])
    yield sentinel
    sentinel.stop()


def test_jobs_go_on_when_sentinel_makes_the_replica_the_master(tmp_path, pair, sentinel):
    url = f"redis+sentinel://{HOST}:{free_port()},{HOST}:{sentinel.port}/0?master={MASTER}"
    topology = Topology(tmp_path, url)  # the first sentinel it names is not there
    try:
        come = threading.Event()
        topology.upstream.script = [[come, json_answer(ANSWER)], json_answer(ANSWER)]
        running = submit(topology.v1, "m")
        topology.upstream.wait_for_requests(1)
        pair[0].process.kill()
        refused = post(topology.v1, {"model": "m", "input": "x"}, x_bf_async="true")
        assert refused.status_code == 503
        wait_until(lambda: is_accepted(topology), "jobs are accepted again", FAILOVER_SECONDS)
        come.set()
        assert poll_to_the_end(topology.v1, running)["status"] == "completed"
        assert poll_to_the_end(topology.v1, submit(topology.v1, "m"))["status"] == "completed"
        with pair[1].client() as client:
            assert client.info()["role"] == "master"
    finally:
        topology.stop()


def is_accepted(topology: Topology) -> bool:
    return post(topology.v1, {"model": "m", "input": "x"}, x_bf_async="true").ok


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three nodes, each with a third of the slots."""
    folder = tmp_path_factory.mktemp("cluster")
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
    # What nodes say to each other goes to a port of its own: by default it is 10,000 above the
    # first, where there may be none.
    ports = [free_port() for _ in range(3)]
    nodes = [
        StoreServer(folder / f"node-{n}", *options, "--cluster-port", str(port))
        for n, port in enumerate(ports)
    ]
    clients = [node.client() for node in nodes]
    for number, client in enumerate(clients):
        first, last = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        clients[0].execute_command("CLUSTER", "MEET", HOST, nodes[number].port, ports[number])
    wait_until(lambda: all(map(knows_all, clients)), "the cluster is whole")
    yield nodes
    for client in clients:
        client.close()
    for node in nodes:
        node.stop()


def knows_all(client: "redis.Redis") -> bool:
    told = client.execute_command("CLUSTER INFO")
    state = (
        told if isinstance(told, dict) else dict(line.split(":") for line in told.decode().split())
    )
    return state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "3"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = StoreServer(tmp_path_factory.mktemp("broker"))
    yield server
    server.stop()


def url_of(cluster: list[StoreServer]) -> str:
    return "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in cluster)


@pytest.fixture(scope="module")
def on_cluster(tmp_path_factory, cluster, broker):
    folder = tmp_path_factory.mktemp("muninn")
    topology = Topology(folder, url_of(cluster), broker_url=broker.url)
    yield topology
    topology.stop()


@pytest.fixture
def store(cluster, broker):
    settings = Settings(redis_url=url_of(cluster), broker_url=broker.url, lease_seconds=0.01)
    store = open_store(settings)
    yield store
    store.client.close()


def test_a_cluster_runs_jobs_of_all_slots_to_their_ends(on_cluster):
    job_ids = [submit(on_cluster.v1, "echo/hello", input=str(n)) for n in range(30)]
    ends = [poll_to_the_end(on_cluster.v1, job_id) for job_id in job_ids]
    assert [end["output_text"] for end in ends] == [str(n) for n in range(30)]
    for end in ends:  # the provider's id finds it, whichever slot that is in
        found = requests.get(f"{on_cluster.v1}/responses/{end['id']}", timeout=10)
        assert check_response(found.content) == end


def test_a_cluster_sums_up_what_happened_in_all_its_partitions(on_cluster):
    root = on_cluster.muninn.root

    def used():
        (row,) = requests.get(f"{root}/v1/usage?days=1", timeout=10).json()["data"]
        return row["requests"], row["jobs"]

    for number in range(5):
        poll_to_the_end(on_cluster.v1, submit(on_cluster.v1, "echo/hello", input=str(number)))
    before = used()
    assert before[1] >= 5
    assert post(on_cluster.v1, {"model": "echo/hello", "input": "x"}).ok
    wait_until(lambda: used() == (before[0] + 1, before[1]), "the call is counted")
    shown = requests.get(f"{root}/v1/async/overview", timeout=10).json()
    assert sum(minute["completed"] for minute in shown["history"]) >= 5
    assert len(shown["workers"]) == 1
    assert shown["store"]["used_memory_bytes"] > 3_000_000, "of three servers"


def test_a_cluster_wakes_who_waits(on_cluster):
    body = {"model": "echo/slow-300ms", "input": "x"}
    answers = [post(on_cluster.v1, body, x_bf_async="true", prefer="wait=20") for _ in range(4)]
    assert {answer.json()["status"] for answer in answers} == {"completed"}
    assert max(answer.elapsed.total_seconds() for answer in answers) < LOOK_AGAIN_SECONDS


def test_a_cluster_cancels_a_running_job(on_cluster):
    on_cluster.upstream.script = [[HOLD]]
    on_cluster.upstream.seen.clear()
    job_id = submit(on_cluster.v1, "m")
    seen = on_cluster.upstream.wait_for_requests(1)
    cancelled = requests.post(f"{on_cluster.v1}/responses/{job_id}/cancel", timeout=10)
    assert cancelled.json()["status"] == "cancelled"
    assert seen.left.wait(10)


def test_a_streamed_job_on_a_cluster_is_read_to_its_end(on_cluster):
    body = {"model": "echo/hello", "input": "x", "background": True, "stream": True}
    assert b"response.completed" in post(on_cluster.v1, body).content


def test_a_cluster_rescues_the_jobs_of_a_lost_worker(on_cluster):
    on_cluster.upstream.script = [[HOLD], json_answer(ANSWER)]
    on_cluster.upstream.seen.clear()
    [worker] = on_cluster.muninn.workers
    job_id = submit(on_cluster.v1, "m")
    on_cluster.upstream.wait_for_requests(1)
    worker.kill()
    on_cluster.muninn.start_worker()
    assert poll_to_the_end(on_cluster.v1, job_id)["status"] == "completed"
    assert len(on_cluster.upstream.seen) == 2


def test_the_keys_of_a_job_share_a_slot_and_jobs_are_spread(store: JobStore):
    slots = set()
    for _ in range(50):
        job_id = str(uuid.uuid4())
        keys = store.keys.of_script(job_id)
        of_one = {store.client.keyslot(key) for key in keys}
        assert len(of_one) == 1
        slots |= of_one
    assert len(slots) > 10


def test_maintenance_of_a_cluster_looks_into_every_partition(on_cluster, store: JobStore):
    maintenance = JobMaintenance(store, build_message)
    assert abs(maintenance.now_ms() / 1000 - time.time()) < 5
    assert set(maintenance.counts()) == {"queued", "running", "parked", "held"}


def test_a_cluster_keeps_a_providers_bound_in_each_partition(on_cluster, store: JobStore):
    on_cluster.upstream.script = [json_answer(ANSWER)]
    on_cluster.muninn.workers[-1].stop()  # it would take what is to be claimed here
    now_ms = JobMaintenance(store, build_message).now_ms()
    bound = {"provider": "p", "max_in_flight": 1, "created_at_ms": now_ms}
    ids = [f"{uuid.uuid4()}"[:-4] + place for place in ("0001", "0001", "0002")]
    jobs = [submitted(store, id=job_id, **bound) for job_id in ids]
    claims = [store.claim(job.id, job.id) for job in jobs]
    assert [claim is not None for claim in claims] == [True, False, True]
    on_cluster.muninn.start_worker()
    assert store.finish(claims[0], DONE)
    wait_until(lambda: store.get(ids[1]).attempts, "a worker was sent the next")
    assert store.finish(claims[2], DONE)
