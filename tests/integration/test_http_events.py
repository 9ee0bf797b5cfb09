"""Words and pictures by turns, told as server-sent events to a caller who waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from house import ASYNC, PNG, House, house, listening

from ferrotype.http import events
from ferrotype.media import Produced
from ferrotype.ports.ledger import Claim, Ending
from ferrotype.service import Options
from ferrotype.task import Result, Status

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
MODEL = "wan2.6-image"
SSE = {"X-DashScope-SSE": "enable"}
WORDS = {"messages": [{"role": "user", "content": [{"text": "how to fold a kite"}]}]}
BOTH = {"enable_interleave": True, "max_images": 2, "size": "1280*1280"}
ORDER = {"model": MODEL, "input": WORDS, "parameters": BOTH}
MISMATCH = "x-dashscope-sse and stream parameter mismatch. Received: x-dashscope-sse="


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, service_options=Options(seats=1, patience=20)) as found:
        yield found


async def call(home: House, body: Any = ORDER, **headers: str) -> httpx.Response:
    async with home.client(timeout=30) as client:
        return await client.post(PATH, json=body, headers={**SSE, **headers})


async def claimed(home: House) -> Claim:
    for _ in range(500):
        if claim := await home.ledger.claim(home.worker, [MODEL]):
            return claim
        await asyncio.sleep(0.01)
    raise AssertionError("nothing to claim")


async def succeed(home: House, claim: Claim) -> None:
    """End a task with a picture after words, then one that failed."""
    key = f"{claim.task.submit_at:%Y%m%d}/{claim.task.id}/{claim.lease.attempt}/0.png"
    file = home.folder / "new.png"
    file.write_bytes(PNG)
    await home.store.put(key, file, "image/png")
    good = Produced(
        key=key,
        type="image/png",
        bytes=len(PNG),
        sha256=sha256(PNG).hexdigest(),
        width=1280,
        height=1280,
        caption="Step 1.\nFold.",
    )
    bad = Produced(code="DataInspectionFailed", message="no", caption="Step 2.")
    usage = home.catalogue.models[MODEL].usage(claim.order, [good, bad])
    result = Result(outputs=(good, bad), usage=usage, shown={})
    await home.ledger.settle(claim.lease, Ending(result=result))


def frames(answer: str) -> list[tuple[int, str, int, Any]]:
    """Read each event: its number, kind, status and data. Comments are left out."""
    found = []
    for block in answer.removesuffix("\n\n").split("\n\n"):
        if block == ":waiting":
            continue
        number, kind, status, data = block.split("\n")
        found.append(
            (
                int(number.removeprefix("id:")),
                kind.removeprefix("event:"),
                int(status.removeprefix(":HTTP_STATUS/")),
                json.loads(data.removeprefix("data:")),
            )
        )
    return found


async def test_each_part_is_an_event(home: House) -> None:
    calling = asyncio.create_task(call(home))
    await succeed(home, await claimed(home))
    answer = await calling
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert answer.headers["x-ferrotype-engine"] == "illustrator"
    told = frames(answer.text)
    assert [one[:3] for one in told] == [(i, "result", 200) for i in (1, 2, 3, 4)]
    choices = []
    for *_, data in told:
        assert set(data) == {"output", "usage", "request_id"}
        assert data["request_id"] == answer.headers["x-request-id"]
        assert data["usage"]["image_count"] == 1
        assert set(data["output"]) == {"choices", "finished"}
        (choice,) = data["output"]["choices"]
        choices.append(choice)
    assert [one["finish_reason"] for one in choices] == ["null", "null", "null", "stop"]
    parts = [part for one in choices for part in one["message"]["content"]]
    async with home.client(None) as client:
        assert (await client.get(parts[1]["image"])).content == PNG
    assert parts == [
        {"type": "text", "text": "Step 1.\nFold."},
        {"type": "image", "image": parts[1]["image"]},
        {"type": "text", "text": "Step 2."},
        {"type": "text", "text": "DataInspectionFailed: no"},
    ]


async def test_a_failed_task_is_an_event(home: House) -> None:
    calling = asyncio.create_task(call(home))
    claim = await claimed(home)
    await home.fail(claim, "InternalError.Algo", "why")
    answer = await calling
    assert answer.status_code == 200
    fault = {
        "code": "InternalError.Algo",
        "message": "why",
        "request_id": answer.headers["x-request-id"],
    }
    assert frames(answer.text) == [(1, "error", 500, fault)]


async def test_the_end_of_patience_is_an_event(tmp_path: Path) -> None:
    async with house(tmp_path, service_options=Options(patience=0.1)) as home:
        ((_, kind, status, fault),) = frames((await call(home)).text)
        assert (kind, status, fault["code"]) == ("error", 500, "InternalError.Timeout")
        assert (await home.ledger.counts()).get((MODEL, "CANCELED"))


async def test_what_the_model_refuses_is_an_event(home: House) -> None:
    answer = await call(home, {**ORDER, "parameters": {**BOTH, "n": 2}})
    assert answer.status_code == 200
    ((number, kind, status, fault),) = frames(answer.text)
    assert (number, kind, status) == (1, "error", 400)
    assert fault["message"] == "num_images_per_prompt must be 1"


@pytest.mark.parametrize(
    ("body", "headers", "received"),
    [
        (ORDER, {"X-DashScope-SSE": "disable"}, "disable, stream=True"),
        ({**ORDER, "parameters": {**BOTH, "stream": False}}, {}, "enable, stream=False"),
        ({"model": "wan2.7-image", "input": WORDS}, {}, "enable, stream=False"),
    ],
)
async def test_a_header_that_does_not_go_with_the_body_is_refused(
    home: House, body: Any, headers: dict[str, str], received: str
) -> None:
    answer = await call(home, body, **headers)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["code"], said["message"]) == ("InvalidParameter", MISMATCH + received)


async def test_what_comes_before_the_model_is_plain(home: House) -> None:
    async with home.client() as client:
        answer = await client.post(PATH, content=b"{", headers=SSE)
        assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest.IllegalInput")
        calling = asyncio.create_task(call(home))
        claim = await claimed(home)
        answer = await client.post(PATH, json=ORDER, headers=SSE)
        assert (answer.status_code, answer.json()["code"]) == (429, "Throttling.RateQuota")
        await succeed(home, claim)
        assert (await calling).status_code == 200
    async with home.client(None) as client:
        assert (await client.post(PATH, json=ORDER, headers=SSE)).status_code == 401


async def test_a_task_needs_no_events(home: House) -> None:
    path = "/api/v1/services/aigc/image-generation/generation"
    async with home.client() as client:
        for headers in (ASYNC, ASYNC | SSE):
            answer = await client.post(path, json=ORDER, headers=headers)
            assert answer.json()["output"]["task_status"] == "PENDING"


async def test_a_caller_hears_something_while_waiting_and_may_go(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.02)
    async with listening(home.face) as port:
        headers = {"Authorization": f"Bearer {home.key}", **SSE}
        async with (
            httpx.AsyncClient(headers=headers) as client,
            client.stream("POST", f"http://127.0.0.1:{port}{PATH}", json=ORDER) as answer,
        ):
            lines = answer.aiter_lines()
            assert [await anext(lines) for _ in range(4)] == [":waiting", ""] * 2
            claim = await claimed(home)
        for _ in range(500):
            renewal = await home.ledger.renew(home.worker, {})
            if claim.task.id in renewal.stop:
                break
            await asyncio.sleep(0.01)
        assert (await home.ledger.stopped(claim.lease)).status is Status.CANCELED


async def test_an_unforeseen_end_is_told_too(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(home.service, "attend", break_down)
    ((_, kind, status, fault),) = frames((await call(home)).text)
    assert (kind, status, fault["code"]) == ("error", 500, "InternalError")
