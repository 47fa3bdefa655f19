"""The output of a response that is still being streamed, gathered from its events. Pure."""

from typing import Any

# Which member of what a delta adds to: by event, the member of the content part or item.
_PART_TEXT = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}
_ITEM_TEXT = {
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.code_interpreter_call_code.delta": "code",
}

Event = dict[str, Any]


class OutputSoFar:
    """Feed it the events of one attempt in order; ``output`` is the list of items as it stands.

    What it does not know, or what does not fit, it leaves out: the final response will have it.
    """

    def __init__(self) -> None:
        self.output: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}

    def add(self, event: Event) -> None:
        kind = str(event.get("type"))
        if kind in ("response.output_item.added", "response.output_item.done"):
            self._put_item(event)
        elif kind in ("response.content_part.added", "response.content_part.done"):
            self._put_part(event, "content", "content_index")
        elif kind.startswith("response.reasoning_summary_part."):
            self._put_part(event, "summary", "summary_index")
        elif kind == "response.reasoning_summary_text.delta":
            self._append(self._part(event, "summary", "summary_index"), "text", event)
        elif kind in _PART_TEXT:
            part = self._part(event, "content", "content_index")
            self._append(part, _PART_TEXT[kind], event)
        elif kind in _ITEM_TEXT:
            self._append(self._item(event), _ITEM_TEXT[kind], event)

    def _item(self, event: Event) -> dict[str, Any] | None:
        index = event.get("output_index")
        place = self._places.get(index) if isinstance(index, int) else None
        return None if place is None else self.output[place]

    def _put_item(self, event: Event) -> None:
        item, index = event.get("item"), event.get("output_index")
        if not isinstance(item, dict) or not isinstance(index, int):
            return
        place = self._places.setdefault(index, len(self.output))
        self.output[place : place + 1] = [_copied(item)]

    def _parts(self, event: Event, member: str) -> list[dict[str, Any]]:
        item = self._item(event)
        if item is None:
            return []
        parts = item.get(member)
        if not isinstance(parts, list):
            parts = item[member] = []
        return parts

    def _part(self, event: Event, member: str, index_name: str) -> dict[str, Any] | None:
        parts, index = self._parts(event, member), event.get(index_name)
        if not isinstance(index, int) or not 0 <= index < len(parts):
            return None
        part: Any = parts[index]
        return part if isinstance(part, dict) else None

    def _put_part(self, event: Event, member: str, index_name: str) -> None:
        part, index = event.get("part"), event.get(index_name)
        if self._item(event) is None or not isinstance(part, dict) or not isinstance(index, int):
            return
        parts = self._parts(event, member)
        parts[index : index + 1] = [dict(part)]

    def _append(self, holder: dict[str, Any] | None, member: str, event: Event) -> None:
        delta = event.get("delta")
        so_far = "" if holder is None else holder.get(member) or ""
        if holder is not None and isinstance(delta, str) and isinstance(so_far, str):
            holder[member] = so_far + delta


def _copied(item: dict[str, Any]) -> dict[str, Any]:
    """A copy as deep as deltas reach."""
    return {
        name: [dict(part) if isinstance(part, dict) else part for part in value]
        if isinstance(value, list)
        else value
        for name, value in item.items()
    }
