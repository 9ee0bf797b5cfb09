"""A bar on the terminal while weights are pulled, with what came, what is to come, and how fast."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Told:
    """What a pull tells: bytes to come, bytes that came. Any thread may tell."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    def total(self, size: int) -> None:
        """Say how many bytes there are in all."""
        self._progress.update(self._task, total=size)

    def count(self, came: int) -> None:
        """Say how many more bytes are here; fewer than none when some were dropped."""
        self._progress.advance(self._task, came)


@contextmanager
def pulling(name: str) -> Iterator[Told]:
    """Show the bar of one pull, on standard error; nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=not sys.stderr.isatty(), transient=True
    ) as progress:
        yield Told(progress, name)
