"""The folders that jobs are done in, and the clearing of those that dead workers left."""

import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

from ferrotype.task import Lease

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Workshop:
    """A folder of this process alone, locked for as long as the process lives.

    Whoever can lock a folder knows that its owner is dead, and removes it.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._lock = _take_folder(root.resolve())
        _clear(root.resolve())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def room(self, name: str) -> Path:
        """Return the folder of an engine's process, made by whoever starts it."""
        return self.folder / f"room-{name}"

    def bench(self, lease: Lease) -> Path:
        """Make the folder of one attempt."""
        folder = self._folder_of(lease)
        folder.mkdir(mode=0o700)
        return folder

    def clear(self, lease: Lease) -> None:
        """Remove the folder of an attempt; what an engine still writes there goes with us."""
        shutil.rmtree(self._folder_of(lease), ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _folder_of(self, lease: Lease) -> Path:
        return self.folder / f"{lease.task}-{lease.attempt}"


def _take_folder(root: Path) -> tuple[Path, int]:
    while True:
        folder = root / f"jobs-{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        lock = os.open(folder, _OPEN)
        if _lock(lock) and folder.exists():  # else somebody cleared it before it was locked
            return folder, lock
        os.close(lock)


def _clear(root: Path) -> None:
    for folder in root.glob("jobs-*"):
        try:
            lock = os.open(folder, _OPEN)
        except OSError:  # gone already, or no folder of ours
            continue
        try:
            if _lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
