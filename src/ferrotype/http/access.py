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

Entry = tuple[int, float, str, str, str, int, int, str, str]


class AccessLog:
    """Notes answered requests. `file` None notes nothing."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._out = structlog.BytesLogger(file) if file else None
        self._thread = ThreadPoolExecutor(1, "access-log") if file else None
        self._entries: list[Entry] = []
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
        if len(self._entries) >= MOST:
            metrics.LOG_LINES_DROPPED.inc()
            return
        client = exchange.scope.get("client")
        self._entries.append(
            (
                exchange.arrived,
                (time.perf_counter_ns() - exchange.started) / 1e6,
                exchange.scope["method"],
                exchange.path,
                exchange.route,
                exchange.status,
                exchange.sent,
                exchange.request_id,
                client[0] if client else "",
            )
        )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._turn)

    def _turn(self) -> None:
        """Hand the entries to the thread, unless it is still busy with the last ones."""
        assert self._thread
        self._timer = None
        if self._writing and not self._writing.done():
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._turn)
            return
        entries, self._entries = self._entries, []
        self._writing = self._thread.submit(self._write, entries)

    def _write(self, entries: list[Entry]) -> None:
        assert self._out
        if entries:
            self._out.msg(b"\n".join(map(_line, entries)))

    def close(self) -> None:
        """Write what is left. The loop's last call."""
        if self._timer:
            self._timer.cancel()
        if self._thread:
            entries, self._entries = self._entries, []
            self._thread.submit(self._write, entries)
            self._thread.shutdown()


def _line(entry: Entry) -> bytes:
    arrived, ms, method, path, route, status, sent, request_id, client = entry
    at = datetime.fromtimestamp(arrived / 1e9, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {
            "at": at,
            "action": "request",
            "method": method,
            "path": path,
            "route": route,
            "status": status,
            "bytes": sent,
            "ms": round(ms, 2),
            "request_id": request_id,
            "client": client,
        }
    )
