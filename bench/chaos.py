"""`make chaos`: a deployment on PostgreSQL under fire; every task must end once, SUCCEEDED.

python -m bench.chaos [--tasks N] [SCENARIO ...]

Two APIs and four workers (engine echo) on one PostgreSQL server. Callers create and poll all along,
at whichever replica comes next; they may meet what a client retries (a broken connection, a 5xx
in the vendor's form), and nothing else. A fifth of the tasks runs in peace, three fifths under
fire, and a fifth in peace again.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import aiohttp
import asyncpg
from rich.console import Console

from bench.fleet import Fleet, deployed
from bench.postgres import Server, serving
from bench.servers import KEY

CREATE = "/api/v1/services/aigc/text2image/image-synthesis"
HEADERS = {"Authorization": f"Bearer {KEY}", "X-DashScope-Async": "enable"}
LANES = 48
PATIENCE = 90.0  # seconds for one task, an outage of everything included
WORKERS = 4
FAIR = 0.25  # of its share that each worker must do afterwards: one that is deaf does less
PHASES = ("before", "fire", "after")
PICTURE = 0.5  # seconds that one takes: workers are killed in the middle of some
LAST = """SELECT worker, count(*) AS n FROM (SELECT worker FROM task ORDER BY n DESC LIMIT $1) AS t
    GROUP BY worker"""
Fire = Callable[[Fleet, Server, random.Random, float], Awaitable[None]]


@dataclass
class Report:
    """What a run has seen."""

    scenario: str
    tasks: int
    ends: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)  # what clients had to retry
    wrong: list[str] = field(default_factory=list)
    spans: dict[str, float] = field(default_factory=dict)  # seconds by phase
    silence: float = 0.0  # longest time under fire without an end
    strikes: int = 0
    starts: int = 0
    twice: int = 0
    stuck: int = 0
    least: float = 0.0  # what the worker that did least did afterwards; 1 is its even share

    def rate(self, phase: str) -> float:
        """Return how many tasks ended a second in a phase."""
        share = self.tasks // 5
        count = share if phase != "fire" else self.tasks - 2 * share
        return count / self.spans[phase]

    def held(self) -> bool:
        """True when nothing was lost, doubled, stuck or failed, nobody met a real error, and all
        workers work afterwards."""
        whole = self.ends == Counter(SUCCEEDED=self.tasks + LANES)
        return whole and self.least >= FAIR and not (self.twice or self.stuck or self.wrong)

    def lines(self) -> Iterator[str]:
        """Say what happened."""
        before, fire, after = (self.rate(phase) for phase in PHASES)
        yield f"{self.scenario}: {dict(self.ends)}, {self.twice} twice, {self.stuck} stuck"
        yield f"  {self.strikes} strikes, {self.starts} processes started"
        yield (
            f"  {before:.0f} tasks a second before, {fire:.0f} under fire, {after:.0f} after"
            f" ({after / before:.0%}); longest silence {self.silence:.1f} s;"
            f" least of a worker {self.least:.0%} of its share"
        )
        yield f"  retried by clients: {dict(self.refusals) or 'nothing'}"
        for one in self.wrong[:5]:
            yield f"  WRONG: {one}"


class Callers:
    """Clients that create tasks and poll them, and never give up before their time."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], report: Report) -> None:
        self._session = session
        self._urls = cycle(urls)
        self._report = report
        self._last_end = time.monotonic()

    async def make(self, numbers: Iterator[int], phase: str) -> None:
        """Take one number after the other; see each task to its end."""
        begun = self._last_end = time.monotonic()
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(self._lane(numbers, phase))
        self._report.spans[phase] = time.monotonic() - begun

    async def _lane(self, numbers: Iterator[int], phase: str) -> None:
        for number in numbers:
            try:
                async with asyncio.timeout(PATIENCE):
                    status = await self._one(number)
            except TimeoutError:
                status = "LOST"
            now = time.monotonic()
            if phase == "fire":
                self._report.silence = max(self._report.silence, now - self._last_end)
            self._last_end = now
            self._report.ends[status] += 1

    async def _one(self, number: int) -> str:
        body = {
            "model": "wan2.2-t2i-flash",
            "input": {"prompt": f"echo delay={PICTURE}"},
            "parameters": {"n": 1, "seed": 7},
        }
        created = await self._ask("POST", CREATE, body, {"Idempotency-Key": f"task-{number}"})
        task = created["output"]["task_id"]
        while True:
            asked = await self._ask("GET", f"/api/v1/tasks/{task}")
            status = str(asked["output"]["task_status"])
            if status not in ("PENDING", "RUNNING"):
                if status != "SUCCEEDED":
                    self._report.wrong.append(f"{task}: {asked['output']}")
                return status
            await asyncio.sleep(0.2)

    async def _ask(
        self, method: str, path: str, body: object = None, more: dict[str, str] | None = None
    ) -> dict[str, dict[str, str]]:
        """Ask one replica, then the other, until there is an answer."""
        while True:
            try:
                async with self._session.request(
                    method, next(self._urls) + path, json=body, headers=HEADERS | (more or {})
                ) as answer:
                    said: dict[str, dict[str, str]] = await answer.json()
                    if answer.status == 200:
                        return said
                    self._refused(answer.status, said)
            except (aiohttp.ClientError, TimeoutError) as error:
                self._report.refusals[type(error).__name__] += 1
            await asyncio.sleep(0.1)

    def _refused(self, status: int, said: dict[str, dict[str, str]]) -> None:
        if status < 500 or not {"code", "message", "request_id"} <= set(said):
            self._report.wrong.append(f"HTTP {status}: {said}")
        self._report.refusals[f"HTTP {status}"] += 1


