"""Serves an ASGI application on sockets that somebody else bound."""

import asyncio
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ferrotype.http.connection import Connection

KEEP_ALIVE = 75  # seconds: pools of the official clients keep a connection for 60
MOST_DESCRIPTORS = 65_536


class _Server(uvicorn.Server):
    """Signals belong to the command that runs us: it sets an event."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: ASGIApp, sockets: Sequence[socket.socket], stop: asyncio.Event, *, drain: float = 10.0
) -> None:
    """Serve until `stop` is set; then close the listeners and give calls `drain` seconds to end.

    What still runs after that is cancelled. Closes the sockets. Run it on uvloop for its speed.
    """
    _take_descriptors()
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(drain)),
    )
    server = _Server(config)

    async def heed() -> None:
        await stop.wait()
        server.should_exit = True

    heeding = asyncio.create_task(heed())
    try:
        await server.serve(list(sockets))
    finally:
        heeding.cancel()


def _take_descriptors() -> None:
    """Let this process have as many open connections and files as the system grants, and it needs.

    The usual soft limit, 1024, is a few clients' connection pools.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft < (wanted := min(granted, MOST_DESCRIPTORS)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
