"""What a task is, and every move that it can make."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from ferrotype.media import Produced


class Status(StrEnum):
    """Where a task stands. (`UNKNOWN` is no status: it is how the wire says "no such task".)"""

    PENDING = "PENDING"  # accepted and durable; waits for its turn, its lane or its next attempt
    RUNNING = "RUNNING"  # a worker holds it
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Move(StrEnum):
    """What can happen to a task. The name is also the event written with it."""

    ADD = "add"
    ADMIT = "admit"
    CLAIM = "claim"
    PROGRESS = "progress"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    ASK_STOP = "ask_stop"
    STOPPED = "stopped"
    GIVE_BACK = "give_back"
    FAULT = "fault"
    WITHDRAW = "withdraw"
    UNSERVED = "unserved"
    DUE = "due"
    ABANDON = "abandon"
    LOSE = "lose"
    TIME_OUT = "time_out"
    REQUEUE = "requeue"
    DROP = "drop"
    EXPIRE = "expire"


class Who(StrEnum):
    """Who may make a move."""

    SERVICE = "service"
    OWNER = "owner"
    WORKER = "worker"
    JANITOR = "janitor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Rule:
    """From where a move may start, where it ends, and what else must hold.

    `target` None leaves the status as it is (or, for `expire`, removes the task).
    `holder`: only the worker whose lease names the task's current attempt.
    `claimed`: True asks for an earlier claim (attempt > 0), False for none, None does not ask.
    `stopping`: True asks that a stop was asked for, False that none was, None does not ask.
    `if_stopping`: the target instead, when a stop was asked for.
    `if_exhausted`: the target instead, when this was the last fault the task may have.
    """

    sources: frozenset[Status]
    target: Status | None
    who: frozenset[Who]
    holder: bool = False
    claimed: bool | None = None
    stopping: bool | None = None
    if_stopping: Status | None = None
    if_exhausted: Status | None = None


def _from(*statuses: Status) -> frozenset[Status]:
    return frozenset(statuses)


def _by(*who: Who) -> frozenset[Who]:
    return frozenset(who)


_P, _R, _C, _F = Status.PENDING, Status.RUNNING, Status.CANCELED, Status.FAILED

RULES: Mapping[Move, Rule] = {
    Move.ADD: Rule(frozenset(), _P, _by(Who.SERVICE)),
    Move.ADMIT: Rule(_from(_P), _P, _by(Who.SERVICE, Who.JANITOR)),
    Move.DUE: Rule(_from(_P), _P, _by(Who.JANITOR, Who.WORKER)),
    Move.CLAIM: Rule(_from(_P), _R, _by(Who.WORKER), stopping=False),
    Move.PROGRESS: Rule(_from(_R), _R, _by(Who.WORKER), holder=True),
    Move.SUCCEED: Rule(_from(_R), Status.SUCCEEDED, _by(Who.WORKER), holder=True),
    Move.FAIL: Rule(_from(_R), _F, _by(Who.WORKER), holder=True),
    Move.TIME_OUT: Rule(_from(_R), _F, _by(Who.WORKER, Who.JANITOR), holder=True),
    Move.STOPPED: Rule(_from(_R), _C, _by(Who.WORKER), holder=True, stopping=True),
    Move.GIVE_BACK: Rule(_from(_R), _P, _by(Who.WORKER), holder=True, if_stopping=_C),
    Move.FAULT: Rule(_from(_R), _P, _by(Who.WORKER), holder=True, if_stopping=_C, if_exhausted=_F),
    Move.LOSE: Rule(_from(_R), _P, _by(Who.JANITOR), if_stopping=_C),
    Move.CANCEL: Rule(_from(_P), _C, _by(Who.OWNER), claimed=False),
    Move.WITHDRAW: Rule(_from(_P), _C, _by(Who.OWNER, Who.SERVICE), claimed=True),
    Move.ASK_STOP: Rule(_from(_R), _R, _by(Who.OWNER, Who.SERVICE, Who.JANITOR)),
    Move.ABANDON: Rule(_from(_P), _C, _by(Who.JANITOR)),
    Move.UNSERVED: Rule(_from(_P), _F, _by(Who.JANITOR)),
    Move.REQUEUE: Rule(_from(_R), _P, _by(Who.OPERATOR), if_stopping=_C),
    Move.DROP: Rule(_from(_P, _R), _F, _by(Who.OPERATOR)),
    Move.EXPIRE: Rule(_from(Status.SUCCEEDED, _F, _C), None, _by(Who.JANITOR)),
}

FINAL = frozenset(Status) - frozenset().union(
    *(rule.sources for rule in RULES.values() if rule.target is not None)
)

TOLD = frozenset({Status.SUCCEEDED, Status.FAILED})  # ends of which receivers of events are told
MAX_FAULTS = 3
FAULT_PAUSES = (5.0, 20.0)  # seconds before the second and the third try
LONELY_AFTER = 20  # claims after which a task runs alone, with a pause before each
LONELY_PAUSE = 60.0


class Rehearsed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a rehearsal asks of a task: seconds to stay RUNNING at least, outputs that fail by their
    index (code, message), and whether inputs that cannot be had are replaced."""

    running: float = 0.0
    failed: dict[int, tuple[str, str]] = {}
    placeholders: bool = False


