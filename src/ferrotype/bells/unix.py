"""A bell for the processes of one machine: a Unix datagram socket in each of them.

A ring is one datagram to every peer, with all its topics. What is lost (a full queue, a peer that
starts just now) is made good: by `*`, "look at everything again", and by a glance at a watched
file every 250 ms.
"""

import asyncio
import hashlib
import os
import secrets
import socket
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from time import time_ns

import structlog

from ferrotype.bells.ears import EVERYTHING, Ear, Ears
from ferrotype.errors import Broken

GLANCE = 0.25  # seconds between two looks at the watched file
_LONGEST_PATH = 100  # bytes; the kernel's limit for a socket's path is 108
_LONGEST = 32_768  # bytes of topics in one datagram; more is "*"
_SETTLED = 50_000_000  # ns after which a folder's mtime tells apart what happens next
log = structlog.get_logger()


def folder_for(data_dir: Path, run_dir: Path | None = None) -> Path:
    """Return the folder where the processes of a data folder meet, made 0700 and checked ours."""
    base = run_dir or Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    folder = base / f"ferrotype-{os.getuid()}" / name
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = part.lstat()
        ours = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
        if not ours or stat.S_IMODE(seen.st_mode) & 0o077:
            raise Broken(f"{part} must be a folder of ours that nobody else can enter (0700).")
    return folder


class UnixBell:
    """Open one a process: `async with UnixBell.open(data_dir, watch=...) as bell:`."""

    def __init__(self, folder: Path, sock: socket.socket, own: Path, watch: Path | None) -> None:
        self._folder = folder
        self._socket = sock
        self._own = own
        self._watch = watch
        self._seen = self._sign()
        self._heard = True  # a ring was sent or received since the last glance
        self._loop = asyncio.get_running_loop()
        self._ears = Ears()
        self._sending = threading.Lock()
        self._peers: dict[Path, bool] = {}  # to True once a datagram to it was lost
        self._peers_at = -1

    @classmethod
    @asynccontextmanager
    async def open(
        cls, data_dir: Path, *, run_dir: Path | None = None, watch: Path | None = None
    ) -> AsyncIterator["UnixBell"]:
        """Join the bell of a data folder.

        `watch` names a file that changes with every commit (SQLite: `ledger.db-wal`): should it
        change without a ring, everybody here looks again. Raises `Broken` for a folder that
        cannot be used.
        """
        folder = folder_for(data_dir, run_dir)
        own = folder / f"{os.getpid()}-{secrets.token_hex(3)}.s"
        if len(os.fsencode(own)) > _LONGEST_PATH:
            raise Broken(f"The path {own} is too long for a socket: set RUN_DIR to a shorter one.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(str(own))
            bell = cls(folder, sock, own, watch)
            loop = asyncio.get_running_loop()
            loop.add_reader(sock, bell._receive)
            glancing = loop.create_task(bell._glance())
            try:
                yield bell
            finally:
                glancing.cancel()
                loop.remove_reader(sock)
                own.unlink(missing_ok=True)
                bell._peers = {}

    def ring(self, topics: Collection[str]) -> None:
        """Wake every ear that listens to one of these, in all processes. Any thread may call."""
        if not topics:
            return
        self._heard = True
        self._send(topics)
        if self._ears:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._ears.wake, tuple(topics))

    def listen(self, topics: Collection[str]) -> AbstractAsyncContextManager[Ear]:
        """Open an ear. What rings after this is never missed by the ear's next `wait`."""
        return self._ears.listen(topics)

    def _receive(self) -> None:
        topics: set[str] = set()
        with suppress(BlockingIOError):
            while True:
                data = self._socket.recv(2 * _LONGEST)
                topics.update(data.decode(errors="replace").split("\n"))
        self._heard = True
        self._ears.wake(topics)

    def _send(self, topics: Collection[str]) -> None:
        """Send one datagram to each peer; a peer whose queue is full gets `*` later."""
        data = "\n".join(topics).encode()
        if len(data) > _LONGEST:
            data = EVERYTHING.encode()
        with self._sending:
            self._look_for_peers()
            for peer, lost in list(self._peers.items()):
                self._send_one(peer, EVERYTHING.encode() if lost else data)

    def _send_one(self, peer: Path, data: bytes) -> None:
        try:
            self._socket.sendto(data, str(peer))
        except (BlockingIOError, InterruptedError):
            self._peers[peer] = True
        except (ConnectionRefusedError, FileNotFoundError):  # it is gone
            peer.unlink(missing_ok=True)
            self._peers.pop(peer, None)
        except OSError as error:
            log.warning("bell not heard", action="ring", peer=peer.name, error=str(error))
        else:
            self._peers[peer] = False

    def _look_for_peers(self) -> None:
        """Read the folder again when it changed, or changed so lately that its time may hide it."""
        try:
            changed = self._folder.stat().st_mtime_ns
            if changed == self._peers_at:
                return
            found = {path for path in self._folder.iterdir() if path.suffix == ".s"} - {self._own}
        except FileNotFoundError:  # a cleaner of temporary files was here: the glance remains
            found, changed = set(), -1
        self._peers = {path: self._peers.get(path, False) for path in found}
        self._peers_at = changed if time_ns() - changed > _SETTLED else -1

    def _sign(self) -> tuple[int, int]:
        with suppress(FileNotFoundError, AttributeError):
            seen = self._watch.stat()  # type: ignore[union-attr]
            return seen.st_mtime_ns, seen.st_size
        return (0, 0)

    async def _glance(self) -> None:
        """Every so often: tell peers what they missed, and see what we may have missed."""
        while True:
            await asyncio.sleep(GLANCE)
            with self._sending:
                for peer in [peer for peer, lost in self._peers.items() if lost]:
                    self._send_one(peer, EVERYTHING.encode())
            sign, before, heard = self._sign(), self._seen, self._heard
            self._seen, self._heard = sign, False
            if sign != before and not heard:
                self._ears.wake((EVERYTHING,))
