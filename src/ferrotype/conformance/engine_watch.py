"""An engine's process under watch: `python -m ferrotype.conformance.engine_watch BOOK ...`.

Runs the engine host, and writes into BOOK, a line each: files opened for writing, addresses called,
programs started. What C libraries do by themselves Python does not see.
"""

import json
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
STARTS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
          "subprocess.Popen")  # fmt: skip
CHANGES = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate")


def noted(event: str, given: tuple[Any, ...]) -> tuple[str, str] | None:
    """Say what an event of Python's audit is to us: (kind, what), or None."""
    if event == "open":
        path, mode, flags = given
        writes = flags & WRITES if isinstance(flags, int) else set("wax+") & set(mode or "")
        return _write(path) if writes else None
    if event in CHANGES:
        last = given[1] if event in ("os.rename", "os.link", "os.symlink") else given[0]
        return _write(last)
    if event in ("socket.connect", "socket.sendto"):
        family, address = given[0].family, given[1]
        return None if family == socket.AF_UNIX else ("call", repr(address))
    if event == "socket.getaddrinfo":
        return "call", repr(given[0])
    if event in STARTS:
        return "start", repr(given)
    return None


def _write(path: Any) -> tuple[str, str] | None:
    """Say what is written to, unless it is a file that is open already, or Python's own cache."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    name = str(Path(os.fsdecode(path)).absolute())
    return None if "/__pycache__" in name else ("write", name)


def main() -> None:
    """Watch, then be the engine host."""
    book = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if line := noted(event, given):
            os.write(book, json.dumps(line).encode() + b"\n")

    sys.addaudithook(hear)
    sys.argv = ["ferrotype.engine_host", *sys.argv[2:]]
    runpy.run_module("ferrotype.engine_host", run_name="__main__")


if __name__ == "__main__":
    main()
