"""Requests that the official Python package was seen to send, replayed byte by byte.

Each was recorded from package 2.0.2: `classic` is `ImageSynthesis` (requests), `aio` its
asynchronous twin (aiohttp), `v2` is `dashscope.Client` (httpx). Only host, key and task id are
filled in. Beside each stands the answer that it must get.
"""

import gzip
import http.client
import json
import socket
import time
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlsplit

import pytest

from ferrotype.testing import Server

CREATE = "/api/v1/services/aigc/text2image/image-synthesis"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
AGENT = "dashscope/2.0.2; python/3.11.7; platform/Linux-6.1.0-x86_64-with-glibc2.36; processor/"
SESSION = "x-dashscope-sdk-session-id: 375c49e441284782bb7d6840629a8070"

CLASSIC_CREATE = f"""\
user-agent: {AGENT}
Accept-Encoding: gzip, deflate
Accept: application/json; charset=utf-8
Connection: keep-alive
X-DashScope-Async: enable
Authorization: Bearer {{key}}
x-dashscope-sdk-client: python-sdk/2.0.2/aigc
{SESSION}
Content-Type: application/json; charset=utf-8
"""
CLASSIC_SYNC = CLASSIC_CREATE.replace("X-DashScope-Async: enable\n", "").replace("aigc", "client")
CLASSIC_WORKSPACE = CLASSIC_CREATE + "X-DashScope-WorkSpace: llm-abc\n"
CLASSIC_TASKS = f"""\
user-agent: {AGENT}
Accept-Encoding: gzip, deflate
Accept: application/json; charset=utf-8
Connection: keep-alive
x-dashscope-sdk-client: python-sdk/2.0.2/tasks
{SESSION}
Authorization: Bearer {{key}}
"""
AIO_CREATE = f"""\
X-DashScope-Async: enable
Accept: application/json; charset=utf-8
Authorization: Bearer {{key}}
user-agent: {AGENT}
x-dashscope-sdk-client: python-sdk/2.0.2/client
{SESSION}
Content-Type: application/json; charset=utf-8
Accept-Encoding: gzip, deflate
"""
AIO_TASKS = f"""\
Accept: application/json; charset=utf-8
Authorization: Bearer {{key}}
user-agent: {AGENT}; {AGENT}
x-dashscope-sdk-client: python-sdk/2.0.2/tasks
{SESSION}
Accept-Encoding: gzip, deflate
"""
AIO_CANCEL = AIO_TASKS + "Content-Type: application/json; charset=utf-8\n"
V2_TASKS = f"""\
Accept: */*
Accept-Encoding: gzip, deflate
Connection: keep-alive
Authorization: Bearer {{key}}
User-Agent: dashscope-v2-python/2.0.2
x-dashscope-sdk-client: python-sdk/2.0.2/aigc2
{SESSION}
"""
V2_CREATE = V2_TASKS + "X-DashScope-Async: enable\nContent-Type: application/json\n"

PENDING = {
    "request_id": ANY,
    "output": {"task_id": ANY, "task_status": "PENDING"},
}
SUCCEEDED = {
    "request_id": ANY,
    "output": {
        "task_id": ANY,
        "task_status": "SUCCEEDED",
        "submit_time": ANY,
        "scheduled_time": ANY,
        "end_time": ANY,
        "results": [{"orig_prompt": "cat", "actual_prompt": "cat", "url": ANY}],
        "task_metrics": {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0},
    },
    "usage": {"image_count": 1},
}
NO_SUCH_TASK = {"request_id": ANY, "output": {"task_id": UNKNOWN, "task_status": "UNKNOWN"}}
NOT_PENDING = {
    "request_id": ANY,
    "code": "UnsupportedOperation",
    "message": "Failed to cancel the task, please confirm if the task is in PENDING status.",
}
NO_SUCH_MODEL = {"request_id": ANY, "code": "InvalidParameter", "message": "Model not exist."}
EMPTY_PAGE = {
    "request_id": ANY,
    "total": 0,
    "data": [],
    "total_page": 0,
    "page_no": 2,
    "page_size": 20,
}
SYNC_DENIED = {
    "request_id": ANY,
    "code": "AccessDenied",
    "message": "current user api does not support synchronous calls",
}

