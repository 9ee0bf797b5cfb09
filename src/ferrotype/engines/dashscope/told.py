"""What an upstream's answers mean: whose trouble an error is, and whether a task may be sent again.

Only an error in the vendor's own shape (`code`, `message`, `request_id`, in JSON) proves that the
upstream itself has refused a request. What anything between it and us says proves nothing.
"""

import math
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import Struct

# Of these, not of the request: the account, its key, or what the region has.
_REGION = frozenset(
    {
        "AccessDenied.Unpurchased",
        "AllocationQuota.FreeTierOnly",
        "App.AccessDenied",
        "Arrearage",
        "CommodityNotPurchased",
        "InvalidApiKey",
        "Model.AccessDenied",
        "Model.NotExist",
        "ModelNotFound",
        "NOT AUTHORIZED",
        "PostpaidBillOverdue",
        "PrepaidBillOverdue",
        "WorkSpaceNotFound",
        "Workspace.AccessDenied",
    }
)
_MODE = "does not support"  # "current user api does not support synchronous calls"
_NO_MODEL = "model not exist"  # how older gateways say ModelNotFound
_LONGEST_WAIT = 600.0  # seconds that a Retry-After is believed


class Meaning(Enum):
    """Whose trouble an error of an upstream is."""

    REQUEST = auto()  # the task is refused, here as there
    REGION = auto()  # the account's or the region's: another may take it
    PACE = auto()  # too much at once: later
    UNCLEAR = auto()  # it may have been accepted all the same


class Reply(Struct, frozen=True, kw_only=True):
    """An answer: its status, its headers in lower case, and its whole body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """Return the JSON object in the body, or an empty one when there is none."""
        try:
            read = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def output(self) -> dict[str, Any]:
        """Return its `output`, or an empty object."""
        output = self.said.get("output")
        return output if isinstance(output, dict) else {}

    @property
    def request_id(self) -> str:
        """Return the upstream's id of the request, as far as it told one."""
        return str(self.said.get("request_id") or self.headers.get("x-request-id") or "")

    @property
    def wait(self) -> float | None:
        """Return the seconds of `Retry-After`, when it says some."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return min(seconds, _LONGEST_WAIT) if math.isfinite(seconds) and seconds >= 0 else None


class Error(Struct, frozen=True, kw_only=True):
    """An error that the upstream itself told."""

    status: int
    code: str
    message: str
    request_id: str
    wait: float | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    @property
    def meaning(self) -> Meaning:
        """Say whose trouble it is."""
        if self.code in _REGION or self.status == 401:
            return Meaning.REGION
        if self.status in (429, 503) or (self.status < 500 and self.code.startswith("Throttling")):
            return Meaning.PACE
        if not 400 <= self.status < 500:
            return Meaning.UNCLEAR
        if self.code == "AccessDenied" and _MODE not in self.message:
            return Meaning.REGION
        if _NO_MODEL in self.message.lower():
            return Meaning.REGION
        return Meaning.REQUEST


def error_of(reply: Reply) -> Error | None:
    """Return the error that an answer tells in the vendor's own shape, or None."""
    if reply.status < 400 or "application/json" not in reply.headers.get("content-type", ""):
        return None
    return _error(reply.status, reply.said, reply.wait)


def streamed_error(said: dict[str, Any], status: int = 400) -> Error | None:
    """Return the error that an event of a stream tells, or None."""
    return _error(status, said, None)


def _error(status: int, said: dict[str, Any], wait: float | None) -> Error | None:
    code, message, id = (said.get(name) for name in ("code", "message", "request_id"))
    if not (isinstance(code, str) and code and isinstance(message, str) and isinstance(id, str)):
        return None
    return Error(status=status, code=code, message=message, request_id=id, wait=wait)
