"""How often leases are renewed."""

from types import SimpleNamespace
from typing import Any

import pytest

from worker.leases import BEAT_SECONDS, RENEWALS_PER_LEASE, LeaseKeeper


@pytest.mark.parametrize(
    ("lease_ms", "beat_seconds"),
    [(30_000, BEAT_SECONDS), (900, 0.9 / RENEWALS_PER_LEASE)],
)
def test_a_short_lease_is_renewed_before_it_is_over(lease_ms: int, beat_seconds: float) -> None:
    store: Any = SimpleNamespace(limits=SimpleNamespace(lease_ms=lease_ms))
    assert LeaseKeeper(store)._beat_seconds == beat_seconds
