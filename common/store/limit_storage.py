"""What the ``limits`` library counts in: the store's own client, whatever kind of Redis it is of.

Imported when the first request is counted; it takes a while, and few need it.
"""

from typing import Any

import redis
from limits.storage import RedisStorage, Storage

from common.store.keys import LIMITS_PREFIX


class StoreStorage(RedisStorage):
    """The library's storage, with our connections and timeouts instead of ones of its own."""

    STORAGE_SCHEME = None  # type: ignore[assignment]  # it is made by hand alone

    def __init__(self, client: "redis.Redis") -> None:
        Storage.__init__(self)
        self.key_prefix = LIMITS_PREFIX
        self.target_server = "redis"
        self.dependency: Any = redis
        self.storage: Any = client
        self.initialize_storage("")
