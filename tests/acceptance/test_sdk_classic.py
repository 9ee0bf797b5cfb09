"""The official Python package's classic classes, unmodified, against a served Ferrotype."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import dashscope
import httpx
import pytest
from dashscope.aigc.image_synthesis import ImageSynthesis
from dashscope.models import Models
from PIL import Image
from tap import Tap

from ferrotype.testing import Server

MODEL = "wan2.2-t2i-flash"
FLOWER_SHOP = (
    "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display"
)
BEIJING = timezone(timedelta(hours=8))


@pytest.fixture(autouse=True)
def pointed(served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the package at the server as its guide says: by its two module attributes."""
    monkeypatch.setattr(dashscope, "base_http_api_url", served.url)
    monkeypatch.setattr(dashscope, "api_key", served.key)
    yield
    dashscope.close_shared_sync_session()


@pytest.fixture
def asked() -> list[Message]:
    """The headers of each request for the reference picture."""
    return []


@pytest.fixture
def reference(asked: list[Message]) -> Iterator[str]:
    """The URL of a picture on a server of the caller's own."""
    picture = io.BytesIO()
    Image.new("RGB", (512, 512), "tomato").save(picture, "PNG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(picture.getvalue())))
            self.end_headers()
            self.wfile.write(picture.getvalue())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as own:
        Thread(target=own.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{own.server_port}/ref.png"
        own.shutdown()


def test_call_returns_the_pictures() -> None:
    answer = ImageSynthesis.call(
        model="wan2.5-t2i-preview", prompt=FLOWER_SHOP, size="1024*1024", n=1, seed=7
    )

    assert answer.status_code == HTTPStatus.OK
    assert not answer.code
    assert answer.output.task_status == "SUCCEEDED"
    assert answer.usage.image_count == 1
    (result,) = answer.output.results
    assert result.orig_prompt == result.actual_prompt == FLOWER_SHOP
    picture = httpx.get(result.url)
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")


def test_call_makes_as_many_pictures_as_asked_for() -> None:
    answer = ImageSynthesis.call(
        model=MODEL,
        prompt="猫",
        negative_prompt="bad",
        size="512*512",
        n=2,
        prompt_extend=False,
        watermark=False,
    )

    assert answer.output.task_status == "SUCCEEDED"
    assert answer.output.task_metrics == {"TOTAL": 2, "SUCCEEDED": 2, "FAILED": 0}
    assert answer.usage.image_count == 2
    one, two = answer.output.results
    assert one.url != two.url
    assert one.orig_prompt == "猫"
    assert "actual_prompt" not in one


def test_call_of_a_short_task_needs_one_poll(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tap(guarded.url) as tap:
        monkeypatch.setattr(dashscope, "base_http_api_url", tap.url)
        monkeypatch.setattr(dashscope, "api_key", guarded.key)
        answer = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512")

    assert answer.output.task_status == "SUCCEEDED"
    assert tap.requests == [
        ("POST", "/api/v1/services/aigc/text2image/image-synthesis"),
        ("GET", f"/api/v1/tasks/{answer.output.task_id}"),
    ]


def test_async_call_then_fetch_then_wait() -> None:
    created = ImageSynthesis.async_call(model=MODEL, prompt="a cat", n=1, size="512*512")

    assert created.status_code == HTTPStatus.OK
    assert created.output.task_status == "PENDING"
    assert created.usage is None
    fetched = ImageSynthesis.fetch(created)
    assert fetched.output.task_id == created.output.task_id
    done = ImageSynthesis.wait(created.output.task_id)
    assert done.output.task_status == "SUCCEEDED"
    assert done.request_id not in {created.request_id, fetched.request_id, ""}
    assert ImageSynthesis.fetch(created.output.task_id).output == done.output


def test_times_are_utc_plus_8() -> None:
    output = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512").output

    submit, scheduled, end = (
        datetime.strptime(output[name], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=BEIJING)
        for name in ("submit_time", "scheduled_time", "end_time")
    )
    assert submit <= scheduled <= end
    assert abs(datetime.now(BEIJING) - end) < timedelta(minutes=1)


@pytest.mark.parametrize("model", ["wan2.2-t2i-flash", "wan2.2-t2i-plus"])
def test_sync_call_has_the_result_in_its_one_answer(
    model: str, served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tap(served.url) as tap:
        monkeypatch.setattr(dashscope, "base_http_api_url", tap.url)
        answer = ImageSynthesis.sync_call(model=model, prompt="a cat", n=1, size="512*512")
        picture = httpx.get(answer.output.results[0].url)
    dashscope.close_shared_sync_session()

    assert answer.output.task_status == "SUCCEEDED"
    assert answer.usage.image_count == 1
    assert picture.headers["content-type"] == "image/png"
    assert [method for method, _ in tap.requests] == ["POST", "GET"]
    assert tap.polls() == 0


def test_a_reference_picture_is_fetched_without_our_key(
    reference: str, asked: list[Message]
) -> None:
    answer = ImageSynthesis.call(
        model="wanx-v1", prompt="a cat", n=1, ref_img=reference, ref_mode="repaint", style="<anime>"
    )

    assert answer.output.task_status == "SUCCEEDED", answer
    (headers,) = asked
    assert "authorization" not in headers
    assert headers["user-agent"].startswith("Ferrotype/")


def test_many_threads_may_call_at_once(guarded: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", guarded.url)
    monkeypatch.setattr(dashscope, "api_key", guarded.key)

    def call(seed: int) -> Any:
        return ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, seed=seed, size="512*512")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(call, range(24)))
    assert {answer.output.task_status for answer in answers} == {"SUCCEEDED"}
    assert len({answer.output.results[0].url for answer in answers}) == 24


def test_a_workspace_may_be_named() -> None:
    answer = ImageSynthesis.call(
        model=MODEL, prompt="a cat", n=1, size="512*512", workspace="llm-abc"
    )

    assert answer.output.task_status == "SUCCEEDED"


def test_slow_tasks_are_seen_pending_and_running(
    slow: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", slow.url)
    monkeypatch.setattr(dashscope, "api_key", slow.key)
    with caplog.at_level(logging.INFO, logger="dashscope"):
        answer = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512")

    assert answer.output.task_status == "SUCCEEDED"
    seen = [record.getMessage().split()[-1] for record in caplog.records]
    assert list(dict.fromkeys(seen)) == ["PENDING", "RUNNING"]


def test_a_pending_task_can_be_cancelled(held: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", held.url)
    monkeypatch.setattr(dashscope, "api_key", held.key)
    created = ImageSynthesis.async_call(model=MODEL, prompt="a cat", n=1, size="512*512")

    cancelled = ImageSynthesis.cancel(created)
    assert cancelled.status_code == HTTPStatus.OK
    assert cancelled.output == {}
    done = ImageSynthesis.wait(created)
    assert done.output.task_status == "CANCELED"
    assert done.output.results == []
    assert "code" not in done.output


def test_wait_gives_up_after_its_own_timeout(held: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", held.url)
    monkeypatch.setattr(dashscope, "api_key", held.key)
    answer = ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512", wait_timeout=1)

    assert (answer.status_code, answer.code) == (HTTPStatus.REQUEST_TIMEOUT, "WaitTaskTimeout")


class TestList:
    def test_it_has_the_newest_task_first(self, served: Server) -> None:
        ids = [
            ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512").output.task_id
            for _ in range(2)
        ]

        page = ImageSynthesis.list(page_size=2)
        assert page.status_code == HTTPStatus.OK
        assert (page.output["page_no"], page.output["page_size"]) == (1, 2)
        assert page.output["total"] >= 2
        assert [row["task_id"] for row in page.output["data"]] == ids[::-1]
        (row, _) = page.output["data"]
        assert row["status"] == "SUCCEEDED"
        assert row["model_name"] == MODEL
        assert row["user_api_unique_key"] == f"apikey:v1:aigc:text2image:image-synthesis:{MODEL}"
        assert row["gmt_create"] <= row["start_time"] <= row["end_time"]

    def test_it_filters(self) -> None:
        done = ImageSynthesis.call(model="wanx2.0-t2i-turbo", prompt="a cat", n=1, size="512*512")

        def ids(**filters: Any) -> list[str]:
            answer = ImageSynthesis.list(page_size=100, **filters)
            assert answer.status_code == HTTPStatus.OK, answer
            return [row["task_id"] for row in answer.output["data"]]

        now = datetime.now(BEIJING)
        before, after = (
            (now + timedelta(hours=hours)).strftime("%Y%m%d%H%M%S") for hours in (-1, 1)
        )
        mine = done.output.task_id
        assert ids(model_name="wanx2.0-t2i-turbo") == [mine]
        assert mine in ids(status="SUCCEEDED")
        assert mine not in ids(status="FAILED")
        assert mine not in ids(model_name=MODEL)
        assert mine in ids(start_time=before, end_time=after)
        assert mine not in ids(end_time=before)

    def test_pages_are_cut_where_asked(self) -> None:
        for _ in range(3):
            ImageSynthesis.call(model=MODEL, prompt="a cat", n=1, size="512*512")

        pages = [ImageSynthesis.list(page_no=no, page_size=1).output for no in (1, 2, 3)]
        assert len({page["data"][0]["task_id"] for page in pages}) == 3
        assert {page["total_page"] for page in pages} == {pages[0]["total"]}


class TestModels:
    def test_all_models_can_be_listed(self) -> None:
        page = Models.list(page=1, page_size=100)

        assert page.status_code == HTTPStatus.OK
        names = [model["model"] for model in page.output["models"]]
        assert page.output["total"] == len(names) == len(set(names))
        assert {"wan2.5-t2i-preview", MODEL, "wanx-v1"} <= set(names)

    def test_pages_follow_one_another(self) -> None:
        everything = Models.list(page=1, page_size=100).output["models"]

        assert Models.list(page=2, page_size=5).output["models"] == everything[5:10]

    def test_one_model_can_be_asked_for(self) -> None:
        model = Models.get("wan2.5-t2i-preview")

        assert model.status_code == HTTPStatus.OK
        assert model.output["model"] == "wan2.5-t2i-preview"

    def test_a_model_that_is_not_there_is_a_404(self) -> None:
        model = Models.get("no-such-model")

        assert model.status_code == 404
        assert model.message == "Model 'no-such-model' not found"
