"""The official Python package's asynchronous twins, with their own requests on the wire."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import dashscope
import pytest
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from tap import Tap

from ferrotype.testing import Server

MODEL = "wan2.2-t2i-flash"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
async def pointed(served: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(dashscope, "base_http_api_url", served.url)
    monkeypatch.setattr(dashscope, "api_key", served.key)
    yield
    await close_shared_aio_session()


async def test_call_polls_with_a_slash_and_its_parameters(
    served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tap(served.url) as tap:
        monkeypatch.setattr(dashscope, "base_http_api_url", tap.url)
        answer = await AioImageSynthesis.call(model=MODEL, prompt="a cat", n=1)
        await close_shared_aio_session()

    assert answer.output.task_status == "SUCCEEDED"
    assert answer.usage.image_count == 1
    assert tap.requests[0] == ("POST", "/api/v1/services/aigc/text2image/image-synthesis")
    ((method, poll),) = set(tap.requests[1:])
    assert method == "GET"
    assert poll.startswith("/api/v1/tasks/")
    assert poll.endswith("/?n=1")


async def test_async_call_then_fetch_then_wait() -> None:
    created = await AioImageSynthesis.async_call(model=MODEL, prompt="a cat", n=1)

    assert created.output.task_status == "PENDING"
    fetched = await AioImageSynthesis.fetch(created)
    assert fetched.status_code == HTTPStatus.OK
    done = await AioImageSynthesis.wait(created.output.task_id)
    assert done.output.task_status == "SUCCEEDED"
    assert done.output.results[0].url.startswith("http://127.0.0.1:")


async def test_sync_call_has_the_result_in_its_one_answer() -> None:
    answer = await AioImageSynthesis.sync_call(model=MODEL, prompt="a cat", n=1)

    assert answer.output.task_status == "SUCCEEDED"
    assert answer.usage.image_count == 1


async def test_a_pending_task_can_be_cancelled(
    held: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", held.url)
    monkeypatch.setattr(dashscope, "api_key", held.key)
    created = await AioImageSynthesis.async_call(model=MODEL, prompt="a cat", n=1)

    cancelled = await AioImageSynthesis.cancel(created)
    assert cancelled.status_code == HTTPStatus.OK
    assert (await AioImageSynthesis.fetch(created)).output.task_status == "CANCELED"
    again = await AioImageSynthesis.cancel(created)
    assert (again.status_code, again.code) == (HTTPStatus.BAD_REQUEST, "UnsupportedOperation")


async def test_list_filters_by_status(served: Server) -> None:
    served.fail_next("InternalError.Algo")
    failed = await AioImageSynthesis.call(model=MODEL, prompt="a cat", n=1)

    page = await AioImageSynthesis.list(status="FAILED")
    assert failed.output.task_status == "FAILED"
    assert failed.output.code == "InternalError.Algo"
    assert page.output["data"][0]["task_id"] == failed.output.task_id
    assert {row["status"] for row in page.output["data"]} == {"FAILED"}


async def test_an_unknown_task_is_unknown() -> None:
    answer = await AioImageSynthesis.wait(NOWHERE)

    assert answer.status_code == HTTPStatus.OK
    assert answer.output.task_status == "UNKNOWN"


async def test_a_refusal_is_read_from_the_answer() -> None:
    answer = await AioImageSynthesis.async_call(model="no-such-model", prompt="a cat")

    assert (answer.status_code, answer.code) == (HTTPStatus.BAD_REQUEST, "InvalidParameter")
    assert answer.message == "Model not exist."
