"""Brings a caller's file into a work folder, safely."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from ferrotype.media import File


class FileRule(Struct, frozen=True, kw_only=True):
    """What an input may be: media types, bytes, sides in pixels, ratio W/H, seconds."""

    types: tuple[str, ...]
    max_bytes: int
    min_side: int = 1
    max_side: int = 8192
    min_ratio: float | None = None
    max_ratio: float | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None


class Fetcher(Protocol):
    """Fetches, then decodes and re-encodes in a media process of its own."""

    async def fetch(self, url: str, into: Path, name: str, rule: FileRule) -> File:
        """Return a clean file `into/name.<ext>` that we wrote ourselves.

        Raises a `Refused` (the caller's fault: `InvalidURL`, `InputDownloadFailed`,
        `InvalidImageFormat`, `InvalidImageResolution`, ...) or `Broken` (ours).
        """

    async def clean(self, raw: Path, into: Path, name: str, rule: FileRule) -> File:
        """Return a clean file of one that lies here already; `raw` is removed. Raises the same."""
