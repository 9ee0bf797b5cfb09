"""Callers' files in the bucket of the results.

An upload is `uploads/{account}/{day}/{SHA-256 of the key}/{random}`: it streams into an object of
its own and counts once it is whole. A task that takes one has it copied by the bucket.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError

from ferrotype.errors import Conflict, Missing, UploadFailed
from ferrotype.media_stores.keys import EXISTS, INPUT, UPLOAD
from ferrotype.media_stores.objects import GONE, Bucket, asking, tell

PART = 8 << 20  # bytes that one request brings to the bucket
AT_ONCE = 2  # such requests of one upload


class _Incoming:
    """An object that grows until it is kept."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder
        self._path = f"{folder}{secrets.token_hex(16)}"
        self._writer = obstore.open_writer_async(
            bucket, self._path, buffer_size=PART, max_concurrency=AT_ONCE
        )

    async def write(self, piece: bytes) -> None:
        """Add bytes; the bucket has them in parts."""
        try:
            await self._writer.write(piece)
        except (BaseError, OSError) as error:
            tell(error)
            raise UploadFailed from error

    async def keep(self) -> None:
        """Make the object whole, unless another file came under that key."""
        try:
            await self._writer.close()
            found = await objects(self._bucket, self._folder)
            ours = next(one for one in found if one["path"] == self._path)
            others = [one for one in found if one["path"] != self._path]
            if others:
                await obstore.delete_async(self._bucket, self._path)
        except (BaseError, OSError, StopIteration) as error:
            tell(error)
            raise UploadFailed from error
        if any((one["size"], one["e_tag"]) != (ours["size"], ours["e_tag"]) for one in others):
            raise Conflict(EXISTS)


class ObjectInputs:
    """An input store in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @asynccontextmanager
    async def receive(self, upload: str) -> AsyncIterator[_Incoming]:
        """Begin to take in an upload. One that is not kept never becomes an object."""
        yield _Incoming(self._bucket, _folder(upload))

    async def take(self, upload: str, key: str, since: datetime) -> bool:
        """Make an upload a task's input as well; False when none came since then."""
        target = _input(key)
        try:
            found = await objects(self._bucket, _folder(upload))
            young = [one for one in found if one["last_modified"] >= since]
            if not young:
                return False
            await obstore.copy_async(self._bucket, young[0]["path"], target)
        except GONE:
            return False
        except (BaseError, OSError) as error:
            tell(error)
            raise UploadFailed from error
        return True

    async def put(self, key: str, data: bytes) -> None:
        """Keep bytes as a task's input, durably."""
        try:
            await obstore.put_async(self._bucket, _input(key), data)
        except (BaseError, OSError) as error:
            tell(error)
            raise UploadFailed from error

    async def bring(self, key: str, into: Path) -> None:
        """Put a task's input at a path where nothing is yet."""
        try:
            answer = await obstore.get_async(self._bucket, _input(key))
            with into.open("xb") as file:
                async for piece in answer.stream(min_chunk_size=1 << 20):
                    await asyncio.to_thread(file.write, piece)
        except GONE:
            raise Missing("A file of the task is gone.") from None
        except BaseError as error:
            into.unlink(missing_ok=True)
            raise OSError(f"the bucket does not give {key}") from error

    async def used(self, account: str) -> int:
        """Return how many bytes the uploads of an account have."""
        async with asking():
            found = await objects(self._bucket, f"uploads/{account}/")
        return sum(one["size"] for one in found)

    async def drop_before(self, moment: datetime) -> int:
        """Remove uploads that came before then."""
        gone = 0
        async with asking():
            async for page in obstore.list(self._bucket, "uploads/", chunk_size=500):
                old = [one["path"] for one in page if one["last_modified"] < moment]
                if old:
                    await obstore.delete_async(self._bucket, old)
                gone += len(old)
        return gone


async def objects(bucket: Bucket, prefix: str) -> list[Any]:
    """Return what the bucket says of all objects under a prefix."""
    return [one async for page in obstore.list(bucket, prefix) for one in page]


def _folder(upload: str) -> str:
    match = UPLOAD.fullmatch(upload)
    if match is None:
        raise ValueError("not an upload's key")
    digest = hashlib.sha256(upload.encode()).hexdigest()
    return f"uploads/{match['account']}/{match['day']}/{digest}/"


def _input(key: str) -> str:
    if INPUT.fullmatch(key) is None:
        raise ValueError(f"not an input's key: {key!r}")
    return key
