"""Every way of going wrong, as the official Python package shows it to its user."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import dashscope
import pytest
from dashscope.aigc.image_synthesis import ImageSynthesis
from dashscope.common.error import InvalidTask
from dashscope.models import Models

from ferrotype.testing import Server

MODEL = "wan2.2-t2i-flash"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def pointed(served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(dashscope, "base_http_api_url", served.url)
    monkeypatch.setattr(dashscope, "api_key", served.key)
    yield
    dashscope.close_shared_sync_session()


@pytest.mark.parametrize(
    ("asked", "status", "code", "message"),
    [
        ({"model": "no-such-model"}, 400, "InvalidParameter", "Model not exist."),
        ({"task": "image2image"}, 400, "InvalidParameter", "url error, please check url！"),
        ({"n": 5}, 400, "InvalidParameter", "n"),
        ({"n": 0}, 400, "InvalidParameter", "n"),
        ({"size": "64*64"}, 400, "InvalidParameter", "size"),
        ({"size": "1024x1024"}, 400, "InvalidParameter", "size"),
        ({"seed": 2**31}, 400, "InvalidParameter", "seed"),
        (
            {"model": "qwen-image", "n": 2},
            400,
            "InvalidParameter",
            "num_images_per_prompt must be 1",
        ),
    ],
)
def test_create_is_refused(asked: dict[str, Any], status: int, code: str, message: str) -> None:
    answer = ImageSynthesis.async_call(**{"model": MODEL, "prompt": "a cat", **asked})

    assert (answer.status_code, answer.code) == (status, code)
    assert message in answer.message
    assert answer.request_id
    assert answer.output is None


def test_call_raises_what_create_was_refused_for() -> None:
    with pytest.raises(InvalidTask, match=r"Model not exist\."):
        ImageSynthesis.call(model="no-such-model", prompt="a cat")


def test_sync_call_of_an_asynchronous_model_is_denied() -> None:
    answer = ImageSynthesis.sync_call(model="wan2.5-t2i-preview", prompt="a cat")

    assert (answer.status_code, answer.code) == (HTTPStatus.FORBIDDEN, "AccessDenied")
    assert answer.message == "current user api does not support synchronous calls"


def test_a_size_that_wanx_v1_lacks_fails_at_the_task() -> None:
    answer = ImageSynthesis.call(model="wanx-v1", prompt="a cat", n=1, size="512*512")

    assert answer.status_code == HTTPStatus.OK
    assert (answer.output.task_status, answer.output.code) == ("FAILED", "InvalidParameter")
    assert answer.output.message.startswith("The size is not match the allowed size ['1024*1024',")


def test_a_reference_that_cannot_be_fetched_fails_at_the_task() -> None:
    answer = ImageSynthesis.call(
        model="wanx-v1", prompt="a cat", n=1, ref_img="https://nowhere.invalid/ref.png"
    )

    assert answer.output.task_status == "FAILED"
    assert answer.output.code == "BadRequest.InputDownloadFailed"


def test_an_oss_address_is_refused_at_create() -> None:
    answer = ImageSynthesis.async_call(model="wanx-v1", prompt="a cat", ref_img="oss://a/b.png")

    assert (answer.status_code, answer.code) == (HTTPStatus.BAD_REQUEST, "InvalidURL")


def test_a_moderated_prompt_fails_at_the_task(served: Server) -> None:
    served.fail_next("DataInspectionFailed")

    answer = ImageSynthesis.call(model=MODEL, prompt="a cat", n=2)
    assert answer.status_code == HTTPStatus.OK
    assert answer.output.task_status == "FAILED"
    assert answer.output.code == "DataInspectionFailed"
    assert answer.output.message
    assert answer.output.task_metrics == {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 2}
    assert answer.output.results == []
    assert answer.usage is None
    assert ImageSynthesis.call(model=MODEL, prompt="a cat", n=1).output.task_status == "SUCCEEDED"


def test_a_moderated_prompt_is_refused_at_create(served: Server) -> None:
    served.fail_next("DataInspectionFailed", at="create")

    answer = ImageSynthesis.async_call(model=MODEL, prompt="a cat")
    assert (answer.status_code, answer.code) == (HTTPStatus.BAD_REQUEST, "DataInspectionFailed")


def test_one_picture_may_fail_alone(guarded: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", guarded.url)
    monkeypatch.setattr(dashscope, "api_key", guarded.key)
    answer = ImageSynthesis.call(
        model=MODEL, prompt="echo fail-item=1:DataInspectionFailed", n=3, size="512*512"
    )

    assert answer.output.task_status == "SUCCEEDED"
    assert answer.output.task_metrics == {"TOTAL": 3, "SUCCEEDED": 2, "FAILED": 1}
    assert answer.usage.image_count == 2
    first, failed, last = answer.output.results
    assert first.url
    assert last.url
    assert (failed.url, failed.code) == ("", "DataInspectionFailed")
    assert failed.message


def test_an_unknown_task_is_unknown() -> None:
    for answer in (ImageSynthesis.fetch(NOWHERE), ImageSynthesis.wait(NOWHERE)):
        assert answer.status_code == HTTPStatus.OK
        assert answer.output == {"task_id": NOWHERE, "task_status": "UNKNOWN", "results": []}


@pytest.mark.ferrotype(engine="echo")
def test_a_task_of_yesterday_is_unknown(
    ferrotype_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", ferrotype_server.url)
    done = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512")

    ferrotype_server.clock.advance(24 * 3600 + 1)
    assert ImageSynthesis.fetch(done.output.task_id).output.task_status == "UNKNOWN"


@pytest.mark.parametrize("task", ["finished", "unknown"])
def test_only_a_pending_task_can_be_cancelled(task: str) -> None:
    if task == "finished":
        done = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512")
        answer = ImageSynthesis.cancel(done)
    else:
        answer = ImageSynthesis.cancel(NOWHERE)

    assert (answer.status_code, answer.code) == (HTTPStatus.BAD_REQUEST, "UnsupportedOperation")
    assert answer.message == (
        "Failed to cancel the task, please confirm if the task is in PENDING status."
    )


@pytest.mark.parametrize(
    "filters", [{"page_no": 0}, {"page_size": 101}, {"status": "DONE"}, {"start_time": "x"}]
)
def test_a_list_query_that_makes_no_sense_is_refused(filters: dict[str, Any]) -> None:
    answer = ImageSynthesis.list(**filters)

    assert (answer.status_code, answer.code) == (HTTPStatus.BAD_REQUEST, "InvalidParameter")


def test_a_wrong_key_is_told_so_by_every_call(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", guarded.url)
    monkeypatch.setattr(dashscope, "api_key", "sk-wrong")
    for answer in (
        ImageSynthesis.async_call(model=MODEL, prompt="a cat"),
        ImageSynthesis.sync_call(model=MODEL, prompt="a cat"),
        ImageSynthesis.fetch(NOWHERE),
        ImageSynthesis.wait(NOWHERE),
        ImageSynthesis.cancel(NOWHERE),
        ImageSynthesis.list(),
        Models.list(),
        Models.get(MODEL),
    ):
        assert (answer.status_code, answer.code) == (HTTPStatus.UNAUTHORIZED, "InvalidApiKey")
        assert answer.message == "Invalid API-key provided."


def test_the_right_key_opens_the_same_door(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", guarded.url)
    monkeypatch.setattr(dashscope, "api_key", guarded.key)

    assert ImageSynthesis.list().status_code == HTTPStatus.OK
