"""Which processes of this machine live: their tasks need not wait until a lease has run out.

A life is written `boot/namespace/pid/start`: a machine's boot, a namespace of process ids there, a
process in it, and when that began, so that a number which is used again is somebody else.
"""

import os
from functools import cache
from pathlib import Path

GONE = ("Z", "X")  # states of a process that ended
HIDDEN = "?"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


@cache
def place() -> str:
    """Return where we can see processes, "" where that cannot be told apart from elsewhere."""
    try:
        return f"{_BOOT.read_text().strip()}/{_NAMESPACE.readlink()}/"
    except OSError:
        return ""


def of(pid: int) -> str:
    """Return the life of a process that runs here, "" when there is none, or none to be seen."""
    state, start = _seen(pid)
    return "" if state in (*GONE, HIDDEN) or not place() else f"{place()}{pid}/{start}"


def is_over(life: str) -> bool:
    """Tell whether a life that was begun in our place has ended."""
    pid, start = life.split("/")[-2:]
    state, now = _seen(int(pid))
    return state in GONE or (state != HIDDEN and now != start)


def _seen(pid: int) -> tuple[str, str]:
    """Return a process's state, as `proc(5)` calls it, and when it began."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return words[0], words[19]
    except OSError:  # where processes of other users are hidden, they can still be asked for
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return "X", ""
        except PermissionError:
            pass
        return HIDDEN, ""
