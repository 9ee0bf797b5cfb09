"""`make soak`: many tasks of ten accounts through one service; all must end, nothing may grow.

python -m bench.soak [--tasks N] [--retention 20]

The engine echo answers at once and results live for some seconds only, so creating, polling,
expiring and deleting go on side by side. Memory, handles, threads and disk are sampled throughout;
the last fifth of the run is held against the second fifth.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import aiohttp
import psutil
from rich.console import Console

from bench import document
from bench.rates import BODY, CREATE
from bench.servers import KEY, Server, make_home, serve

ACCOUNTS = 10
IN_FLIGHT = 64
EVERY = 2.0  # seconds between two samples
SPACE = {"memory, MB": 30.0, "handles": 20.0, "threads": 6.0, "disk, MB": 32.0}  # for chance
POLLS = 600  # of one task at most; the server's hold paces them


@dataclass(frozen=True)
class Sample:
    """What the service held at one moment; memory and disk in MB."""

    memory: float
    handles: int
    threads: int
    disk: float

    def figures(self) -> tuple[float, ...]:
        """Return them in the order of `SPACE`."""
        return self.memory, self.handles, self.threads, self.disk


@dataclass
class Run:
    """One soak and what it has seen."""

    tasks: int
    ends: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0

    def growth(self) -> dict[str, tuple[float, float]]:
        """Return the means of the second and of the last fifth, by name."""
        fifth = max(1, len(self.samples) // 5)
        early, late = self.samples[fifth : 2 * fifth], self.samples[-fifth:]
        means = [
            map(mean, zip(*(s.figures() for s in part), strict=True)) for part in (early, late)
        ]
        return dict(zip(SPACE, zip(*means, strict=True), strict=True))

    def grew(self) -> list[str]:
        """Return what is larger at the end by more than a tenth and chance."""
        pairs = self.growth().items()
        return [name for name, (early, late) in pairs if late > 1.1 * early + SPACE[name]]

    def held(self) -> bool:
        """True when every task succeeded and nothing grew."""
        return self.ends == Counter(SUCCEEDED=self.tasks) and not self.grew()

    def report(self) -> str:
        """Say what happened."""
        rate = self.tasks / self.seconds
        lines = [
            f"{self.tasks:,} tasks of {ACCOUNTS} accounts in {self.seconds:.0f} s ({rate:.0f}/s), "
            + ", ".join(f"{n:,} {end}" for end, n in self.ends.items()),
            "",
            "| | second fifth of the run | last fifth | |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {name} | {early:.1f} | {late:.1f} | {'**grew**' if name in self.grew() else ''} |"
            for name, (early, late) in self.growth().items()
        ]
        return "\n".join(lines)


def soak(folder: Path, tasks: int, retention: float) -> Run:
    """Put so many tasks through a service in `folder`, whose results live `retention` seconds."""
    data, run = folder / "data", Run(tasks)
    make_home(data, [f"soak-{number}" for number in range(ACCOUNTS)])
    with serve(data, engine="echo", retention=f"{retention}s", log_level="warning") as server:
        began = time.perf_counter()
        asyncio.run(_drive(server, run, data))
        run.seconds = time.perf_counter() - began
    return run


async def _drive(server: Server, run: Run, data: Path) -> None:
    """Keep `IN_FLIGHT` tasks going until all are done, sampling meanwhile."""
    numbers: Iterator[int] = iter(range(run.tasks))
    root = psutil.Process(server.child.pid)
    async with aiohttp.ClientSession(server.url, raise_for_status=True) as client:

        async def lane() -> None:
            for number in numbers:
                run.ends[await _one(client, number % ACCOUNTS)] += 1

        async def watch() -> None:
            while True:
                run.samples.append(await asyncio.to_thread(sample, root, data))
                await asyncio.sleep(EVERY)

        watching = asyncio.create_task(watch())
        async with asyncio.TaskGroup() as lanes:
            for _ in range(IN_FLIGHT):
                lanes.create_task(lane())
        watching.cancel()


async def _one(client: aiohttp.ClientSession, account: int) -> str:
    """Create a task of an account and poll it to its end; return its status then."""
    key = f"{KEY}-{account}" if account else KEY
    headers = {"Authorization": f"Bearer {key}", "X-DashScope-Async": "enable"}
    async with client.post(CREATE, json=BODY, headers=headers) as created:
        path = f"/api/v1/tasks/{(await created.json())['output']['task_id']}"
    for _ in range(POLLS):
        async with client.get(path, headers=headers) as answer:
            status = str(json.loads(await answer.read())["output"]["task_status"])
        if status not in ("PENDING", "RUNNING"):
            return status
    return "never"


def sample(root: psutil.Process, data: Path) -> Sample:
    """Measure a process with all its children, and a data folder."""
    memory = handles = threads = 0
    for member in (root, *root.children(recursive=True)):
        try:
            memory += member.memory_info().rss
            handles += member.num_fds()
            threads += member.num_threads()
        except psutil.NoSuchProcess:
            continue  # it ended while we looked
    return Sample(memory / 1e6, handles, threads, folder_size(data) / 1e6)


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder, as far as they hold still."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(where, name).stat().st_size
            except FileNotFoundError:
                continue  # it expired while we looked
    return total


def main(given: Sequence[str]) -> int:
    """Run a soak; the exit status says whether it held."""
    parser = argparse.ArgumentParser(description="Many tasks; all must end, nothing may grow.")
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--retention", type=float, default=20.0)
    wished = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="ferrotype-soak-") as folder:
        run = soak(Path(folder), wished.tasks, wished.retention)
    Console().print(run.report(), highlight=False)
    if run.held():
        document.fill(soak=run.report())
    return 0 if run.held() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
