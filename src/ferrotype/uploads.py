"""Files that callers bring along: leave to upload one, and what a create may then name.

Nothing is written down when leave is given. The id within an upload's key carries a MAC over
account, model and day, and the form that brings the file a signed policy; so any process with the
ledger's secrets can tell whose a file is.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ferrotype.errors import (
    AllocationQuotaExceeded,
    Busy,
    Denied,
    InvalidParameter,
    InvalidURL,
    Unavailable,
)
from ferrotype.ports.admin import Secret
from ferrotype.ports.clock import Clock
from ferrotype.ports.input_store import STORED, Incoming, InputStore
from ferrotype.ports.media_store import MediaStore
from ferrotype.task import Order, day_of

BUCKET = "dashscope-instant"
SCHEME = "oss://"
LIFE = timedelta(hours=48)
LEAVE = timedelta(minutes=23)  # as recorded, although the answer says 300 seconds
MAX_BYTES = 1 << 30
MAX_NAME = 768  # bytes of a file's name
FREE = 0.05  # part of the space that uploads leave free
AT_ONCE = 64  # files that come at one moment
SPACE_EVERY = 5.0
NO_SPACE = "The account has no room for more uploads; they go after 48 hours."
CHANGED = "The request signature we calculated does not match the signature you provided."
EXPIRED = "Invalid according to Policy: Policy expired."
NO_FILE = "The provided URL is not valid: there is no such file, or it is not for this model."
NO_RESOLVE = (
    "The provided URL is not valid: an oss:// address needs the header "
    "X-DashScope-OssResourceResolve: enable."
)


class Leave(Struct, frozen=True, kw_only=True):
    """Leave to upload files under one folder."""

    id: str
    folder: str
    policy: str
    signature: str
    kid: str


class Uploads:
    """Gives leave, takes files in, and hands them to tasks.

    `space`: bytes that the uploads of one account may have; looked at every `SPACE_EVERY` seconds.
    """

    def __init__(
        self,
        secrets: Callable[[], Awaitable[Sequence[Secret]]],
        inputs: InputStore,
        media: MediaStore,
        clock: Clock,
        space: int = 20 << 30,
    ) -> None:
        self._secrets = secrets
        self._inputs = inputs
        self._media = media
        self._clock = clock
        self._space = space
        self._used: dict[str, tuple[float, int]] = {}  # by account: known until, bytes
        self._coming = 0

    async def leave(self, account: str, model: str) -> Leave:
        """Give an account leave to upload files for a model."""
        secret, now = (await self._secrets())[0], self._clock.now()
        folder, id = _folder(secret, account, model, now)
        policy = base64.b64encode(msgspec.json.encode(_policy(folder, now + LEAVE))).decode()
        return Leave(
            id=id, folder=folder, policy=policy, signature=_sign(secret, policy), kid=secret.kid
        )

    async def admit(self, form: Mapping[str, str]) -> str:
        """Return the key under which a form may bring a file. Raises `Denied` or `Busy`."""
        live = {secret.kid: secret for secret in await self._secrets()}
        secret = live.get(form.get("OSSAccessKeyId", ""))
        policy, given = form.get("policy", ""), form.get("Signature", "")
        if secret is None or not hmac.compare_digest(
            _sign(secret, policy).encode(), given.encode()
        ):
            raise Denied(CHANGED)
        said = msgspec.json.decode(base64.b64decode(policy))
        if datetime.fromisoformat(said["expiration"]) <= self._clock.now():
            raise Denied(EXPIRED)
        key, folder = form.get("key", ""), said["conditions"][1][2]
        name = key.removeprefix(f"{folder}/")
        if name == key or not _is_name(name):
            raise Denied('Invalid according to Policy: ["starts-with", "$key"] failed.')
        free = await self._media.free_fraction()
        if free is not None and free < FREE:
            raise Unavailable("There is no room for uploads now, please try again later.")
        if await self._used_by(key.split("/")[1]) >= self._space:
            raise AllocationQuotaExceeded(NO_SPACE)
        return key

    @asynccontextmanager
    async def receive(self, key: str) -> AsyncIterator[Incoming]:
        """Take in a file. Raises `Busy` when too many come at once."""
        if self._coming >= AT_ONCE:
            raise Busy()
        self._coming += 1
        try:
            async with self._inputs.receive(key) as incoming:
                yield incoming
        finally:
            self._coming -= 1

    async def gather(
        self, account: str, model: str, task_id: str, order: Order, *, resolve: bool
    ) -> Order:
        """Return the order with each file that came along replaced by where the task has it now.

        `resolve`: the caller said that there are `oss://` addresses. Raises `InvalidURL`,
        `InvalidParameter` or `UploadFailed`.
        """
        inputs: dict[str, list[str]] = {}
        number = 0
        for role, urls in order.inputs.items():
            inputs[role] = []
            for url in urls:
                key = f"{day_of(task_id)}/{task_id}/in/{number}"
                if url[:5].lower() == "data:":
                    await self._inputs.put(key, await asyncio.to_thread(_unpack, url))
                elif url[:6].lower() == SCHEME:
                    if not resolve:
                        raise InvalidParameter(NO_RESOLVE)
                    await self._take(account, model, url[6:], key)
                else:
                    inputs[role].append(url)
                    continue
                inputs[role].append(STORED + key)
                number += 1
        return replace(order, inputs=inputs)

    async def forget(self, task_id: str) -> None:
        """Remove what was gathered for a task that never came to be."""
        await self._media.drop(f"{day_of(task_id)}/{task_id}")

    async def sweep(self) -> int:
        """Remove uploads that no new task may name any more; return how many went."""
        return await self._inputs.drop_before(self._clock.now() - LIFE)

    async def _take(self, account: str, model: str, upload: str, key: str) -> None:
        live = await self._secrets()
        if not any(_is_for(secret, account, model, upload) for secret in live):
            raise InvalidURL(NO_FILE)
        if not await self._inputs.take(upload, key, self._clock.now() - LIFE):
            raise InvalidURL(NO_FILE)

    async def _used_by(self, whose: str) -> int:
        now = self._clock.steady()
        until, used = self._used.get(whose, (now, 0))
        if now >= until:
            used = await self._inputs.used(whose)
            self._used = {one: it for one, it in self._used.items() if it[0] > now}
            self._used[whose] = (now + SPACE_EVERY, used)
        return used


def comes_along(order: Order) -> bool:
    """Tell whether an order names files that came with it or before it."""
    return any(
        url[:5].lower() == "data:" or url[:6].lower() == SCHEME
        for urls in order.inputs.values()
        for url in urls
    )


def _unpack(url: str) -> bytes:
    """Return what a data address holds. Line ends in it and a missing padding are no mistake:
    common encoders write them so.
    """
    try:
        text = url[url.index(",") + 1 :].encode("ascii").translate(None, b" \t\n\f\r")
        if not text.endswith(b"="):
            text += b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise InvalidURL("The provided URL is not valid: its base64 data is not valid.")
    return data


def _is_name(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME
        and "/" not in name
        and name not in (".", "..")
        and name.isprintable()
    )


def _folder(secret: Secret, account: str, model: str, now: datetime) -> tuple[str, str]:
    """Return a new folder for an account's files for a model, and the id within it."""
    day, dice = f"{now:%Y-%m-%d}", secrets.token_hex(7)[:13]
    id = _id(secret, account, model, day, dice)
    return f"{BUCKET}/{_whose(secret, account)}/{day}/{id}", id


