"""How what a task made is written: as results, as choices, or as one film. Part of the wire."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ferrotype.catalogue import Model
from ferrotype.media import Produced
from ferrotype.task import Result, Task

Said = dict[str, Any]


def made(result: Result, urls: Sequence[str], model: Model | None) -> Said:
    """Return what the `output` of a SUCCEEDED task holds besides its frame.

    `urls` has one for each output, "" for a failed one. A model that the catalogue has lost since
    the create is written as most are.
    """
    if model is None:
        return _results(result, urls)
    said = _DIALECTS[model.dialect](result, urls)
    for trait in model.traits:
        if trait in _TRAITS:
            _TRAITS[trait](said)
    return said


def answered(task: Task, urls: Sequence[str], model: Model) -> Said:
    """Return the `output` of an answer for which the caller waited: no task in sight."""
    assert task.result
    said = made(task.result, urls, model)
    if "metric" in model.traits:
        said["task_metric"] = counts(task)
    if "reasoning" in model.traits:
        for choice in said["choices"]:
            choice["message"]["content"].append({"text": task.result.shown.get("orig_prompt", "")})
            choice["message"]["reasoning_content"] = task.result.shown.get("reasoning_content", "")
    said.pop("rewrite_status", None)
    return said


def counts(task: Task) -> dict[str, int]:
    """Return how many of a task's pictures were made, and how many failed; zeros until the end."""
    failed = task.total if task.code else 0
    succeeded = 0
    if task.result:
        failed = sum(1 for one in task.result.outputs if one.code)
        succeeded = len(task.result.outputs) - failed
    return {"TOTAL": task.total, "SUCCEEDED": succeeded, "FAILED": failed}


def _results(result: Result, urls: Sequence[str]) -> Said:
    return {
        "results": [
            {"code": one.code, "message": one.message} if one.code else {**result.shown, "url": url}
            for one, url in zip(result.outputs, urls, strict=True)
        ]
    }


def _video(result: Result, urls: Sequence[str]) -> Said:
    return {**result.shown, "video_url": urls[0]}


def _choices(result: Result, urls: Sequence[str]) -> Said:
    """Write a choice for each picture; but one for all, where words go between them."""
    pairs = list(zip(result.outputs, urls, strict=True))
    if any(one.caption for one in result.outputs):
        parts = [part for one, url in pairs for part in _parts(one, url)]
        return {"choices": [choice(parts)]}
    return {"choices": [choice(_parts(one, url), bad=bool(one.code)) for one, url in pairs]}


def choice(parts: Sequence[Mapping[str, str]], *, bad: bool = False, reason: str = "stop") -> Said:
    """Return one choice of an answer in messages."""
    message = {"role": "assistant", "content": list(parts)}
    return {"finish_reason": "error" if bad else reason, "message": message}


def _parts(one: Produced, url: str) -> list[Said]:
    words = [{"text": one.caption}] if one.caption else []
    return [*words, {"text": f"{one.code}: {one.message}"} if one.code else {"image": url}]


def _typed(said: Said) -> None:
    for one in said["choices"]:
        for part in one["message"]["content"]:
            part["type"] = "image" if "image" in part else "text"


def _repainted(said: Said) -> None:
    """Say once what the results of other models repeat, and that nothing went wrong."""
    for one in said["results"]:
        if "style_index" in one:
            said["style_index"] = one.pop("style_index")
    said |= {"error_code": 0, "error_message": "Success"}


_DIALECTS: Mapping[str, Callable[[Result, Sequence[str]], Said]] = {
    "results": _results,
    "choices": _choices,
    "video": _video,
}
_TRAITS: Mapping[str, Callable[[Said], None]] = {
    "finished": lambda said: said.update(finished=True),
    "typed": _typed,
    "rewrite_status": lambda said: said.update(rewrite_status="none"),
    "repainted": _repainted,
    "lettered": lambda said: said.update(text_results={"urls": [], "params": []}),
}
