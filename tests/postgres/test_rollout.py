"""A new version with a new schema takes the old one's place while callers create and poll."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from itertools import count, takewhile
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from bench.chaos import LANES, Callers, Report
from bench.fleet import Fleet, deployed
from bench.postgres import Server, serving
from bench.servers import wait_until_up

import ferrotype

NEXT = """-- oldest: 1
ALTER TABLE task ADD COLUMN extra TEXT NOT NULL DEFAULT 'none';
CREATE INDEX task_extra ON task (extra) WHERE extra <> 'none';
ALTER TABLE worker ADD COLUMN extra TEXT;
CREATE TABLE more (n BIGINT PRIMARY KEY);
"""
VERSION = "99.0"
TWICE = """SELECT count(*) FROM (SELECT n FROM event WHERE move = 'succeed'
    GROUP BY n HAVING count(*) > 1) AS more"""


@pytest.fixture
def durable() -> Iterator[Server]:
    with serving() as running:
        yield running


def next_version(folder: Path) -> Path:
    """Make the code of a version with one migration more, and return where it is."""
    package = folder / "next" / "ferrotype"
    shutil.copytree(Path(ferrotype.__file__).parent, package)
    (package / "ledgers/postgres/migrations/0099_next.sql").write_text(NEXT)
    init = package / "__init__.py"
    init.write_text(init.read_text().replace(ferrotype.__version__, VERSION))
    return package.parent


async def asked(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def until(url: str, query: str, wanted: object) -> None:
    """Wait until the ledger answers so."""
    async with asyncio.timeout(30):
        while await asked(url, query) != wanted:
            await asyncio.sleep(0.1)


async def roll_out(fleet: Fleet, url: str, code: Path) -> None:
    """Replace the replicas one by one, then the workers."""
    for done, host in enumerate(fleet.apis):
        starts = host.starts
        host.upgrade(code)
        async with asyncio.timeout(30):
            while host.starts == starts:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(wait_until_up, f"http://127.0.0.1:{host.port}/readyz")
        assert await asked(url, "SELECT value FROM meta WHERE name = 'schema'") == "99"
        if not done:
            await asyncio.sleep(2)  # old and new side by side, all workers old
    for done, host in enumerate(fleet.workers, 1):
        host.upgrade(code)
        await until(url, f"SELECT count(*) FROM worker WHERE version = '{VERSION}'", done)


async def test_a_roll_out_under_load_loses_nothing(
    durable: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, code = await asyncio.to_thread(durable.database), next_version(tmp_path)
    report, rolled = Report("rolled-out", 0), asyncio.Event()
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        deployed(tmp_path, url, apis=2, workers=3) as fleet,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        callers = Callers(session, fleet.urls, report)
        await callers.make(iter(range(LANES)), "warming")
        numbers = takewhile(lambda _: not rolled.is_set(), count(LANES))
        calling = asyncio.create_task(callers.make(numbers, "fire"))
        await asyncio.sleep(2)
        await roll_out(fleet, url, code)
        await asyncio.sleep(2)
        rolled.set()
        await calling
        assert await asked(url, "SELECT count(DISTINCT version) FROM worker") == 1
        assert await asked(url, TWICE) == 0
        assert await asked(url, "SELECT count(*) FROM task WHERE status <> 'SUCCEEDED'") == 0
        rows = await asked(url, "SELECT count(*) FROM task")
        lost = await asked(url, "SELECT count(*) FROM event WHERE move = 'lose'")
    with capsys.disabled():
        sys.stdout.write(
            f"\nrolled-out: {dict(report.ends)}, longest silence {report.silence:.1f} s, retried by"
            f" clients: {dict(report.refusals) or 'nothing'}, taken from workers: {lost}\n"
        )
    assert set(report.ends) == {"SUCCEEDED"}
    assert rows == report.ends["SUCCEEDED"]
    assert not report.wrong, report.wrong[:5]
    assert not lost  # what did not end within the drain was given back