class Order(Struct, frozen=True, kw_only=True):
    """One checked request, in our words: what an engine is asked to make.

    `size` is (width, height) in pixels. `inputs` maps a role to the URLs the caller named.
    `fields` holds every other checked field of the catalogue by name, defaults filled in.
    `posted`: the caller's body, kept only for a server that it is passed on to.
    """

    kind: str
    prompt: str
    negative: str = ""
    size: tuple[int, int]
    n: int = 1
    seed: int
    fields: dict[str, Any] = {}
    inputs: dict[str, list[str]] = {}
    duration: float | None = None
    fps: int | None = None
    rehearsed: Rehearsed | None = None
    posted: dict[str, Any] | None = None


class NewTask(Struct, frozen=True, kw_only=True):
    """What `add` writes: an order, whose it is and how it is to be served.

    `route` is the create path after `/api/v1/services/aigc/`; `total` the number of outputs asked
    for; `served_by` "engine; label"; `attended_for` seconds that its caller's attendance lasts
    (None: nobody attends); `delay` seconds before the first claim; `idempotency` the caller's key
    with the SHA-256 of path and body; `refusal` (code, message) that the task must end FAILED with,
    known at create but told at the task. `id`: from `new_task_id`, where it must be known before.
    `shape`: tasks of a model that are alike in it may run in one call ("": it never does).
    """

    account: str
    key: str
    model: str
    route: str
    order: Order
    request_id: str
    served_by: str
    total: int = 1
    priority: int = 0
    shape: str = ""
    attended_for: float | None = None
    delay: float = 0.0
    idempotency: tuple[str, bytes] | None = None
    refusal: tuple[str, str] | None = None
    id: str | None = None


MAX_MEASURE = 2**53


class Result(Struct, frozen=True, kw_only=True):
    """What a SUCCEEDED task made. `kid` names the secret that signs its URLs; fixed at settle."""

    outputs: tuple[Produced, ...]
    usage: dict[str, Any]
    shown: dict[str, Any]
    kid: str = ""

    def numbers(self) -> dict[str, float]:
        """Return the measures of its usage that can be added up.

        An upstream may have told it: names that no database takes, and numbers that are none, are
        left out.
        """
        return {
            name: value
            for name, value in self.usage.items()
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) < MAX_MEASURE
            and name.isprintable()
        }


class Task(Struct, frozen=True, kw_only=True):
    """One create request and its life, as the ledger holds it. Times are UTC."""

    id: str
    account: str
    key: str
    model: str
    route: str
    served_by: str
    status: Status
    total: int
    attempt: int = 0
    faults: int = 0
    submit_at: datetime
    first_claim_at: datetime | None = None
    claim_at: datetime | None = None
    end_at: datetime | None = None
    expires_at: datetime | None = None
    stop_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    progress: float = 0.0
    result: Result | None = None

    @property
    def ended(self) -> bool:
        """True once nothing can happen to it any more."""
        return self.status in FINAL


class Lease(Struct, frozen=True):
    """The right to write about a task: named by every write of the worker that holds it."""

    task: str
    attempt: int
    worker: str


class Event(Struct, frozen=True, kw_only=True):
    """A move that was made, written in the same transaction."""

    task: str
    attempt: int
    move: Move
    at: datetime
    who: str
    why: str = ""


def shape_of(order: Order) -> str:
    """Return what orders of a model have in common that can be made in one call: all but the words
    and the seed. "" for one with files, which is made alone."""
    if order.inputs or order.rehearsed:
        return ""
    alike = (
        order.kind,
        order.size,
        order.n,
        order.duration,
        order.fps,
        sorted(order.fields.items()),
    )
    return sha256(msgspec.json.encode(alike)).hexdigest()[:16]


def new_task_id() -> str:
    """Return a UUIDv7: 48 bits of milliseconds, then 74 random bits (RFC 9562, section 5.7).

    Spelled by hand: one is made for each of 6,000 a second.
    """
    time_, chance = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10).hex()
    variant = "89ab"[int(chance[3], 16) & 3]
    return f"{time_[:8]}-{time_[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def day_of(task_id: str) -> str:
    """Return the day (yyyymmdd, UTC) that a task's id tells of, "" for one of another make."""
    if len(task_id) != 36 or task_id[14] != "7":
        return ""
    millis = int(task_id[:8] + task_id[9:13], 16)
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%Y%m%d}"
