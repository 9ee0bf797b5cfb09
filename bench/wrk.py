"""Load by wrk, on a core of its own."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.servers import LOAD, Server

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("load.lua")


class Load(msgspec.Struct, frozen=True):
    """What came back: answers a second, times in milliseconds, and how many were no success.

    `per_core` is answers for each second of processor time that the server used: its rate on a
    core that nobody else uses.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    per_core: float = 0.0


def missing() -> str | None:
    """Return one sentence for the user when a tool that we need is not installed."""
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            return f"make bench needs {tool}: sudo apt-get install {package}"
    return None


def load(server: Server, seconds: float, paths: Path | None = None) -> Load:
    """Create tasks for some seconds, or GET the paths that a file lists.

    Raises `RuntimeError` when an answer was no success: a rate of errors is worth nothing.
    """
    before = server.processor_seconds()
    said = _wrk(server.url, seconds, ["poll", str(paths)] if paths else ["create"])
    used = server.processor_seconds() - before
    _, _, result = said.partition("RESULT ")
    found = msgspec.json.decode(result, type=Load)
    if found.errors:
        raise RuntimeError(f"{found.errors} of the answers of {server.url} were no success")
    return msgspec.structs.replace(found, per_core=found.rate * seconds / used)


def _wrk(url: str, seconds: float, args: Sequence[str]) -> str:
    pace = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(SCRIPT)]
    argv = ["taskset", "-c", str(LOAD), "wrk", *pace, url, "--", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=True)
    return done.stdout
