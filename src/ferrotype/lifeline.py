"""Die with your parent: no process of ours outlives the one that started it."""

import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping

PARENT = "_FERROTYPE_PARENT"  # the variable in which a parent names its own pid

_PR_SET_PDEATHSIG = 1


class Orphaned(Exception):
    """The parent had ended before this process could tie itself to it."""


def tie(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. Raises `Orphaned` if it has ended.

    The signal is set first and the parent is checked afterwards, so no moment is left between.
    The kernel watches the *thread* that started us: a parent starts children from its main one.
    Where there is no such signal (not Linux), only the check is made, and the end of a pipe that
    is shared with the parent must do.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        raise Orphaned(f"the parent process {parent} has ended")


def tie_if_asked(environ: MutableMapping[str, str] = os.environ) -> None:
    """Tie this process to the parent that the environment names, and forget the name."""
    parent = environ.pop(PARENT, None)
    if parent is not None:
        tie(int(parent))
