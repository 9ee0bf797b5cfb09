"""`ferrotype serve` and `ferrotype env`: the whole service on one machine, and how to call it."""

import asyncio
import os
import shlex
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from ferrotype import lifeline, plugins
from ferrotype.cli import first, logs
from ferrotype.cli.flags import Config, DataDir, Host, LogLevel, Port, settings
from ferrotype.cli.listen import (
    base_url,
    listen,
    listen_for_colleague,
    listen_for_metrics,
    root_url,
)
from ferrotype.cli.output import broken, wrong
from ferrotype.cli.presence import Presence, Taken, address
from ferrotype.cli.supervisor import Child, supervise
from ferrotype.settings import Settings
from ferrotype.wiring.seal import make_seal

AnyKey = Annotated[
    bool | None,
    typer.Option("--any-key", help="Accept every non-empty API key; for development."),
]
YesAnyone = Annotated[
    bool | None,
    typer.Option("--yes-anyone", help="Allow --any-key although others can reach this machine."),
]
Latency = Annotated[
    str | None,
    typer.Option(
        "--latency",
        metavar="TIME",
        help="Make each task take at least this long (5s), to see PENDING and RUNNING.",
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="NAME", help="Engine of all models without a recipe, such as echo."
    ),
]
PublicUrl = Annotated[
    str | None,
    typer.Option(
        "--public-url", metavar="URL", help="Scheme and host by which clients know this service."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What the two processes inherit: a pipe that holds the API up, and sockets that listen."""

    gate: int
    listener: socket.socket
    metrics: socket.socket | None = None
    worker_metrics: socket.socket | None = None


def serve(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    any_key: AnyKey = None,
    yes_anyone: YesAnyone = None,
    latency: Latency = None,
    engine: EngineName = None,
    public_url: PublicUrl = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Serve the API and work on its tasks, until Ctrl-C.

    The first start makes an account and a key, and prints the two lines that a client needs.
    """
    lifeline.tie_if_asked()
    chosen = settings(**context.params)
    chosen.check_exposure()
    for recipe in chosen.all_recipes:
        plugins.find_engine(recipe.engine)
    make_seal(chosen)
    try:
        chosen.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        presence = Presence(chosen.data_dir)
    except Taken as taken:
        wrong(str(taken))
    except OSError as error:
        reason = error.strerror
        wrong(f"{chosen.data_dir} cannot be used ({reason}): choose another --data-dir.")
    logs.configure(chosen.log_level, chosen.log_format)
    try:
        raise typer.Exit(_serve(chosen, presence))
    finally:
        presence.close()


def _serve(chosen: Settings, presence: Presence) -> int:
    with ExitStack() as stack:
        listener = stack.enter_context(listen(chosen))
        gate, opener = os.pipe()
        stack.callback(os.close, gate)
        latch = stack.enter_context(os.fdopen(opener, "wb", 0))
        handed = Handed(gate=gate, listener=listener)
        if metrics := listen_for_metrics(chosen):
            told = stack.enter_context(listen_for_colleague())
            handed = replace(handed, metrics=stack.enter_context(metrics), worker_metrics=told)
        return asyncio.run(_run(chosen, presence, handed, latch.close))


async def _run(
    chosen: Settings,
    presence: Presence,
    handed: Handed,
    open_gate: Callable[[], None],
) -> int:
    """Start the API at once, for it loads slowly, and see to the ledger meanwhile."""
    ready, port = asyncio.Event(), handed.listener.getsockname()[1]
    keeping = asyncio.create_task(supervise(children(chosen, handed, ready)))
    try:
        await asyncio.to_thread(asyncio.run, first.prepare(chosen))
        presence.announce(base_url(chosen, port))
        ready.set()
        open_gate()
        typer.echo(banner(chosen, port))
        return await keeping
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


def children(chosen: Settings, handed: Handed, ready: asyncio.Event) -> tuple[Child, Child]:
    """Return the two processes of a service. `ready` is set with the gate."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("FERROTYPE_")}
    env |= chosen.environ()
    if chosen.log_format == "auto" and sys.stderr.isatty():
        env["FERROTYPE_LOG_FORMAT"] = "console"  # their own standard errors are pipes to us
    command = (sys.executable, "-P", "-m", "ferrotype.cli.process")
    api, worker = [handed.gate, handed.listener.fileno()], list[int]()
    beside = []  # where the worker's counters are
    if handed.metrics and handed.worker_metrics:
        api.append(handed.metrics.fileno())
        worker.append(handed.worker_metrics.fileno())
        beside.append(handed.worker_metrics.getsockname()[1])
    return (
        Child(name="api", argv=(*command, "api", *map(str, api + beside)), env=env, pass_fds=api),
        Child(
            name="worker",
            argv=(*command, "worker", *map(str, worker)),
            env=env,
            pass_fds=worker,
            after=ready,
        ),
    )


def banner(chosen: Settings, port: int) -> str:
    """Return what a person should know at the start: who draws, who may call, and how."""
    lines = [f"Ferrotype listens on {root_url(chosen.host, port)}", ""]
    if not chosen.recipes and chosen.engine in (None, "illustrator"):
        lines += [
            "No recipe is configured: pictures are drawn by the built-in illustrator,",
            "not by a model.",
            "",
        ]
    if chosen.test:
        lines += ["This is a test server: its clock and its failures can be set.", ""]
    if chosen.any_key:
        lines += ["Every non-empty API key is accepted.", ""]
    return "\n".join((*lines, *exports(chosen, base_url(chosen, port)), ""))


def exports(chosen: Settings, url: str) -> list[str]:
    """Return the two lines by which a shell tells the official clients where and who."""
    key = "sk-anything"
    if chosen.key_path.exists():
        key = chosen.key_path.read_text().strip()
    elif not chosen.any_key:
        return [f"export DASHSCOPE_HTTP_BASE_URL={shlex.quote(url)}"]
    return [
        f"export DASHSCOPE_API_KEY={shlex.quote(key)}",
        f"export DASHSCOPE_HTTP_BASE_URL={shlex.quote(url)}",
    ]


def env(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the two lines that a client needs.

    In a shell: eval "$(ferrotype env)".
    """
    chosen = settings(config, host=host, port=port, data_dir=data_dir)
    if not chosen.key_path.exists():
        broken(
            f"There is no key in {chosen.data_dir}: "
            "start `ferrotype serve` once, or say --data-dir."
        )
    given = host is not None or port is not None
    served = None if given else address(chosen.data_dir)
    typer.echo("\n".join(exports(chosen, served or base_url(chosen, chosen.port))))
