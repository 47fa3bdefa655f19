"""Counts what a front answers without a job: in memory at once, in the store a moment later."""

import logging
import threading
import time
import uuid
from collections import Counter, deque
from multiprocessing.util import Finalize
from typing import Any

from common.errors import ServiceUnavailable
from common.store.usage import (
    DAY_SECONDS,
    INPUT_TOKENS,
    NANO_DOLLARS,
    OUTPUT_TOKENS,
    REQUESTS,
    Place,
    UsageStore,
)
from common.usage import NOTHING, usage_of

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
_COUNTED = (REQUESTS, INPUT_TOKENS, OUTPUT_TOKENS, NANO_DOLLARS)
# What a store that hangs may cost a front that stops.
GOODBYE_SECONDS = 3.0


class UsageCounter:
    """Sums up, and adds the sums to the store once a second.

    While Redis is away it goes on summing: what that takes grows with the days and owners alone.
    """

    def __init__(self, store: UsageStore) -> None:
        self._store = store
        self._calls: deque[tuple[str, Any, dict[str, float] | None]] = deque()
        self._sums: Counter[Place] = Counter()
        self._sender = uuid.uuid4().hex
        self._number = 0
        self._sent: Counter[Place] = Counter()  # and not known to have arrived
        self._lock = threading.Lock()

    def count(self, owner: str, usage: Any, cost: dict[str, float] | None = None) -> None:
        """One call of an owner. ``usage`` is that of its response, None when there is none; for
        ``cost`` see ``usage_of``."""
        self._calls.append((owner, usage, cost))

    def start(self) -> None:
        """Keep the store up to date as long as the process lives, and when it goes."""
        threading.Thread(target=self._run, name="usage", daemon=True).start()
        # The server's serving process is a fork, whose end ``atexit`` does not see.
        Finalize(None, self.stop, exitpriority=1)

    def stop(self) -> None:
        """Add what is left, as far as the store is there."""
        try:
            while self._flush(GOODBYE_SECONDS):
                pass
        except ServiceUnavailable:
            log.warning("usage of the last moments is lost: counts=%d", len(self._sent))

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except ServiceUnavailable:
                continue  # the sums wait; others say what is wrong
            except Exception:
                log.exception("counting usage failed")

    def flush(self) -> None:
        """Add what there is to the store. Raises ServiceUnavailable."""
        self._flush()

    def _flush(self, timeout_seconds: float = -1) -> bool:
        """Whether anything was added. What is on its way does not change until it has arrived, so
        that an answer that was lost counts nothing twice."""
        if not self._lock.acquire(timeout=timeout_seconds):
            return False
        try:
            self._gather()
            if not self._sent:
                self._sent, self._sums = self._sums, Counter()
                self._number += 1
            if not self._sent:
                return False
            self._store.add(self._sender, self._number, self._sent)
            self._sent = Counter()
            return True
        finally:
            self._lock.release()

    def _gather(self) -> None:
        rows: dict[str, list[int]] = {}
        for _ in range(len(self._calls)):
            owner, told, cost = self._calls.popleft()
            row = rows.get(owner) or rows.setdefault(owner, [0, 0, 0, 0])
            row[0] += 1
            usage = usage_of(told, cost)
            if usage is not NOTHING:
                row[1] += usage.input_tokens
                row[2] += usage.output_tokens
                row[3] += usage.nano_dollars
        day = int(time.time()) // DAY_SECONDS
        for owner, amounts in rows.items():
            for what, amount in zip(_COUNTED, amounts, strict=True):
                if amount:
                    self._sums[day, owner, what] += amount
