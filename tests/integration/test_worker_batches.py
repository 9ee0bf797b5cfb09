"""Tasks of one shape run in one call; engines say what they cannot do for now, and what counts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from workplace import MODEL, PATIENCE, Between, Workplace, workplace

from ferrotype.ports.engine import Job
from ferrotype.ports.engine_room import EngineRoom, Made
from ferrotype.task import Status
from ferrotype.worker import Station

SHAPE = "a shape"


def listen(place: Workplace) -> list[Job]:
    """Return a list that grows by every job that goes to the engine."""
    jobs: list[Job] = []
    room = Between(place.station.room)
    run = cast(Callable[..., Awaitable[Made]], place.station.room.run)

    async def heard(job: Job, *more: Any) -> Made:
        jobs.append(job)
        return await run(job, *more)

    room.instead["run"] = heard
    place.station = Station(
        room=cast(EngineRoom, room), models=place.station.models, batches=place.station.batches
    )
    return jobs


async def test_tasks_of_one_shape_go_to_the_engine_together(tmp_path: Path) -> None:
    async with workplace(tmp_path, batch=3) as place:
        jobs = listen(place)
        alike = [await place.add("echo delay=0.5", shape=SHAPE) for _ in range(4)]
        other = await place.add("echo delay=0.5", shape="another")
        place.start()
        for task in (*alike, other):
            assert (await place.ended(task)).status is Status.SUCCEEDED
        sent = [{job.task, *job.mates} for job in jobs]
        assert sent[:3] == [set(alike[:3])] * 3
        assert sorted(map(len, sent[3:])) == [1, 1]


async def test_who_comes_later_waits_for_the_next_call(tmp_path: Path) -> None:
    async with workplace(tmp_path, batch=3) as place:
        first = await place.add("echo delay=0.7", shape=SHAPE)
        place.start()
        await place.begun(first)
        second = await place.add("a cat", shape=SHAPE)
        assert (await place.get(second)).status is Status.PENDING
        await place.ended(first)
        assert (await place.ended(second)).status is Status.SUCCEEDED
        one, two = await place.get(first), await place.get(second)
        assert one.claim_at
        assert two.claim_at
        assert (two.claim_at - one.claim_at).total_seconds() >= 0.7


async def test_mates_of_a_crash_run_alone_next_and_without_a_fault(tmp_path: Path) -> None:
    async with workplace(tmp_path, batch=3) as place:
        jobs = listen(place)
        crashing = await place.add("echo delay=0.3 crash-until=1", shape=SHAPE)
        mates = [await place.add("echo delay=60", shape=SHAPE) for _ in range(2)]
        place.start()
        await place.until(mates[0], lambda task: task.attempt == 2)
        assert (await place.ended(crashing)).status is Status.SUCCEEDED
        assert [job.mates for job in jobs[3:4]] == [()]
        for task in (crashing, *mates):
            assert (await place.get(task)).faults == 0


async def test_one_of_a_batch_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    async with workplace(tmp_path, batch=2) as place:
        tasks = [await place.add("echo delay=1", shape=SHAPE) for _ in range(2)]
        place.start()
        for task in tasks:
            await place.running(task)
        await place.ledger.ask_stop(place.account, tasks[0])
        assert (await place.ended(tasks[0])).status is Status.CANCELED
        assert (await place.ended(tasks[1])).status is Status.SUCCEEDED


async def test_what_an_engine_reports_stands_in_the_answer(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run("echo usage=7")
        assert task.result is not None
        assert task.result.usage == {"image_count": 7}


async def test_a_model_that_an_engine_is_unfit_for_is_neither_claimed_nor_announced(
    tmp_path: Path,
) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.add("echo unfit=2")
        other = await place.run("a cat", model="wan2.2-t2i-plus")
        assert other.status is Status.SUCCEEDED
        back = await place.until(
            task, lambda task: task.status is Status.PENDING and task.attempt == 1
        )
        assert (back.status, back.faults) == (Status.PENDING, 0)
        await _announced(place, lambda models: MODEL not in models and bool(models))
        ended = await place.ended(task)
        assert (ended.status, ended.attempt, ended.faults) == (Status.SUCCEEDED, 2, 0)
        await _announced(place, lambda models: MODEL in models)


async def _announced(place: Workplace, so: Callable[[set[str]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            (worker,) = await place.ledger.workers()
            if so(set(worker.models)):
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("deadline", "status"), [(0.3, Status.FAILED), (60.0, Status.SUCCEEDED)])
async def test_a_deadline_is_the_models_own(
    deadline: float, status: Status, tmp_path: Path
) -> None:
    async with workplace(tmp_path, deadline=30.0) as place:
        place.station = Station(
            room=place.station.room, models=place.station.models, deadlines={MODEL: deadline}
        )
        place.start()
        assert (await place.run("echo delay=1.5")).status is status
