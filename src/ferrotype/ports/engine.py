"""The engine job: what an engine is given, and what it answers. Runs inside the child process."""

import threading
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from ferrotype.errors import FerrotypeError
from ferrotype.media import File, Output


class Job(Struct, frozen=True, kw_only=True):
    """One attempt at one task, as plain data.

    `size` is (width, height) in pixels; the i-th of `n` outputs is drawn with `seed + i`;
    `inputs` maps a role to files that we wrote; `fields` holds the other checked request fields;
    `duration` seconds and `fps` for film; `memo` is what the last attempt noted.
    """

    task: str
    attempt: int
    model: str
    kind: str
    prompt: str
    negative: str
    size: tuple[int, int]
    n: int
    seed: int
    fields: dict[str, Any]
    inputs: dict[str, list[File]]
    duration: float | None
    fps: int | None
    workdir: str
    memo: bytes | None


class EngineRefusal(FerrotypeError):
    """The engine will not make this: the task ends FAILED, and is not tried again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = code


class Bench(Protocol):
    """An engine's place of work for one job."""

    @property
    def workdir(self) -> Path:
        """The folder that the job's outputs must be written into."""

    @property
    def stopping(self) -> threading.Event:
        """Set once the task is to stop: end soon, in any way."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Say how far the job is (0 to 1). Any thread may call. Proves that it is not stalled."""

    def note(self, memo: bytes) -> Awaitable[None]:
        """Keep bytes for the next attempt; done once they are durable."""


class Engine(Protocol):
    """Turns one checked request into files. Made once a process, with the recipe's options."""

    concurrency: int  # jobs that may run at once in one process

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Return `job.n` outputs (fewer only for kinds that say so), or raise `EngineRefusal`."""
