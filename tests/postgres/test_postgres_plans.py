"""No question on the hot path looks at more rows than it needs: PostgreSQL's own plans say so."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from bench.postgres import Server
from places import opened

from ferrotype.ledgers.postgres import admin, due, intake, lanes, outbox, upkeep, watch, work
from ferrotype.ledgers.postgres.database import SESSION

pytest_plugins = ["postgres_fixtures"]

FILL = """INSERT INTO task (id, account, key, model, status, attempt, turn, total, submit_at,
        first_claim_at, claim_at, end_at, expires_at)
    SELECT 'task-' || i, 'a' || i % 7, 'k', 'model-' || i % 50, s.status, s.attempt,
        CASE WHEN s.attempt = 0 THEN i END, 1, now(), s.at, s.at, s.at, s.at + interval '1 day'
    FROM generate_series(1, 4000) AS i, LATERAL (SELECT
        CASE WHEN i % 2 > 0 THEN 'SUCCEEDED' ELSE 'PENDING' END AS status,
        CASE WHEN i % 2 > 0 THEN 1 ELSE 0 END AS attempt,
        CASE WHEN i % 2 > 0 THEN now() END AS at) AS s"""
BODIES = """INSERT INTO body (n, route, served_by, request_id, asked)
    SELECT n, 'r', 's', 'q', '{}' FROM task"""
QUERIES = {  # and what each must find its tasks or letters by
    "again": (work.AGAIN, "task_held_by", "worker = "),
    "claim": (work.CLAIM, "task_next", "model = "),
    "count": (intake._COUNT, "task_listing", "account = .*submit_at >= "),
    "created": (watch.CREATED, "task_listing", "account = .*submit_at > "),
    "due": (due.DUE, "task_due", "not_before <= "),
    "due, at a claim": (work.CLAIM, "task_due", "not_before <= "),
    "ended": (watch.ENDED, "task_expiry", "expires_at > "),
    "expired": (upkeep.EXPIRED, "task_expiry", "expires_at <= "),
    "forget": (upkeep.FORGET, "task_id_key", "id = "),
    "get": (intake._READ, "task_id_key", "id = "),
    "held": (lanes.HELD, "task_hold", "account = .*model = "),
    "left": (upkeep.LEFT, "task_attended", "attended_until <= "),
    "letters": (outbox.LETTERS, "letter_due", "url = .*due_at <= "),
    "lock": (upkeep.LOCK, "task_id_key", "id = "),
    "page": (intake._PAGE, "task_listing", "account = .*submit_at >= "),
    "renew": (work.RENEW, "task_held_by", "worker = "),
    "settled": (work.SETTLED, "task_id_key", "id = "),
    "stuck": (admin.STUCK, "task_stuck", ""),
    "unserved": (upkeep.UNSERVED, "task_next", ""),
}
IN_ORDER = ("due", "expired", "held", "letters", "page", "stuck")  # by the index, not by a sort


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
async def conn(url: str) -> AsyncIterator[asyncpg.Connection]:
    async with opened(url):
        conn = await asyncpg.connect(url, server_settings=SESSION)
        if not await conn.fetchval("SELECT count(*) FROM task"):
            await conn.execute(FILL)
            await conn.execute(BODIES)
            await conn.execute("ANALYZE")
        yield conn
        await conn.close()


async def plan_of(conn: asyncpg.Connection, query: str) -> str:
    """Return the plan that is made before anything is known of what is asked."""
    given = max((int(number) for number in re.findall(r"\$(\d+)", query)), default=0)
    await conn.execute(f"PREPARE asked AS {query}")
    nothing = f"({', '.join(['NULL'] * given)})" if given else ""
    return "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN EXECUTE asked{nothing}"))


@pytest.mark.parametrize("name", QUERIES)
async def test_tasks_are_found_by_an_index(conn: asyncpg.Connection, name: str) -> None:
    query, index, by = QUERIES[name]
    plan = await plan_of(conn, query)
    search = rf"using {index} on [^>]*Index Cond: [^\n]*{by}" if by else rf"using {index} on "
    assert any(re.search(search, step) for step in plan.split("->")), plan
    assert not re.search(r"Seq Scan on (task|body|event|letter)\b|Bitmap|Merge", plan), plan
    assert name not in IN_ORDER or "Sort" not in plan, plan
