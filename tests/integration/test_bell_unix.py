"""The bell of one machine."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ferrotype.bells.unix import UnixBell
from ferrotype.conformance import BellSuite
from ferrotype.ports.bell import Bell


class TestUnixBell(BellSuite):
    def open_bell(self, folder: Path) -> AbstractAsyncContextManager[Bell]:
        return UnixBell.open(folder)
