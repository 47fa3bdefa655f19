"""Reading a job's stream with the SDK, piece by piece, and checking what came."""

import json
from collections.abc import Iterable
from typing import Any

import requests
from openai import OpenAI

from tests.support.calling import events_of_text
from tests.support.strict import check_event

SECONDS = 60


def start(client: OpenAI, model: str, text: str = "one two three", **fields: Any) -> Any:
    """A live stream of a new job."""
    return client.responses.create(model=model, input=text, background=True, stream=True, **fields)


def take(stream: Any, count: int) -> list[Any]:
    """The first events of a stream, which is then left."""
    events = []
    with stream:
        for event in stream:
            events.append(event)
            if len(events) == count:
                break
    return events


def rest(client: OpenAI, any_id: str, after: int | None = None) -> list[Any]:
    """All events of a job after one, to its end."""
    more = {} if after is None else {"starting_after": after}
    with client.responses.retrieve(any_id, stream=True, timeout=SECONDS, **more) as stream:
        return list(stream)


def text_of(events: Iterable[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def numbers(events: Iterable[Any]) -> list[int]:
    return [event.sequence_number for event in events]


def check_numbered(events: Iterable[Any], first: int = 0) -> None:
    """Sequence numbers without a gap or a repeat."""
    found = numbers(events)
    assert found == list(range(first, first + len(found)))


def is_restart(event: Any) -> bool:
    return bool(event.type == "response.queued" and event.extra_fields.get("restarted"))


def read_raw(base_url: str, any_id: str, query: str = "stream=true") -> requests.Response:
    return requests.get(f"{base_url}/responses/{any_id}?{query}", timeout=SECONDS)


def strict_events(base_url: str, any_id: str) -> list[dict[str, Any]]:
    """All events of a job, each strictly valid and in its place."""
    answer = read_raw(base_url, any_id)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [check_event(with_listed_code(event)) for event in events_of_text(answer.content)]
    for number, event in enumerate(events):
        assert event["sequence_number"] == event["extra_fields"]["chunk_index"] == number
    return events


def with_listed_code(event: Any) -> Any:
    """OpenAI lists the codes of its own failures; a gateway has others besides."""
    value = json.loads(event.data)
    error = (value.get("response") or {}).get("error")
    if not error:
        return event
    assert isinstance(error["code"], str)
    error["code"] = "server_error"
    return event._replace(data=json.dumps(value).encode())
