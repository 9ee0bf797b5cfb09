"""Real processes for a measurement: pinned to a core, stopped by their own id."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

KEY = "sk-bench"
SERVER, LOAD, *_ = (*sorted(os.sched_getaffinity(0)), -1, -1)  # -1: there is no such core


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    url: str
    child: subprocess.Popen[bytes]

    def processor_seconds(self) -> float:
        """Return the processor time that it has used so far."""
        times = psutil.Process(self.child.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> float:
        """Return its resident memory in MB."""
        return psutil.Process(self.child.pid).memory_info().rss / 1e6


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environ(data: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a service on `data`, with settings by their names."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FERROTYPE_")}
    given = {"data_dir": data, "metrics_port": 0, "max_pending": 10_000_000, **settings}
    return inherited | {f"FERROTYPE_{name.upper()}": str(value) for name, value in given.items()}


@contextmanager
def process(
    argv: Sequence[str], env: dict[str, str], log: Path, *, core: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, on one core if asked; end it politely, then by force."""
    pinned = ["taskset", "-c", str(core), *argv] if core is not None else list(argv)
    with log.open("ab") as said:
        child = subprocess.Popen(pinned, stdout=said, stderr=said, env=env)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def python(*args: str) -> list[str]:
    """Return the command line of a module of this Python."""
    return [sys.executable, "-P", "-m", *args]


def wait_until_up(
    url: str, child: subprocess.Popen[bytes] | None = None, seconds: float = 30.0
) -> None:
    """Ask again every few milliseconds until a URL answers 200."""
    parts = urlsplit(url)
    end = time.monotonic() + seconds
    while time.monotonic() < end and (child is None or child.poll() is None):
        line = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        try:
            line.request("GET", parts.path)
            if line.getresponse().status == 200:
                return
        except OSError:  # not listening yet: that is what we wait for
            time.sleep(0.005)
        finally:
            line.close()
    raise TimeoutError(f"{url} did not answer within {seconds:g} s")


def make_home(data: Path, names: Sequence[str] = ("bench",), **settings: object) -> None:
    """Make a ledger in `data` with one account a name; the first one's key is `KEY`."""
    for number, name in enumerate(names):
        key = f"{KEY}-{number}" if number else KEY
        argv = python("ferrotype", "keys", "create", name, "--key", key, "--account", name)
        subprocess.run(argv, env=environ(data, **settings), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def api(data: Path, **settings: object) -> Iterator[Server]:
    """Run an API process alone, on the server's core."""
    port = free_port()
    env = environ(data, port=port, **settings)
    url = f"http://127.0.0.1:{port}"
    with process(python("ferrotype", "api"), env, log_of(data), core=SERVER) as child:
        wait_until_up(f"{url}/readyz", child)
        yield Server(url, child)


@contextmanager
def worker(data: Path, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process on the core of the load."""
    env = environ(data, **{"engine": "echo", "drain": "1s", **settings})
    with process(python("ferrotype", "worker"), env, log_of(data), core=LOAD) as child:
        yield child


@contextmanager
def serve(data: Path, **settings: object) -> Iterator[Server]:
    """Run the whole service on all cores, as users do; the child is its supervisor."""
    port = free_port()
    env = environ(data, **{"port": port, "drain": "1s", **settings})
    url = f"http://127.0.0.1:{port}"
    with process(python("ferrotype", "serve"), env, log_of(data)) as child:
        wait_until_up(f"{url}/readyz", child)
        yield Server(url, child)


def log_of(data: Path) -> Path:
    """Return where the processes on `data` say what they do."""
    return data.with_name(f"{data.name}.log")
