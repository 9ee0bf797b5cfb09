"""The engine job: what an engine is given, and what it answers. Runs inside the child process."""

import re
import threading
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from ferrotype.errors import FerrotypeError
from ferrotype.media import File, Output

MARK = re.compile("input:[a-z_]+:[0-9]+")


def mark(role: str, i: int) -> str:
    """Return what stands in a posted body for the URL of an input file."""
    return f"input:{role}:{i}"


def marked(body: Mapping[str, Any], inputs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a posted body with a mark in place of each input's URL."""
    marks = {url: mark(role, i) for role, urls in inputs.items() for i, url in enumerate(urls)}

    def put(value: Any) -> Any:
        if isinstance(value, str):
            return marks.get(value, value)
        if isinstance(value, Mapping):
            return {name: put(item) for name, item in value.items()}
        return [put(item) for item in value] if isinstance(value, list) else value

    return {name: put(value) for name, value in body.items()}


class Posted(Struct, frozen=True, kw_only=True):
    """What a caller posted, for an engine that passes it on.

    `route` is the create path after `/api/v1/services/aigc/`, `modes` how it may be called
    ("async", "sync"); in `body` the URL of the i-th input of a role is `mark(role, i)`.
    """

    route: str
    modes: tuple[str, ...]
    body: dict[str, Any]


class Job(Struct, frozen=True, kw_only=True):
    """One attempt at one task, as plain data.

    `size` is (width, height) in pixels; the i-th of `n` outputs is drawn with `seed + i`;
    `inputs` maps a role to files that we wrote; `fields` holds the other checked request fields;
    `duration` seconds and `fps` for film; `memo` is what the last attempt noted. `mates`: tasks of
    the same shape that were claimed to run in one call with it. `posted`: for upstreams alone.
    `served_by`: "engine; label", as it is told to callers, for what the file says of itself.
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
    mates: tuple[str, ...] = ()
    posted: Posted | None = None
    served_by: str = ""


class EngineRefusal(FerrotypeError):
    """The engine will not make this: the task ends FAILED, and is not tried again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = code


class EngineUnfit(FerrotypeError):
    """The engine cannot serve this model for now: the task goes back, and it is no fault of it.

    Have the model in `unfit` before you raise this, or the task comes again at once.
    """


class Bench(Protocol):
    """An engine's place of work for one job."""

    @property
    def workdir(self) -> Path:
        """The folder that the job's outputs must be written into."""

    @property
    def stopping(self) -> threading.Event:
        """Set once the task is to stop: end soon, in any way."""

    @property
    def final(self) -> bool:
        """Whether a task that is to stop does not come again; told before `stopping` is set."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Say how far the job is (0 to 1). Any thread may call. Proves that it is not stalled."""

    def note(self, memo: bytes) -> Awaitable[None]:
        """Keep bytes for the next attempt; done once they are durable."""

    def report(
        self, *, usage: Mapping[str, Any] | None = None, shown: Mapping[str, Any] | None = None
    ) -> None:
        """Say what the answer is to tell in place of what we count: as an upstream told it."""


class Engine(Protocol):
    """Turns one checked request into files. Made once a process, with the recipe's options."""

    concurrency: int  # jobs that may run at once in one process

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Return `job.n` outputs (fewer only for kinds that say so), or raise `EngineRefusal`."""


@runtime_checkable
class Selective(Protocol):
    """An engine that says which of its models it cannot serve now. Others can serve all."""

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why, by model ("*": all of them). Asked for once a second, in any thread."""
