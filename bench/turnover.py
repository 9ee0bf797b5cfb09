"""One worker of a measurement: claims and settles on PostgreSQL for some seconds.

python -m bench.turnover URL NAME SECONDS MODEL,MODEL,...

Says "ready" once it may claim, begins at the next line of its input, and prints how many it did.
"""

import asyncio
import sys
import time
from collections.abc import Sequence

import uvloop

from ferrotype.bells.postgres import PostgresBell
from ferrotype.ledgers.postgres import Limits, PostgresLedger
from ferrotype.media import Produced
from ferrotype.ports.ledger import Ending, WorkerCard
from ferrotype.task import Result

MADE = Produced(key="20260101/x/1/0.png", type="image/png", bytes=70, width=1, height=1)
ENDING = Ending(result=Result(outputs=(MADE,), usage={"image_count": 1}, shown={}))


async def turn_over(url: str, name: str, seconds: float, models: Sequence[str]) -> int:
    """Claim and settle, one task after the other; return how many."""
    limits = Limits(max_pending=100_000_000, max_open=100_000_000)
    async with (
        PostgresBell.open(url, ends=False) as bell,
        PostgresLedger.open(url, bell=bell, limits=limits, size=2) as ledger,
    ):
        await bell.joined()
        await ledger.enrol(WorkerCard(id=name, host=name, pid=0, version="0", models=tuple(models)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        done, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            claim = await ledger.claim(name, models)
            if claim is not None:
                await ledger.settle(claim.lease, ENDING)
                done += 1
        await ledger.retire(name)
        return done


if __name__ == "__main__":
    _, url_, name_, seconds_, models_ = sys.argv
    count = uvloop.run(turn_over(url_, name_, float(seconds_), models_.split(",")))
    sys.stdout.write(f"{count}\n")
