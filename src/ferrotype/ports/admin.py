"""Accounts, keys, secrets, caps: what an operator keeps in the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ferrotype.task import Task


class Key(Struct, frozen=True, kw_only=True):
    """An API key as the ledger knows it: never the key itself, only its SHA-256 and a hint."""

    id: str
    account: str
    name: str
    hint: str
    scope: str = "caller"
    priority: int = 0
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class Secret(Struct, frozen=True):
    """A key that signs result URLs, named by `kid`; the newest one signs, all of them verify."""

    kid: str
    bytes: bytes


class WorkerSeen(Struct, frozen=True, kw_only=True):
    """A worker's row, as `doctor` and `models` show it. `age` is seconds since its renewal."""

    id: str
    host: str
    pid: int
    version: str
    models: tuple[str, ...]
    devices: tuple[str, ...] = ()
    age: float


class Stuck(Struct, frozen=True):
    """Open tasks that were claimed `LONELY_AFTER` times or more: how many, and some ids."""

    count: int
    task_ids: tuple[str, ...]


class Admin(Protocol):
    """What operators, the door (keys) and tests ask of a ledger."""

    async def make_account(self, name: str) -> str:
        """Return the account's id, making the account when there is none of that name."""

    async def accounts(self) -> Mapping[str, str]:
        """Return the name of every account by its id."""

    async def add_key(
        self, account: str, name: str, key: str, *, scope: str = "caller", priority: int = 0
    ) -> Key:
        """Store a key's SHA-256. Raises `Conflict` when that very key is known already."""

    async def find_key(self, sha256: bytes) -> Key | None:
        """Return the live key (not revoked, not expired) with that digest, or None."""

    async def keys(self) -> Sequence[Key]:
        """Return all keys, the oldest first."""

    async def revoke_key(self, key_id: str) -> Key:
        """Revoke by id or name. Raises `Missing`, or `Conflict` when the name is not unique."""

    async def secrets(self) -> Sequence[Secret]:
        """Return the live signing secrets, the newest first, making the first one if none is."""

    async def rotate_secret(self) -> Secret:
        """Make a new signing secret; the one before stays valid for what it has signed."""

    async def set_cap(self, account: str | None, model: str | None, n: int | None) -> None:
        """Limit ready + running tasks per (account, model); None is "any"; n None removes it."""

    async def set_profile(self, caps_by_model: Mapping[str, int]) -> None:
        """Make these the caps of any account by model, where no cap of the operator's matches.

        They take the place of what this was told before; {} takes them all away.
        """

    async def requeue(self, task_id: str, why: str) -> Task:
        """RUNNING -> PENDING without a fault (CANCELED if a stop was asked for), or `Conflict`."""

    async def drop(self, task_id: str, why: str) -> Task:
        """PENDING or RUNNING -> FAILED `InternalError` with `why` as its message, or `Conflict`."""

    async def workers(self) -> Sequence[WorkerSeen]:
        """Return the workers that are enrolled now."""

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many tasks there are by (model, status), expired ones left out."""

    async def stuck(self, limit: int) -> Stuck:
        """Return what is stuck, with the ids of the oldest, up to `limit`."""

    async def set_clock_offset(self, seconds: float) -> None:
        """Move the ledger's clock, for tests; refused unless the ledger was opened for tests."""
