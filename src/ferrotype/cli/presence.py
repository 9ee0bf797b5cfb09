"""Who serves a data folder now, and at which address: a lock that goes with its process."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

NAME = "serve.lock"


class Taken(Exception):
    """Another `ferrotype serve` runs on this data folder."""


class Presence:
    """The one `ferrotype serve` of a data folder. Raises `Taken`."""

    def __init__(self, data_dir: Path) -> None:
        self._fd = os.open(data_dir / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._fd, 4096, 0).decode().partition("\n")[0]
            os.close(self._fd)
            raise Taken(
                f"Another `ferrotype serve` (process {pid or 'unknown'}) runs on {data_dir}: "
                "stop it, or choose another --data-dir."
            ) from None
        os.ftruncate(self._fd, 0)

    def announce(self, url: str) -> None:
        """Write our process id and the address that we listen on."""
        os.pwrite(self._fd, f"{os.getpid()}\n{url}\n".encode(), 0)

    def close(self) -> None:
        """Let the next one serve."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def address(data_dir: Path) -> str | None:
    """Return where the folder is served now, or None when it is not."""
    with suppress(OSError):
        fd = os.open(data_dir / NAME, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lines = os.pread(fd, 4096, 0).decode().splitlines()
            return lines[1] if len(lines) > 1 else None
        finally:
            os.close(fd)
    return None
