"""Callers' files in a folder of this machine, beside the results.

Uploads are `uploads/{account}/{day}/{SHA-256 of the key}`: no word of a caller's becomes the name
of a file. One grows among the `parts` and gets its name by a link, which fails where that name is
taken; what a kill leaves is a part. A task that takes an upload gives it a second name.
"""

import asyncio
import filecmp
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ferrotype.errors import Conflict, Missing, UploadFailed
from ferrotype.media_stores.keys import EXISTS, INPUT, UPLOAD
from ferrotype.media_stores.local import make_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WORTH_A_THREAD = 1 << 18  # bytes gathered before a thread writes them
_DEAD_AFTER = 3600.0  # seconds in which a part did not grow


class _Incoming:
    """A file that grows among the parts until it is kept."""

    def __init__(self, parts: Path, whole: Path) -> None:
        self._part = parts / secrets.token_hex(16)
        self._whole = whole
        self._file: BinaryIO | None = None
        self._gathered: list[bytes] = []
        self._size = 0

    async def write(self, piece: bytes) -> None:
        """Add bytes; some at a time go to the disk."""
        self._gathered.append(piece)
        self._size += len(piece)
        if self._size >= _WORTH_A_THREAD:
            await _in_thread(self._flush)

    async def keep(self) -> None:
        """Make the file whole and durable under its key, unless another one has it."""
        await _in_thread(self._keep)

    def _flush(self) -> BinaryIO:
        if self._file is None:
            make_folder(self._part.parent)
            self._file = os.fdopen(os.open(self._part, _NEW, 0o600), "wb", buffering=0)
        view = memoryview(b"".join(self._gathered))
        self._gathered, self._size = [], 0
        while view:
            view = view[self._file.write(view) :]
        return self._file

    def _keep(self) -> None:
        os.fsync(self._flush().fileno())
        try:
            _name(self._whole, lambda: os.link(self._part, self._whole))
        except FileExistsError:
            if not filecmp.cmp(self._part, self._whole, shallow=False):
                raise Conflict(EXISTS) from None

    def close(self) -> None:
        """Remove the name among the parts."""
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)


class LocalInputs:
    """An input store in the folder of a `LocalStore`. Every method works in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._uploads = self._root / "uploads"
        self._parts = self._root / "parts"

    @asynccontextmanager
    async def receive(self, upload: str) -> AsyncIterator[_Incoming]:
        """Begin to take in an upload."""
        incoming = _Incoming(self._parts, self._upload(upload))
        try:
            yield incoming
        finally:
            await asyncio.to_thread(incoming.close)

    async def take(self, upload: str, key: str, since: datetime) -> bool:
        """Make an upload a task's input as well; False when none came since then."""
        source, target = self._upload(upload), self._input(key)

        def work() -> None:
            if source.stat().st_mtime < since.timestamp():
                raise FileNotFoundError
            make_folder(target.parent)
            _second(source, target)
            _flush_folder(target.parent)

        try:
            await asyncio.to_thread(work)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UploadFailed from error
        return True

    async def put(self, key: str, data: bytes) -> None:
        """Keep bytes as a task's input, durably."""
        incoming = _Incoming(self._parts, self._input(key))
        try:
            await incoming.write(data)
            await incoming.keep()
        finally:
            await asyncio.to_thread(incoming.close)

    async def bring(self, key: str, into: Path) -> None:
        """Put a task's input at a path where nothing is yet; if possible as a second name."""
        try:
            await asyncio.to_thread(_second, self._input(key), into)
        except FileNotFoundError:
            raise Missing("A file of the task is gone.") from None

    async def used(self, account: str) -> int:
        """Return how many bytes the uploads of an account have."""
        folder = self._uploads / account
        return await asyncio.to_thread(lambda: sum(info.st_size for _, info in _files(folder)))

    async def drop_before(self, moment: datetime) -> int:
        """Remove uploads that came before then, and parts that no longer grow."""
        return await asyncio.to_thread(self._drop_before, moment.timestamp())

    def _drop_before(self, moment: float) -> int:
        old = [path for path, info in _files(self._uploads) if info.st_mtime < moment]
        dead = time.time() - _DEAD_AFTER
        old += [path for path, info in _files(self._parts) if info.st_mtime < dead]
        for path in old:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in old if path.parent != self._parts}:
            with suppress(OSError):  # not empty yet, or gone
                folder.rmdir()
                folder.parent.rmdir()
        return len(old)

    def _upload(self, key: str) -> Path:
        match = UPLOAD.fullmatch(key)
        if match is None:
            raise ValueError("not an upload's key")
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._uploads / match["account"] / match["day"] / digest

    def _input(self, key: str) -> Path:
        if INPUT.fullmatch(key) is None:
            raise ValueError(f"not an input's key: {key!r}")
        return self._root / key


async def _in_thread(work: Callable[[], object]) -> None:
    try:
        await asyncio.to_thread(work)
    except OSError as error:
        raise UploadFailed from error


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Walk the regular files below a folder; what goes meanwhile is passed over."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            with suppress(FileNotFoundError):
                info = path.lstat()
                if stat.S_ISREG(info.st_mode):
                    yield path, info


def _name(path: Path, give: Callable[[], None]) -> None:
    """Give a file its durable name. Another process may sweep an empty folder: try again then."""
    for last_try in (False, False, True):
        try:
            make_folder(path.parent)
            give()
        except FileNotFoundError:
            if last_try:
                raise
        else:
            _flush_folder(path.parent)
            return


def _second(found: Path, into: Path) -> None:
    """Give the file a second name, or copy it where that cannot be."""
    try:
        os.link(found, into, follow_symlinks=False)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        with found.open("rb") as source, os.fdopen(os.open(into, _NEW, 0o600), "wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, _FOLDER)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
