"""One attempt to deliver the event of one job or batch. Knows no Celery."""

import logging
import time
import uuid

from common.errors import ServiceUnavailable
from common.metrics import Metrics
from common.metrics.job_counts import JobMetrics
from common.store import JobStore
from common.store.batches import BatchStore
from common.store.deliveries import Deliveries
from common.webhooks.backoff import Backoff
from common.webhooks.endpoints import Endpoints
from common.webhooks.event import batch_event_of, event_of, signed_headers
from common.webhooks.sender import NotDelivered, Sender

log = logging.getLogger(__name__)

# The receiver wants no more of it: the one refusal that is taken for an answer.
GONE = 410


class WebhookDelivery:
    """Delivers, in the thread that asks for it."""

    def __init__(
        self,
        store: JobStore,
        deliveries: Deliveries,
        endpoints: Endpoints,
        sender: Sender,
        backoff: Backoff,
        metrics: JobMetrics | None = None,
    ) -> None:
        self._store = store
        self._batches = BatchStore(store)
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._sender = sender
        self._backoff = backoff
        self._metrics = metrics or Metrics().jobs

    @property
    def _lease_ms(self) -> int:
        """Longer than an attempt can take, the look-up of the receiver's name included."""
        return int(self._sender.timeout_seconds * 1000) + self._store.limits.lease_ms

    def run(self, job_id: str) -> None:
        """Make one attempt, unless there is nothing to deliver (now)."""
        try:
            self._run(job_id)
        except ServiceUnavailable:
            # The lease brings it back, and the receiver knows the event if it has seen it.
            log.warning("delivery not recorded: job_id=%s", job_id)

    def _run(self, job_id: str) -> None:
        token = uuid.uuid4().hex
        attempt = self._deliveries.claim(job_id, token, self._lease_ms)
        if attempt is None:
            log.info("nothing to deliver: job_id=%s", job_id)
            return
        try:
            status = self._tell(job_id)
        except NotDelivered as error:
            self._failed(job_id, token, attempt, error.reason)
            return
        if status is None:
            log.info("gone before it was told of: job_id=%s", job_id)
        elif 200 <= status < 300:
            if self._deliveries.delivered(job_id, token, status):
                self._metrics.told("delivered")
            log.info("webhook delivered: job_id=%s attempt=%d", job_id, attempt)
        else:
            self._failed(job_id, token, attempt, _refusal(status), status)

    def _tell(self, any_id: str) -> int | None:
        """The status that the receiver answered; None when there is nothing to tell any more.

        Raises NotDelivered also for a bug of ours: an attempt that is not settled would be made
        again for ever.
        """
        try:
            told = self._event(any_id)
            return self._post(any_id, *told) if told else None
        except (NotDelivered, ServiceUnavailable):
            raise
        except Exception as error:
            log.exception("delivery failed: job_id=%s", any_id)
            raise NotDelivered("internal_error") from error

    def _event(self, any_id: str) -> tuple[str, bytes] | None:
        """Where the event of a job or a batch goes, and its body."""
        record = self._store.get(any_id)
        if record is not None:
            return (record.delivery.target, event_of(record)) if record.delivery else None
        batch = self._batches.get(any_id)
        return (batch.webhook, batch_event_of(batch)) if batch and batch.webhook else None

    def _post(self, any_id: str, target: str, body: bytes) -> int:
        endpoint = self._endpoints.find(target)
        if endpoint is None:
            raise NotDelivered("not_configured")
        headers = signed_headers(endpoint, any_id, body, time.time())
        return self._sender.post(endpoint.url, body, headers)

    def _failed(
        self, job_id: str, token: str, attempt: int, error: str, status: int | None = None
    ) -> None:
        delay_seconds = None if status == GONE else self._backoff.delay_seconds(attempt)
        if self._deliveries.failed(job_id, token, error, status, delay_seconds):
            self._metrics.told("given_up" if delay_seconds is None else "failed")
        log.warning(
            "webhook not delivered: job_id=%s attempt=%d error=%s status=%s given_up=%s",
            job_id,
            attempt,
            error,
            status,
            delay_seconds is None,
        )


def _refusal(status: int) -> str:
    return "redirected" if 300 <= status < 400 else "refused"