def _is_for(secret: Secret, account: str, model: str, key: str) -> bool:
    parts = key.split("/")
    if len(parts) != 5 or not _is_name(parts[4]):
        return False
    digits = parts[3].replace("-", "")
    id = _id(secret, account, model, parts[2], digits[:12] + digits[13:14])
    expected = f"{BUCKET}/{_whose(secret, account)}/{parts[2]}/{id}/{parts[4]}"
    return hmac.compare_digest(expected.encode("utf-8", "replace"), key.encode("utf-8", "replace"))


def _id(secret: Secret, account: str, model: str, day: str, dice: str) -> str:
    """Return a UUID: 13 digits of chance, and 17 that prove account, model and day."""
    said = f"upload\n{account}\n{model}\n{day}\n{dice}"
    mac = _mac(secret, said)[:17]
    return f"{dice[:8]}-{dice[8:12]}-4{dice[12:13]}{mac[:2]}-a{mac[2:5]}-{mac[5:17]}"


def _whose(secret: Secret, account: str) -> str:
    return _mac(secret, f"account\n{account}")[:32]


def _mac(secret: Secret, said: str) -> str:
    data = said.encode("utf-8", "surrogatepass")
    return hmac.new(secret.bytes, data, hashlib.sha256).hexdigest()


def _policy(folder: str, end: datetime) -> dict[str, Any]:
    return {
        "expiration": f"{end:%Y-%m-%dT%H:%M:%S}Z",
        "conditions": [
            ["content-length-range", 0, MAX_BYTES],
            ["starts-with", "$key", folder],
            {"bucket": BUCKET},
            {"x-oss-object-acl": "private"},
            {"x-oss-forbid-overwrite": "true"},
        ],
    }


def _sign(secret: Secret, policy: str) -> str:
    digest = hmac.new(secret.bytes, f"policy\n{policy}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
