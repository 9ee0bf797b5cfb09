"""`ferrotype api` and `ferrotype worker`: the two processes of a service, each alone."""

import asyncio
import signal
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrotype import lifeline
from ferrotype.cli import logs
from ferrotype.cli.flags import Config, DataDir, Host, LogLevel, Port, settings
from ferrotype.cli.listen import listen
from ferrotype.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ferrotype.wiring import Front

Fd = Annotated[
    int | None,
    typer.Option("--fd", help="Serve on this inherited, listening socket instead of a new one."),
]


def api(
    fd: Fd = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Answer callers, without working on tasks: that is for `ferrotype worker`."""
    lifeline.tie_if_asked()
    chosen = settings(config, host=host, port=port, data_dir=data_dir, log_level=log_level)
    chosen.check_exposure()
    logs.configure(chosen.log_level, chosen.log_format)
    listener = socket.socket(fileno=fd) if fd is not None else listen(chosen.host, chosen.port)
    listener.set_inheritable(False)
    _run(_api(chosen, listener))


def worker(
    data_dir: DataDir = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Work on tasks, without answering callers. As many as you like may share a DATA_DIR."""
    lifeline.tie_if_asked()
    chosen = settings(config, data_dir=data_dir, log_level=log_level)
    logs.configure(chosen.log_level, chosen.log_format)
    _run(_worker(chosen))


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop  # not before a process is to stay: commands start faster without it

    uvloop.run(work)


async def _api(chosen: Settings, listener: socket.socket) -> None:
    from ferrotype import wiring
    from ferrotype.http.access import AccessLog
    from ferrotype.http.metrics_app import build_metrics
    from ferrotype.http.server import serve

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    access = AccessLog.to_stderr()
    async with wiring.front(chosen) as front, asyncio.TaskGroup() as group:
        if chosen.metrics_port:
            counters = listen("127.0.0.1", chosen.metrics_port)
            group.create_task(serve(build_metrics(), [counters], stop))
        group.create_task(front.janitor.run(stop))
        await serve(_face(chosen, front, access), [listener], stop)
        stop.set()
    access.close()


def _face(chosen: Settings, front: "Front", access: Any) -> "ASGIApp":
    from ferrotype.http import app

    options = app.Options(
        hold=chosen.poll_hold,
        region=chosen.region,
        public_url=chosen.public_url,
        allowed_hosts=(*chosen.allowed_hosts, chosen.host),
        trusted_proxies=chosen.trusted_proxies,
        workspaces=chosen.workspaces,
    )
    return app.build(
        front.service, front.keyring, front.links, front.store, front.catalogue, options, access
    )


async def _worker(chosen: Settings) -> None:
    from ferrotype import wiring
    from ferrotype.worker import Stop

    stop, done = Stop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask)
    async with wiring.back(chosen) as back:
        await back.janitor.round()  # what a dead worker held is ours at once
        async with asyncio.TaskGroup() as group:
            group.create_task(back.janitor.run(done))
            try:
                await back.worker.run(stop)
            finally:
                done.set()
