"""Whoever is killed, and when: no task is lost, none is made twice, none is billed twice."""

import asyncio
import base64
import random
from io import BytesIO
from pathlib import Path

import pytest
from pair import ASYNC, Deployment, deployment, recipe
from PIL import Image

import tamper
from ferrotype.engines.dashscope.region import UNDERWAY
from ferrotype.wiring.ledger import open_ledger
from tamper import Forward, Request, Tamper, tampered

UNKNOWN = "InternalError.Upstream"


class Stop:
    """Holds a request up, before it is forwarded or after, until it is free to end."""

    def __init__(self, *, after: bool) -> None:
        self.reached = asyncio.Event()
        self.free = asyncio.Event()
        self._after = after

    async def __call__(self, _: Request, forward: Forward) -> bytes | None:
        said = await forward() if self._after else None
        self.reached.set()
        await self.free.wait()
        return said


@pytest.mark.parametrize("victim", ["worker", "engine"])
@pytest.mark.parametrize(
    ("kind", "after", "creates", "told"),
    [
        ("create", False, 0, UNKNOWN),
        ("create", True, 1, UNKNOWN),
        ("query", True, 1, None),
        ("file", False, 1, None),
        ("file", True, 1, None),
    ],
)
async def test_a_kill_anywhere_costs_no_second_bill(
    victim: str, kind: str, after: bool, creates: int, told: str | None, tmp_path: Path
) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        line.play(kind, stop := Stop(after=after))
        task = await ours.create()
        await asyncio.wait_for(stop.reached.wait(), 30)
        ours.kill(victim)
        stop.free.set()
        said = (await ours.end(task))["output"]
        if told is None:
            assert said["task_status"] == "SUCCEEDED", said
            assert len(said["results"]) == 1
            assert (await ours.http.get(said["results"][0]["url"])).content[:4] == b"\x89PNG"
        else:
            assert (said["task_status"], said["code"]) == ("FAILED", told)
            assert "outcome at the upstream is unknown" in said["message"]
        assert line.passed["create"] == creates
        assert len(line.requests("create")) == 1
        assert await theirs.total() == creates


@pytest.mark.parametrize("victim", ["worker", "engine"])
@pytest.mark.parametrize(("kind", "after"), [("policy", True), ("upload", False), ("upload", True)])
async def test_a_kill_while_files_go_up_costs_nothing(
    victim: str, kind: str, after: bool, tmp_path: Path
) -> None:
    picture = BytesIO()
    Image.new("RGB", (400, 400), "teal").save(picture, "PNG")
    data = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    body = {
        "model": "wan2.5-i2i-preview",
        "input": {"prompt": "a kite", "images": [data]},
        "parameters": {"n": 1},
    }
    async with (
        deployment(tmp_path / "theirs", engine="echo") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        line.play(kind, stop := Stop(after=after))
        url = f"{ours.local.url}/services/aigc/image2image/image-synthesis"
        created = await ours.http.post(url, json=body, headers=ASYNC)
        await asyncio.wait_for(stop.reached.wait(), 30)
        ours.kill(victim)
        stop.free.set()
        said = (await ours.end(created.json()["output"]["task_id"]))["output"]
        assert said["task_status"] == "SUCCEEDED", said
        assert line.passed["create"] == await theirs.total() == 1


async def test_a_killed_upstream_delays_its_tasks_only(tmp_path: Path) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo", latency="3s") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        tasks = [await ours.create() for _ in range(30)]
        async with asyncio.timeout(30):
            while line.passed["query"] < 60:
                await asyncio.sleep(0.05)
        theirs.kill("all")
        await asyncio.sleep(2)
        await theirs.restart()
        ends = await asyncio.gather(*map(ours.end, tasks))
        assert {said["output"]["task_status"] for said in ends} == {"SUCCEEDED"}
        assert len(line.requests("create")) == 30
        assert await theirs.total() == 30


async def test_without_an_upstream_tasks_wait_and_none_fails(tmp_path: Path) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo") as theirs,
        deployment(tmp_path / "ours", recipe(theirs.local.root), poll_hold=0) as ours,
    ):
        await asyncio.to_thread(theirs.local.stop)
        tasks = [await ours.create() for _ in range(20)]
        await asyncio.sleep(4)
        for task in tasks:
            assert (await ours.query(task))["output"]["task_status"] in ("PENDING", "RUNNING")
        await asyncio.to_thread(theirs.local.start)
        ends = await asyncio.gather(*map(ours.end, tasks))
        assert {said["output"]["task_status"] for said in ends} == {"SUCCEEDED"}
        assert await theirs.total() == 20


