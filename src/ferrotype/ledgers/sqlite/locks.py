"""Locks between processes: `flock` on files of the data folder.

A lock goes with its process, however that ends. The files are close-on-exec: an inherited lock
would outlive its owner.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ferrotype.errors import Unavailable

_RETRY = 0.02  # seconds between two tries of a lock with a time limit: flock itself has none


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class BatchLock:
    """The lock around every write. The file names the process that took it last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _open(path)
        self._name = b"%-10d\n" % os.getpid()

    def acquire(self, patience: float | None = None) -> bool:
        """Take the lock, waiting as long as it takes or so many seconds; say whether it was had."""
        end = time.monotonic() + (patience or 0.0)
        if patience is None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        else:
            while not _try(self._fd, fcntl.LOCK_EX):
                if time.monotonic() >= end:
                    return False
                time.sleep(_RETRY)
        with suppress(OSError):  # a full disk: the lock is had all the same
            os.pwrite(self._fd, self._name, 0)
        return True

    def release(self) -> None:
        """Let the next one write."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def held(self, patience: float) -> Iterator[None]:
        """Hold the lock, or raise `Unavailable` when it is not had in so many seconds."""
        if not self.acquire(patience):
            raise Unavailable(f"The ledger's lock is held by process {self.holder()}.")
        try:
            yield
        finally:
            self.release()

    def holder(self) -> str:
        """Return the pid that the file names."""
        return self._path.read_text().strip() or "unknown"

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._fd)


class FileLock:
    """A lock that is held from now until `close`, or not had at all (`taken` False)."""

    def __init__(self, path: Path, *, shared: bool = False, patience: float = 0.0) -> None:
        self.path = path
        self._fd = _open(path)
        self.taken = self.retake(shared=shared, patience=patience)

    def retake(self, *, shared: bool, patience: float = 0.0) -> bool:
        """Change between shared and exclusive within so many seconds; say whether it was had."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        end = time.monotonic() + patience
        while not _try(self._fd, kind):
            if time.monotonic() >= end:
                return False
            time.sleep(_RETRY)
        return True

    def stands(self) -> bool:
        """Return whether the path still names the file that we locked: nobody unlinked it."""
        with suppress(FileNotFoundError):
            return self.path.stat().st_ino == os.fstat(self._fd).st_ino
        return False

    def holders(self) -> list[int]:
        """Return the other processes that hold this file's lock, as the kernel tells them."""
        mark = f":{os.fstat(self._fd).st_ino} "
        with suppress(OSError):
            lines = Path("/proc/locks").read_text().splitlines()
            pids = {int(line.split()[4]) for line in lines if mark in line and "->" not in line}
            return sorted(pids - {os.getpid()})
        return []

    def close(self, *, unlink: bool = False) -> None:
        """Let the lock go; with `unlink` the file goes first, while it is still ours."""
        if unlink:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
