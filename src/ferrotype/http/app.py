"""The face itself: one request in, one answer out."""

import time
from collections.abc import Collection, Sequence

from msgspec import Struct
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ferrotype import metrics, traces
from ferrotype.catalogue import Catalogue
from ferrotype.http import wire
from ferrotype.http.access import AccessLog
from ferrotype.http.body import Limits
from ferrotype.http.door import Door
from ferrotype.http.exchange import Exchange, Header
from ferrotype.http.faults import (
    BodyTooLarge,
    BodyTooSlow,
    WrongMethod,
    code_of,
    known,
    status_of,
)
from ferrotype.http.host import Hosts
from ferrotype.http.openapi import describe
from ferrotype.http.routes.creates import Creates
from ferrotype.http.routes.description import Description
from ferrotype.http.routes.files import Files
from ferrotype.http.routes.health import Health
from ferrotype.http.routes.models import Models
from ferrotype.http.routes.rehearsal import Rules
from ferrotype.http.routes.tasks import Tasks
from ferrotype.http.routes.uploads import PATH, UploadRoutes
from ferrotype.http.routing import Route, Table
from ferrotype.keyring import Keyring
from ferrotype.links import Links
from ferrotype.ports.media_store import MediaStore
from ferrotype.rehearsal import Rehearsal
from ferrotype.service import Service
from ferrotype.uploads import Uploads

API = "/api/v1"


class Options(Struct, frozen=True, kw_only=True):
    """What an operator may set. `hold` is the most seconds that a query waits for an end."""

    hold: float = 0.0
    region: str = "ap-southeast-1"
    region_hosts: bool = False
    public_url: str | None = None
    allowed_hosts: Collection[str] = ()
    trusted_proxies: Collection[str] = ()
    workspaces: Collection[str] = ()
    limits: Limits = Limits()


class Face:
    """An ASGI application: looks at the door, finds the route, and turns errors into answers."""

    def __init__(self, door: Door, routes: Sequence[Route], access: AccessLog) -> None:
        self._door = door
        self._access = access
        self._table = Table(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"This application speaks HTTP, not {scope['type']}.")
        exchange = Exchange(scope, receive, send)
        try:
            await self._door.admit(exchange)
            await self._table.find(exchange)(exchange)
        except ClientDisconnect:
            pass
        except Exception as error:
            if exchange.status:
                raise
            await _tell(exchange, error)
        finally:
            self._note(exchange)

    def _note(self, exchange: Exchange) -> None:
        took = (time.perf_counter_ns() - exchange.started) / 1e9
        metrics.requests(exchange.route, exchange.status).observe(took)
        metrics.sent_bytes(exchange.route).inc(exchange.sent)
        self._access.note(exchange)
        if exchange.span and traces.listening():
            traces.tell(exchange.task, exchange.as_span())


async def _tell(exchange: Exchange, error: Exception) -> None:
    """Answer with an error, in the vendor's form."""
    extra: list[Header] = []
    if isinstance(error, WrongMethod):
        extra.append((b"allow", error.allowed))
    told = known(error, exchange)
    status = status_of(told)
    if isinstance(error, BodyTooLarge | BodyTooSlow):
        extra.append((b"connection", b"close"))
    if status >= 500 and exchange.committed:
        extra.append((b"x-should-retry", b"false"))
    await exchange.reply(
        status, wire.fault(exchange.request_id, code_of(told), told.message), extra
    )


def build(
    service: Service,
    keyring: Keyring,
    links: Links,
    store: MediaStore,
    uploads: Uploads,
    catalogue: Catalogue,
    options: Options,
    access: AccessLog,
    rehearsal: Rehearsal | None = None,
) -> Face:
    """Put the face together."""
    region = options.region if options.region_hosts else None
    hosts = Hosts(options.allowed_hosts, options.public_url, options.trusted_proxies, region)
    door = Door(keyring, hosts, options.workspaces)
    told = options.hold, options.region
    tasks = Tasks(service, catalogue, links, store, *told, rehearsal)
    creates = Creates(service, tasks, options.limits)
    models = Models(service, catalogue)
    files = Files(service, links, store)
    taking = UploadRoutes(uploads, catalogue, options.limits)
    health = Health(service)
    description = Description(describe(catalogue))
    routes = [
        Route("query", "GET", f"{API}/tasks/([^/]+)", tasks.query),
        Route("create", "POST", f"{API}/services/aigc/(.+)", creates.create),
        Route("file", "GET", "/files/(.+)", files.read),
        Route("list", "GET", f"{API}/tasks", tasks.list),
        Route("cancel", "POST", f"{API}/tasks/([^/]+)/cancel", tasks.cancel),
        Route("models", "GET", f"{API}/models", models.list),
        Route("policy", "GET", f"{API}/uploads", taking.policy),
        Route("upload", "POST", PATH, taking.take),
        *Rules(rehearsal).routes(),
        Route("openapi", "GET", "/openapi.json", description.read),
        Route("health", "GET", "/healthz", health.alive),
        Route("ready", "GET", "/readyz", health.ready),
    ]
    return Face(door, routes, access)
