"""How the schema goes from one version to the next while a deployment serves."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest
from bench.postgres import Server
from places import opened

from ferrotype.conformance.ledger_base import DONE, MODEL, card, must_claim, new_task
from ferrotype.errors import Broken, Missing
from ferrotype.ledgers.postgres import database, schema
from ferrotype.settings import load
from ferrotype.wiring.ledger import open_both, open_ledger

pytest_plugins = ["postgres_fixtures"]

NEXT = "ALTER TABLE task ADD COLUMN extra TEXT NOT NULL DEFAULT 'none'; CREATE TABLE more (n INT)"


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


def newer(monkeypatch: pytest.MonkeyPatch, oldest: int, script: str = NEXT) -> None:
    """Let the code have one migration more."""
    steps: Sequence[tuple[int, int, str]] = [*schema.migrations(), (9, oldest, script)]
    monkeypatch.setattr(schema, "migrations", lambda: steps)


async def version(url: str) -> str:
    conn = await asyncpg.connect(url)
    try:
        return str(await conn.fetchval("SELECT value FROM meta WHERE name = 'schema'"))
    finally:
        await conn.close()


async def test_many_processes_that_start_together_migrate_once(url: str) -> None:
    async def start() -> None:
        async with opened(url) as ledger:
            await ledger.make_account("someone")

    await asyncio.gather(*(start() for _ in range(8)))
    async with opened(url, migrate=False) as ledger:
        assert len(await ledger.accounts()) == 1
        assert len(await ledger.secrets()) == 1


async def test_without_a_schema_nothing_is_made_unasked(url: str) -> None:
    with pytest.raises(Missing, match="There is no ledger"):
        async with opened(url, migrate=False):
            pass


async def test_an_older_process_serves_on_through_a_migration(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url, size=3) as old:
        account = await old.make_account("someone")
        await old.enrol(card("one"))
        done = asyncio.Event()

        async def serve() -> int:
            ended = 0
            while not done.is_set():
                task = (await old.add(new_task(account))).task_id
                claim = await must_claim(old, "one")
                assert claim.task.id == task
                await old.settle(claim.lease, DONE)
                ended += 1
            return ended

        serving = asyncio.create_task(serve())
        await asyncio.sleep(0.3)
        newer(monkeypatch, oldest=1)
        async with opened(url) as new:
            assert await version(url) == "9"
            task = (await new.add(new_task(account, model="other"))).task_id
            await asyncio.sleep(0.3)
            done.set()
            assert await serving > 10
            claim = await must_claim(old, "one", "other")
            assert claim.task.id == task
            await old.settle(claim.lease, DONE)
            counts = await new.counts()
            assert counts["other", "SUCCEEDED"] == 1
            assert (MODEL, "PENDING") not in counts


async def test_an_older_process_that_starts_again_is_served_where_the_schema_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        newer(patched, oldest=1)
        async with opened(url):
            pass
    async with opened(url) as old:
        assert await old.make_account("someone")


async def test_an_older_process_is_refused_where_the_schema_does_not_serve_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        newer(patched, oldest=9)
        async with opened(url):
            pass
    with pytest.raises(Broken, match="newer Ferrotype"):
        async with opened(url):
            pass


async def test_a_migration_that_fails_leaves_what_was(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url):
        pass
    with monkeypatch.context() as patched:
        newer(patched, 1, "CREATE TABLE more (n INT); SELECT no_such_function()")
        with pytest.raises(asyncpg.UndefinedFunctionError):
            async with opened(url):
                pass
    assert await version(url) == str(schema.migrations()[-1][0])
    newer(monkeypatch, 1)
    async with opened(url):
        assert await version(url) == "9"


async def test_a_migration_waits_for_no_busy_table_for_long(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url):
        pass
    newer(monkeypatch, 1)
    monkeypatch.setattr(schema, "WAIT", "100ms")
    conn = await asyncpg.connect(url)
    busy = conn.transaction()
    await busy.start()
    await conn.execute("SELECT count(*) FROM task")
    opening = asyncio.create_task(opened(url).__aenter__())
    await asyncio.sleep(0.5)
    assert not opening.done()  # it tries again, and meanwhile others go on:
    other = await asyncpg.connect(url)
    assert await asyncio.wait_for(other.fetchval("SELECT count(*) FROM task"), 1) == 0
    await busy.rollback()
    await opening
    assert await version(url) == "9"
    await conn.close()
    await other.close()


async def test_a_migration_may_take_longer_than_any_answer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url):
        pass
    monkeypatch.setattr(database, "ANSWER", 0.5)
    newer(monkeypatch, 1, "CREATE TABLE more AS SELECT 1 AS n, pg_sleep(1)::text")
    async with opened(url):
        assert await version(url) == "9"


async def test_a_database_that_cannot_hold_every_prompt_is_refused(server: Server) -> None:
    url = await asyncio.to_thread(
        server.database, "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    with pytest.raises(Broken, match="LATIN1, not UTF8"):
        async with opened(url):
            pass


async def test_a_user_without_rights_is_told_in_one_sentence(url: str) -> None:
    conn = await asyncpg.connect(url)
    name = f"poor{url[-8:]}"
    await conn.execute(f"CREATE ROLE {name} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await conn.close()
    with pytest.raises(Broken, match="must own the database: permission denied"):
        async with opened(url.replace("ferrotype@", f"{name}@")):
            pass


async def test_commands_migrate_nothing_and_take_few_connections(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = load({"data_dir": tmp_path}, environ={"FERROTYPE_DATABASE_URL": url})
    with pytest.raises(Missing):
        async with open_ledger(chosen):
            pass
    async with open_both(chosen, migrate=True, size=1) as (_, ledger):
        await ledger.make_account("someone")
    before = await version(url)
    conn = await asyncpg.connect(url)
    async with open_ledger(chosen) as ledger:
        assert len(await ledger.account_list()) == 1
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert await conn.fetchval(asked) - 1 <= 3
    await conn.close()
    newer(monkeypatch, oldest=1)
    with pytest.raises(Broken, match="an api or a worker of this version"):
        async with open_ledger(chosen):
            pass
    assert await version(url) == before
