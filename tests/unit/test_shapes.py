"""What tasks have in common that may run in one call, and bodies that are passed on."""

from typing import Any

import pytest
from msgspec.structs import replace

from ferrotype.ports.engine import marked
from ferrotype.task import Order, Rehearsed, shape_of

ORDER = Order(
    kind="text-to-image",
    prompt="a cat",
    size=(64, 64),
    n=2,
    seed=1,
    fields={"steps": 4, "watermark": False},
)


def test_words_and_seeds_differ_within_a_shape() -> None:
    other = replace(
        ORDER, prompt="a dog", negative="rain", seed=2, fields={"watermark": False, "steps": 4}
    )
    assert shape_of(other) == shape_of(ORDER) != ""


@pytest.mark.parametrize(
    "change",
    [
        {"size": (64, 32)},
        {"n": 1},
        {"kind": "text-to-video"},
        {"duration": 5.0},
        {"fps": 16},
        {"fields": {"steps": 5, "watermark": False}},
    ],
)
def test_what_shapes_a_call_makes_another_shape(change: dict[str, Any]) -> None:
    assert shape_of(replace(ORDER, **change)) != shape_of(ORDER)


@pytest.mark.parametrize("change", [{"inputs": {"image": ["u"]}}, {"rehearsed": Rehearsed()}])
def test_a_task_with_files_or_a_rehearsal_runs_alone(change: dict[str, Any]) -> None:
    assert shape_of(replace(ORDER, **change)) == ""


def test_a_body_is_passed_on_without_its_callers_files() -> None:
    body = {
        "model": "m",
        "input": {
            "messages": [{"content": [{"text": "data"}, {"image": "data:image/png;base64,AA"}]}],
            "mask": "https://host/a.png",
            "prompt": "about https://host/a.png",
        },
        "parameters": {"n": 1, "unknown": [True, None]},
    }
    inputs = {"images": ["data:image/png;base64,AA"], "mask": ["https://host/a.png"]}
    kept = marked(body, inputs)
    assert kept["input"] == {
        "messages": [{"content": [{"text": "data"}, {"image": "input:images:0"}]}],
        "mask": "input:mask:0",
        "prompt": "about https://host/a.png",
    }
    assert kept["parameters"] == body["parameters"]
