"""Hosts that cannot reach the ledger, or whose clocks are wrong."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from bench.chaos import CREATE, HEADERS
from bench.fleet import deployed
from bench.postgres import Server, serving
from proxy import between


@pytest.fixture
def durable() -> Iterator[Server]:
    with serving() as running:
        yield running


async def create(session: aiohttp.ClientSession, url: str, prompt: str) -> str:
    body = {"model": "wan2.2-t2i-flash", "input": {"prompt": prompt}, "parameters": {"n": 1}}
    async with session.post(url + CREATE, json=body, headers=HEADERS) as answer:
        said = await answer.json()
        assert answer.status == 200, said
        return str(said["output"]["task_id"])


async def ended(session: aiohttp.ClientSession, url: str, task: str) -> dict[str, str]:
    """Poll until a task's end."""
    async with asyncio.timeout(60):
        while True:
            async with session.get(f"{url}/api/v1/tasks/{task}", headers=HEADERS) as answer:
                output: dict[str, str] = (await answer.json())["output"]
            if output["task_status"] not in ("PENDING", "RUNNING"):
                return output
            await asyncio.sleep(0.1)


async def history(url: str, task: str) -> list[str]:
    """Return the moves of a task."""
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch(
            "SELECT e.move FROM event e JOIN task t USING (n) WHERE t.id = $1 ORDER BY e.i", task
        )
        return [row["move"] for row in rows]
    finally:
        await conn.close()


async def until(url: str, task: str, move: str) -> None:
    """Wait until a task has made a move."""
    async with asyncio.timeout(20):
        while move not in await history(url, task):
            await asyncio.sleep(0.1)


async def test_a_worker_that_is_cut_off_publishes_nothing_and_goes_on_later(
    durable: Server, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(durable.database)
    async with (
        between(url) as (proxy, through),
        aiohttp.ClientSession() as session,
        deployed(tmp_path, url, apis=1, workers=0) as fleet,
    ):
        cut = fleet.add("worker", via=through)
        task = await create(session, fleet.urls[0], "echo delay=16")
        await until(url, task, "claim")
        proxy.drop()
        spare = fleet.add("worker")
        assert (await ended(session, fleet.urls[0], task))["task_status"] == "SUCCEEDED"
        moves = await history(url, task)
        assert moves == ["claim", "lose", "claim", "succeed"]
        await fleet.remove(spare)
        proxy.heal()
        again = await create(session, fleet.urls[0], "echo")
        assert (await ended(session, fleet.urls[0], again))["task_status"] == "SUCCEEDED"
        assert await history(url, task) == moves
        assert cut.starts == 1


@pytest.mark.skipif(shutil.which("faketime") is None, reason="there is no faketime here")
async def test_hosts_whose_clocks_are_wrong_do_as_others_do(
    durable: Server, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(durable.database)
    async with (
        aiohttp.ClientSession() as session,
        deployed(tmp_path, url, apis=0, workers=0) as fleet,
    ):
        fleet.add("api", before=("faketime", "-f", "+3h"))
        fleet.add("api")
        fleet.add("worker", before=("faketime", "-f", "-2d"))
        await fleet.ready()
        tasks = [await create(session, u, "echo delay=0.1") for u in fleet.urls for _ in range(5)]
        for task in tasks:
            for one in fleet.urls:
                output = await ended(session, one, task)
                assert output["task_status"] == "SUCCEEDED"
            assert await history(url, task) == ["claim", "succeed"]
            times = [output[f"{word}_time"] for word in ("submit", "scheduled", "end")]
            assert times == sorted(times)
            picture = output["results"][0]["url"]  # type: ignore[index]
            async with session.get(picture) as answer:
                assert answer.status == 200
