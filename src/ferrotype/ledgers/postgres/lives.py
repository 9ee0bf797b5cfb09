"""Which processes of this machine live: their tasks need not wait until a lease has run out.

A life is written `boot/namespace/pid/start`: a machine's boot, a namespace of process ids there, a
process in it, and when that began, so that a number which is used again is somebody else.
"""

from functools import cache
from pathlib import Path

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
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, start = words[0], words[19]
    return "" if state in "ZX" or not place() else f"{place()}{pid}/{start}"


def is_over(life: str) -> bool:
    """Tell whether a life that was begun in our place has ended."""
    return of(int(life.split("/")[-2])) != life
