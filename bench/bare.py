"""The bare baselines: the same libraries, doing the least that looks the same from outside."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANSWER = {
    "request_id": "7b1d9c02-aaaa-9bbb-8ccc-ddddeeeeffff",
    "output": {"task_id": "0f6e5a10-1111-4c22-9333-5d44aa55bb66", "task_status": "PENDING"},
}


async def create(request: Request) -> Response:
    """Read a JSON body and answer as a create does."""
    msgspec.json.decode(await request.body())
    return Response(msgspec.json.encode(ANSWER), media_type="application/json")


async def poll(request: Request) -> Response:
    """Answer as a query does."""
    return Response(msgspec.json.encode(ANSWER), media_type="application/json")


app = Starlette(
    routes=[
        Route("/api/v1/services/aigc/text2image/image-synthesis", create, methods=["POST"]),
        Route("/api/v1/tasks/{task_id}", poll),
        Route("/readyz", poll),
    ]
)


def turn_over(path: Path, jobs: int) -> None:
    """Claim and end jobs one by one in a table of two columns, each move a durable commit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("CREATE TABLE job (n INTEGER PRIMARY KEY, status TEXT)")
        conn.execute("CREATE INDEX waiting ON job (n) WHERE status = 'PENDING'")
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO job (status) VALUES (?)", [("PENDING",)] * jobs)
        conn.execute("COMMIT")
        for _ in range(jobs):
            row = conn.execute(
                "UPDATE job SET status = 'RUNNING' WHERE n ="
                " (SELECT n FROM job WHERE status = 'PENDING' ORDER BY n LIMIT 1) RETURNING n"
            ).fetchone()
            conn.execute("UPDATE job SET status = 'SUCCEEDED' WHERE n = ?", row)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
