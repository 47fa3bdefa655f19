"""The virtual keys, in Redis: one hash, a field for each key's name, and a version of it all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from common.errors import ServiceUnavailable
from common.store.keys import VIRTUAL_KEYS
from common.store.scripts import STORE_ERRORS, Argument, Scripts
from common.virtual_keys import VirtualKey

# No name of a key can look like it.
VERSION = "@version"


class KeyStore:
    """Reads and changes the keys. Every method raises ServiceUnavailable when Redis is away.

    It says nothing of that in the log: who looks twice a second has to decide what is worth a line.
    """

    def __init__(self, client: "redis.Redis", scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts

    def version(self) -> bytes:
        """Changes with every change of the keys."""
        with _quiet_errors():
            value: Any = self._client.hget(VIRTUAL_KEYS, VERSION)
        return value or b""

    def all(self) -> tuple[bytes, list[VirtualKey]]:
        """Every key, revoked ones too, by name, and the version that this is."""
        with _quiet_errors():
            stored: dict[Any, Any] = self._client.hgetall(VIRTUAL_KEYS)
        version = stored.pop(VERSION.encode(), b"")
        return version, [VirtualKey.from_json(stored[name]) for name in sorted(stored)]

    def get(self, name: str) -> VirtualKey | None:
        """The key of a name."""
        with _quiet_errors():
            stored: Any = self._client.hget(VIRTUAL_KEYS, name)
        return VirtualKey.from_json(stored) if stored else None

    def put(self, key: VirtualKey, instead_of: VirtualKey | None) -> bool:
        """Store a key under its name; False when what stands there is not ``instead_of``."""
        before = instead_of.to_json() if instead_of else b""
        args: list[Argument] = [key.name, before, key.to_json(), VERSION]
        return bool(self._scripts.run("key_put", [VIRTUAL_KEYS], args))


@contextmanager
def _quiet_errors() -> Iterator[None]:
    try:
        yield
    except STORE_ERRORS as error:
        raise ServiceUnavailable(
            "The store of the keys cannot be reached.", retry_after_seconds=1
        ) from error
