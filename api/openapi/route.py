"""What the tables of the service's description are made of."""

from dataclasses import dataclass, field

from pydantic import BaseModel

JSON, SSE, HTML = "application/json", "text/event-stream", "text/html"
TEXT = "text/plain"

# Where examples find the service, and what they send along.
BASE = "http://127.0.0.1:8080"
JSON_BODY = "-H 'content-type: application/json'"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers when all is well; ``content`` is a model, or None, by media type."""

    description: str
    content: dict[str, type[BaseModel] | None]
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``errors`` are statuses of ERRORS, ``parameters`` of PARAMETERS.

    What is not public needs a key, and one with a body counts as a request of that key.
    """

    method: str
    path: str
    operation: str
    tag: str
    summary: str
    answers: dict[int, Answer]
    description: str = ""
    parameters: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    samples: dict[str, str] = field(default_factory=dict)
    is_public: bool = False
