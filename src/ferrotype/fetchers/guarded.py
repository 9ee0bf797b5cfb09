"""The fetcher: a caller's URL or data URI in, a clean file that we wrote ourselves out."""

import asyncio
import binascii
import os
import re
from pathlib import Path
from typing import BinaryIO

from ferrotype.errors import Broken, InputDownloadFailed, InvalidURL
from ferrotype.fetchers.download import Downloader
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.media import File
from ferrotype.ports.fetcher import FileRule

_DATA = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class GuardedFetcher:
    """Downloads past the guard, then has the media process decode and write the file anew."""

    def __init__(self, downloader: Downloader, media: MediaProcess) -> None:
        self._downloader = downloader
        self._media = media

    async def fetch(self, url: str, into: Path, name: str, rule: FileRule) -> File:
        """Return the clean file `into/name.png`. What came from outside is removed again."""
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"not a plain name: {name!r}")
        raw = into / f".{name}.download"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(raw, flags, 0o600), "wb") as file:
                await self._bring(url, file, rule.max_bytes)
            return await self._media.convert(raw, into / f"{name}.png", rule)
        except OSError as error:
            raise Broken from error
        finally:
            raw.unlink(missing_ok=True)

    async def _bring(self, url: str, file: BinaryIO, max_bytes: int) -> None:
        head = _DATA.match(url)
        if head is not None:
            await asyncio.to_thread(_unpack, url, head.end(), file, max_bytes)
        elif url[:5].lower() == "data:":
            raise InvalidURL("The provided URL is not valid: write data:{type};base64,{data}.")
        else:
            await self._downloader.download(url, file, max_bytes)


def _unpack(url: str, start: int, file: BinaryIO, max_bytes: int) -> None:
    if (len(url) - start) * 3 // 4 > max_bytes + 2:
        raise InputDownloadFailed(
            f"Failed to download the input file: it is larger than {max_bytes} bytes."
        )
    try:
        data = binascii.a2b_base64(url[start:], strict_mode=True)
    except (binascii.Error, ValueError):
        raise InvalidURL("The provided URL is not valid: its base64 data is not valid.") from None
    file.write(data)
