"""The bell of one machine."""

import asyncio
import os
import signal
import socket
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ferrotype.bells.unix import UnixBell, folder_for
from ferrotype.conformance import BellSuite
from ferrotype.errors import Broken
from ferrotype.ports.bell import Bell

LISTENER = """
import asyncio, os, sys
from pathlib import Path
from ferrotype.bells.unix import UnixBell

async def main(folder, run_dir):
    async with UnixBell.open(Path(folder), run_dir=Path(run_dir)) as bell:
        async with bell.listen({"last"}) as ear:
            os.write(1, b"listens\\n")
            os.write(1, b"heard\\n" if await ear.wait(30) else b"nothing\\n")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


class TestUnixBell(BellSuite):
    def open_bell(self, folder: Path) -> AbstractAsyncContextManager[Bell]:
        return UnixBell.open(folder)


@contextmanager
def peer(folder: Path) -> Iterator[socket.socket]:
    """A process that never reads what is rung, as far as its socket shows."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder_for(folder, folder) / "1-abcdef.s"))
        sock.setblocking(False)
        yield sock


def drain(sock: socket.socket) -> list[str]:
    """Read all that waits in a socket."""
    heard = []
    try:
        while True:
            heard.append(sock.recv(1 << 16).decode())
    except BlockingIOError:
        return heard


async def soon(sock: socket.socket) -> str:
    """Wait for the next datagram."""
    return (await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1 << 16), 5)).decode()


async def test_a_full_peer_is_told_to_look_at_everything_once_it_reads(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        with peer(place) as slow:
            for number in range(1_000):
                bell.ring({f"task:{number}"})
            heard = drain(slow)
            assert heard == [f"task:{number}" for number in range(len(heard))]
            assert len(heard) < 1_000
            assert await soon(slow) == "*"
            bell.ring({"work:again"})
            assert await soon(slow) == "work:again"
            assert drain(slow) == []


async def test_a_peer_that_lost_a_ring_hears_everything_at_the_next_one(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        with peer(place) as slow:
            for number in range(1_000):
                bell.ring({f"task:{number}"})
            drain(slow)
            bell.ring({"work:more"})  # before any glance: this loop had no turn yet
            assert drain(slow) == ["*"]


async def test_a_stopped_process_hears_what_it_missed(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        listener = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LISTENER, os.fspath(place), os.fspath(place)), stdout=PIPE
        )
        assert listener.stdout is not None
        try:
            assert await asyncio.wait_for(listener.stdout.readline(), 20) == b"listens\n"
            listener.send_signal(signal.SIGSTOP)
            for number in range(1_000):
                bell.ring({f"task:{number}"})
            bell.ring({"last"})
            listener.send_signal(signal.SIGCONT)
            assert await asyncio.wait_for(listener.stdout.readline(), 20) == b"heard\n"
        finally:
            listener.kill()
            await listener.communicate()


async def test_the_socket_of_a_dead_process_is_removed(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        with peer(place) as dead:
            left = Path(dead.getsockname())
        bell.ring({"a"})
        assert not left.exists()
        (own,) = left.parent.iterdir()
    assert not own.exists()


async def test_who_joins_later_is_rung_too(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        for _ in range(2):
            bell.ring({"a"})
            await asyncio.sleep(0.1)  # the folder is known by now, and not read again
        with peer(place) as late:
            bell.ring({"a"})
            assert drain(late) == ["a"]


async def test_rings_go_on_when_a_cleaner_took_the_folder(place: Path) -> None:
    async with (
        UnixBell.open(place, run_dir=place) as bell,
        bell.listen({"a"}) as ear,
    ):
        folder = folder_for(place, place)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        bell.ring({"a"})
        assert await ear.wait(2)


async def test_a_change_without_a_ring_wakes_everybody(place: Path) -> None:
    watched = place / "watched"
    async with (
        UnixBell.open(place, run_dir=place, watch=watched) as bell,
        bell.listen({"a"}) as one,
        bell.listen({"b"}) as two,
    ):
        assert not await one.wait(0.6)  # nothing changed: nobody is woken
        watched.write_text("it begins")
        assert await one.wait(5)
        assert await two.wait(5)
        watched.write_text("and goes on")
        assert await one.wait(5)


async def test_a_change_with_its_ring_wakes_nobody_else(place: Path) -> None:
    watched = place / "watched"
    async with (
        UnixBell.open(place, run_dir=place, watch=watched) as one,
        UnixBell.open(place, run_dir=place, watch=watched) as two,
        one.listen({"a"}) as near,
        two.listen({"a"}) as far,
    ):
        watched.write_text("changed")
        one.ring({"b"})
        assert not await near.wait(0.7)
        assert not await far.wait(0)


async def test_an_ear_that_was_closed_hears_nothing(place: Path) -> None:
    async with UnixBell.open(place, run_dir=place) as bell:
        async with bell.listen({"a", "b"}) as gone, bell.listen({"a"}) as ear:
            pass
        async with bell.listen({"c"}):
            bell.ring({"a", "b"})
            assert not await gone.wait(0.05)
            assert not await ear.wait(0)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, depth: int) -> None:
    folder = folder_for(tmp_path, tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    open_one = folder if depth == 1 else folder.parent
    open_one.chmod(0o750)
    with pytest.raises(Broken, match=rf"^{open_one} must be a folder of ours .*\(0700\)\.$"):
        folder_for(tmp_path, tmp_path)


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(Broken, match="must be a folder of ours"):
        folder_for(tmp_path, tmp_path)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, tmp_path)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Broken, match="must be a folder of ours"):
        folder_for(tmp_path, tmp_path)


def test_each_data_folder_has_a_meeting_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert folder_for(tmp_path / "link", tmp_path) == folder_for(tmp_path, tmp_path)
    assert folder_for(tmp_path / "other", tmp_path) != folder_for(tmp_path, tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(tmp_path))
    assert folder_for(tmp_path) == folder_for(tmp_path, tmp_path)


async def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80)
    with pytest.raises(Broken, match="set RUN_DIR to a shorter one"):
        async with UnixBell.open(tmp_path, run_dir=deep):
            pass
