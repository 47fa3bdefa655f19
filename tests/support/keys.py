"""Virtual keys for tests, with their secrets in hand."""

import time
from typing import Any

from common.store.virtual_keys import KeyStore
from common.virtual_keys import VirtualKey, digest_of, new_key_id, new_secret


def make_key(name: str = "team", **changes: Any) -> tuple[str, VirtualKey]:
    """A secret and its key."""
    secret = new_secret()
    fields: dict[str, Any] = {"id": new_key_id(), "name": name, "created_at": int(time.time())}
    return secret, VirtualKey(**{**fields, "digest": digest_of(secret), **changes})


def store_key(keys: KeyStore, name: str = "team", **changes: Any) -> tuple[str, VirtualKey]:
    """The same, stored in the place of whatever had that name."""
    secret, key = make_key(name, **changes)
    assert keys.put(key, keys.get(name))
    return secret, key
