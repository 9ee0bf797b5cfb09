"""Brings the files of one task into its work folder: some at a time, and not without end."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ferrotype.errors import InputDownloadFailed, InvalidFileSize, InvalidURL
from ferrotype.media import File
from ferrotype.ports.fetcher import Fetcher, FileRule
from ferrotype.ports.input_store import STORED, InputStore

_FOLDER = Path(__file__).parent / "placeholders"
PLACEHOLDERS = {
    "image": _FOLDER / "image.png",
    "audio": _FOLDER / "audio.wav",
    "video": _FOLDER / "video.mp4",
}
AT_ONCE = 3  # of one task's files
PATIENCE = 300.0  # seconds for all files of a task together
MAX_BYTES = 1 << 30  # of all files of a task together, as we wrote them


class Inputs:
    """Brings the caller's files for one attempt.

    `patience` in seconds and `max_bytes` are for all of them together. With `placeholders`, as a
    rehearsal may ask, a file of ours takes the place of one that cannot be had.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        store: InputStore,
        folder: Path,
        *,
        patience: float = PATIENCE,
        max_bytes: int = MAX_BYTES,
        placeholders: bool = False,
    ) -> None:
        self._fetcher = fetcher
        self._store = store
        self._folder = folder
        self._patience = patience
        self._left = max_bytes
        self._placeholders = placeholders
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring(
        self, urls: Mapping[str, Sequence[str]], rules: Mapping[str, FileRule]
    ) -> dict[str, list[File]]:
        """Return the files by role, in the caller's order. The first refusal ends the rest."""
        bringing = {
            role: [
                asyncio.create_task(self._bring(url, f"{role}-{i}", rules[role]))
                for i, url in enumerate(some)
            ]
            for role, some in urls.items()
        }
        every = [one for some in bringing.values() for one in some]
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.gather(*every)
        except TimeoutError:
            raise InputDownloadFailed(
                "Failed to download the input file: the files of the task took too long."
            ) from None
        finally:
            for one in every:
                one.cancel()
            await asyncio.gather(*every, return_exceptions=True)
        return {role: [one.result() for one in some] for role, some in bringing.items()}

    async def _bring(self, url: str, name: str, rule: FileRule) -> File:
        async with self._room:
            if url.startswith(STORED):
                raw = self._folder / f".{name}.stored"
                await self._store.bring(url.removeprefix(STORED), raw)
                file = await self._fetcher.clean(raw, self._folder, name, rule)
            else:
                file = await self._fetch(url, name, rule)
        self._left -= file.bytes
        if self._left < 0:
            raise InvalidFileSize("The input files of the task are too large together.")
        return file

    async def _fetch(self, url: str, name: str, rule: FileRule) -> File:
        try:
            return await self._fetcher.fetch(url, self._folder, name, rule)
        except (InputDownloadFailed, InvalidURL):
            if not self._placeholders:
                raise
        kind = rule.types[0].partition("/")[0]
        raw = self._folder / f".{name}.placeholder"
        await asyncio.to_thread(shutil.copyfile, PLACEHOLDERS[kind], raw)
        return await self._fetcher.clean(raw, self._folder, name, rule)
