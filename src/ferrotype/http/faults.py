"""Which HTTP status an error has on the wire."""

from collections.abc import Sequence

import structlog

from ferrotype import metrics
from ferrotype.errors import (
    Broken,
    Busy,
    Conflict,
    Denied,
    FerrotypeError,
    Missing,
    Refused,
    Told,
    Unauthorised,
    Unavailable,
)
from ferrotype.http.exchange import Exchange


class BodyTooLarge(Refused):
    """Payload Too Large"""

    code = "BadRequest.TooLarge"


class BodyTooSlow(Refused):
    """Request timed out, please try again later."""

    code = "RequestTimeOut"


class WrongMethod(Refused):
    """The specified method is not allowed against this resource."""

    code = "MethodNotAllowed"

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__()
        self.allowed = ", ".join(methods).encode()


STATUSES: tuple[tuple[type[FerrotypeError], int], ...] = (
    (BodyTooSlow, 408),
    (BodyTooLarge, 413),
    (WrongMethod, 405),
    (Refused, 400),
    (Unauthorised, 401),
    (Denied, 403),
    (Missing, 404),
    (Conflict, 400),
    (Unavailable, 503),
    (Busy, 429),
)

# A FAILED task holds only its code. What no pattern names is a fault of ours or of an engine.
CODES: tuple[tuple[str, int], ...] = (
    ("ModelUnavailable", 503),
    ("ModelServingError", 503),
    ("Throttling", 429),
    ("InvalidApiKey", 401),
    ("NOT AUTHORIZED", 401),
    ("AccessDenied", 403),
    ("Model.AccessDenied", 403),
    ("Workspace.AccessDenied", 403),
    ("AllocationQuota", 403),
    ("ModelNotFound", 404),
    ("WorkSpaceNotFound", 404),
    ("Invalid", 400),
    ("Arrearage", 400),
    ("BadRequest", 400),
    ("DataInspection", 400),
    ("IPInfringementSuspect", 400),
    ("UnsupportedOperation", 400),
)


def known(error: Exception, exchange: Exchange) -> FerrotypeError:
    """Count and return the error if it is one of ours.

    What nobody foresaw goes into the log, not out.
    """
    if isinstance(error, FerrotypeError):
        metrics.errors("Rehearsed" if isinstance(error, Told) else error.code).inc()
        return error
    where = {"request_id": exchange.request_id, "route": exchange.route, "task": exchange.task}
    structlog.get_logger().error("a request broke", action="request", **where, exc_info=error)
    metrics.errors(Broken.code).inc()
    return Broken()


def status_of(error: FerrotypeError) -> int:
    """Return the status by the error's branch, or by its code when it tells of a task's end."""
    if isinstance(error, Told):
        by_code = (status for start, status in CODES if error.told.startswith(start))
        return error.status or next(by_code, 500)
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def code_of(error: FerrotypeError) -> str:
    """Return the word that the wire uses for the error."""
    return error.told if isinstance(error, Told) else error.code