async def test_a_restart_of_ours_leaves_theirs_alone(tmp_path: Path) -> None:
    """What waits at the upstream when we stop in good order is asked for again afterwards."""
    async with (
        deployment(tmp_path / "theirs", engine="echo", latency="8s") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url), drain="0.1s") as ours,
    ):
        tasks = [await ours.create() for _ in range(10)]
        async with asyncio.timeout(30):
            while line.passed["query"] < 20:
                await asyncio.sleep(0.05)
        await ours.restart()
        ends = await asyncio.gather(*map(ours.end, tasks))
        assert {said["output"]["task_status"] for said in ends} == {"SUCCEEDED"}
        assert line.requests("cancel") == []
        assert await theirs.total() == 10


@pytest.mark.parametrize(
    ("deadline", "told"), [("3h", {"CANCELED"}), ("3s", {"InternalError.Timeout"})]
)
async def test_what_is_to_stop_for_good_is_cancelled_there(
    deadline: str, told: set[str], tmp_path: Path
) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo", latency="20m") as theirs,
        deployment(tmp_path / "ours", recipe(theirs.local.root, deadline=deadline)) as ours,
    ):
        task = await ours.create()
        async with asyncio.timeout(30):
            while await theirs.total() == 0:
                await asyncio.sleep(0.05)
        if deadline == "3h":
            await asyncio.sleep(1)  # for the answer to the create to be noted
            async with open_ledger(ours.local.settings) as ledger:
                await ledger.ask_stop(await ledger.make_account("default"), task)
        output = (await ours.end(task))["output"]
        assert {output.get("code", output["task_status"])} == told
        [row] = (await theirs.http.get(f"{theirs.local.url}/tasks")).json()["data"]
        assert row["status"] == "CANCELED"


async def test_few_creates_are_in_doubt_when_an_engine_is_killed(tmp_path: Path) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        first = (await ours.end(await ours.create()))["output"]  # the door is open
        assert first["task_status"] == "SUCCEEDED"
        line.always = {"create": (stop := Stop(after=True))}
        tasks = [await ours.create() for _ in range(40)]
        async with asyncio.timeout(30):
            while line.passed["create"] < 1 + UNDERWAY:
                await asyncio.sleep(0.05)
        ours.kill("engine")
        line.always = {}
        stop.free.set()
        ends = [said["output"] for said in await asyncio.gather(*map(ours.end, tasks))]
        assert [one["task_status"] for one in ends].count("FAILED") == UNDERWAY
        assert await theirs.total() == line.passed["create"] == 41


async def test_through_all_that_may_befall_a_line(tmp_path: Path) -> None:
    """Every request may break in every way while workers and engines are killed."""
    chance = random.Random(11)
    ways: tuple[tamper.Trick, ...] = (
        tamper.cut_before,
        tamper.cut_after,
        tamper.twice,
        tamper.answer(b"garbage\r\n\r\n"),
        tamper.error(429, "Throttling"),
        tamper.error(500, "InternalError"),
        tamper.error(503, "ModelUnavailable"),
    )

    async def sometimes(request: Request, forward: Forward) -> bytes | None:
        if chance.random() < 0.85:
            return await forward()
        return await chance.choice(ways)(request, forward)

    async with (
        deployment(tmp_path / "theirs", engine="echo", latency="1s") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        kinds = ("create", "query", "file", "probe")
        line.always = {kind: sometimes for kind in kinds}
        tasks = [await ours.create() for _ in range(60)]
        torment = asyncio.create_task(_torment(ours, line, chance))
        ends = [said["output"] for said in await asyncio.gather(*map(ours.end, tasks))]
        torment.cancel()
        made = [one for one in ends if one["task_status"] == "SUCCEEDED"]
        lost = [one for one in ends if one["task_status"] == "FAILED"]
        assert len(made) + len(lost) == 60
        assert {one["code"] for one in lost} <= {UNKNOWN}
        assert all(len(one["results"]) == 1 for one in made)
        assert len(made) <= await theirs.total() == line.passed["create"] <= 60
        assert len(made) >= 20


async def _torment(ours: Deployment, line: Tamper, chance: random.Random) -> None:
    """Kill twice: when half of the tasks have gone through, and when three quarters have."""
    for passed in (30, 45):
        while line.passed["create"] < passed:
            await asyncio.sleep(0.02)
        ours.kill(chance.choice(("worker", "engine")))
