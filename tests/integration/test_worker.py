"""A worker over a real ledger: every claimed task comes to one end, whatever happens."""

import asyncio
import os
import signal
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from rooms import alive
from structlog.testing import capture_logs
from workplace import PATIENCE, Between, Workplace, workplace

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.errors import InputDownloadFailed, Unavailable
from ferrotype.metrics import REGISTRY
from ferrotype.ports.engine_room import EngineDied, EngineRoom
from ferrotype.ports.ledger import Ending, Renewal, WorkerCard
from ferrotype.task import Lease, Status, Task, day_of, new_task_id
from ferrotype.worker import Station, Worker

WITH_INPUT: Mapping[str, Any] = {
    "model": "wanx-v1",
    "inputs": {"ref_img": ["http://example.com/a.png"]},
}


async def test_a_task_is_run_kept_and_settled(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run("a flower shop", n=2)
        assert (task.status, task.attempt, task.faults) == (Status.SUCCEEDED, 1, 0)
        assert task.result is not None
        assert task.result.usage == {"image_count": 2}
        assert task.result.shown["orig_prompt"] == "a flower shop"
        for i, output in enumerate(task.result.outputs):
            assert output.key == f"{task.submit_at:%Y%m%d}/{task.id}/1/{i}.png"
            stored = await place.store.find(output.key)
            data = stored.path.read_bytes()
            assert (output.bytes, output.sha256) == (len(data), sha256(data).hexdigest())
        await place.close()
        assert place.benches() == []
        assert await place.ledger.workers() == []


async def test_a_wait_is_timed_once_and_a_run_at_its_end(tmp_path: Path) -> None:
    def timed(model: str) -> list[float]:
        names = ("ferrotype_task_wait_seconds_count", "ferrotype_task_run_seconds_count")
        return [REGISTRY.get_sample_value(name, {"model": model}) or 0 for name in names]

    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run("a cat")
        await place.benches_empty()  # only then has the worker counted it
        before = timed(task.model)
        await place.run("a cat")
        await place.run("echo crash")
        await place.close()
        assert [now - then for now, then in zip(timed(task.model), before, strict=True)] == [2, 2]


async def test_one_failed_item_of_two_is_a_success(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run("echo fail-item=0:DataInspectionFailed", n=2)
        assert task.status is Status.SUCCEEDED
        assert task.result is not None
        assert [item.code for item in task.result.outputs] == ["DataInspectionFailed", None]
        assert task.result.usage == {"image_count": 1}


async def test_what_nobody_can_mend_fails_at_once(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        refused = await place.run("echo refuse=DataInspectionFailed")
        nothing = await place.run("echo fail-item=0:Some.Code")
        known = await place.run("a cat", refusal=("InvalidParameter", "No such size."))
        assert [(task.status, task.code, task.attempt) for task in (refused, nothing, known)] == [
            (Status.FAILED, "DataInspectionFailed", 1),
            (Status.FAILED, "Some.Code", 1),
            (Status.FAILED, "InvalidParameter", 1),
        ]
        assert known.message == "No such size."
        assert await place.files() == set()


@pytest.mark.parametrize("prompt", ["echo crash", "echo raise", "echo output=link"])
async def test_three_faults_end_a_task(prompt: str, tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run(prompt)
        assert (task.status, task.code) == (Status.FAILED, "InternalError.Algo")
        assert (task.attempt, task.faults) == (3, 3)
        assert await place.files() == set()
        assert (await place.run("a cat")).status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("posted", "told"), [({"model": "wanx-v1"}, None), (None, "BadRequest.InputDownloadFailed")]
)
async def test_what_was_passed_on_may_do_without_files_that_have_gone(
    posted: dict[str, str] | None, told: str | None, tmp_path: Path
) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task_id = await place.add("echo note=sent delay=2 steps=20", posted=posted, **WITH_INPUT)
        await place.until(task_id, lambda task: task.progress > 0)  # it comes after the note
        place.fetcher.error = InputDownloadFailed()
        assert isinstance(place.station.room, ProcessRoom)
        assert place.station.room.pid
        os.kill(place.station.room.pid, signal.SIGKILL)
        await place.until(task_id, lambda task: task.faults == 1)
        await place.ledger.set_clock_offset(60.0)
        assert (await place.ended(task_id)).code == told


async def test_two_faults_are_forgiven(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task = await place.run("echo crash-until=2")
        assert (task.status, task.attempt, task.faults) == (Status.SUCCEEDED, 3, 2)
        assert await place.files() == {f"{task.id}/3"}


async def test_a_note_reaches_the_next_attempt(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task_id = await place.add("echo note=half delay=60")
        await place.running(task_id)
        async with asyncio.timeout(PATIENCE):
            while "note" not in place.work.calls:
                await asyncio.sleep(0.01)
        await place.close()
        await place.ledger.enrol(WorkerCard(id="w", host="", pid=1, version="", models=("m",)))
        claim = await place.ledger.claim("w", place.station.models)
        assert claim is not None
        assert claim.memo == b"half"


async def test_a_drain_lets_what_runs_end_and_claims_nothing_more(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        first = await place.add("echo delay=0.5")
        await place.running(first)
        second = await place.add("a cat")
        place.stop.ask()
        assert place.working is not None
        await asyncio.wait_for(place.working, PATIENCE)
        assert (await place.get(first)).status is Status.SUCCEEDED
        assert (await place.get(second)).attempt == 0


@pytest.mark.parametrize("drain", [0.1, 60.0])
async def test_a_drain_gives_back_what_takes_too_long(drain: float, tmp_path: Path) -> None:
    async with workplace(tmp_path, drain=drain) as place:
        place.start()
        task_id = await place.add("echo delay=600 steps=6000")
        await place.running(task_id)
        place.stop.ask()
        if drain > 1:
            place.stop.ask()  # a second time: now
        assert place.working is not None
        await asyncio.wait_for(place.working, PATIENCE)
        task = await place.get(task_id)
        assert (task.status, task.attempt, task.faults) == (Status.PENDING, 1, 0)
        assert await place.ledger.workers() == []
        assert place.station.room.pid is None  # type: ignore[attr-defined]


async def test_a_stop_asked_for_is_heard_at_once(tmp_path: Path) -> None:
    async with workplace(tmp_path, renew=600.0, lapse=1200.0) as place:
        place.start()
        task_id = await place.add("echo stall")
        await place.running(task_id)
        await place.ledger.ask_stop(place.account, task_id)
        assert (await place.ended(task_id)).status is Status.CANCELED
        assert (await place.run("a cat")).status is Status.SUCCEEDED


async def test_a_deaf_engine_is_killed_when_its_task_is_stopped(tmp_path: Path) -> None:
    async with workplace(tmp_path, grace=0.1) as place:
        place.start()
        task_id = await place.add("echo deaf=600")
        await place.running(task_id)
        pid = place.station.room.pid  # type: ignore[attr-defined]
        await place.ledger.ask_stop(place.account, task_id)
        assert (await place.ended(task_id)).status is Status.CANCELED
        assert not alive(pid)


async def test_an_attempt_has_a_deadline(tmp_path: Path) -> None:
    async with workplace(tmp_path, deadline=0.5) as place:
        place.start()
        task = await place.run("echo delay=600 steps=6000")
        assert (task.status, task.code) == (Status.FAILED, "InternalError.Timeout")
        assert task.attempt == 1


async def test_progress_is_seen_while_a_task_runs(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task_id = await place.add("echo delay=600 steps=6000")
        await place.until(task_id, lambda task: task.progress > 0)


async def test_a_lost_lease_publishes_nothing(tmp_path: Path) -> None:
    async with workplace(tmp_path, renew=0.1) as place:

        async def lose(_: str, progress: Mapping[Lease, float]) -> Renewal:
            return Renewal(frozenset(), frozenset(lease.task for lease in progress))

        place.start()
        task_id = await place.add("echo delay=1.5 steps=100")
        await place.begun(task_id)
        place.work.instead["renew"] = lose
        await place.benches_empty()
        assert (await place.get(task_id)).status is Status.RUNNING
        assert "settle" not in place.work.calls
        assert await place.files() == set()


async def test_when_somebody_else_ended_it_first_our_files_go_with_their_task(
    tmp_path: Path,
) -> None:
    async with workplace(tmp_path) as place:

        async def late(lease: Lease, ending: Ending) -> Task:
            await place.ledger.time_out(lease)
            return await place.ledger.settle(lease, ending)

        place.work.instead["settle"] = late
        place.start()
        task = await place.run("a cat")
        assert task.code == "InternalError.Timeout"
        await place.close()
        assert await place.files() == {f"{task.id}/1"}
        await place.ledger.set_clock_offset(86_401)
        (swept,) = await place.ledger.expired(1)
        await place.store.drop(f"{swept.day}/{swept.task_id}")
        assert await place.files() == set()


async def test_a_settle_whose_answer_was_lost_is_told_again(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        answers: list[Task] = []

        async def unheard(lease: Lease, ending: Ending) -> Task:
            answers.append(await place.ledger.settle(lease, ending))
            if len(answers) < 3:
                raise ConnectionError("the answer was lost")
            return answers[-1]

        place.work.instead["settle"] = unheard
        place.start()
        task_id = await place.add("a cat")
        task = await place.ended(task_id)
        await place.benches_empty()
        assert task.status is Status.SUCCEEDED
        assert answers == [task] * 3
        assert await place.files() == {f"{task_id}/1"}


async def test_files_stay_when_a_settle_went_through_unseen(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:

        async def unseen(lease: Lease, ending: Ending) -> Task:
            await place.ledger.settle(lease, ending)
            raise RuntimeError("an answer that nobody understands")

        place.work.instead["settle"] = unseen
        place.start()
        task_id = await place.add("a cat")
        task = await place.ended(task_id)
        await place.benches_empty()
        assert task.status is Status.SUCCEEDED
        assert "fault" in place.work.calls
        assert await place.files() == {f"{task_id}/1"}


async def test_a_worker_that_the_ledger_forgot_goes_on_under_a_new_name(tmp_path: Path) -> None:
    async with workplace(tmp_path, renew=0.1) as place:
        place.start()
        task_id = await place.add("echo delay=1.5 steps=100")
        await place.running(task_id)
        (first,) = await place.ledger.workers()
        await place.ledger.retire(first.id)
        task = await place.ended(task_id)
        assert (task.status, task.attempt, task.faults) == (Status.SUCCEEDED, 2, 0)
        assert await place.files() == {f"{task_id}/2"}
        (second,) = await place.ledger.workers()
        assert second.id != first.id


async def test_a_model_is_served_while_its_engine_starts(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        broken = asyncio.Event()

        async def start() -> None:
            broken.set()
            raise EngineDied("no art")

        room = Between(place.station.room)
        room.instead["start"] = start
        models = place.station.models
        place.station = Station(room=cast(EngineRoom, room), models=models, device="cuda:1")
        place.start()
        await asyncio.wait_for(broken.wait(), PATIENCE)
        (worker,) = await place.ledger.workers()
        assert worker.devices == ("cuda:1",)
        assert worker.models == ()
        room.instead.clear()
        assert (await place.run("a cat")).status is Status.SUCCEEDED
        (worker,) = await place.ledger.workers()
        assert set(worker.models) == place.station.models
        room.instead["start"] = start
        await place.add("echo delay=0.1")
        async with asyncio.timeout(PATIENCE):
            while worker.models:
                await asyncio.sleep(0.02)
                (worker,) = await place.ledger.workers()


async def test_without_an_answer_the_lease_lapses_and_the_worker_begins_anew(
    tmp_path: Path,
) -> None:
    async with workplace(tmp_path, renew=0.1, lapse=2.0) as place:

        async def away(*_: object, **__: object) -> None:
            raise Unavailable

        async def silence(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        place.start()
        task_id = await place.add("echo delay=4 steps=100")
        await place.begun(task_id)
        (first,) = await place.ledger.workers()
        calls = ("claim", "enrol", "settle", "stopped", "give_back", "fault", "next_due")
        place.work.instead = {name: away for name in calls}
        place.work.instead |= {"renew": silence, "retire": silence}
        await place.benches_empty()
        assert await place.files() == set()
        place.work.instead = {}
        task = await place.ended(task_id)
        assert (task.status, task.attempt) == (Status.SUCCEEDED, 2)
        assert first.id not in {worker.id for worker in await place.ledger.workers()}


async def test_a_finished_result_outlasts_a_busy_ledger(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        tries: list[Lease] = []

        async def busy(lease: Lease, ending: Ending) -> Task:
            tries.append(lease)
            if len(tries) < 4:
                raise Unavailable
            return await place.ledger.settle(lease, ending)

        place.work.instead["settle"] = busy
        place.start()
        task = await place.run("a cat")
        assert (task.status, task.attempt, len(tries)) == (Status.SUCCEEDED, 1, 4)


@pytest.mark.parametrize(
    ("failures", "code"), [(2, None), (3, "InternalError.Upload")], ids=["mended", "lasting"]
)
async def test_a_store_is_tried_three_times(
    failures: int, code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferrotype.worker.delivery.PAUSE", 0.0)
    async with workplace(tmp_path) as place:
        put, tries = place.store.put, iter(range(failures))

        async def full(key: str, file: Path, type: str) -> None:
            if next(tries, None) is not None:
                raise OSError("No space left on device")
            await put(key, file, type)

        place.store.instead["put"] = full
        place.start()
        task = await place.run("a cat")
        assert (task.code, task.faults) == (code, 0)


async def test_inputs_are_fetched_by_role(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        assert (await place.run("a cat", **WITH_INPUT)).status is Status.SUCCEEDED
        assert place.fetcher.asked == [("http://example.com/a.png", "ref_img-0")]
        place.fetcher.error = InputDownloadFailed()
        task = await place.run("a cat", **WITH_INPUT)
        assert (task.status, task.code) == (Status.FAILED, "BadRequest.InputDownloadFailed")
        assert task.faults == 0


async def test_an_input_that_is_slow_to_come_keeps_no_engine_waiting(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.fetcher.arrived.clear()
        place.start()
        slow = [await place.add("a cat", **WITH_INPUT) for _ in range(3)]
        for task in slow:
            await place.running(task)
        assert (await place.run("a dog")).status is Status.SUCCEEDED
        place.fetcher.arrived.set()
        for task in slow:
            assert (await place.ended(task)).status is Status.SUCCEEDED


async def test_our_own_mistake_is_one_tasks_fault_and_told_with_its_traceback(
    tmp_path: Path,
) -> None:
    async with workplace(tmp_path) as place:
        place.fetcher.error = ZeroDivisionError("a mistake")
        place.start()
        with capture_logs() as said:
            task = await place.run("a cat", **WITH_INPUT)
        assert (task.code, task.faults) == ("InternalError.Algo", 3)
        assert [line for line in said if line["event"] == "attempt broke" and line["exc_info"]]
        assert (await place.run("a cat")).status is Status.SUCCEEDED


async def test_latency_holds_the_result_and_frees_the_engine(tmp_path: Path) -> None:
    async with workplace(tmp_path, latency=2.0) as place:
        place.start()
        ids = [await place.add("a cat") for _ in range(3)]
        first, *_, last = [await place.ended(task_id) for task_id in ids]
        assert first.end_at is not None
        assert first.claim_at is not None
        assert last.claim_at is not None
        assert (first.end_at - first.claim_at).total_seconds() >= 1.2
        assert last.claim_at < first.end_at


async def test_a_held_result_can_still_be_stopped(tmp_path: Path) -> None:
    async with workplace(tmp_path, latency=600.0) as place:
        place.start()
        task_id = await place.add("a cat")
        await place.until(task_id, lambda task: task.status is Status.RUNNING)
        await place.ledger.ask_stop(place.account, task_id)
        assert (await place.ended(task_id)).status is Status.CANCELED
        assert await place.files() == set()


async def test_those_of_a_shared_crash_run_one_by_one_without_a_fault(tmp_path: Path) -> None:
    async with workplace(tmp_path, concurrency=2) as place:
        ids = [
            await place.add("echo delay=0.8 steps=20"),
            await place.add("echo delay=0.1 crash-until=1"),
        ]
        place.start()
        tasks = [await place.ended(task_id) for task_id in ids]
        assert [(task.status, task.faults) for task in tasks] == [(Status.SUCCEEDED, 0)] * 2
        assert [task.attempt for task in tasks] == [2, 2]


async def test_unknown_models_are_refused_at_the_start(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        station = Station(room=place.station.room, models=frozenset({"no-such-model"}))
        with pytest.raises(ValueError, match="no-such-model"):
            Worker([station], place.tools)


async def test_what_a_dead_worker_left_in_the_workshop_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / "work" / "jobs-1-dead"
    left.mkdir(parents=True)
    (left / "0.png").touch()
    async with workplace(tmp_path) as place:
        assert not left.exists()
        assert place.tools.workshop.folder.exists()
        async with workplace(tmp_path / "other") as other:
            assert isinstance(other, Workplace)
            assert place.tools.workshop.folder.exists()
    assert list((tmp_path / "work").iterdir()) == []


async def test_inputs_that_are_here_come_from_the_store(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.start()
        task_id = new_task_id()
        key = f"{day_of(task_id)}/{task_id}/in/0"
        await place.tools.inputs.put(key, b"some bytes")
        more = {**WITH_INPUT, "inputs": {"ref_img": [f"stored:{key}"]}, "id": task_id}
        task = await place.run("a", **more)
        assert task.status is Status.SUCCEEDED
        assert place.fetcher.cleaned == [(b"some bytes", "ref_img-0")]
        assert place.fetcher.asked == []
        await place.store._part.drop(f"{day_of(task_id)}/{task_id}")
        gone = {**more, "id": new_task_id()}
        task = await place.run("b", **gone)
        assert (task.status, task.code) == (Status.FAILED, "InternalError.Algo")
