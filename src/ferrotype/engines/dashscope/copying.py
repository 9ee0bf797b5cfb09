"""Brings results from an upstream into a job's folder, and says what they are."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import structlog

from ferrotype.engines.dashscope.region import Region
from ferrotype.engines.dashscope.results import Item
from ferrotype.errors import FerrotypeError, UploadFailed
from ferrotype.gate.download import TooLarge
from ferrotype.media import EXTENSIONS, Output, image_size, sniff

MAX_BYTES = 512 * 1024 * 1024  # of all results of a task
AT_ONCE = 4
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)  # seconds between two tries

_log = structlog.get_logger(__name__)


class Copies:
    """Copies the results of one task. Tries again for `patience` seconds."""

    def __init__(self, region: Region, folder: Path, patience: float) -> None:
        self._region = region
        self._folder = folder
        self._until = monotonic() + patience
        self._left = MAX_BYTES
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring(self, items: Sequence[Item]) -> list[Output]:
        """Return an output for each result; one that cannot be had is an error of its own."""
        return list(await asyncio.gather(*map(self._output, range(len(items)), items)))

    async def _output(self, number: int, item: Item) -> Output:
        if not item.url:
            return Output(error_code=item.code, error_message=item.message, caption=item.caption)
        path = self._folder / f"{number}.part"
        async with self._room:
            try:
                await self._download(item.url, path)
                return await asyncio.to_thread(_described, path, number, item.caption)
            except (FerrotypeError, OSError, ValueError) as error:
                why = str(error).partition(": ")[2] or str(error)
                _log.warning("no copy", action="upstream.copy", why=why)
                return Output(
                    error_code=UploadFailed.code,
                    error_message=f"The result was made, but could not be copied: {why}",
                    caption=item.caption,
                )

    async def _download(self, url: str, path: Path) -> None:
        for pause in (*PAUSES, *[PAUSES[-1]] * 1000):
            try:
                with path.open("wb") as file:
                    await self._region.downloads.download(url, file, self._left)
            except TooLarge:
                raise
            except FerrotypeError:
                if monotonic() + pause > self._until:
                    raise
                await asyncio.sleep(pause)
            else:
                self._left -= path.stat().st_size
                return


def _described(path: Path, number: int, caption: str) -> Output:
    """Name a file by what it is, and measure it. Raises `ValueError` for what is no result."""
    with path.open("rb") as file:
        type = sniff(file.read(32)) or ""
        if type not in EXTENSIONS:
            raise ValueError("it is neither a picture nor a film")
        file.seek(0)
        size, seconds = (image_size(file), 0.0) if type.startswith("image/") else _film(path)
    if size is None:
        raise ValueError(f"its header as {type} cannot be read")
    named = path.with_name(f"{number}.{EXTENSIONS[type]}")
    path.rename(named)
    return Output(
        path=str(named),
        caption=caption,
        type=type,
        width=size[0],
        height=size[1],
        seconds=seconds,
    )


def _film(path: Path) -> tuple[tuple[int, int] | None, float]:
    """Read (width, height) and seconds of an MP4 from its header; nothing is decoded."""
    import av  # half a second, only for films

    options = {"protocol_whitelist": "none", "enable_drefs": "0", "max_streams": "32"}
    try:
        with path.open("rb") as file, av.open(file, "r", format="mp4", options=options) as film:
            if not film.streams.video:
                return None, 0.0
            stream = film.streams.video[0]
            return (stream.width, stream.height), (film.duration or 0) / av.time_base
    except av.FFmpegError:
        return None, 0.0
