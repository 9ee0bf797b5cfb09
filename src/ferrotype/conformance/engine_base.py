"""What all engine tests start from: jobs, and the engine in a process of its own, under watch."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.media import File, image_size
from ferrotype.ports.engine import Job, Posted
from ferrotype.ports.engine_room import Made, Recipe
from ferrotype.worker.inputs import PLACEHOLDERS
from ferrotype.worker.outputs import Piece, inspect

MODEL = "some-model"
MAX_BYTES = 512 * 1024 * 1024
TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}
SPAN = 300.0  # seconds that an engine may take for anything


class Trial(Struct, frozen=True, kw_only=True):
    """A job to try an engine with.

    `inputs`: for each role what is given: "image", "audio" or "video", a small file of ours each.
    `posted`: the caller's body, for engines that pass it on.
    """

    prompt: str = "A red door in a white wall"
    kind: str = "text-to-image"
    model: str = MODEL
    negative: str = ""
    size: tuple[int, int] = (512, 512)
    n: int = 1
    seed: int = 7
    fields: Mapping[str, Any] = {}
    inputs: Mapping[str, Sequence[str]] = {}
    duration: float | None = None
    fps: int | None = None
    posted: Posted | None = None


class Place:
    """One engine's process in a folder of a test, and what it was seen to do there."""

    def __init__(self, engine: str, options: Mapping[str, Any], folder: Path) -> None:
        self.folder = folder
        self.said: dict[str, list[float]] = {}
        self._book = folder / "book"
        watch = (sys.executable, "-P", "-X", "faulthandler", "-m",
                 "ferrotype.conformance.engine_watch", str(self._book))  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        recipe = Recipe(
            model="*", engine=engine, label="same weights", options=dict(options), stall=SPAN
        )
        self.room = ProcessRoom(recipe, folder / "room", host=watch)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.room.close()

    def job(self, trial: Trial, task: str = "task", **more: Any) -> Job:
        """Return a trial as an attempt at a task, with a folder of its own."""
        workdir = self.folder / f"{task}-{more.get('attempt', 1)}"
        workdir.mkdir()
        inputs = {
            role: [_input(what, workdir, f"{role}-{i}") for i, what in enumerate(given)]
            for role, given in trial.inputs.items()
        }
        return Job(
            task=task,
            attempt=more.get("attempt", 1),
            model=trial.model,
            kind=trial.kind,
            prompt=trial.prompt,
            negative=trial.negative,
            size=trial.size,
            n=trial.n,
            seed=trial.seed,
            fields=dict(trial.fields),
            inputs=inputs,
            duration=trial.duration,
            fps=trial.fps,
            workdir=str(workdir),
            memo=more.get("memo"),
            posted=trial.posted,
            served_by="engine; same weights",
        )

    async def run(self, job: Job) -> Made:
        """Run a job; what it says of its progress is in `said`, by task."""
        said = self.said.setdefault(job.task, [])
        return await self.room.run(job, said.append, _forget)

    async def make(self, trial: Trial, task: str = "task", **more: Any) -> tuple[Piece, ...]:
        """Run a trial, and hold what came of it against what a worker takes."""
        job = self.job(trial, task, **more)
        made = await self.run(job)
        return inspect(made.outputs, Path(job.workdir), job.n, MAX_BYTES)

    def seen(self, kind: str) -> list[str]:
        """Return what the process was seen to "write", "call" or "start"."""
        lines = self._book.read_text().splitlines() if self._book.exists() else []
        return [what for seen, what in map(json.loads, lines) if seen == kind]

    def family(self) -> set[int]:
        """Return the processes of the engine's session, but for its own."""
        assert self.room.pid is not None
        return members(self.room.pid) - {self.room.pid}


def members(session: int) -> set[int]:
    """Return the ids of all processes in a session (Linux)."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its) == session and state != "Z":
            found.add(int(stat.parent.name))
    return found


def _input(what: str, folder: Path, name: str) -> File:
    """Put a small file of ours into the job's folder."""
    source = PLACEHOLDERS[what]
    path = folder / f"{name}{source.suffix}"
    shutil.copyfile(source, path)
    width, height, seconds = measure(path)
    return File(
        path=str(path),
        type=TYPES[what],
        bytes=path.stat().st_size,
        width=width,
        height=height,
        seconds=seconds,
    )


def measure(path: Path) -> tuple[int, int, float]:
    """Return a file's width and height in pixels, and its seconds; 0 for what it has not."""
    with path.open("rb") as file:
        if size := image_size(file):
            return *size, 0.0
    import av  # half a second, only for films and sound

    with av.open(str(path), "r") as film:
        seconds = (film.duration or 0) / av.time_base
        if not film.streams.video:
            return 0, 0, seconds
        codec = film.streams.video[0].codec_context
        return codec.width, codec.height, seconds


def pixels(path: Path) -> bytes:
    """Return a picture's pixels alone, or a film's file."""
    if path.suffix == ".mp4":
        return path.read_bytes()
    from PIL import Image

    with Image.open(path) as picture:
        return picture.convert("RGBA").tobytes()


async def _forget(_: bytes) -> None:
    """Take a note and keep nothing."""
