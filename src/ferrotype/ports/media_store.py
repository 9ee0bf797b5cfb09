"""Keeps result files and hands them out."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class Stored(Struct, frozen=True, kw_only=True):
    """A file that the store has: a local path to stream, or a short-lived URL to redirect to."""

    bytes: int
    etag: str
    type: str
    modified_at: datetime
    md5: str | None = None  # base64, for Content-MD5
    path: Path | None = None
    url: str | None = None


class MediaStore(Protocol):
    """Keys are `{yyyymmdd}/{task}/{attempt}/{i}.{ext}`, made by us alone."""

    async def put(self, key: str, file: Path, type: str) -> None:
        """Keep a copy of the file under the key, durably, before returning."""

    async def find(self, key: str) -> Stored | None:
        """Return the file under the key, or None."""

    async def link(self, key: str, until: datetime) -> str | None:
        """Return a URL by which the store itself hands a file out until then, without us.

        None: it does not, or is not meant to.
        """

    async def drop(self, prefix: str) -> int:
        """Remove all under `{yyyymmdd}/{task}` or one attempt of it; return how many files went."""

    async def days(self) -> Sequence[str]:
        """Return the day prefixes that exist, the oldest first."""

    async def tasks(self, day: str) -> Collection[str]:
        """Return the task ids that have files under a day prefix."""

    async def free_fraction(self) -> float | None:
        """Return the free part of the space, 0 to 1, or None where that means nothing."""