CLASSIC_BODY = (
    '{"model": "wan2.2-t2i-flash", "parameters": {"size": "1024*1024", "n": 2, "seed": 7, '
    '"prompt_extend": true, "watermark": false}, "input": {"prompt": "猫", '
    '"negative_prompt": "bad"}}'
)
REFERENCE_BODY = (
    '{"model": "wanx-v1", "parameters": {"style": "<anime>"}, "input": {"prompt": "cat", '
    '"ref_img": "https://x/ref.png"}}'
)
BARE_BODY = '{"model": "wan2.2-t2i-flash", "parameters": {}, "input": {"prompt": "cat"}}'
ASYNC_ONLY_BODY = '{"model": "wan2.5-t2i-preview", "parameters": {}, "input": {"prompt": "cat"}}'
BAD_MODEL_BODY = '{"model": "bad-model", "parameters": {}, "input": {"prompt": "x"}}'
AIO_BODY = '{"model": "wan2.2-t2i-flash", "parameters": {"n": 1}, "input": {"prompt": "cat"}}'
AIO_CANCEL_BODY = '{"model": "", "parameters": {}, "input": ""}'
V2_BODY = (
    '{"model":"wan2.2-t2i-flash","input":{"prompt":"cat"},"parameters":{"n":1,"size":"1024*1024"}}'
)
V2_BARE_BODY = '{"model":"wan2.2-t2i-flash","input":{"prompt":"cat"}}'

FOUR_CATS = SUCCEEDED | {
    "output": SUCCEEDED["output"]  # type: ignore[operator]
    | {
        "results": [{"orig_prompt": "cat", "actual_prompt": "cat", "url": ANY}] * 4,
        "task_metrics": {"TOTAL": 4, "SUCCEEDED": 4, "FAILED": 0},
    },
    "usage": {"image_count": 4},
}

LIST_FILTERS = (
    "page_no=2&page_size=20&start_time=20260101000000&end_time=20260102000000"
    "&model_name=wanx-v1&api_key_id=1&region=cn-beijing&status=SUCCEEDED"
)

# name: (request line, headers, body, status, answer)
RECORDED: dict[str, tuple[str, str, str | None, int, Any]] = {
    "classic create": (f"POST {CREATE}", CLASSIC_CREATE, CLASSIC_BODY, 200, PENDING),
    "classic create, slash": (f"POST {CREATE}/", CLASSIC_CREATE, CLASSIC_BODY, 200, PENDING),
    "classic workspace": (f"POST {CREATE}", CLASSIC_WORKSPACE, REFERENCE_BODY, 200, PENDING),
    "classic sync": (f"POST {CREATE}", CLASSIC_SYNC, BARE_BODY, 200, FOUR_CATS),
    "classic sync, slash": (f"POST {CREATE}/", CLASSIC_SYNC, BARE_BODY, 200, FOUR_CATS),
    "classic sync denied": (f"POST {CREATE}", CLASSIC_SYNC, ASYNC_ONLY_BODY, 403, SYNC_DENIED),
    "classic bad model": (f"POST {CREATE}", CLASSIC_CREATE, BAD_MODEL_BODY, 400, NO_SUCH_MODEL),
    "classic fetch": ("GET /api/v1/tasks/{done}", CLASSIC_TASKS, None, 200, SUCCEEDED),
    "classic unknown": (f"GET /api/v1/tasks/{UNKNOWN}", CLASSIC_TASKS, None, 200, NO_SUCH_TASK),
    "classic cancel": ("POST /api/v1/tasks/{done}/cancel", CLASSIC_TASKS, "", 400, NOT_PENDING),
    "classic list": (f"GET /api/v1/tasks?{LIST_FILTERS}", CLASSIC_TASKS, None, 200, EMPTY_PAGE),
    "classic list, slash": (
        f"GET /api/v1/tasks/?{LIST_FILTERS}", CLASSIC_TASKS, None, 200, EMPTY_PAGE,
    ),
    "aio create": (f"POST {CREATE}", AIO_CREATE, AIO_BODY, 200, PENDING),
    "aio poll of call": ("GET /api/v1/tasks/{done}/?n=1", AIO_TASKS, None, 200, SUCCEEDED),
    "aio fetch": ("GET /api/v1/tasks/{done}/", AIO_TASKS, None, 200, SUCCEEDED),
    "aio unknown": (f"GET /api/v1/tasks/{UNKNOWN}/", AIO_TASKS, None, 200, NO_SUCH_TASK),
    "aio list": (
        "GET /api/v1/tasks?page_no=1&page_size=10&status=CANCELED", AIO_TASKS, None, 200,
        {"request_id": ANY, "total": 0, "data": [], "total_page": 0, "page_no": 1, "page_size": 10},
    ),
    "aio cancel": (
        "POST /api/v1/tasks/{done}/cancel/", AIO_CANCEL, AIO_CANCEL_BODY, 400, NOT_PENDING,
    ),
    "v2 create": (f"POST {CREATE}", V2_CREATE, V2_BODY, 200, PENDING),
    "v2 create, no parameters": (f"POST {CREATE}", V2_CREATE, V2_BARE_BODY, 200, PENDING),
    "v2 fetch": ("GET /api/v1/tasks/{done}", V2_TASKS, None, 200, SUCCEEDED),
    "v2 unknown": (f"GET /api/v1/tasks/{UNKNOWN}", V2_TASKS, None, 200, NO_SUCH_TASK),
    "v2 cancel": ("POST /api/v1/tasks/{done}/cancel", V2_TASKS, "", 400, NOT_PENDING),
}  # fmt: skip


