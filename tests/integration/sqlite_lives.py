"""Writers that are there to be killed: each is a fork of a nursery that has loaded everything.

A life costs its work only, not the start of an interpreter. What it was answered it writes to a
file, which outlives it.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from sqlite_house import DONE, MODEL, opened, plain_card, plain_task

from ferrotype import lifeline

ID = 36  # characters of a task's id


async def front(folder: Path, tell: Callable[[str], None], account: str) -> None:
    """Create, as the API does: eight callers at once."""
    async with opened(folder, migrate=False) as ledger:

        async def create() -> None:
            while True:
                tell((await ledger.add(plain_task(account))).task_id)

        await asyncio.gather(*(create() for _ in range(8)))


async def back(folder: Path, tell: Callable[[str], None], worker: str) -> None:
    """Claim and settle, as a worker does: four tasks at once."""
    async with opened(folder, migrate=False) as ledger:
        await ledger.enrol(plain_card(worker))
        await ledger.reap()

        async def run() -> None:
            while True:
                claim = await ledger.claim(worker, [MODEL])
                if claim is not None:
                    tell((await ledger.settle(claim.lease, DONE)).id)

        await asyncio.gather(*(run() for _ in range(4)))


KINDS = {"front": front, "back": back}


class Life:
    """One writer, as the test sees it."""

    def __init__(
        self, pid: int, told: Path, bury: Callable[[int], Coroutine[Any, Any, None]]
    ) -> None:
        self.pid = pid
        self._told = told
        self._bury = bury

    def answers(self) -> list[str]:
        """Return the ids that it was answered; the last one may be cut off."""
        return [line for line in self._told.read_text().split("\n") if len(line) == ID]

    async def until(self, answers: int) -> None:
        """Wait for so many answers."""
        async with asyncio.timeout(30):
            while len(self.answers()) < answers:
                await asyncio.sleep(0.005)

    async def kill(self) -> list[str]:
        """End it as no program can prevent, and return what it was answered."""
        os.kill(self.pid, signal.SIGKILL)
        await self._bury(self.pid)
        return self.answers()


class Nursery:
    """Starts lives. One request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    async def start(self, kind: str, folder: Path, told: Path, name: str) -> Life:
        """Start a front for an account, or a back under a worker's name."""
        told.touch()
        pid = await self._ask(kind, os.fspath(folder), os.fspath(told), name)
        return Life(pid, told, self._bury)

    async def _bury(self, pid: int) -> None:
        await self._ask("bury", str(pid))

    async def _ask(self, *words: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking:
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            answer = await asyncio.wait_for(self._process.stdout.readline(), 30)
        return int(answer)


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Open a nursery; what it started ends with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Nursery(process)
    finally:
        process.kill()
        await process.communicate()


def main() -> None:
    """Serve the requests on stdin, one line each, with one number each."""
    for line in sys.stdin:
        word, *rest = json.loads(line)
        if word == "bury":
            answer, _ = os.waitpid(int(rest[0]), 0)
        else:
            parent, answer = os.getpid(), os.fork()
            if not answer:
                live(parent, word, *rest)
        os.write(1, b"%d\n" % answer)


def live(parent: int, kind: str, folder: str, told: str, name: str) -> NoReturn:
    """Be one life, to its end."""
    lifeline.tie(parent)
    fd = os.open(told, os.O_WRONLY | os.O_APPEND)

    def tell(answer: str) -> None:
        os.write(fd, answer.encode() + b"\n")

    asyncio.run(KINDS[kind](Path(folder), tell, name))
    os._exit(0)


if __name__ == "__main__":
    main()
