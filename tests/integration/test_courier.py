"""The courier over a real ledger and real connections: nothing lost, nobody held up."""

import asyncio
import hmac
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from receivers import OK, Receiver, receiving
from sqlite_house import DONE, opened, plain_card, plain_task
from structlog.testing import capture_logs

from ferrotype import metrics
from ferrotype.bells.unix import UnixBell
from ferrotype.courier import GIVEN_UP_AFTER, Courier
from ferrotype.errors import Unavailable
from ferrotype.fetchers.poster import Limits as PosterLimits
from ferrotype.fetchers.poster import Poster
from ferrotype.gate.guard import Guard
from ferrotype.http import wire
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.wiring.shared import SystemClock

SECRET = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()
write = partial(wire.event, region="r")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@asynccontextmanager
async def telling(folder: Path, *urls: str) -> AsyncIterator[SqliteLedger]:
    """Open a ledger that tells these, with a worker enrolled."""
    async with opened(folder, Limits(test=True, events=urls)) as ledger:
        await ledger.enrol(plain_card("one"))
        yield ledger


@asynccontextmanager
async def couriering(
    ledger: SqliteLedger, folder: Path, *urls: str, secret: str | None = None, patience: float = 5.0
) -> AsyncIterator[None]:
    """Let a courier work meanwhile."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        run = Path(stack.enter_context(TemporaryDirectory(prefix="ft-")))
        watch = folder / "ledger.db-wal"
        bell = await stack.enter_async_context(UnixBell.open(folder, run_dir=run, watch=watch))
        receivers = {
            url: await stack.enter_async_context(
                Poster(Guard(allow_loopback=True), PosterLimits(total=patience))
            )
            for url in urls
        }
        courier = Courier(ledger, bell, SystemClock(), receivers, write, secret)
        running = asyncio.create_task(courier.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(running, 10)


async def end(ledger: SqliteLedger, tasks: int = 1) -> list[str]:
    """Make some tasks and end them."""
    account, ended = await ledger.make_account("someone"), []
    for _ in range(tasks):
        await ledger.add(plain_task(account))
        claim = await ledger.claim("one", [plain_task(account).model])
        assert claim is not None
        ended.append((await ledger.settle(claim.lease, DONE)).id)
    return ended


async def gone(ledger: SqliteLedger, *urls: str) -> None:
    """Wait until no letter is left."""
    async with asyncio.timeout(20):
        while any([await ledger.letters(url, 1) for url in urls]):
            await asyncio.sleep(0.01)


async def later(ledger: SqliteLedger, receiver: Receiver, posts: int) -> None:
    """Let the hours go by until the receiver was sent so many."""
    for tries in range(1, 40):
        await ledger.set_clock_offset(600 * (40 * posts + tries))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await receiver.until(posts)
                return
    raise AssertionError("nothing came")


def given_up() -> float:
    return metrics.REGISTRY.get_sample_value("ferrotype_events_given_up_total") or 0.0


async def test_each_end_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    async with telling(tmp_path, receiver.url) as ledger:
        before = await end(ledger, 20)
        async with couriering(ledger, tmp_path, receiver.url):
            after = await end(ledger, 20)
            await receiver.until(40)
            await gone(ledger, receiver.url)
    assert sorted(receiver.tasks) == sorted(before + after)
    assert len({event["id"] for event in receiver.events}) == 40


async def test_tries_can_be_verified(tmp_path: Path, receiver: Receiver) -> None:
    async with telling(tmp_path, receiver.url) as ledger:
        await end(ledger)
        async with couriering(ledger, tmp_path, receiver.url, secret=SECRET):
            await receiver.until(1)
    (head,), (body,) = receiver.heads, receiver.bodies
    assert head["content-type"] == "application/cloudevents+json; charset=utf-8"
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256")
    assert head["webhook-signature"] == "v1," + b64encode(digest).decode()
    assert head["webhook-id"] == receiver.events[0]["id"]


async def test_unsigned_tries_say_so_by_their_silence(tmp_path: Path, receiver: Receiver) -> None:
    async with telling(tmp_path, receiver.url) as ledger:
        await end(ledger)
        async with couriering(ledger, tmp_path, receiver.url):
            await receiver.until(1)
    assert "webhook-signature" not in receiver.heads[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 X\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
    ids=["500", "404", "redirect", "hangs"],
)
async def test_who_does_not_say_yes_is_told_again(
    tmp_path: Path, receiver: Receiver, answer: bytes
) -> None:
    receiver.answer = answer
    async with telling(tmp_path, receiver.url) as ledger:
        await end(ledger)
        async with couriering(ledger, tmp_path, receiver.url, patience=0.5):
            await receiver.until(1)
            await later(ledger, receiver, 2)
            receiver.answer = OK
            await later(ledger, receiver, 3)
    assert [head["webhook-id"] for head in receiver.heads] == [receiver.events[0]["id"]] * 3
    assert len(set(receiver.bodies)) == 1


async def test_who_comes_back_is_told_all(tmp_path: Path, receiver: Receiver) -> None:
    async with receiving() as other:
        pass  # its port is closed now
    async with telling(tmp_path, other.url) as ledger:
        with capture_logs() as said:
            async with couriering(ledger, tmp_path, other.url):
                tasks = await end(ledger, 30)
                await gone(ledger, other.url)  # all were tried, and wait
                async with receiving(receiver=other):
                    await ledger.set_clock_offset(5)
                    await other.until(30)
                    await gone(ledger, other.url)
    assert sorted(other.tasks) == sorted(tasks)
    lines = [line["event"] for line in said if line.get("action") == "courier.bring"]
    assert lines == ["events come back", "events are taken again"]
    assert "secret" not in str(said)


async def test_a_dead_receiver_holds_up_nobody(tmp_path: Path, receiver: Receiver) -> None:
    async with (
        receiving(receiver=Receiver(answer=b"")) as dead,
        telling(tmp_path, dead.url, receiver.url) as ledger,
        couriering(ledger, tmp_path, dead.url, receiver.url, patience=60.0),
    ):
        tasks = await end(ledger, 60)
        await receiver.until(60)
        assert len(dead.bodies) <= 16  # a few at once, and no more
    assert sorted(receiver.tasks) == sorted(tasks)


async def test_what_nobody_takes_is_given_up_after_a_day(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferrotype.courier.TIDY_EVERY", 0.05)
    receiver.answer = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    before = given_up()
    async with telling(tmp_path, receiver.url) as ledger:
        await end(ledger, 3)
        async with couriering(ledger, tmp_path, receiver.url):
            await receiver.until(3)
            await ledger.set_clock_offset(GIVEN_UP_AFTER - 60)
            await receiver.until(6)
            await ledger.set_clock_offset(GIVEN_UP_AFTER + 1)
            async with asyncio.timeout(10):
                while given_up() < before + 3:
                    await asyncio.sleep(0.01)
        await ledger.set_clock_offset(2 * GIVEN_UP_AFTER)
        assert list(await ledger.letters(receiver.url, 9)) == []


async def test_letters_to_a_receiver_of_yesterday_go(tmp_path: Path, receiver: Receiver) -> None:
    async with telling(tmp_path, "http://old.example/", receiver.url) as ledger:
        await end(ledger, 2)
        async with couriering(ledger, tmp_path, receiver.url):
            await receiver.until(2)
            await gone(ledger, "http://old.example/", receiver.url)


async def test_one_courier_at_a_time(tmp_path: Path, receiver: Receiver) -> None:
    async with (
        telling(tmp_path, receiver.url) as first,
        opened(tmp_path) as second,
        couriering(second, tmp_path, receiver.url),
        couriering(first, tmp_path, receiver.url),
    ):
        tasks = await end(first, 40)
        await receiver.until(40)
        await gone(first, receiver.url)
    assert sorted(receiver.tasks) == sorted(tasks)


async def test_a_ledger_that_cannot_be_written_repeats_and_loses_nothing(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telling(tmp_path, receiver.url) as ledger:
        await end(ledger)
        failures = 2
        drop = ledger.drop_letter

        async def dropping(n: int) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise Unavailable()
            await drop(n)

        monkeypatch.setattr(ledger, "drop_letter", dropping)
        with capture_logs() as said:
            async with couriering(ledger, tmp_path, receiver.url):
                await receiver.until(3)
                await gone(ledger, receiver.url)
    assert len(set(receiver.bodies)) == 1
    assert sum(line["event"] == "courier cannot write" for line in said) == 2
    assert len(receiver.bodies) == 3