def exchange(
    server: Server, line: str, headers: str, body: str | None
) -> tuple[int, dict[str, str], Any]:
    """Send exactly these bytes and read one answer: status, headers (lower case), JSON."""
    address = urlsplit(server.url)
    content = (body or "").encode()
    head = f"{line} HTTP/1.1\nHost: {address.netloc}\n{headers}"
    if body is not None:
        head += f"Content-Length: {len(content)}\n"
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"{head}\n".replace("\n", "\r\n").encode() + content)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        data = answer.read()
        answer.close()
    told = {name.lower(): value for name, value in answer.getheaders()}
    if told.get("content-encoding") == "gzip":
        data = gzip.decompress(data)
    return answer.status, told, json.loads(data)


@pytest.fixture(scope="module")
def done(served: Server) -> str:
    """The id of a task that has succeeded."""
    _, _, answer = exchange(
        served, f"POST {CREATE}", AIO_CREATE.replace("{key}", served.key), AIO_BODY
    )
    task: str = answer["output"]["task_id"]
    headers = CLASSIC_TASKS.replace("{key}", served.key)
    for _ in range(60):
        _, _, answer = exchange(served, f"GET /api/v1/tasks/{task}", headers, None)
        if answer["output"]["task_status"] == "SUCCEEDED":
            return task
        time.sleep(0.2)
    pytest.fail(f"not done: {answer}")


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_request_gets_its_answer(name: str, served: Server, done: str) -> None:
    line, headers, body, status, expected = RECORDED[name]

    got, told, answer = exchange(
        served, line.replace("{done}", done), headers.replace("{key}", served.key), body
    )
    assert (got, answer) == (status, expected)
    assert told["content-type"].startswith("application/json")
    assert told["x-request-id"] == answer["request_id"]
    assert "location" not in told


@pytest.mark.parametrize("headers", [CLASSIC_TASKS, V2_TASKS], ids=["classic", "v2"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_recorded_cancel_cancels(headers: str, slash: str, held: Server) -> None:
    headers = headers.replace("{key}", held.key)
    _, _, created = exchange(held, f"POST {CREATE}", V2_CREATE.replace("{key}", held.key), V2_BODY)
    task = created["output"]["task_id"]

    status, _, answer = exchange(held, f"POST /api/v1/tasks/{task}/cancel{slash}", headers, "")
    assert (status, answer) == (200, {"request_id": ANY})
    _, _, answer = exchange(held, f"GET /api/v1/tasks/{task}", headers, None)
    assert answer["output"]["task_status"] == "CANCELED"


def test_a_recorded_aio_cancel_cancels(held: Server) -> None:
    _, _, created = exchange(
        held, f"POST {CREATE}", AIO_CREATE.replace("{key}", held.key), AIO_BODY
    )
    task = created["output"]["task_id"]

    status, _, answer = exchange(
        held,
        f"POST /api/v1/tasks/{task}/cancel/",
        AIO_CANCEL.replace("{key}", held.key),
        AIO_CANCEL_BODY,
    )
    assert (status, answer) == (200, {"request_id": ANY})
