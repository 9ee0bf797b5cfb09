"""The official package's classes for messages and films, against a served Ferrotype."""

import io
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import dashscope
import httpx
import pytest
from dashscope.aigc import image_generation, multimodal_conversation, video_synthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.api_entities.dashscope_response import Message
from PIL import Image

from ferrotype.testing import Server

# Their annotations say that any answer may be a stream.
ImageGeneration: Any = image_generation.ImageGeneration
AioImageGeneration: Any = image_generation.AioImageGeneration
MultiModalConversation: Any = multimodal_conversation.MultiModalConversation
VideoSynthesis: Any = video_synthesis.VideoSynthesis


@pytest.fixture(autouse=True)
def pointed(served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the package at the server as its guide says: by its two module attributes."""
    monkeypatch.setattr(dashscope, "base_http_api_url", served.url)
    monkeypatch.setattr(dashscope, "api_key", served.key)
    yield
    dashscope.close_shared_sync_session()


def message(*content: dict[str, str]) -> Message:
    return Message(role="user", content=list(content))


def picture(url: str) -> Image.Image:
    answer = httpx.get(url)
    assert answer.status_code == HTTPStatus.OK
    return Image.open(io.BytesIO(answer.content))


def contents(answer: Any) -> list[dict[str, str]]:
    """All parts of an answer in messages, in their order."""
    return [part for one in answer.output.choices for part in one.message.content]


def test_image_generation_answers_at_once() -> None:
    answer = ImageGeneration.call(
        model="wan2.6-t2i", messages=[message({"text": "a red kite"})], n=2, size="1280*1280"
    )
    assert answer.status_code == HTTPStatus.OK
    assert [part["type"] for part in contents(answer)] == ["image", "image"]
    assert [one.finish_reason for one in answer.output.choices] == ["stop", "stop"]
    assert picture(contents(answer)[1]["image"]).size == (1280, 1280)
    assert (answer.usage.image_count, answer.usage.size) == (2, "1280*1280")


def test_image_generation_makes_a_task_and_waits_for_it() -> None:
    made = ImageGeneration.async_call(
        model="wan2.7-image", messages=[message({"text": "a red kite"})], n=1, size="1K"
    )
    assert made.output.task_status == "PENDING"
    answer = ImageGeneration.wait(made)
    assert answer.output.task_status == "SUCCEEDED"
    assert picture(contents(answer)[0]["image"]).size == (1024, 1024)


def test_multi_modal_conversation_draws() -> None:
    answer = MultiModalConversation.call(
        model="qwen-image-plus", messages=[message({"text": "a red kite"})], size="1328*1328"
    )
    assert answer.status_code == HTTPStatus.OK
    assert picture(contents(answer)[0]["image"]).size == (1328, 1328)
    assert answer.output.task_metric == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert (answer.usage.width, answer.usage.height, answer.usage.image_count) == (1328, 1328, 1)


@pytest.mark.parametrize("api", [ImageGeneration, MultiModalConversation])
def test_words_and_pictures_come_as_a_stream(api: Any) -> None:
    answers = list(
        api.call(
            model="wan2.6-image",
            messages=[message({"text": "a red kite over a lake"})],
            stream=True,
            enable_interleave=True,
            max_images=2,
            size="768*768",
        )
    )
    assert {one.status_code for one in answers} == {HTTPStatus.OK}
    parts = [part for one in answers for part in contents(one)]
    assert [part["type"] for part in parts] == ["text", "image"] * 2
    assert picture(parts[3]["image"]).size == (768, 768)
    reasons = [one.output.choices[0].finish_reason for one in answers]
    assert reasons == ["null", "null", "null", "stop"]
    assert answers[-1].usage.image_count == 2


async def test_the_asynchronous_twin_reads_the_stream() -> None:
    answers = await AioImageGeneration.call(
        model="wan2.6-image",
        messages=[message({"text": "a red kite over a lake"})],
        stream=True,
        enable_interleave=True,
        max_images=1,
        size="768*768",
    )
    parts = [part async for one in answers for part in contents(one)]
    await close_shared_aio_session()
    assert [part["type"] for part in parts] == ["text", "image"]


def test_a_stream_tells_errors(served: Server) -> None:
    served.fail_next("DataInspectionFailed")
    order: dict[str, Any] = {
        "model": "wan2.6-image",
        "messages": [message({"text": "a red kite"})],
        "stream": True,
        "enable_interleave": True,
        "max_images": 1,
    }
    (answer,) = MultiModalConversation.call(**order)
    assert (answer.status_code, answer.code) == (400, "DataInspectionFailed")
    (answer,) = MultiModalConversation.call(**order, n=3)
    assert (answer.status_code, answer.message) == (400, "num_images_per_prompt must be 1")


def test_words_and_pictures_need_a_stream_or_a_task() -> None:
    order: dict[str, Any] = {
        "model": "wan2.6-image",
        "messages": [message({"text": "a red kite"})],
        "enable_interleave": True,
        "max_images": 1,
        "size": "768*768",
    }
    refused = ImageGeneration.call(**order)
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")
    assert "x-dashscope-sse=disable" in refused.message
    answer = ImageGeneration.wait(ImageGeneration.async_call(**order))
    (choice,) = answer.output.choices
    assert [part["type"] for part in choice.message.content] == ["text", "image"]


def test_a_film() -> None:
    answer = VideoSynthesis.call(
        model="wan2.6-t2v", prompt="a red kite over a lake", size="1280*720", duration=5
    )
    assert answer.status_code == HTTPStatus.OK
    assert answer.output.task_status == "SUCCEEDED"
    film = httpx.get(answer.output.video_url)
    assert film.headers["content-type"] == "video/mp4"
    assert film.content[4:8] == b"ftyp"
    assert (answer.usage.output_video_duration, answer.usage.SR) == (5, 720)


def test_tasks_are_listed_by_where_they_were_made() -> None:
    made = VideoSynthesis.async_call(model="wan2.5-t2v-preview", prompt="a kite", duration=5)
    listed = VideoSynthesis.list(model_name="wan2.5-t2v-preview")
    (row,) = [one for one in listed.output["data"] if one["task_id"] == made.output.task_id]
    key = "apikey:v1:aigc:video-generation:video-synthesis:wan2.5-t2v-preview"
    assert row["user_api_unique_key"] == key
