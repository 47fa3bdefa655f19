"""Schemathesis loads this: generated requests shall reach what there is, and not only a 404."""

import os
from typing import Any

import schemathesis

# Models of the echo provider that answer at once and well, and ids of what is stored.
MODELS = ("echo/hello", "echo/reasoning", "echo/function-call", "echo/refusal", "echo/incomplete")
IDS = os.environ.get("MUNINN_KNOWN_IDS", "").split()


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Half of the models that are named exist."""
    if isinstance(body, dict):
        for each in (body, *_requests_in(body)):
            model = each.get("model")
            if isinstance(model, str) and len(model) % 2 == 0:
                each["model"] = MODELS[len(model) // 2 % len(MODELS)]
    return body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Half of the ids too."""
    known = path_parameters.get("id") if isinstance(path_parameters, dict) else None
    if IDS and isinstance(known, str) and len(known) % 2 == 0:
        return {**path_parameters, "id": IDS[len(known) // 2 % len(IDS)]}
    return path_parameters


def _requests_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    entries = body.get("requests")
    bodies = [each.get("body") for each in entries if isinstance(each, dict)] if isinstance(
        entries, list
    ) else []  # fmt: skip
    return [each for each in bodies if isinstance(each, dict)]
