"""Which endpoint answers a path. One table, looked through from the top: busy ones stand there."""

import re
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from ferrotype.errors import Missing
from ferrotype.http.exchange import Exchange
from ferrotype.http.faults import WrongMethod

Handler = Callable[[Exchange], Awaitable[None]]
METHODS = {"GET": ("GET", "HEAD"), "POST": ("POST",), "DELETE": ("DELETE",)}


class Route(Struct, frozen=True):
    """An endpoint, its name in logs and counters, and the paths that it answers.

    A pattern may have one group: the part of the path that the endpoint is told. GET means HEAD
    too.
    """

    name: str
    method: str
    pattern: str
    handle: Handler


class Table:
    """The routes of a face."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._rows = [
            (re.compile(route.pattern).fullmatch, METHODS[route.method], route) for route in routes
        ]

    def find(self, exchange: Exchange) -> Handler:
        """Return who answers, telling the exchange so. Raises `Missing` or `WrongMethod`."""
        path = exchange.path[:-1] if exchange.path[-1:] == "/" else exchange.path
        allowed: list[str] = []
        for match, methods, route in self._rows:
            found = match(path)
            if found is None:
                continue
            if exchange.scope["method"] not in methods:
                allowed += methods
                continue
            exchange.route = route.name
            exchange.part = found[1] if found.lastindex else ""
            return route.handle
        raise WrongMethod(allowed) if allowed else Missing()
