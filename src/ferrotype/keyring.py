"""API keys: how they look, and whose a presented one is."""

import secrets
from hashlib import sha256
from typing import TypeVar

from ferrotype.errors import Unauthorised
from ferrotype.ports.admin import Admin, Key
from ferrotype.ports.clock import Clock

DEFAULT_ACCOUNT = "default"
NO_KEY = "No API-key provided."
FRESH = 5.0  # seconds: so long may a revoked key still open the door
SIZE = 4096
LONGEST_KEY = 1024

T = TypeVar("T")


def new_key() -> str:
    """Return a new API key: "sk-" and 32 random bytes."""
    return f"sk-{secrets.token_urlsafe(32)}"


class Keyring:
    """Finds the caller behind a key by its SHA-256, and remembers the answer for 5 seconds.

    A digest looked up in a table tells a stranger nothing by its timing, so no comparison of ours
    touches the key itself. Known and unknown keys are remembered apart, each up to `SIZE`: a
    flood of guesses cannot push the known ones out.
    """

    def __init__(self, admin: Admin, clock: Clock, *, any_key: bool = False) -> None:
        self._admin = admin
        self._clock = clock
        self._any_key = any_key
        self._known: dict[bytes, tuple[float, Key]] = {}
        self._unknown: dict[bytes, float] = {}
        self._anyone: Key | None = None

    async def caller(self, key: str) -> Key:
        """Return whose key this is. Raises `Unauthorised`."""
        if not key:
            raise Unauthorised(NO_KEY)
        if len(key) > LONGEST_KEY:
            raise Unauthorised()
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
        now = self._clock.steady()
        if (seen := self._known.get(digest)) and now < seen[0]:
            if seen[1].expires_at is None or self._clock.now() < seen[1].expires_at:
                return seen[1]
        elif now < self._unknown.get(digest, now):
            return await self._stranger()
        found = await self._admin.find_key(digest)
        if found is None:
            _remember(self._unknown, digest, now + FRESH)
            return await self._stranger()
        _remember(self._known, digest, (now + FRESH, found))
        return found

    async def _stranger(self) -> Key:
        if not self._any_key:
            raise Unauthorised()
        if self._anyone is None:
            account = await self._admin.make_account(DEFAULT_ACCOUNT)
            self._anyone = Key(
                id="", account=account, name="anyone", hint="", created_at=self._clock.now()
            )
        return self._anyone


def _remember(table: dict[bytes, T], digest: bytes, entry: T) -> None:
    """Keep the newest `SIZE` entries: a dict keeps the order in which they came."""
    table.pop(digest, None)
    if len(table) >= SIZE:
        del table[next(iter(table))]
    table[digest] = entry
