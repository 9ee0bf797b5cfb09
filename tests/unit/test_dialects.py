"""What tasks made, written as the vendor's pages and recordings have it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ferrotype.catalogue import Catalogue, Model
from ferrotype.http import wire
from ferrotype.media import Produced
from ferrotype.task import Result, Status, Task

CATALOGUE = Catalogue.load()
SUBMIT = datetime(2026, 1, 2, 9, 38, 24, 817_900, UTC)
GOOD = Produced(key="k", type="image/png", width=8, height=8)
BAD = Produced(code="DataInspectionFailed", message="Output data may contain it.")
TIMES = {
    "submit_time": "2026-01-02 17:38:24.817",
    "scheduled_time": "2026-01-02 17:38:25.817",
    "end_time": "2026-01-02 17:38:26.817",
}
ASYNC = "image-generation/generation"
SYNC = "multimodal-generation/generation"
FILM = "video-generation/video-synthesis"


def task(name: str, route: str, outputs: tuple[Produced, ...], **shown: Any) -> tuple[Task, Model]:
    """A task that made these outputs, and its model."""
    second = timedelta(seconds=1)
    made = Task(
        id="0f6e5a10-1111-7c22-9333-5d44aa55bb66",
        account="a",
        key="42",
        model=name,
        route=route,
        served_by="e; l",
        status=Status.SUCCEEDED,
        total=len(outputs),
        submit_at=SUBMIT,
        first_claim_at=SUBMIT + second,
        claim_at=SUBMIT + second,
        end_at=SUBMIT + 2 * second,
        expires_at=SUBMIT + 86_400 * second,
        result=Result(outputs=outputs, usage={"u": 1}, shown=shown),
    )
    return made, CATALOGUE.on_route(name, route)


def queried(made: tuple[Task, Model]) -> dict[str, Any]:
    """The output of a query, without its frame of id, status and times."""
    one, model = made
    urls = [f"http://h/{i}" if out.key else "" for i, out in enumerate(one.result.outputs)]  # type: ignore[union-attr]
    answer = json.loads(wire.queried("r", one, urls, model))
    assert answer["usage"] == {"u": 1}
    output: dict[str, Any] = answer["output"]
    frame = {"task_id": one.id, "task_status": "SUCCEEDED"}
    assert {key: output.pop(key) for key in frame} == frame
    return output


def answered(made: tuple[Task, Model]) -> dict[str, Any]:
    """The whole answer to a caller who waited."""
    one, model = made
    answer: dict[str, Any] = json.loads(wire.answered("r", one, ["http://h/0"], model))
    return answer


def said(*parts: dict[str, str], reason: str = "stop") -> dict[str, Any]:
    return {"finish_reason": reason, "message": {"role": "assistant", "content": list(parts)}}


def test_a_choice_for_each_picture() -> None:
    assert queried(task("wan2.6-t2i", ASYNC, (GOOD, GOOD))) == {
        **TIMES,
        "finished": True,
        "choices": [
            said({"image": "http://h/0", "type": "image"}),
            said({"image": "http://h/1", "type": "image"}),
        ],
    }


def test_a_picture_that_failed_keeps_its_choice() -> None:
    choices = queried(task("wan2.7-image", ASYNC, (GOOD, BAD)))["choices"]
    text = "DataInspectionFailed: Output data may contain it."
    assert choices[1] == said({"text": text, "type": "text"}, reason="error")
    assert choices[0]["finish_reason"] == "stop"


def test_words_and_pictures_by_turns_are_one_choice() -> None:
    one = Produced(key="k", type="image/png", caption="First,")
    two = Produced(key="k", type="image/png", caption="then")
    assert queried(task("wan2.6-image", ASYNC, (one, two)))["choices"] == [
        said(
            {"text": "First,", "type": "text"},
            {"image": "http://h/0", "type": "image"},
            {"text": "then", "type": "text"},
            {"image": "http://h/1", "type": "image"},
        )
    ]


def test_qwen_image_3_tells_of_its_rewriting_and_not_of_an_end() -> None:
    assert queried(task("qwen-image-3.0", ASYNC, (GOOD,))) == {
        **TIMES,
        "rewrite_status": "none",
        "choices": [said({"image": "http://h/0"})],
    }


def test_a_film_stands_in_the_output_with_its_prompts() -> None:
    film = Produced(key="k", type="video/mp4")
    made = task("wan2.5-t2v-preview", FILM, (film,), orig_prompt="a", actual_prompt="b")
    assert queried(made) == {
        **TIMES, "orig_prompt": "a", "actual_prompt": "b", "video_url": "http://h/0"
    }  # fmt: skip


def test_repainting_answers_as_it_was_recorded() -> None:
    assert queried(task("wanx-style-repaint-v1", ASYNC, (GOOD,), style_index=3)) == {
        "submit_time": TIMES["submit_time"],
        "scheduled_time": TIMES["scheduled_time"],
        "start_time": "2026-01-02 17:38:25",
        "end_time": "2026-01-02 17:38:26",
        "style_index": 3,
        "error_code": 0,
        "error_message": "Success",
        "results": [{"url": "http://h/0"}],
    }


def test_backgrounds_have_a_place_for_lettering() -> None:
    route = "background-generation/generation"
    output = queried(task("wanx-background-generation-v2", route, (GOOD,)))
    assert output["text_results"] == {"urls": [], "params": []}
    assert output["results"] == [{"url": "http://h/0"}]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("qwen-image-max", {"task_metric": {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}}),
        ("qwen-image-2.0", {}),
        ("qwen-image-3.0", {}),
    ],
)
def test_who_waited_sees_no_task(name: str, more: dict[str, Any]) -> None:
    assert answered(task(name, SYNC, (GOOD,))) == {
        "request_id": "r",
        "output": {"choices": [said({"image": "http://h/0"})], **more},
        "usage": {"u": 1},
    }


def test_wan_says_to_who_waited_that_it_has_finished() -> None:
    assert answered(task("wan2.6-t2i", SYNC, (GOOD,)))["output"] == {
        "choices": [said({"image": "http://h/0", "type": "image"})],
        "finished": True,
    }


def test_z_image_repeats_the_prompt_beside_the_picture() -> None:
    (choice,) = answered(task("z-image-turbo", SYNC, (GOOD,), orig_prompt="a kite"))["output"][
        "choices"
    ]
    assert choice["message"] == {
        "role": "assistant",
        "content": [{"image": "http://h/0"}, {"text": "a kite"}],
        "reasoning_content": "",
    }
