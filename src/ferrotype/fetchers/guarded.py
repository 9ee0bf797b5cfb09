"""The fetcher: a caller's URL or file in, a clean file that we wrote ourselves out."""

import os
import re
from pathlib import Path

from ferrotype.errors import Broken, InvalidFileSize, Refused
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.gate.download import Downloader, TooLarge
from ferrotype.media import File
from ferrotype.ports.fetcher import FileRule

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class GuardedFetcher:
    """Downloads past the guard, then has the media process decode and write the file anew."""

    def __init__(self, downloader: Downloader, media: MediaProcess) -> None:
        self._downloader = downloader
        self._media = media

    async def fetch(self, url: str, into: Path, name: str, rule: FileRule) -> File:
        """Return the clean file `into/name.<ext>`. What came from outside is removed again."""
        raw = into / f".{_plain(name)}.download"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(raw, flags, 0o600), "wb") as file:
                await self._downloader.download(url, file, rule.max_bytes)
            return await self.clean(raw, into, name, rule)
        except TooLarge as error:
            raise _too_large(error, rule) from None
        except OSError as error:
            raise Broken from error
        finally:
            raw.unlink(missing_ok=True)

    async def clean(self, raw: Path, into: Path, name: str, rule: FileRule) -> File:
        """Return the clean file `into/name.<ext>` of one that lies here; `raw` is removed."""
        try:
            if raw.stat().st_size > rule.max_bytes:
                raise _too_large(TooLarge(rule.max_bytes), rule)
            return await self._media.convert(raw, into / _plain(name), rule)
        except OSError as error:
            raise Broken from error
        finally:
            raw.unlink(missing_ok=True)


def _plain(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a plain name: {name!r}")
    return name


def _too_large(error: TooLarge, rule: FileRule) -> Refused:
    """Say it as the vendor does of sounds and films, where a picture may not be."""
    if any(type.startswith("image/") for type in rule.types):
        return error
    return InvalidFileSize(
        f"The size of the input file is invalid: it is larger than {rule.max_bytes} bytes."
    )
