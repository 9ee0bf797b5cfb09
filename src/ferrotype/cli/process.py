"""The two processes of a service: one answers callers, the other works on their tasks.

`ferrotype serve` starts them as `python -m ferrotype.cli.process api GATE FD [METRICS_FD PORT]`
and `... worker [METRICS_FD]`: without the libraries of the command line, for a service should be
there within a second. GATE is a pipe whose other end is closed as soon as the ledger can be opened.
At PORT the worker shows its counters.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from ferrotype import lifeline
from ferrotype.cli import logs
from ferrotype.settings import Settings, load

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ferrotype.http.app import Options
    from ferrotype.wiring.front import Front


def main() -> None:
    """Run one of the two, with the settings that our parent put into the environment."""
    lifeline.tie_if_asked()
    chosen = load()
    match sys.argv[1:]:
        case ["api", gate, listener]:
            run("api", chosen, api(chosen, _socket(listener), gate=int(gate)))
        case ["api", gate, listener, metrics, port]:
            sockets, beside = (_socket(listener), _socket(metrics)), int(port)
            run("api", chosen, api(chosen, *sockets, gate=int(gate), colleague=beside))
        case ["worker"]:
            run("worker", chosen, worker(chosen))
        case ["worker", metrics]:
            run("worker", chosen, worker(chosen, _socket(metrics)))
        case _:
            sys.exit(2)


def _socket(fd: str) -> socket.socket:
    inherited = socket.socket(fileno=int(fd))
    inherited.set_inheritable(False)  # engines shall not have it
    return inherited


def run(name: str, chosen: Settings, work: Coroutine[Any, Any, None]) -> None:
    """Run one of the two ("api" or "worker") until its end."""
    import uvloop

    from ferrotype.wiring.tracing import tracing

    logs.configure(chosen.log_level, chosen.log_format)
    with tracing(name):
        uvloop.run(work)


async def api(
    chosen: Settings,
    listener: socket.socket,
    metrics: socket.socket | None = None,
    *,
    gate: int | None = None,
    colleague: int | None = None,
) -> None:
    """Answer callers (and, on its own socket, Prometheus) until a SIGTERM or SIGINT.

    `colleague`: port of this machine where a worker shows its counters, to be shown too.
    """
    from ferrotype.http import app, wire
    from ferrotype.http.access import AccessLog
    from ferrotype.http.server import serve
    from ferrotype.wiring.courier import open_courier
    from ferrotype.wiring.front import open_front

    _pass(gate)
    _on_signal((stop := asyncio.Event()).set)
    access = AccessLog.to_stderr()
    listener.set_inheritable(False)
    async with (
        open_front(chosen) as front,
        open_courier(
            chosen, front.outbox, front.bell, partial(wire.event, region=chosen.region)
        ) as courier,
        asyncio.TaskGroup() as group,
    ):
        if metrics:
            group.create_task(serve(_metrics(front, colleague), [metrics], stop))
        group.create_task(front.janitor.run(stop))
        group.create_task(courier.run(stop))
        gc.freeze()  # the catalogue stays: no collection need walk through it
        uses = (front.service, front.keyring, front.links, front.store, front.uploads)
        face = app.build(*uses, front.catalogue, _options(chosen), access, front.rehearsal)
        await serve(face, [listener], stop)
        stop.set()
    access.close()


def _pass(gate: int | None) -> None:
    """Wait until our parent opens the gate. All is loaded by now, and nothing runs yet."""
    if gate is not None:
        os.read(gate, 1)
        os.close(gate)


def _metrics(front: "Front", colleague: int | None) -> "ASGIApp":
    from ferrotype.http.metrics_app import Colleague, build_metrics
    from ferrotype.http.queue_gauges import QueueGauges

    queue = QueueGauges(front.watched, front.clock)
    return build_metrics("api", queue, Colleague(colleague) if colleague else None)


def _options(chosen: Settings) -> "Options":
    from ferrotype.http.app import Options

    return Options(
        hold=chosen.poll_hold,
        region=chosen.region,
        region_hosts=chosen.region_hosts,
        public_url=chosen.public_url,
        allowed_hosts=(*chosen.allowed_hosts, chosen.host),
        trusted_proxies=chosen.trusted_proxies,
        workspaces=chosen.workspaces,
    )


async def worker(
    chosen: Settings, metrics: socket.socket | None = None, *, alone: bool = False
) -> None:
    """Work on tasks until a SIGTERM or SIGINT, then drain; a second signal means now.

    On its own socket it shows its counters. `alone`: no `serve` gave it the API's settings.
    """
    from ferrotype.wiring.back import open_back
    from ferrotype.worker import Stop

    stop, done = Stop(), asyncio.Event()
    _on_signal(stop.ask)
    async with open_back(chosen, alone=alone) as back:
        await back.janitor.round()  # what a dead worker held is ours at once
        async with asyncio.TaskGroup() as group:
            if metrics:
                from ferrotype.http.metrics_app import build_metrics
                from ferrotype.http.server import serve

                group.create_task(serve(build_metrics("worker"), [metrics], done))
            group.create_task(back.janitor.run(done))
            try:
                await back.worker.run(stop)
            finally:
                done.set()


def _on_signal(ask: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask)


if __name__ == "__main__":
    main()
