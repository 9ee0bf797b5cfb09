"""Keeps the files that callers bring along: uploads for a while, and what tasks took of them."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

STORED = "stored:"  # begins what an order says of an input that is here: then comes its key


class Incoming(Protocol):
    """An upload on its way in. Nothing of it stays unless `keep` returned."""

    async def write(self, piece: bytes) -> None:
        """Add bytes. Raises `UploadFailed` when they cannot be written."""

    async def keep(self) -> None:
        """Make the file whole and durable under its key.

        The same file again is no mistake; raises `Conflict` when another one is there already.
        """


class InputStore(Protocol):
    """An upload's key is `dashscope-instant/{account}/{yyyy-mm-dd}/{id}/{name}`, where only the
    name is a caller's; a task's input has `{yyyymmdd}/{task}/in/{i}`.

    It shares its place with the media store, whose `drop` of a task removes its inputs too.
    """

    def receive(self, upload: str) -> AbstractAsyncContextManager[Incoming]:
        """Begin to take in an upload."""

    async def take(self, upload: str, key: str, since: datetime) -> bool:
        """Make an upload a task's input as well; False when none came since then."""

    async def put(self, key: str, data: bytes) -> None:
        """Keep bytes as a task's input, durably. Raises `UploadFailed`."""

    async def bring(self, key: str, into: Path) -> None:
        """Put a task's input at a path where nothing is yet. Raises `Missing`, or `OSError`."""

    async def used(self, account: str) -> int:
        """Return how many bytes the uploads of an account (as keys name it) have."""

    async def drop_before(self, moment: datetime) -> int:
        """Remove uploads that came before then, and what dead ones left; return how many went."""
