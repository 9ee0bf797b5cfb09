"""`make bench-large`: a PostgreSQL ledger of ten million tasks beside one of a hundred thousand.

python -m bench.large [--pending 1000000] [--rows 10000000]

Claims and settles of one worker, and polls within one process, in both by turns.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from statistics import median

import asyncpg
from rich.console import Console

from bench import database
from bench.postgres import serving
from bench.rows import REPEATS, Row, Section, number
from ferrotype.ledgers.postgres import Limits, PostgresLedger

POLLS = 4_000
AT_ONCE = 32
TURNING = 5.0  # seconds


def main() -> None:
    """Fill both, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    given = parser.parse_args()
    console = Console(width=150)
    with serving(max_wal_size="8GB", checkpoint_timeout="30min") as server:
        small, large = server.database(), server.database()
        database.seed(small, 100_000, 1)
        begun = time.monotonic()
        database.seed(large, given.pending, 83, given.rows - given.pending)
        console.print(f"{number(given.rows)} tasks written in {time.monotonic() - begun:.0f} s")
        polls = {url: [asyncio.run(_polls(url)) for _ in range(REPEATS)] for url in (small, large)}
        turns = {url: [_turn(url) for _ in range(REPEATS)] for url in (small, large)}
    section = Section(
        "large",
        [
            _row("poll", polls, small, large, 1.5),
            _row("claim and settle, one worker", turns, small, large, 2.0),
        ],
    )
    console.print(section.markdown())


def _row(what: str, seen: dict[str, list[float]], small: str, large: str, factor: float) -> Row:
    few = median(seen[small])
    return Row(
        what=what,
        unit="ms",
        value=median(seen[large]),
        most=factor * few,
        beside=("the small one", few),
    )


def _turn(url: str) -> float:
    """Return milliseconds for a claim and a settle."""
    return 1000 / database.turned(url, [["model-0"]], TURNING)


async def _polls(url: str) -> float:
    """Return milliseconds for a poll among many that come together."""
    conn = await asyncpg.connect(url)
    try:
        account = await conn.fetchval("SELECT id FROM account LIMIT 1")
        last = await conn.fetchval("SELECT max(n) FROM task")
        some = [random.randint(1, last) for _ in range(POLLS)]
        ids = [row[0] for row in await conn.fetch("SELECT id FROM task WHERE n = ANY($1)", some)]
    finally:
        await conn.close()
    bell, limits = database.NoBell(), Limits(max_open=1 << 40)
    async with PostgresLedger.open(url, bell=bell, limits=limits, size=2) as ledger:  # type: ignore[arg-type]
        begun = time.perf_counter()
        for start in range(0, len(ids), AT_ONCE):
            found: Sequence[object] = await asyncio.gather(
                *(ledger.get(account, one) for one in ids[start : start + AT_ONCE])
            )
            assert all(found)
        return (time.perf_counter() - begun) * 1000 / len(ids)


if __name__ == "__main__":
    main()
