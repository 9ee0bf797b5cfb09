import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from ferrotype.errors import Denied
from ferrotype.links import CHANGED, EXPIRED, REFRESH, Links
from ferrotype.ports.admin import Secret

KEY = "20260102/0f6e5a10-1111-7c22-9333-5d44aa55bb66/1/0.png"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
END = NOW + timedelta(hours=24)


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def steady(self) -> float:
        return self.passed


class Safe:
    """Live secrets, and how often they were read."""

    def __init__(self) -> None:
        self.live = [Secret("k1", b"1" * 32)]
        self.reads = 0

    async def secrets(self) -> Sequence[Secret]:
        self.reads += 1
        return list(self.live)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def safe() -> Safe:
    return Safe()


@pytest.fixture
def links(safe: Safe, clock: Hand) -> Links:
    return Links(safe.secrets, clock)


async def test_a_link_opens_its_file_until_its_end(links: Links, clock: Hand) -> None:
    query = dict(parse_qsl(await links.sign("k1", KEY, END)))
    assert list(query) == ["Expires", "OSSAccessKeyId", "Signature"]
    assert await links.verify(KEY, query) == int(END.timestamp())
    clock.passed = 24 * 3600 - 1
    await links.verify(KEY, query)
    clock.passed = 24 * 3600
    with pytest.raises(Denied, match=EXPIRED):
        await links.verify(KEY, query)


async def test_a_link_is_the_same_each_time(links: Links) -> None:
    assert await links.sign("k1", KEY, END) == await links.sign("k1", KEY, END)


@pytest.mark.parametrize(
    "change",
    [
        {"Expires": str(int(END.timestamp()) + 1)},
        {"Expires": ""},
        {"Expires": "-1"},
        {"Expires": "1e9"},
        {"Expires": "9" * 4000},
        {"Expires": "１７６７３９８４００"},
        {"OSSAccessKeyId": "k2"},
        {"OSSAccessKeyId": ""},
        {"Signature": ""},
        {"Signature": "A" * 43},
        {"Signature": "\udcff你"},
    ],
)
async def test_a_changed_link_opens_nothing(links: Links, change: dict[str, str]) -> None:
    query = dict(parse_qsl(await links.sign("k1", KEY, END)))
    with pytest.raises(Denied, match=CHANGED):
        await links.verify(KEY, query | change)


@pytest.mark.parametrize("key", [KEY + "x", KEY.upper(), "", "\udcff", KEY.replace("/1/", "/2/")])
async def test_a_link_opens_no_other_file(links: Links, key: str) -> None:
    query = dict(parse_qsl(await links.sign("k1", KEY, END)))
    with pytest.raises(Denied, match=CHANGED):
        await links.verify(key, query)


async def test_a_new_secret_is_found_and_the_old_one_still_opens(
    links: Links, safe: Safe, clock: Hand
) -> None:
    old = dict(parse_qsl(await links.sign("k1", KEY, END)))
    safe.live.insert(0, Secret("k2", b"2" * 32))
    clock.passed = REFRESH
    new = dict(parse_qsl(await links.sign("k2", KEY, END)))
    assert new["OSSAccessKeyId"] == "k2"
    assert new["Signature"] != old["Signature"]
    await links.verify(KEY, old)
    await links.verify(KEY, new)


async def test_unknown_secrets_are_not_looked_for_at_every_guess(links: Links, safe: Safe) -> None:
    for guess in range(50):
        with pytest.raises(Denied):
            await links.verify(
                KEY, {"Expires": "9999999999", "OSSAccessKeyId": str(guess), "Signature": "x"}
            )
    assert safe.reads == 1


async def test_a_result_whose_secret_is_gone_still_gets_a_link(links: Links) -> None:
    query = dict(parse_qsl(await links.sign("long-gone", KEY, END)))
    assert query["OSSAccessKeyId"] == "k1"
    await links.verify(KEY, query)


async def test_those_who_ask_while_secrets_are_read_wait_for_them(clock: Hand) -> None:
    opened = asyncio.Event()

    async def slow() -> Sequence[Secret]:
        await opened.wait()
        return [Secret("k1", b"1" * 32)]

    links = Links(slow, clock)
    asked = [asyncio.create_task(links.sign("k1", KEY, END)) for _ in range(3)]
    stranger = asyncio.create_task(links.verify(KEY, {"Expires": "1", "OSSAccessKeyId": "no"}))
    await asyncio.sleep(0)
    opened.set()
    assert len({await one for one in asked}) == 1
    with pytest.raises(Denied):
        await stranger


async def test_a_failed_read_is_not_waited_out(safe: Safe, clock: Hand) -> None:
    tries = iter((OSError("not now"), None))

    async def shaky() -> Sequence[Secret]:
        if error := next(tries):
            raise error
        return await safe.secrets()

    links = Links(shaky, clock)
    with pytest.raises(OSError):
        await links.sign("k1", KEY, END)
    assert "OSSAccessKeyId=k1" in await links.sign("k1", KEY, END)
