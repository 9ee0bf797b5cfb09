"""What every engine must do, in a process of its own, as a worker runs it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ferrotype.conformance.engine_base import SPAN, Place, Trial, measure, members, pixels
from ferrotype.plugins import find_engine
from ferrotype.ports.engine import EngineRefusal
from ferrotype.ports.engine_room import EngineDied

GRACE = 2.0  # seconds that a worker gives an engine to stop a job
NEAR = 0.1  # seconds that a film may differ from what is said of it
MOST = 8  # jobs that are tried at once
HEAVY = ("PIL", "av", "diffusers", "numpy", "torch", "transformers")
BARE = """
import sys
from ferrotype import plugins
plugins.find_engine({engine!r})
print(*(name for name in {heavy!r} if name in sys.modules))
"""


class EngineSuite:
    """Subclass it, name the engine and jobs that it can do, run pytest.

    `jobs`: what it can do; one of them asks for several pictures where it makes pictures. `slow`: a
    job of seconds that tells its progress. `refused`: one that it must refuse. What it does not
    promise is said by a flag: `same_bytes` (the same job gives the same file, in any process),
    `exact_size` (outputs have the size that was asked for), `network` (it calls nobody).
    """

    engine: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    jobs: ClassVar[tuple[Trial, ...]]
    slow: ClassVar[Trial | None] = None
    refused: ClassVar[Trial | None] = None
    same_bytes: ClassVar[bool] = True
    exact_size: ClassVar[bool] = True
    network: ClassVar[bool] = False

    def open_engine(self, folder: Path) -> AbstractAsyncContextManager[Mapping[str, Any]]:
        """Open what the engine needs, such as a server; give the options to make it with."""
        return self._plain()

    @asynccontextmanager
    async def _plain(self) -> AsyncIterator[Mapping[str, Any]]:
        yield self.options

    @asynccontextmanager
    async def place(self, folder: Path, **more: Any) -> AsyncIterator[Place]:
        """The engine in a process of its own, ended afterwards."""
        async with (
            self.open_engine(folder) as options,
            Place(self.engine, {**options, **more}, folder) as place,
        ):
            yield place

    @pytest.fixture
    def several(self) -> Trial:
        """A job for several pictures."""
        for trial in self.jobs:
            if trial.n > 1:
                return trial
        pytest.skip("it makes one output at a time")

    async def test_outputs_are_what_they_are_said_to_be(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            for number, trial in enumerate(self.jobs):
                for piece in await place.make(trial, f"task{number}"):
                    assert piece.path is not None, piece.output.error_message
                    width, height, seconds = await asyncio.to_thread(measure, piece.path)
                    said = piece.output
                    assert (said.width, said.height) == (width, height)
                    assert abs(said.seconds - seconds) < NEAR
                    if self.exact_size and trial.kind != "image-to-video":  # those follow theirs
                        assert (width, height) == trial.size
                    if self.exact_size and trial.duration:
                        assert abs(seconds - trial.duration) < NEAR

    async def test_each_output_has_its_own_seed(self, tmp_path: Path, several: Trial) -> None:
        async with self.place(tmp_path) as place:
            made = [pixels(piece.path) for piece in await place.make(several) if piece.path]
        assert len(set(made)) == several.n

    async def test_the_ith_output_is_drawn_with_the_seed_plus_i(
        self, tmp_path: Path, several: Trial
    ) -> None:
        if not self.same_bytes:
            pytest.skip("it does not promise the same file twice")
        from msgspec.structs import replace

        next_seed = replace(several, seed=several.seed + 1, n=1)
        async with self.place(tmp_path) as place:
            both = await place.make(several, "both")
            (alone,) = await place.make(next_seed, "alone")
        assert both[1].path
        assert alone.path
        assert pixels(both[1].path) == pixels(alone.path)

    async def test_the_same_job_gives_the_same_files_in_any_process(self, tmp_path: Path) -> None:
        if not self.same_bytes:
            pytest.skip("it does not promise the same file twice")
        made = []
        for number in range(2):
            async with self.place(tmp_path / f"{number}") as place:
                made.append([piece.sha256 for piece in await place.make(self.jobs[0])])
        assert made[0] == made[1]

    async def test_jobs_after_one_another_do_not_know_of_each_other(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            first = await place.make(self.jobs[0])
            pid = place.room.pid
            for number, trial in enumerate(self.jobs[1:]):
                await place.make(trial, f"task{number}")
            again = await place.make(self.jobs[0], attempt=2)
            assert place.room.pid == pid, "a job cost the process its life"
        if self.same_bytes:
            assert [piece.sha256 for piece in first] == [piece.sha256 for piece in again]

    async def test_so_many_at_once_as_it_says(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            await place.room.start()
            tasks = [f"task{number}" for number in range(min(place.room.concurrency, MOST))]
            made = await asyncio.gather(*(place.make(self.jobs[0], task) for task in tasks))
        for task, pieces in zip(tasks, made, strict=True):
            folder = tmp_path / f"{task}-1"
            assert all(piece.path and piece.path.is_relative_to(folder) for piece in pieces)

    async def test_progress_rises_from_0_to_1(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            for number, trial in enumerate(self.jobs):
                await place.make(trial, f"task{number}")
        for said in place.said.values():
            assert all(before <= after for before, after in pairwise(said))
            assert said[:1] != [1.0] or len(said) == 1, "progress is a fraction, not per cent"

    async def test_a_job_stops_when_asked_and_the_process_goes_on(self, tmp_path: Path) -> None:
        if self.slow is None:
            pytest.skip("it has no job that takes long")
        async with self.place(tmp_path) as place:
            moving = asyncio.Event()
            job = place.job(self.slow, "slow")
            working = asyncio.create_task(
                place.room.run(job, lambda _: moving.set(), lambda _: asyncio.sleep(0))
            )
            begun = asyncio.create_task(moving.wait())
            await asyncio.wait({begun, working}, timeout=SPAN, return_when="FIRST_COMPLETED")
            assert moving.is_set(), "it told no progress"
            pid = place.room.pid
            await place.room.stop("slow", GRACE)
            with pytest.raises(EngineDied, match="stopped as asked"):
                await working
            await place.make(self.jobs[0])
            assert place.room.pid == pid

    async def test_a_refusal_has_a_code_and_a_sentence(self, tmp_path: Path) -> None:
        if self.refused is None:
            pytest.skip("it refuses nothing")
        async with self.place(tmp_path) as place:
            with pytest.raises(EngineRefusal) as refused:
                await place.make(self.refused, "refused")
            await place.make(self.jobs[0])
        assert refused.value.refusal
        assert refused.value.message

    async def test_it_is_fit_for_its_models(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            await place.room.start()
            assert place.room.unfit == {}

    async def test_it_writes_where_it_may_calls_and_starts_nobody(self, tmp_path: Path) -> None:
        async with self.place(tmp_path) as place:
            before = {*tmp_path.iterdir()} | {place.folder / "room", place.folder / "book"}
            for number, trial in enumerate(self.jobs):
                await place.make(trial, f"task{number}")
                before.add(tmp_path / f"task{number}-1")
            assert {*tmp_path.iterdir()} <= before, "it wrote outside its job's folder"
            assert place.family() == set(), "it left processes behind"
            pid = place.room.pid
        assert pid is not None
        assert members(pid) == set()
        mine = [*(tmp_path / f"task{number}-1" for number in range(len(self.jobs)))]
        allowed = (*map(str, mine), str(tmp_path / "room"), "/dev/")
        outside = [path for path in place.seen("write") if not _below(path, allowed)]
        assert outside == []
        if not self.network:
            assert place.seen("call") == []

    async def test_an_option_that_it_does_not_know_is_refused(self, tmp_path: Path) -> None:
        async with self.place(tmp_path, no_such_option=1) as place:
            with pytest.raises(EngineDied, match="no_such_option"):
                await place.room.start()

    def test_it_is_found_without_being_imported(self) -> None:
        find_engine(self.engine)
        heavy = (*HEAVY, find_engine(self.engine).target.partition(":")[0])
        script = BARE.format(engine=self.engine, heavy=heavy)
        told = subprocess.run((sys.executable, "-P", "-c", script), capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        assert told.stdout.strip() == "", "the parent has imported what only the child needs"


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
