"""Hundreds of tasks at once in one process, at the pace that an upstream takes."""

import asyncio
from pathlib import Path
from time import monotonic

from pair import HASTY, deployment, recipe


async def test_two_hundred_tasks_wait_together(tmp_path: Path) -> None:
    async with (
        deployment(tmp_path / "theirs", engine="echo", latency="3s") as theirs,
        deployment(tmp_path / "ours", recipe(theirs.local.root, more="")) as ours,
    ):
        begun = monotonic()
        tasks = await asyncio.gather(*(ours.create() for _ in range(200)))
        ends = await asyncio.gather(*map(ours.end, tasks))
        took = monotonic() - begun
        assert {said["output"]["task_status"] for said in ends} == {"SUCCEEDED"}
        assert await theirs.total() == 200
        engines = [one for one in ours.family() if "engine_host" in " ".join(one.cmdline())]
        assert len(engines) == 1
        assert took < 200 * 3 / 5


async def test_the_vendors_limits_are_kept_to(tmp_path: Path) -> None:
    """Two creates a second and two tasks at once: all are made, and few creates are refused."""
    async with (
        deployment(tmp_path / "theirs", engine="echo", limits="vendor") as theirs,
        deployment(tmp_path / "ours", recipe(theirs.local.root, more=HASTY)) as ours,
    ):
        tasks = await asyncio.gather(*(ours.create() for _ in range(40)))
        ends = await asyncio.gather(*map(ours.end, tasks))
        assert {said["output"]["task_status"] for said in ends} == {"SUCCEEDED"}
        assert await theirs.total() == 40
        log = (theirs.local.data_dir / "serve.log").read_text()
        assert log.count('"status":429') < 20
