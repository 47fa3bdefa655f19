"""The keys that jobs are submitted with, so that bounds and turns take part in every fault."""

import hashlib
import json
import secrets

# As many calls of jobs at once as the provider takes, over all workers.
MAX_IN_FLIGHT = 40
# One key may run a few of its jobs at once, one as many as it likes; the admin looks at all.
BOUNDED, FREE, ADMIN = "bounded", "free", "admin"
MAX_RUNNING = 8

SECRETS = {name: f"mk-{secrets.token_hex(24)}" for name in (BOUNDED, FREE, ADMIN)}


def key_rows() -> str:
    """What ``MUNINN_KEYS`` takes."""
    rows: dict[str, dict[str, object]] = {
        name: {"hash": hashlib.sha256(secret.encode()).hexdigest()}
        for name, secret in SECRETS.items()
    }
    rows[BOUNDED]["max_running"] = MAX_RUNNING
    rows[ADMIN]["is_admin"] = True
    return json.dumps(rows)


def headers_of(key: str) -> dict[str, str]:
    """What says that a request comes with this key."""
    return {"x-bf-vk": SECRETS[key]}
