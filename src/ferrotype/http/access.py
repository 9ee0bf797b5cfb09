"""The access log: one line of JSON a request, cheap enough for 20,000 a second.

The loop only appends; a thread of its own renders and writes, four times a second. Queries (they
hold signatures) and headers (they hold keys) are never noted.
"""

import asyncio
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec
import structlog

from ferrotype import metrics
from ferrotype.http.exchange import Exchange

EVERY = 0.25  # seconds
MOST = 100_000  # lines that may wait for a slow reader; more are dropped, and counted

_encode = msgspec.json.Encoder().encode_lines


class Line(msgspec.Struct, tag_field="action", tag="request", gc=False):
    """What is said about one request; `ms` from its head to the end of its answer."""

    at: datetime
    method: str
    path: str
    route: str
    status: int
    bytes: int
    ms: float
    request_id: str
    task: str
    client: str


class AccessLog:
    """Notes answered requests. `file` None notes nothing."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._out = structlog.BytesLogger(file) if file else None
        self._thread = ThreadPoolExecutor(1, "access-log") if file else None
        self._lines: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: Future[None] | None = None

    @classmethod
    def to_stderr(cls) -> "AccessLog":
        """Return a log that writes where our other logs go."""
        return cls(sys.stderr.buffer)

    def note(self, exchange: Exchange) -> None:
        """Note a request that was answered."""
        if self._out is None:
            return
        if len(self._lines) >= MOST:
            metrics.LOG_LINES_DROPPED.inc()
            return
        client = exchange.scope.get("client")
        self._lines.append(
            Line(
                at=datetime.fromtimestamp(exchange.arrived / 1e9, UTC),
                method=exchange.scope["method"],
                path=exchange.path,
                route=exchange.route,
                status=exchange.status,
                bytes=exchange.sent,
                ms=round((time.perf_counter_ns() - exchange.started) / 1e6, 2),
                request_id=exchange.request_id,
                task=exchange.task,
                client=client[0] if client else "",
            )
        )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._turn)

    def _turn(self) -> None:
        """Hand the lines to the thread, unless it is still busy with the last ones."""
        assert self._thread
        self._timer = None
        if self._writing and not self._writing.done():
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._turn)
            return
        lines, self._lines = self._lines, []
        self._writing = self._thread.submit(self._write, lines)

    def _write(self, lines: list[Line]) -> None:
        assert self._out
        if lines:
            self._out.msg(_encode(lines)[:-1])

    def close(self) -> None:
        """Write what is left. The loop's last call."""
        if self._timer:
            self._timer.cancel()
        if self._thread:
            lines, self._lines = self._lines, []
            self._thread.submit(self._write, lines)
            self._thread.shutdown()
