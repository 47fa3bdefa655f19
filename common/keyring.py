"""The keys as one process knows them: a snapshot in memory, never older than a moment.

Finding a caller asks nobody. A thread looks twice a second whether the keys have changed, which is
how soon a revocation holds. While Redis is away the last snapshot stays good.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from common.errors import ServiceUnavailable
from common.key_rows import is_key_id
from common.store.virtual_keys import KeyStore
from common.virtual_keys import SECRET_PREFIX, VirtualKey, digest_of

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.5
# How long a request waits for another's look at the store, before there is a snapshot.
WAIT_SECONDS = 2.0

Requirement = Literal["auto", "true", "false"]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    version: bytes
    by_digest: dict[str, VirtualKey] = field(default_factory=dict)
    by_id: dict[str, VirtualKey] = field(default_factory=dict)


class Keyring:
    """Finds the key of a secret, and says whether one is needed.

    ``required``: ``auto`` needs one as soon as there is any, and for good: a store that has lost
    its keys does not open the gateway. Until the store was reached for the first time nobody can
    know, so nobody is let in but by the keys of ``rows``. ``is_exposed``: others than this machine
    reach the gateway, by any name, which is worth a warning where it is open.
    """

    def __init__(
        self,
        store: KeyStore,
        rows: Sequence[VirtualKey],
        required: Requirement = "auto",
        *,
        is_exposed: bool = False,
    ) -> None:
        self._store = store
        self._is_exposed = is_exposed
        self._rows = list(rows)
        self._setting = required
        self._is_required = required == "true" or bool(rows)
        self._snapshot: _Snapshot | None = None
        self._fixed = {key.digest: key for key in rows}
        self._fixed_by_id = {key.id: key for key in rows}
        self._lock = threading.Lock()
        self._said = ""

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in. Raises ServiceUnavailable while that cannot be known."""
        if self._setting == "false":
            return True
        if self._is_required:
            return False
        if self._snapshot is None:
            self.refresh()
        return not self._is_required

    def find(self, secret: str) -> VirtualKey | None:
        """The key that a secret opens the gateway with, None for one that is no good (any more).

        Raises ServiceUnavailable for an unknown one while the store was never reached.
        """
        digest = digest_of(secret)
        key = self._fixed.get(digest) or self._stored().get(digest)
        return key if key is not None and key.accepts(digest, time.time()) else None

    def is_ours(self, secret: str) -> bool:
        """Whether this is, or looks like, the secret of a virtual key, good or not. Asks nobody."""
        digest, stored = digest_of(secret), self._snapshot.by_digest if self._snapshot else {}
        return secret.startswith(SECRET_PREFIX) or digest in self._fixed or digest in stored

    def name_of(self, owner: str) -> str | None:
        """How people call the key that owns something: its name, or its id when it has no name
        any more; None for what belongs to nobody. Asks nobody."""
        if not owner:
            return None
        key = self.key_of(owner)
        return key.name if key is not None else owner

    def key_of(self, owner: str) -> VirtualKey | None:
        """The key with this id, revoked or not, as far as it is known."""
        stored = self._snapshot.by_id if self._snapshot else {}
        return self._fixed_by_id.get(owner) or stored.get(owner)

    def owners_of(self, name: str) -> list[str]:
        """The ids that a name or an id stands for; an id may be that of a key which is gone."""
        stored = self._snapshot.by_id.values() if self._snapshot else ()
        found = [key.id for key in (*self._rows, *stored) if key.name == name]
        return found or ([name] if is_key_id(name) else [])

    def start(self) -> None:
        """Keep the snapshot up to date, as long as the process lives."""
        if self._setting == "false":
            log.warning("open: keys are not asked for")
            self._warn_of_exposure()
        else:
            threading.Thread(target=self._run, name="keyring", daemon=True).start()

    def refresh(self) -> None:
        """Take up what has changed. Raises ServiceUnavailable."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise ServiceUnavailable("The keys cannot be looked up.", retry_after_seconds=1)
        try:
            known = self._snapshot
            if known is None or self._store.version() != known.version:
                self._take(*self._store.all())
        finally:
            self._lock.release()

    def _take(self, version: bytes, keys: Sequence[VirtualKey]) -> None:
        # First what is needed, then the snapshot: in between, who has a key is refused for a
        # moment, and who has none is never let in.
        self._is_required = self._is_required or bool(keys)
        self._snapshot = _Snapshot(version, _by_digest(keys), {key.id: key for key in keys})
        self._say(len(keys) + len(self._rows))

    def _stored(self) -> dict[str, VirtualKey]:
        if self._snapshot is None:
            self.refresh()
        return self._snapshot.by_digest if self._snapshot else {}

    def _say(self, count: int) -> None:
        """Whether the gateway is open, once, and again when that has changed."""
        words = "keys are required" if self._is_required else "open: no keys are configured"
        if words != self._said:
            self._said = words
            level = logging.INFO if self._is_required else logging.WARNING
            log.log(level, "%s: count=%d", words, count)
            if not self._is_required:
                self._warn_of_exposure()

    def _warn_of_exposure(self) -> None:
        if self._is_exposed:
            log.warning(
                "open to all who reach it, and to web pages in their browsers: see "
                "MUNINN_REQUIRE_KEYS and MUNINN_ALLOWED_HOSTS"
            )

    def _run(self) -> None:
        is_away = False
        pause = threading.Event()
        while True:
            try:
                self.refresh()
                is_away = False
            except ServiceUnavailable:
                if not is_away:
                    log.warning("keys cannot be looked up; those known stay good")
                is_away = True
            except Exception:
                log.exception("looking for changed keys failed")
            pause.wait(LOOK_EVERY_SECONDS)


def _by_digest(keys: Sequence[VirtualKey]) -> dict[str, VirtualKey]:
    found = {key.previous_digest: key for key in keys if key.previous_digest}
    return found | {key.digest: key for key in keys}
