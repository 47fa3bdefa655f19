"""``GET /v1/async/overview``: queue, workers, the last hour and the store at a glance."""

from typing import Any

from api.auth import identify
from api.incoming import Incoming
from api.permissions import check_admin
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.envelope import timestamp
from common.store.overview import Minute, last_hour, memory
from common.store.presence import WorkerState
from common.store.queue_state import queue_state


def show(services: Services, incoming: Incoming) -> Reply:
    """What goes on, for an admin; for all where no key is needed."""
    check_admin(identify(services, incoming))
    store = services.store
    queue, room = queue_state(store), memory(store)
    return json_reply(
        {
            "object": "overview",
            "time": timestamp(queue.now_ms),
            "jobs": {
                "queued": queue.queued + queue.held,
                "waiting": queue.parked - queue.held,
                "in_progress": queue.running,
            },
            "oldest_queued_seconds": queue.oldest_waited_seconds,
            "workers": [_worker(worker) for worker in services.presence.workers(queue.now_ms)],
            "history": [_minute(minute) for minute in last_hour(store, queue.now_ms)],
            "store": {"used_memory_bytes": room.used, "max_memory_bytes": room.most},
        }
    )


def _worker(worker: WorkerState) -> dict[str, Any]:
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "slots": worker.slots,
        "running": worker.running,
        "started_at": timestamp(worker.started_at_ms),
        "seen_at": timestamp(worker.seen_at_ms),
    }


def _minute(minute: Minute) -> dict[str, Any]:
    return {"minute": timestamp(minute.start_ms), **minute.counts}
