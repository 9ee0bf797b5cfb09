"""What an upstream's answer says it made: addresses, errors, what it repeats of the request."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

MAX_CAPTION = 4000  # characters
_FRAME = frozenset(
    {
        "task_id",
        "task_status",
        "submit_time",
        "scheduled_time",
        "start_time",
        "end_time",
        "task_metrics",
        "task_metric",
        "results",
        "text_results",
        "choices",
        "finished",
        "rewrite_status",
        "error_code",
        "error_message",
        "code",
        "message",
    }
)
_FILMS = ("video_url", "output_video_url")
_PICTURES = ("image_url", "output_image_url")


class Item(Struct, frozen=True, kw_only=True):
    """One result: where it lies, or why there is none; and the words before it."""

    url: str = ""
    code: str = ""
    message: str = ""
    caption: str = ""


def items(output: dict[str, Any]) -> list[Item]:
    """Return the results that an output names, in its order; none when it names none."""
    results = output.get("results")
    if isinstance(results, list):
        return [_item(one) for one in results if isinstance(one, dict)]
    if isinstance(output.get("choices"), list):
        return list(_parts(output["choices"]))
    places = (output, results) if isinstance(results, dict) else (output,)
    for place in places:
        for name in (*_FILMS, *_PICTURES):
            if isinstance(place.get(name), str) and place[name]:
                return [Item(url=place[name])]
    return []


def shown(output: dict[str, Any]) -> dict[str, Any]:
    """Return what the results repeat of the request, under the upstream's own names.

    Addresses are left out: callers are given ours alone.
    """
    results = output.get("results")
    if isinstance(output.get("choices"), list) and not isinstance(results, list):
        return _said_after(output["choices"])
    made: dict[str, Any] = {}
    if isinstance(results, list):
        made = next((one for one in results if isinstance(one, dict) and one.get("url")), {})
    told = made | {name: value for name, value in output.items() if name not in _FRAME}
    return {name: value for name, value in told.items() if not name.endswith(("url", "urls"))}


def _item(one: dict[str, Any]) -> Item:
    if one.get("url"):
        return Item(url=str(one["url"]))
    return Item(code=str(one.get("code") or "InternalError"), message=str(one.get("message") or ""))


def _parts(choices: list[Any]) -> Iterator[Item]:
    """Yield the pictures of all choices; words before a picture are its caption."""
    for choice, content in _contents(choices):
        words: list[str] = []
        for part in content:
            url = part.get("image") or part.get("video")
            if url:
                yield Item(url=str(url), caption="".join(words)[:MAX_CAPTION])
                words = []
            elif isinstance(part.get("text"), str):
                words.append(part["text"])
        if choice.get("finish_reason") == "error":
            code, _, message = "".join(words).partition(": ")
            yield Item(code=code or "InternalError", message=message)


def _said_after(choices: list[Any]) -> dict[str, Any]:
    """Return the words after the last picture: the prompt, where a model repeats it there."""
    said: dict[str, Any] = {}
    for choice, content in _contents(choices):
        if content and isinstance(content[-1].get("text"), str):
            said["orig_prompt"] = content[-1]["text"]
        reasoning = choice["message"].get("reasoning_content")
        if isinstance(reasoning, str):
            said["reasoning_content"] = reasoning
    return said


def _contents(choices: list[Any]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for choice in choices:
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
            content = choice["message"].get("content")
            if isinstance(content, list):
                yield choice, [part for part in content if isinstance(part, dict)]
