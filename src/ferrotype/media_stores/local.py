"""Result files in a folder of this machine, durable before `put` returns.

On disk a file's name carries its MD5: `{day}/{task}/{attempt}/{i}.{md5}.{ext}`. So one rename
makes file, ETag and Content-MD5 appear together, and a kill at any line leaves either all of
them or none. What a killed `put` leaves is a `.part` beside it, which goes with its task.
Folders are opened one by one without following links.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import stat
from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ferrotype.errors import UploadFailed
from ferrotype.media_stores.keys import (
    DAY,
    RESULT,
    TASK,
    TYPES,
    check_day,
    check_prefix,
    check_result,
)
from ferrotype.ports.media_store import Stored

_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class _Place:
    folders: tuple[str, str, str]  # day, task, attempt
    index: str
    extension: str

    def name(self, md5: str) -> str:
        return f"{self.index}.{md5}.{self.extension}"

    def digest(self, name: str) -> str | None:
        """Return the MD5 in the name of a file of this place, or None for any other name."""
        index, _, rest = name.partition(".")
        md5, _, extension = rest.partition(".")
        return md5 if (index, extension) == (self.index, self.extension) else None


class LocalStore:
    """A media store in one folder, which it makes. Every method works in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        make_folder(self._root)

    async def put(self, key: str, file: Path, type: str) -> None:
        """Keep a copy of the regular file under the key, durably, before returning.

        Raises `UploadFailed` when the file system refuses, `ValueError` for a key or a type
        that no part of ours makes.
        """
        check_result(key, type)
        place = _place(key)
        assert place is not None
        try:
            await asyncio.to_thread(self._put, place, file)
        except OSError as error:
            raise UploadFailed from error

    async def find(self, key: str) -> Stored | None:
        """Return the file under the key, or None. Reads names only, never the file."""
        place = _place(key)
        return None if place is None else await asyncio.to_thread(self._find, place)

    async def drop(self, prefix: str) -> int:
        """Remove all under `{yyyymmdd}/{task}` or one attempt of it; return how many files went."""
        check_prefix(prefix)
        *outer, last = prefix.split("/")
        return await asyncio.to_thread(self._drop, outer, last)

    async def days(self) -> Sequence[str]:
        """Return the day prefixes that exist, the oldest first."""
        return await asyncio.to_thread(self._folders_like, DAY)

    async def tasks(self, day: str) -> Collection[str]:
        """Return the task ids that have files under a day prefix."""
        check_day(day)
        return await asyncio.to_thread(self._folders_like, TASK, day)

    async def link(self, key: str, until: datetime) -> str | None:
        """Return None: files of a folder are handed out by us."""
        return None

    async def free_fraction(self) -> float | None:
        """Return the free part of the folder's file system, 0 to 1."""
        usage = await asyncio.to_thread(shutil.disk_usage, self._root)
        return usage.free / usage.total

    def _put(self, place: _Place, file: Path) -> None:
        with ExitStack() as stack:
            source = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, source)
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise OSError("only a regular file can be kept")
            folders = self._make_folders(place, stack)
            part = f".{secrets.token_hex(8)}.part"
            try:
                md5 = _copy(source, folders[-1], part)
                os.rename(part, place.name(md5), src_dir_fd=folders[-1], dst_dir_fd=folders[-1])
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=folders[-1])
                raise
            for folder in reversed(folders):
                os.fsync(folder)
            _remove_others(folders[-1], place, md5)

    def _make_folders(self, place: _Place, stack: ExitStack) -> list[int]:
        """Open root, day, task and attempt, made where missing.

        Another process may remove an emptied day between our two steps: begin again then.
        """
        for last_try in (False, False, True):
            folders = [os.open(self._root, _FOLDER)]
            stack.callback(os.close, folders[0])
            try:
                for name in place.folders:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=folders[-1])
                    folders.append(os.open(name, _FOLDER, dir_fd=folders[-1]))
                    stack.callback(os.close, folders[-1])
                return folders
            except FileNotFoundError:
                if last_try:
                    raise
        raise AssertionError("unreachable")

    def _find(self, place: _Place) -> Stored | None:
        with suppress(*_ABSENT), self._open(*place.folders) as folder, os.scandir(folder) as names:
            found = [
                (info.st_mtime_ns, md5, info)
                for entry in names
                if (md5 := place.digest(entry.name))
                and stat.S_ISREG((info := entry.stat(follow_symlinks=False)).st_mode)
            ]
            if found:
                _, md5, info = max(found, key=lambda one: one[:2])
                return Stored(
                    bytes=info.st_size,
                    etag=f'"{md5.upper()}"',
                    type=TYPES[place.extension],
                    modified_at=datetime.fromtimestamp(int(info.st_mtime), UTC),
                    md5=b64encode(bytes.fromhex(md5)).decode(),
                    path=self._root.joinpath(*place.folders, place.name(md5)),
                )
        return None

    def _drop(self, outer: Sequence[str], last: str) -> int:
        files = 0
        with suppress(*_ABSENT), self._open(*outer) as folder:
            files = sum(len(names) for _, _, names, _ in os.fwalk(last, dir_fd=folder))
            shutil.rmtree(last, dir_fd=folder)
        with suppress(OSError):  # not empty yet, or gone
            for depth in range(len(outer), 0, -1):
                self._root.joinpath(*outer[:depth]).rmdir()
        return files

    def _folders_like(self, pattern: re.Pattern[str], *under: str) -> Sequence[str]:
        with suppress(*_ABSENT), self._open(*under) as folder, os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if pattern.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            )
        return []

    @contextmanager
    def _open(self, *names: str) -> Iterator[int]:
        """Open a folder below the root, no link followed. Raises one of `_ABSENT`."""
        folder = os.open(self._root, _FOLDER)
        try:
            for name in names:
                outer, folder = folder, os.open(name, _FOLDER, dir_fd=folder)
                os.close(outer)
            yield folder
        finally:
            os.close(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, flushing each one's name to the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    above = os.open(folder.parent, _FOLDER)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def _place(key: str) -> _Place | None:
    match = RESULT.fullmatch(key)
    if match is None:
        return None
    return _Place(
        (match["day"], match["task"], match["attempt"]), match["index"], match["extension"]
    )


def _copy(source: int, folder: int, name: str) -> str:
    """Copy an open file to a new one in a folder, flushed to the disk; return its MD5 in hex."""
    md5 = hashlib.md5(usedforsecurity=False)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb", buffering=0) as target:
        while chunk := os.read(source, _CHUNK):
            md5.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[target.write(view) :]
        os.fsync(target.fileno())
    return md5.hexdigest()


def _remove_others(folder: int, place: _Place, md5: str) -> None:
    """Remove what an earlier `put` of the same key left: the last one holds."""
    for name in os.listdir(folder):
        if place.digest(name) not in (None, md5):
            os.unlink(name, dir_fd=folder)
