"""What the ledger on PostgreSQL does: creates, polls, claims, and the wait for an idle worker."""

import asyncio
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import asyncpg
import httpx

from bench.postgres import Server as Database
from bench.postgres import serving
from bench.rates import BODY, CREATE, HEADERS, bare, bare_environ, task_paths, wait_for_end
from bench.rows import REPEATS, Row, Section, quantile
from bench.servers import api, make_home, python, worker
from bench.wrk import Load, load
from ferrotype.ledgers.postgres import PostgresLedger

SECONDS = 3.0
TURNING = 8.0  # seconds that workers claim and settle
WORKERS = 8
PENDING = 1_000_000
PICKED_UP = 200  # tasks, one at a time, that an idle worker is given
TASK = """INSERT INTO task (id, account, key, model, status, turn, total, submit_at, first_claim_at,
        claim_at, end_at, expires_at, attempt)
    SELECT gen_random_uuid()::text, a.id, 'bench', 'model-' || i % $2, $3,
        CASE WHEN $3 = 'PENDING' THEN i END, 1, ledger_now(),
        t.at, t.at, t.at, t.at + interval '1 day', CASE WHEN $3 = 'PENDING' THEN 0 ELSE 1 END
    FROM generate_series(1, $1::bigint) AS i, (SELECT id FROM account LIMIT 1) AS a,
        (SELECT CASE WHEN $3 = 'PENDING' THEN NULL ELSE ledger_now() END AS at) AS t"""
BODIES = """INSERT INTO body (n, route, served_by, request_id, asked)
    SELECT n, 'text2image/image-synthesis', 'echo; test pattern', 'some-request',
        '{"kind":"text-to-image","prompt":"a red door","size":[1024,1024],"seed":7}'
    FROM task WHERE n > $1"""


class NoBell:
    """Nobody is rung."""

    def ring(self, topics: object) -> None:
        """Do nothing."""


def measure(folder: Path) -> Section:
    """Measure the API on a small database, then workers on a large one."""
    with serving() as database:
        rows = [*_api_rows(folder / "api", database), _pick_up(folder / "idle", database)]
        url = database.database()
        seed(url, PENDING, 83)
        few = [f"model-{number}" for number in range(WORKERS)]
        rates = (turned(url, [[model] for model in few]), turned(url, [_models(83)] * WORKERS))
        names = ("one model a worker", "83 models each")
        for name, rate, least in zip(names, rates, (3_000, 2_000), strict=True):
            what = f"claim and settle, {WORKERS} workers, {PENDING:,} pending, {name}"
            rows.append(Row(what=what, unit="/s", value=rate, least=least))
    return Section("database", rows)


def seed(url: str, pending: int, models: int, ended: int = 0) -> None:
    """Fill a database with tasks; the fresh statistics are part of it."""

    async def work() -> None:
        async with PostgresLedger.open(url, bell=NoBell(), migrate=True, size=1) as ledger:  # type: ignore[arg-type]
            await ledger.make_account("bench")
        conn = await asyncpg.connect(url)
        try:
            for status, count in (("SUCCEEDED", ended), ("PENDING", pending)):
                if count:
                    await conn.execute(TASK, count, models, status)
            await conn.execute(BODIES, 0)
            await conn.execute("UPDATE account SET open = $1::bigint, finish = $1::bigint", pending)
            await conn.execute("VACUUM ANALYZE task")
            await conn.execute("VACUUM ANALYZE body")
        finally:
            await conn.close()

    asyncio.run(work())


def turned(url: str, models: Sequence[Sequence[str]], seconds: float = TURNING) -> float:
    """Run workers, one for each list of models; return what they did a second together."""
    env = bare_environ(Path())
    argv = [
        python("bench.turnover", url, f"w-{number}", str(seconds), ",".join(some))
        for number, some in enumerate(models)
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    workers = [subprocess.Popen(one, **pipes) for one in argv]  # type: ignore[call-overload]
    try:
        for one in workers:
            assert one.stdout.readline() == "ready\n"
        for one in workers:
            one.stdin.write("go\n")
            one.stdin.flush()
        return sum(int(one.stdout.readline()) for one in workers) / seconds
    finally:
        for one in workers:
            one.communicate(timeout=30)


def _models(count: int) -> list[str]:
    return [f"model-{number}" for number in range(count)]


def _api_rows(folder: Path, database: Database) -> Iterator[Row]:
    """Measure creates and polls, each run just after the same of the bare server."""
    folder.mkdir()
    url = database.database()
    with bare(folder) as plain:
        make_home(folder / "data", database_url=url)
        with api(folder / "data", poll_hold="0s", database_url=url) as ours:
            with worker(folder / "data", database_url=url):
                ended = task_paths(ours.url, folder / "ended.txt")
                wait_for_end(ours.url, ended)
            waiting = task_paths(ours.url, folder / "waiting.txt")
            for what, least, paths in (
                ("create", 6_000, None),
                ("poll of a PENDING task", 7_000, waiting),
                ("poll of a SUCCEEDED task", 7_000, ended),
            ):
                runs = [
                    (load(ours, SECONDS, paths), load(plain, SECONDS, paths))
                    for _ in range(REPEATS)
                ]
                yield _rate(what, least, runs)


def _rate(what: str, least: float, runs: Sequence[tuple[Load, Load]]) -> Row:
    return Row(
        what=f"{what}, one API process",
        unit="/s",
        value=median(ours.rate for ours, _ in runs),
        least=least,
        beside=("bare server", median(plain.rate for _, plain in runs)),
    )


def _pick_up(folder: Path, database: Database) -> Row:
    """Give an idle worker one task at a time; the database says how long each one waited."""
    folder.mkdir()
    url, asked = database.database(), HEADERS | {"X-DashScope-Async": "enable"}
    make_home(folder / "data", database_url=url)
    with (
        api(folder / "data", database_url=url) as ours,
        worker(folder / "data", database_url=url),
        httpx.Client(base_url=ours.url, headers=asked, trust_env=False) as client,
    ):
        for _ in range(PICKED_UP):
            client.post(CREATE, json=BODY).raise_for_status()
            time.sleep(0.03)  # so that the worker is idle again
    waits = asyncio.run(_waits(url))
    return Row(
        what="pick-up by an idle worker, p99",
        unit="ms",
        value=quantile(waits, 0.99),
        most=25,
        beside=("p50", quantile(waits, 0.5)),
    )


async def _waits(url: str) -> list[float]:
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch(
            "SELECT extract(epoch FROM first_claim_at - submit_at)::float8 * 1000 FROM task"
            " WHERE first_claim_at IS NOT NULL ORDER BY n OFFSET 20"
        )
        return [row[0] for row in rows]
    finally:
        await conn.close()
