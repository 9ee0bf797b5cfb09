"""The PostgreSQL ledger and its bell pass the suites that all must pass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from bench.postgres import Server
from places import SilentBell, opened
from proxy import between

from ferrotype.bells.postgres import PostgresBell
from ferrotype.conformance import BellSuite, FullLedger, LedgerSuite, Wanted
from ferrotype.ledgers.postgres import Limits
from ferrotype.ports.bell import Bell

pytest_plugins = ["postgres_fixtures"]


class Databases:
    """The database of each folder that a test names."""

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self._running = server
        self._made: dict[Path, str] = {}

    async def url(self, folder: Path) -> str:
        """Return where the folder's database is, made if need be."""
        if folder not in self._made:
            self._made[folder] = await asyncio.to_thread(self._running.database)
        return self._made[folder]


class TestPostgresLedger(Databases, LedgerSuite):
    @asynccontextmanager
    async def open_ledger(self, folder: Path, wanted: Wanted) -> AsyncIterator[FullLedger]:
        limits = Limits(
            retention=wanted.retention,
            max_pending=wanted.max_pending,
            max_open=wanted.max_open,
            lease=wanted.lease,
            events=wanted.events,
            test=True,
        )
        url, bell = await self.url(folder), wanted.bell or SilentBell()
        async with opened(url, limits, bell=bell, size=3) as ledger:
            yield ledger


class TestPostgresBell(Databases, BellSuite):
    @asynccontextmanager
    async def open_bell(self, folder: Path) -> AsyncIterator[Bell]:
        async with PostgresBell.open(await self.url(folder)) as bell:
            await bell.joined()
            yield bell


async def test_what_was_rung_while_a_line_was_broken_is_made_good(server: Server) -> None:
    url = await asyncio.to_thread(server.database)
    async with (
        between(url) as (proxy, through),
        PostgresBell.open(through) as one,
        PostgresBell.open(url) as other,
        other.listen({"work:some-model"}) as ear,
    ):
        await asyncio.gather(one.joined(), other.joined())
        await ear.wait(0.5)  # what came with the other's arrival
        proxy.drop()
        one.ring({"work:some-model"})
        assert not await ear.wait(0.3)
        proxy.cut_all()
        await asyncio.sleep(0.1)
        proxy.heal()
        assert await ear.wait(4)


async def test_who_leaves_tells_what_was_rung_last(server: Server) -> None:
    url = await asyncio.to_thread(server.database)
    async with PostgresBell.open(url) as other, other.listen({"work:some-model"}) as ear:
        await other.joined()
        await ear.wait(0.5)
        async with PostgresBell.open(url) as one:
            await one.joined()
            one.ring({"work:some-model"})
            await asyncio.sleep(0)
        assert await ear.wait(1)


@pytest.mark.parametrize("error", [asyncpg.InternalClientError("state 12"), OSError(), KeyError()])
async def test_a_bell_outlives_whatever_breaks_its_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    url = await asyncio.to_thread(server.database)
    async with (
        PostgresBell.open(url) as one,
        PostgresBell.open(url) as other,
        other.listen({"work:some-model"}) as ear,
    ):
        await asyncio.gather(one.joined(), other.joined())
        await ear.wait(0.5)

        async def broken(conn: asyncpg.Connection) -> None:
            monkeypatch.undo()
            raise error

        monkeypatch.setattr(one, "_tell", broken)
        one.ring({"work:some-model"})
        assert await ear.wait(4)
