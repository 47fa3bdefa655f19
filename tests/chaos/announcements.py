"""Listens to the store's announcements of ended jobs; some may be missed, none may come twice."""

import threading
from collections import Counter

import redis

from common.store.keys import ENDED_CHANNEL


class Listener:
    """A subscriber that comes back after every restart of the store."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.heard: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._over.wait(0.1):
            try:
                self._listen()
            except redis.RedisError:
                continue  # the store was killed; there is more to come

    def _listen(self) -> None:
        with (
            redis.Redis.from_url(self._url, socket_timeout=5) as client,
            client.pubsub() as channel,
        ):
            channel.subscribe(ENDED_CHANNEL)
            while not self._over.is_set():
                message = channel.get_message(ignore_subscribe_messages=True, timeout=0.5)
                if message:
                    self.heard[message["data"].decode()] += 1
