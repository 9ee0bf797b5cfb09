"""Synchronous calls: a normal task that its caller waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from house import MODEL, ORDER, T2I, House, house, listening

from ferrotype.errors import Unavailable
from ferrotype.keyring import new_key
from ferrotype.ports.ledger import Claim
from ferrotype.service import Options
from ferrotype.task import Status, Task


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    options = Options(seats=2, renew_every=0.05, attended_for=0.5)
    async with house(tmp_path, service_options=options) as found:
        yield found


async def call(home: House, key: str = "") -> httpx.Response:
    async with home.client(key, timeout=30) as client:
        return await client.post(T2I, json=ORDER)


async def claimed(home: House) -> Claim:
    for _ in range(500):
        if claim := await home.ledger.claim(home.worker, [MODEL]):
            return claim
        await asyncio.sleep(0.01)
    raise AssertionError("nothing to claim")


async def only_task(home: House) -> Any:
    async with home.client() as client:
        rows = (await client.get("/api/v1/tasks")).json()["data"]
    assert len(rows) == 1
    return rows[0]


async def until_status(home: House, status: str) -> None:
    for _ in range(500):
        if (await only_task(home))["status"] == status:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await only_task(home))


async def test_the_answer_holds_the_pictures(home: House) -> None:
    calling = asyncio.create_task(call(home))
    await home.succeed(await claimed(home))
    answer = await calling
    assert answer.status_code == 200
    body = answer.json()
    assert body["output"]["task_status"] == "SUCCEEDED"
    assert len(body["output"]["results"]) == 2
    assert body["usage"] == {"image_count": 2}
    assert answer.headers["x-ferrotype-engine"] == "illustrator"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("DataInspectionFailed", 400),
        ("InvalidParameter", 400),
        ("Throttling.RateQuota", 429),
        ("ModelUnavailable", 503),
        ("InternalError.Timeout", 500),
        ("SomethingNew", 500),
    ],
)
async def test_a_failed_task_is_a_failed_call(home: House, code: str, status: int) -> None:
    calling = asyncio.create_task(call(home))
    await home.fail(await claimed(home), code, "why")
    answer = await calling
    assert answer.status_code == status
    body = answer.json()
    assert (body["code"], body["message"]) == (code, "why")
    assert set(body) == {"code", "message", "request_id"}
    assert ("x-should-retry" in answer.headers) == (status >= 500)


async def test_a_task_stays_attended_while_its_caller_waits(home: House) -> None:
    calling = asyncio.create_task(call(home))
    claim = await claimed(home)
    await asyncio.sleep(0.8)
    assert await home.ledger.abandon() == 0
    await home.succeed(claim)
    assert (await calling).status_code == 200


async def test_a_ledger_that_is_busy_for_a_moment_ends_no_call(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def refuse(task_id: str, seconds: float) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable

    monkeypatch.setattr(home.ledger, "attend", refuse)
    calling = asyncio.create_task(call(home))
    claim = await claimed(home)
    async with asyncio.timeout(20):
        while tries < 2:
            await asyncio.sleep(0.01)
    await home.succeed(claim)
    assert (await calling).status_code == 200


async def test_who_joins_a_call_by_its_idempotency_key_waits_without_asking_on_and_on(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    get = home.ledger.get

    async def count(account: str, task_id: str) -> Task | None:
        nonlocal looks
        looks += 1
        return await get(account, task_id)

    async def join() -> httpx.Response:
        async with home.client(timeout=30) as client:
            return await client.post(T2I, json=ORDER, headers={"Idempotency-Key": "k"})

    monkeypatch.setattr(home.ledger, "get", count)
    calls = [asyncio.create_task(join()) for _ in range(2)]
    claim = await claimed(home)
    await asyncio.sleep(0.5)  # ten times `renew_every`
    assert looks < 100
    await home.succeed(claim)
    assert [(await one).status_code for one in calls] == [200, 200]


async def test_nobody_queues_for_a_seat(home: House) -> None:
    calls = [asyncio.create_task(call(home)) for _ in range(2)]
    first, second = await claimed(home), await claimed(home)
    refused = await call(home)
    assert (refused.status_code, refused.json()["code"]) == (429, "Throttling.RateQuota")
    for claim in (first, second):
        await home.succeed(claim)
    assert [(await one).status_code for one in calls] == [200, 200]
    again = asyncio.create_task(call(home))
    await home.succeed(await claimed(home))
    assert (await again).status_code == 200


async def test_one_account_cannot_take_all_seats(tmp_path: Path) -> None:
    options = Options(seats=3, account_seats=2)
    async with house(tmp_path, service_options=options) as home:
        account = await home.ledger.make_account("another")
        second = (await home.ledger.add_key(account, "its key", other := new_key())).id
        calls = [asyncio.create_task(call(home)) for _ in range(2)]
        claims = [await claimed(home) for _ in calls]
        refused = await call(home)
        assert (refused.status_code, refused.json()["code"]) == (429, "Throttling.RateQuota")
        calls.append(asyncio.create_task(call(home, other)))
        claims.append(await claimed(home))
        assert claims[-1].task.key == second
        assert (await call(home, other)).status_code == 429
        for claim in claims:
            await home.succeed(claim)
        assert [(await one).status_code for one in calls] == [200] * 3
        again = asyncio.create_task(call(home))
        await home.succeed(await claimed(home))
        assert (await again).status_code == 200


async def test_an_asynchronous_create_needs_no_seat(tmp_path: Path) -> None:
    async with house(tmp_path, service_options=Options(seats=0)) as home:
        async with home.client() as client:
            made = await client.post(T2I, json=ORDER, headers={"X-DashScope-Async": "enable"})
        assert made.status_code == 200
        assert (await call(home)).status_code == 429


@pytest.mark.parametrize("running", [False, True])
async def test_a_caller_who_hangs_up_stops_the_task(home: House, running: bool) -> None:
    async with listening(home.face) as port:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {home.key}"}) as client:
            calling = asyncio.create_task(client.post(f"http://127.0.0.1:{port}{T2I}", json=ORDER))
            if running:
                claim = await claimed(home)
            else:
                for _ in range(500):
                    if (await home.ledger.counts()).get((MODEL, "PENDING")):
                        break
                    await asyncio.sleep(0.01)
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling
        if running:
            for _ in range(500):
                renewal = await home.ledger.renew(home.worker, {})
                if claim.task.id in renewal.stop:
                    break
                await asyncio.sleep(0.01)
            assert (await home.ledger.stopped(claim.lease)).status is Status.CANCELED
        else:
            await until_status(home, "CANCELED")


async def test_patience_ends(tmp_path: Path) -> None:
    async with house(tmp_path, service_options=Options(patience=0.2)) as home:
        answer = await call(home)
        assert (answer.status_code, answer.json()["code"]) == (500, "InternalError.Timeout")
        assert answer.headers["x-should-retry"] == "false"
        await until_status(home, "CANCELED")


async def test_a_refused_call_takes_no_seat(home: House) -> None:
    async with home.client() as client:
        for _ in range(5):
            assert (await client.post(T2I, json={**ORDER, "input": {}})).status_code == 400
    calling = asyncio.create_task(call(home))
    await home.succeed(await claimed(home))
    assert (await calling).status_code == 200
