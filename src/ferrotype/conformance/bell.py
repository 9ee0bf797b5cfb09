"""What every bell must do."""

import asyncio
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import uuid4

import pytest

from ferrotype.ports.bell import Bell


class BellSuite:
    """Subclass it, say how a bell is opened (`open_bell`), and run pytest."""

    def open_bell(self, folder: Path) -> AbstractAsyncContextManager[Bell]:
        """Open a bell of the folder, as one more process would. The subclass must say how."""
        raise NotImplementedError

    async def test_a_ring_wakes_those_who_listen(self, tmp_path: Path) -> None:
        async with (
            self.open_bell(tmp_path) as one,
            self.open_bell(tmp_path) as two,
            one.listen({"a", "b"}) as near,
            two.listen({"b"}) as far,
        ):
            one.ring({"b", "c"})
            assert await near.wait(2)
            assert await far.wait(2)
            assert not await near.wait(0.02)
            two.ring({"a"})
            assert await near.wait(2)
            assert not await far.wait(0.02)

    async def test_a_ring_before_the_wait_is_not_missed(self, tmp_path: Path) -> None:
        async with self.open_bell(tmp_path) as bell, bell.listen({"a"}) as ear:
            bell.ring({"a"})
            await asyncio.sleep(0.05)
            assert await ear.wait(0)

    async def test_any_thread_may_ring(self, tmp_path: Path) -> None:
        async with self.open_bell(tmp_path) as bell, bell.listen({"a"}) as ear:
            thread = threading.Thread(target=bell.ring, args=({"a"},))
            thread.start()
            assert await ear.wait(2)
            thread.join()

    async def test_many_rings_at_once(self, tmp_path: Path) -> None:
        async with (
            self.open_bell(tmp_path) as one,
            self.open_bell(tmp_path) as two,
            two.listen({"last"}) as ear,
        ):
            for number in range(100):
                one.ring({f"task:{number}"})
            one.ring({"last"})
            assert await ear.wait(2)

    @pytest.mark.parametrize("many", [1_000, 10_000])
    async def test_very_many_topics(self, tmp_path: Path, many: int) -> None:
        topics = [f"task:{uuid4()}" for _ in range(many)]
        async with (
            self.open_bell(tmp_path) as one,
            self.open_bell(tmp_path) as two,
            two.listen(topics[:1]) as first,
            two.listen(topics[-1:]) as last,
        ):
            one.ring(topics)
            assert await first.wait(2)
            assert await last.wait(2)

    async def test_from_many_threads(self, tmp_path: Path) -> None:
        async with (
            self.open_bell(tmp_path) as one,
            self.open_bell(tmp_path) as two,
            two.listen({"last"}) as ear,
        ):
            threads = [threading.Thread(target=one.ring, args=({"a", "b"},)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            one.ring({"last"})
            assert await ear.wait(2)

    async def test_nobody_listens(self, tmp_path: Path) -> None:
        async with self.open_bell(tmp_path) as one:
            one.ring({"a"})
            async with self.open_bell(tmp_path):
                one.ring(())
            one.ring({"a"})
