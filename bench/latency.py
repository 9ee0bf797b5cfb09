"""How soon an idle worker picks a task up, and how soon a client knows of its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any

import dashscope
import httpx
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session

from bench.ledger import tasks_of
from bench.rates import BODY, CREATE, HEADERS, MODEL
from bench.rows import Row, Section, quantile
from bench.servers import KEY, Server, make_home, serve

TASKS = 200
CALLS = 10
WITHOUT = 3  # calls of a server that holds no polls
PROMPTS = ("echo", "echo delay=0.3", "echo delay=0.7")  # ended before, and during, the first poll
VENDOR_ZONE = timezone(timedelta(hours=8))

Call = Callable[[str], Awaitable[Any]]


def measure(folder: Path) -> Section:
    """Measure one service that holds polls, and one that does not, as it is beyond loopback."""
    data = folder / "latency"
    make_home(data)
    with serve(data, engine="echo") as server:
        tasks = asyncio.run(_one_by_one(server.url))
        _point_sdk_at(server)
        classic = asyncio.run(_waits(_classic, CALLS))
        aio = asyncio.run(_aio_waits())
    with serve(data, engine="echo", poll_hold="0s") as server:
        _point_sdk_at(server)
        unheld = median(asyncio.run(_waits(_classic, WITHOUT)))
    waits = asyncio.run(_pick_ups(data, tasks))
    return Section(
        "latency",
        [
            Row(what="pick-up by an idle worker, p50", unit="ms", most=5, value=median(waits)),
            Row(what="pick-up by an idle worker, p99", unit="ms", most=25,
                value=quantile(waits, 0.99)),
            *_call_rows("`ImageSynthesis.call`", classic, unheld),
            *_call_rows("`AioImageSynthesis.call`", aio, unheld),
        ],
    )  # fmt: skip


def _call_rows(name: str, waits: Sequence[float], unheld: float) -> list[Row]:
    beside = "POLL_HOLD=0s", unheld
    what = f"{name} back after the task's end"
    return [
        Row(what=f"{what}, p50", unit="ms", most=50, value=median(waits), beside=beside),
        Row(what=f"{what}, slowest", unit="ms", value=max(waits), beside=beside),
    ]


async def _one_by_one(url: str) -> list[str]:
    """Create tasks, each after the end of the one before; return their ids."""
    tasks = []
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, trust_env=False) as client:
        for _ in range(TASKS):
            asynchronous = {"X-DashScope-Async": "enable"}
            created = await client.post(CREATE, json=BODY, headers=asynchronous)
            tasks.append(created.raise_for_status().json()["output"]["task_id"])
            await client.get(f"/api/v1/tasks/{tasks[-1]}")  # held until its end
    return tasks


async def _pick_ups(data: Path, ids: Sequence[str]) -> list[float]:
    """Return the milliseconds from each task's create to its claim, by the ledger's clock."""
    waits = []
    for task in await tasks_of(data, ids):
        assert task.first_claim_at
        waits.append((task.first_claim_at - task.submit_at) / timedelta(milliseconds=1))
    return waits


def _point_sdk_at(server: Server) -> None:
    dashscope.api_key = KEY
    dashscope.base_http_api_url = f"{server.url}/api/v1"


async def _classic(prompt: str) -> Any:
    call = dashscope.ImageSynthesis.call
    return await asyncio.to_thread(call, model=MODEL, prompt=prompt, n=1)


async def _aio(prompt: str) -> Any:
    return await AioImageSynthesis.call(model=MODEL, prompt=prompt, n=1)


async def _aio_waits() -> list[float]:
    try:
        return await _waits(_aio, CALLS)
    finally:
        await close_shared_aio_session()


async def _waits(call: Call, times: int) -> list[float]:
    """Return the milliseconds from the end that each answer names to the return of its call."""
    waits = []
    await call(PROMPTS[0])  # the first one also imports and connects
    for number in range(times):
        answer = await call(PROMPTS[number % len(PROMPTS)])
        back = time.time()
        if answer.output.task_status != "SUCCEEDED":
            raise RuntimeError(f"a call of the bench failed: {answer}")
        end = datetime.fromisoformat(answer.output["end_time"]).replace(tzinfo=VENDOR_ZONE)
        waits.append((datetime.fromtimestamp(back, UTC) - end) / timedelta(milliseconds=1))
    return waits
