"""An answer that comes as server-sent events, put together."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ferrotype.engines.dashscope.told import Error, Reply, streamed_error


def gathered(reply: Reply) -> dict[str, Any] | Error:
    """Return one answer with the content of all events, or the error that one of them told.

    Without any event that can be read it is an empty object.
    """
    content: list[dict[str, Any]] = []
    whole: dict[str, Any] = {}
    for name, said in _events(reply.body.decode("utf-8", "replace")):
        if name == "error" and (error := streamed_error(said)):
            return error
        output = said.get("output")
        if isinstance(output, dict):
            whole |= said
            _add(content, output)
    if whole:
        message = {"role": "assistant", "content": content}
        choices = [{"finish_reason": "stop", "message": message}]
        whole["output"] = {**whole["output"], "choices": choices}
    return whole


def _add(content: list[dict[str, Any]], output: dict[str, Any]) -> None:
    """Add what an event brings: pictures, and words, which may go on from event to event."""
    for choice in output.get("choices") or ():
        for part in choice.get("message", {}).get("content") or ():
            words = part.get("text")
            if words is not None and content and "text" in content[-1]:
                content[-1] = {**content[-1], "text": content[-1]["text"] + words}
            else:
                content.append(dict(part))


def _events(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each event's name and the object in its data."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data":
                data.append(value.removeprefix(" "))
        try:
            said = msgspec.json.decode("\n".join(data))
        except msgspec.MsgspecError:
            continue
        if isinstance(said, dict):
            yield name, said
