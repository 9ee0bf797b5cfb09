"""Signed links to result files: whoever holds one may read that file until the link's end."""

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from ferrotype.errors import Denied
from ferrotype.ports.admin import Secret
from ferrotype.ports.clock import Clock

CHANGED = "The request signature we calculated does not match the signature you provided."
EXPIRED = "Request has expired."
REFRESH = 5.0  # seconds: so often at most may an unknown key id make us read the secrets anew


class Links:
    """Signs and verifies with the secrets of the ledger, of which two are live during a rotation.

    The signature is an HMAC-SHA256 over method, key and expiry. It is the same each time, so a
    link is the same in every answer about its task.
    """

    def __init__(self, secrets: Callable[[], Awaitable[Sequence[Secret]]], clock: Clock) -> None:
        self._read = secrets
        self._clock = clock
        self._secrets: dict[str, hmac.HMAC] = {}  # begun: each signature goes on with a copy
        self._newest = ""
        self._refresh_at = float("-inf")
        self._reading = asyncio.Lock()

    async def sign(self, kid: str, key: str, expires: datetime) -> str:
        """Return the query string that opens `key` until `expires`.

        A secret that was rotated away leaves its links dead, so the newest one signs in its place.
        """
        if kid not in self._secrets:
            await self._refresh()
            kid = kid if kid in self._secrets else self._newest
        end = int(expires.timestamp())
        return f"Expires={end}&OSSAccessKeyId={kid}&Signature={self._signature(kid, key, end)}"

    async def verify(self, key: str, query: Mapping[str, str]) -> int:
        """Return the second at which the link ends. Raises `Denied` when it does not open `key`."""
        kid, end = query.get("OSSAccessKeyId", ""), query.get("Expires", "")
        if not (end.isascii() and end.isdecimal() and len(end) <= 12):
            raise Denied(CHANGED)
        if kid not in self._secrets:
            await self._refresh()
        if kid not in self._secrets:
            raise Denied(CHANGED)
        given = query.get("Signature", "").encode("utf-8", "replace")
        if not hmac.compare_digest(self._signature(kid, key, int(end)).encode(), given):
            raise Denied(CHANGED)
        if int(end) <= self._clock.now().timestamp():
            raise Denied(EXPIRED)
        return int(end)

    def _signature(self, kid: str, key: str, end: int) -> str:
        """Sign for GET: what may be read may be asked about by HEAD too."""
        said = f"GET\n{key}\n{end}".encode("utf-8", "surrogatepass")
        signing = self._secrets[kid].copy()
        signing.update(said)
        return urlsafe_b64encode(signing.digest()).rstrip(b"=").decode()

    async def _refresh(self) -> None:
        async with self._reading:  # who comes meanwhile needs what is being read
            if self._clock.steady() < self._refresh_at:
                return
            live = await self._read()
            self._secrets = {one.kid: hmac.new(one.bytes, digestmod="sha256") for one in live}
            self._newest = live[0].kid
            self._refresh_at = self._clock.steady() + REFRESH
