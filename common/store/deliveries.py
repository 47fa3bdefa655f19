"""The deliveries of webhooks: each step of one is a compare-and-set on its job's record.

From the job's end on its delivery stands in the index ``webhooks`` until it is settled, whoever
dies meanwhile: *waiting* until its time, *enqueued* when it has a message, *delivering* in the
hands of one worker. A message or a worker that is lost costs a lease.
"""

from common.store.job_store import JobStore
from common.store.maintenance import Message, due_jobs
from common.store.scripts import Argument, store_errors


class Deliveries:
    """The deliveries of all jobs. ``message`` builds a delivery's queue message.

    Every method raises ServiceUnavailable when Redis is away.
    """

    def __init__(self, store: JobStore, message: Message) -> None:
        self._store = store
        self._message = message

    def due(self, now_ms: int) -> list[str]:
        """The jobs whose delivery is to be looked at."""
        return due_jobs(self._store, "webhooks", now_ms)

    def enqueue(self, job_id: str, lost_before_ms: int = 0) -> bool:
        """Give a delivery its message if it is due.

        One that has a message already gets another only if that was sent ``lost_before_ms``.
        """
        lease_ms = self._store.limits.lease_ms
        args: list[Argument] = [job_id, lease_ms, lost_before_ms, self._message(job_id)]
        return bool(self._run("webhook_enqueue", job_id, args) == b"enqueued")

    def enqueued_at_ms(self, job_id: str) -> int | None:
        """When a delivery that nobody has taken got its message; None when there is none."""
        key = self._store.keys.job(job_id)
        with store_errors():
            state, at = self._store.client.hmget(key, ["webhook_state", "webhook_enqueued_at"])
        return int(at) if state == b"enqueued" and at is not None else None

    def claim(self, job_id: str, token: str, lease_ms: int) -> int | None:
        """Take a delivery; the number of this attempt, None when it is not to be had."""
        attempt = self._run("webhook_claim", job_id, [job_id, token, lease_ms])
        return int(attempt) if attempt else None

    def delivered(self, job_id: str, token: str, status: int) -> bool:
        """Settle a delivery; False when it was not this claim's any more. The job's time to live
        is over no sooner than the receiver has had time to fetch it."""
        return self._settle(job_id, [token, "delivered", 0, status, ""])

    def failed(
        self, job_id: str, token: str, error: str, status: int | None, delay_seconds: float | None
    ) -> bool:
        """Settle an attempt: to be repeated after a delay, or given up when that is None."""
        state = "given_up" if delay_seconds is None else "waiting"
        delay_ms = int((delay_seconds or 0) * 1000)
        return self._settle(job_id, [token, state, delay_ms, status or "", error])

    def again(self, job_id: str) -> str:
        """Start over with the delivery of an ended job.

        ``expected``; or ``not_ended``, ``none`` for a job without a webhook, ``gone``.
        """
        outcome: bytes = self._run("webhook_again", job_id, [job_id])
        return outcome.decode()

    def _settle(self, job_id: str, args: list[Argument]) -> bool:
        return bool(self._run("webhook_settle", job_id, [job_id, *args]))

    def _run(self, script: str, job_id: str, args: list[Argument]) -> bytes:
        answer: bytes = self._store.scripts.run(script, self._store.keys.of_script(job_id), args)
        return answer
