"""No question on the hot path looks at more rows than it needs: SQLite's own plans say so."""

import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlite_house import opened

from ferrotype.ledgers.sqlite import intake, lanes, moves, upkeep, watch, work

MOVES = {f"move {move}": sql for move, sql in moves.SQL.items()}
QUERIES = {
    "get": intake.READ,
    "account": intake.ACCOUNT,
    "idempotency": intake.FIRST,
    "next": work.NEXT,
    "due": work.DUE,
    "next due": work.NEXT_DUE,
    "settled": work.SETTLED,
    "held": lanes.NEXT_HELD,
    "unserved": upkeep.UNSERVED,
    "left": upkeep.LEFT,
    "orphans": upkeep.ORPHANS,
    "running": upkeep.RUNNING,
    "expired": upkeep.EXPIRED,
    "forget": upkeep.FORGETTABLE,
    "created": watch.CREATED,
    "ended": watch.ENDED,
    "list": f"SELECT t.id FROM task t WHERE {intake._MATCHES} ORDER BY t.submit_at DESC, t.n DESC",
    **MOVES,
}
NAMES = {name[1:] for sql in QUERIES.values() for name in re.findall(r":\w+", sql)}


@pytest.fixture
async def conn(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    async with opened(tmp_path) as ledger:
        await ledger.make_account("someone")
        conn = sqlite3.connect(tmp_path / "ledger.db")
        yield conn
        conn.close()


@pytest.mark.parametrize("name", QUERIES)
async def test_nothing_scans_the_tasks(conn: sqlite3.Connection, name: str) -> None:
    sql = QUERIES[name]
    given = (None,) * sql.count("?") if "?" in sql else dict.fromkeys(NAMES)
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    assert steps
    for step in steps:
        # the index of RUNNING tasks is as long as what runs; every other step is a search
        assert not step.startswith(("SCAN t", "SCAN task")) or "held_by" in step, steps
        # what is sorted: a row a model that was asked for, the few rows of caps, what just ended
        assert "TEMP B-TREE" not in step or name in ("next", "account", "ended"), steps


async def test_the_next_task_is_one_step_into_an_index(conn: sqlite3.Connection) -> None:
    given = dict.fromkeys(NAMES)
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {work.NEXT}", given)]
    assert "SEARCH task USING INDEX next (model=?)" in steps
    assert "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)" in steps
    time = f"EXPLAIN QUERY PLAN SELECT {lanes.VIRTUAL_TIME}"
    steps = [row[3] for row in conn.execute(time)]
    assert any("SEARCH task USING INDEX clock" in step for step in steps), steps
    assert any("SEARCH account USING COVERING INDEX account_finish" in step for step in steps)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (watch.READY, "next"),
        (watch.CAPPED, "hold"),
        (watch.LATER, "due"),
        (watch.WORKING, "held_by"),
        (watch.HOLDING, "held_by"),
    ],
)
async def test_the_backlog_is_counted_in_indexes_of_open_tasks(
    conn: sqlite3.Connection, query: str, index: str
) -> None:
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert f"INDEX {index}" in steps[0].replace("COVERING ", ""), steps
    assert len([step for step in steps if "task" in step]) == 1, steps


async def test_a_list_and_a_forgotten_key_are_found_by_their_indexes(
    conn: sqlite3.Connection,
) -> None:
    given = dict.fromkeys(NAMES)
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {QUERIES['list']}", given)]
    assert len(steps) == 1
    assert steps[0].startswith("SEARCH t USING INDEX listing (account=? AND submit_at>")
    forget = "EXPLAIN QUERY PLAN DELETE FROM idempotency WHERE n = ?"
    steps = [row[3] for row in conn.execute(forget, (1,))]
    assert any("INDEX idempotency_of" in step for step in steps), steps
