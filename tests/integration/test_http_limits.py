"""The vendor's limits over the whole face, and the profile of caps that a start leaves."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from house import ASYNC, MODEL, ORDER, T2I, House, house
from sqlite_house import opened

from ferrotype.catalogue import Catalogue
from ferrotype.cli import first
from ferrotype.conformance.ledger_base import card, new_task
from ferrotype.limits import VendorLimits
from ferrotype.settings import load
from ferrotype.wiring.front import open_front
from ferrotype.wiring.shared import SystemClock

TASKS = "/api/v1/tasks"
TOO_FAST = {
    "code": "Throttling.RateQuota",
    "message": "Requests rate limit exceeded, please try again later.",
}


class Standstill(SystemClock):
    """A clock that stands: no bucket fills again, however slow the machine."""

    def steady(self) -> float:
        return 1_000.0


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, limits=VendorLimits(Standstill())) as found:
        yield found


async def create(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await client.post(T2I, json=ORDER, headers={**ASYNC, **headers})


async def test_creates_beyond_the_models_rate_are_refused(home: House) -> None:
    rate = home.catalogue.models[MODEL].rate
    assert rate is not None
    async with home.client() as client:
        answers = [await create(client) for _ in range(rate.submit + 3)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200] * rate.submit + [429] * 3
        told = answers[-1].json()
        assert {name: told[name] for name in TOO_FAST} == TOO_FAST
        wrong = await client.post(T2I, json={**ORDER, "input": {}}, headers=ASYNC)
        assert wrong.status_code == 400
    counts = await home.ledger.counts()
    assert counts[(MODEL, "PENDING")] == rate.submit


async def test_a_repeat_costs_nothing(home: House) -> None:
    async with home.client() as client:
        answers = [await create(client, **{"Idempotency-Key": "one"}) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["output"]["task_id"] for answer in answers}) == 1


async def test_lists_and_cancels_are_limited_and_queries_never(home: House) -> None:
    async with home.client() as client:
        task = (await create(client)).json()["output"]["task_id"]
        queries = [await client.get(f"{TASKS}/{task}") for _ in range(60)]
        assert {answer.status_code for answer in queries} == {200}
        lists = [await client.get(TASKS) for _ in range(22)]
        assert [answer.status_code for answer in lists] == [200] * 20 + [429] * 2
        cancels = [await client.post(f"{TASKS}/{task}/cancel") for _ in range(22)]
        assert [answer.status_code for answer in cancels] == [200] + [400] * 19 + [429] * 2


async def test_without_the_profile_nobody_is_too_fast(tmp_path: Path) -> None:
    async with house(tmp_path) as found, found.client() as client:
        assert {(await create(client)).status_code for _ in range(20)} == {200}
        assert {(await client.get(TASKS)).status_code for _ in range(40)} == {200}


async def ready(folder: Path, worker: str) -> int:
    """Add five tasks and return how many of all that wait can be claimed at once."""
    async with opened(folder) as ledger:
        account = await ledger.make_account("someone")
        for _ in range(5):
            await ledger.add(new_task(account, model=MODEL))
        await ledger.admit_due()
        await ledger.enrol(card(worker, MODEL))
        claims = 0
        while await ledger.claim(worker, [MODEL]):
            claims += 1
        await ledger.retire(worker)
        return claims


async def test_each_start_sets_the_profile_that_its_settings_ask_for(tmp_path: Path) -> None:
    rate = Catalogue.load().models[MODEL].rate
    assert rate is not None
    assert rate.concurrent
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    for limits, expected in (("vendor", rate.concurrent), ("vendor", rate.concurrent), ("off", 15)):
        chosen = load({"data_dir": str(folder), "limits": limits}, environ={})
        await first.prepare(chosen)
        async with open_front(chosen):
            pass  # an API's start
        assert await ready(folder, f"worker-{expected}") == expected
