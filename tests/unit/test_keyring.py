from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

import pytest

from ferrotype.errors import Unauthorised
from ferrotype.keyring import FRESH, SIZE, Keyring, new_key
from ferrotype.ports.admin import Admin, Key

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Hand:
    """A clock moved by hand."""

    passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def steady(self) -> float:
        return self.passed


class Desk:
    """Keys by digest, and how often somebody asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys = {sha256(b"sk-good").digest(): _key("1", "a")}

    async def find_key(self, digest: bytes) -> Key | None:
        self.asked += 1
        return self.keys.get(digest)

    async def make_account(self, name: str) -> str:
        return f"account of {name}"


def _key(id: str, account: str, expires_at: datetime | None = None) -> Key:
    return Key(id=id, account=account, name="n", hint="h", created_at=NOW, expires_at=expires_at)


@pytest.fixture
def parts() -> Iterator[tuple[Keyring, Desk, Hand]]:
    desk, clock = Desk(), Hand()
    yield Keyring(cast(Admin, desk), clock), desk, clock


async def test_a_key_is_looked_up_once_in_five_seconds(parts: tuple[Keyring, Desk, Hand]) -> None:
    ring, desk, clock = parts
    for _ in range(3):
        assert (await ring.caller("sk-good")).account == "a"
    assert desk.asked == 1
    desk.keys.clear()
    clock.passed = FRESH
    with pytest.raises(Unauthorised):
        await ring.caller("sk-good")


async def test_a_wrong_key_is_looked_up_once_too(parts: tuple[Keyring, Desk, Hand]) -> None:
    ring, desk, clock = parts
    for _ in range(3):
        with pytest.raises(Unauthorised, match="Invalid API-key"):
            await ring.caller("sk-new")
    assert desk.asked == 1
    desk.keys[sha256(b"sk-new").digest()] = _key("2", "b")
    clock.passed = FRESH
    assert (await ring.caller("sk-new")).id == "2"


async def test_guesses_do_not_push_known_keys_out(parts: tuple[Keyring, Desk, Hand]) -> None:
    ring, desk, _ = parts
    await ring.caller("sk-good")
    for guess in range(SIZE + 10):
        with pytest.raises(Unauthorised):
            await ring.caller(f"sk-{guess}")
    asked = desk.asked
    await ring.caller("sk-good")
    assert desk.asked == asked
    assert len(ring._unknown) == SIZE


async def test_a_key_ends_at_its_time_even_while_remembered(
    parts: tuple[Keyring, Desk, Hand],
) -> None:
    ring, desk, clock = parts
    digest = sha256(b"sk-short").digest()
    desk.keys[digest] = _key("3", "c", expires_at=NOW + timedelta(seconds=2))
    await ring.caller("sk-short")
    del desk.keys[digest]
    clock.passed = 2
    with pytest.raises(Unauthorised):
        await ring.caller("sk-short")


async def test_an_absurd_key_is_not_even_looked_up(parts: tuple[Keyring, Desk, Hand]) -> None:
    ring, desk, _ = parts
    with pytest.raises(Unauthorised):
        await ring.caller("x" * 100_000)
    with pytest.raises(Unauthorised, match="No API-key"):
        await ring.caller("")
    assert desk.asked == 0


async def test_any_key_is_the_default_account_but_a_known_one_keeps_its_own() -> None:
    ring = Keyring(cast(Admin, Desk()), Hand(), any_key=True)
    for _ in range(2):
        assert (await ring.caller("whatever")).account == "account of default"
    assert (await ring.caller("sk-good")).account == "a"
    with pytest.raises(Unauthorised):
        await ring.caller("")


def test_new_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("sk-") and len(key) == 46 and key.isascii() for key in keys)
