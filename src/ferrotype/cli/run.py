"""`ferrotype api` and `ferrotype worker`: the two processes of a service, each alone."""

import socket
from typing import Annotated

import typer

from ferrotype.cli import process
from ferrotype.cli.flags import Config, DataDir, Host, LogLevel, Port, settings
from ferrotype.cli.listen import listen, listen_for_metrics
from ferrotype.cli.output import wrong

Fd = Annotated[
    int | None,
    typer.Option("--fd", help="Serve on this inherited, listening socket instead of a new one."),
]

WorkerMetrics = Annotated[
    int,
    typer.Option(
        "--metrics-port", help="Port of this worker's /metrics; 0 for none.", min=0, max=65535
    ),
]


def api(
    fd: Fd = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Answer callers only; `ferrotype worker` works on their tasks."""
    chosen = settings(config, host=host, port=port, data_dir=data_dir, log_level=log_level)
    chosen.check_exposure()
    try:
        listener = socket.socket(fileno=fd) if fd is not None else listen(chosen)
    except OSError:
        wrong(f"--fd: {fd} is no open socket.")
    process.run("api", chosen, process.api(chosen, listener, listen_for_metrics(chosen)))


def worker(
    metrics_port: WorkerMetrics = 0,
    data_dir: DataDir = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Work on tasks only; as many as you like may share a DATA_DIR."""
    chosen = settings(config, data_dir=data_dir, log_level=log_level)
    metrics = listen_for_metrics(chosen, metrics_port)
    process.run("worker", chosen, process.worker(chosen, metrics, alone=True))