async def kill_workers(fleet: Fleet, server: Server, chance: random.Random, pace: float) -> None:
    """Kill one worker every few seconds."""
    await asyncio.sleep(pace * chance.uniform(2, 6))
    chance.choice(fleet.workers).send(signal.SIGKILL)


async def restart_database(
    fleet: Fleet, server: Server, chance: random.Random, pace: float
) -> None:
    """Restart the database, sometimes by a crash, every 5 to 40 s."""
    await asyncio.sleep(pace * chance.uniform(5, 40))
    how = chance.choice([signal.SIGINT, signal.SIGQUIT])
    await asyncio.to_thread(server.restart, how)


async def end_backends(fleet: Fleet, server: Server, chance: random.Random, pace: float) -> None:
    """Terminate one back-end after another."""
    await asyncio.sleep(chance.uniform(0.05, 0.3))
    conn = await asyncpg.connect(server.url())
    try:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            " ORDER BY random() LIMIT 1"
        )
    finally:
        await conn.close()


async def kill_apis(fleet: Fleet, server: Server, chance: random.Random, pace: float) -> None:
    """Kill one replica of the API every few seconds."""
    await asyncio.sleep(pace * chance.uniform(2, 6))
    chance.choice(fleet.apis).send(signal.SIGKILL)


class Crowd:
    """300 connections that do nothing."""

    def __init__(self) -> None:
        self._idle: list[asyncpg.Connection] = []

    async def __call__(
        self, fleet: Fleet, server: Server, chance: random.Random, pace: float
    ) -> None:
        """Fill the server; then kill a worker now and then: its next life must get in."""
        while len(self._idle) < 300:
            with suppress(asyncpg.TooManyConnectionsError):
                self._idle.append(await asyncpg.connect(server.url()))
        await kill_workers(fleet, server, chance, pace)

    async def leave(self) -> None:
        """Let the server have its connections back."""
        for conn in self._idle:
            conn.terminate()


SCENARIOS: dict[str, Fire] = {
    "workers-killed": kill_workers,
    "database-restarted": restart_database,
    "backends-terminated": end_backends,
    "connections-idle": Crowd(),
    "apis-killed": kill_apis,
}


@asynccontextmanager
async def under(fire: Fire, fleet: Fleet, server: Server, report: Report) -> AsyncIterator[None]:
    """Keep a fire going."""

    async def burn() -> None:
        chance, pace = random.Random(7), min(1.0, report.tasks / 10_000 + 0.15)
        while True:
            await fire(fleet, server, chance, pace)
            report.strikes += 1

    burning = asyncio.create_task(burn())
    try:
        yield
        if burning.done():
            burning.result()
    finally:
        burning.cancel()
        with suppress(asyncio.CancelledError):
            await burning
        if isinstance(fire, Crowd):
            await fire.leave()


async def run(scenario: str, tasks: int, folder: Path, server: Server) -> Report:
    """Run one scenario."""
    report, fire = Report(scenario, tasks), SCENARIOS[scenario]
    url = await asyncio.to_thread(server.database)
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        deployed(folder, url, workers=WORKERS) as fleet,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        callers, share = Callers(session, fleet.urls, report), tasks // 5
        await callers.make(iter(range(-LANES, 0)), "warming")
        await callers.make(iter(range(share)), "before")
        async with under(fire, fleet, server, report):
            await callers.make(iter(range(share, tasks - share)), "fire")
        await callers.make(iter(range(tasks - share, tasks)), "after")
        report.starts = sum(host.starts for host in (*fleet.apis, *fleet.workers))
    await _count(url, report)
    return report


async def _count(url: str, report: Report) -> None:
    """Look into the ledger itself."""
    conn = await asyncpg.connect(url)
    try:
        report.twice = await conn.fetchval(
            "SELECT count(*) FROM (SELECT n FROM event WHERE move = 'succeed'"
            " GROUP BY n HAVING count(*) > 1) AS more"
        )
        report.stuck = await conn.fetchval(
            "SELECT count(*) FROM task WHERE status IN ('PENDING', 'RUNNING')"
        )
        share = report.tasks // 5
        done = await conn.fetch(LAST, share)
        if len(done) >= WORKERS:
            report.least = min(row["n"] for row in done) * WORKERS / share
        rows = await conn.fetchval("SELECT count(*) FROM task")
        if rows != report.tasks + LANES:
            report.wrong.append(f"{rows} tasks in the ledger for {report.tasks + LANES} asked for")
    finally:
        await conn.close()


def main() -> None:
    """Run the scenarios that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []])
    given = parser.parse_args()
    console, held = Console(), True
    for scenario in given.scenarios or SCENARIOS:
        with serving(max_connections="400") as server, tempfile.TemporaryDirectory() as folder:
            report = asyncio.run(run(scenario, given.tasks, Path(folder), server))
        console.print("\n".join(report.lines()), highlight=False)
        held = held and report.held()
    sys.exit(not held)


if __name__ == "__main__":
    main()
