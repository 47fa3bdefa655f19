"""Secrets and settings for webhooks, and what a receiver makes of a delivery."""

import json
from typing import Any

from openai import OpenAI
from standardwebhooks import Webhook

from tests.support.upstream import Seen

SECRET = "whsec_cGxhbnRlZC13ZWJob29rLXNlY3JldC1vbmUtMTIzNDU="
OLD_SECRET = "whsec_cGxhbnRlZC13ZWJob29rLXNlY3JldC10d28tNjc4OTA="


def rows(url: str, **more: dict[str, Any]) -> str:
    """An endpoint ``hook`` at this URL, with two secrets, and any others."""
    hook = {"url": url, "secrets": [SECRET, OLD_SECRET]}
    return json.dumps({"hook": hook, **more})


def verified_by_openai(seen: Seen, secret: str = SECRET) -> Any:
    """The event as the unmodified SDK types it; raises if its signature is wrong."""
    with OpenAI(api_key="unused", webhook_secret=secret) as client:
        return client.webhooks.unwrap(seen.body, seen.headers)


def verified_by_standardwebhooks(seen: Seen, secret: str = SECRET) -> Any:
    return Webhook(secret).verify(seen.body, seen.headers)
