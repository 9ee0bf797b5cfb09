"""Jobs and rooms for tests: real engine processes of the echo engine, or of a liar."""

import asyncio
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.ports.engine import Job
from ferrotype.ports.engine_room import Recipe

LIAR = """
    import json, socket, sys, time
    line = socket.socket(fileno=int(sys.argv[sys.argv.index("--line") + 1]))
    def say(**frame):
        body = json.dumps(frame).encode()
        line.sendall(len(body).to_bytes(4, "big") + body)
    def hear():
        size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
        return json.loads(line.recv(size, socket.MSG_WAITALL))
    hear()
"""


def recipe(*, stall: float = 30.0, concurrency: int = 1) -> Recipe:
    options = {"concurrency": concurrency}
    return Recipe(model="*", engine="echo", label="test pattern", options=options, stall=stall)


def liar(folder: Path, tells: str) -> tuple[str, ...]:
    """Return the command of a host that speaks the protocol as it likes."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "liar.py"
    script.write_text(textwrap.dedent(LIAR) + textwrap.dedent(tells))
    return (sys.executable, str(script))


def job(folder: Path, prompt: str, *, task: str = "t", n: int = 1, attempt: int = 1) -> Job:
    workdir = folder / f"{task}-{attempt}"
    workdir.mkdir(parents=True, exist_ok=True)
    return Job(
        task=task,
        attempt=attempt,
        model="m",
        kind="text-to-image",
        prompt=prompt,
        negative="",
        size=(1, 1),
        n=n,
        seed=1,
        fields={},
        inputs={},
        duration=None,
        fps=None,
        workdir=str(workdir),
        memo=None,
    )


def ignore(_: float) -> None:
    """Hear progress and forget it."""


async def no_note(_: bytes) -> None:
    """Hear a note and forget it."""


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(true: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait until something is so; fail after `patience` seconds."""
    async with asyncio.timeout(patience):
        while not true():
            await asyncio.sleep(0.01)


def run(room: ProcessRoom, job: Job) -> "asyncio.Task[object]":
    return asyncio.create_task(_run(room.run(job, ignore, no_note)))


async def _run(work: Awaitable[object]) -> object:
    return await work
