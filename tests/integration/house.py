"""A whole deployment but for the worker: real ledger, bell, store, catalogue and face."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from ferrotype.bells.unix import UnixBell
from ferrotype.catalogue import Catalogue
from ferrotype.http.access import AccessLog
from ferrotype.http.app import Face, Options, build
from ferrotype.http.server import serve
from ferrotype.keyring import Keyring, new_key
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.limits import VendorLimits
from ferrotype.links import Links
from ferrotype.media import Produced
from ferrotype.media_stores.local import LocalStore
from ferrotype.media_stores.local_inputs import LocalInputs
from ferrotype.ports.engine_room import Recipe
from ferrotype.ports.ledger import Claim, Ending, WorkerCard
from ferrotype.rehearsal import Rehearsal
from ferrotype.service import Options as ServiceOptions
from ferrotype.service import Service
from ferrotype.task import Result
from ferrotype.uploads import Uploads
from ferrotype.wiring.shared import SystemClock

T2I = "/api/v1/services/aigc/text2image/image-synthesis"
ASYNC = {"X-DashScope-Async": "enable"}
MODEL = "wan2.2-t2i-flash"
SERVED = "illustrator; illustration"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
ORDER = {"model": MODEL, "input": {"prompt": "a red kite"}, "parameters": {"n": 2}}


@dataclass
class House:
    """The parts, a key of the account `default`, and a worker's hand to move tasks along."""

    folder: Path
    ledger: SqliteLedger
    bell: UnixBell
    store: LocalStore
    catalogue: Catalogue
    service: Service
    uploads: Uploads
    links: Links
    keyring: Keyring
    face: Face
    key: str
    rehearsal: Rehearsal
    worker: str = "hand-1"
    made: list[str] = field(default_factory=list)

    def client(self, key: str | None = "", **more: Any) -> httpx.AsyncClient:
        """Return a client; `key` None sends none."""
        headers = {} if key is None else {"Authorization": f"Bearer {key or self.key}"}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.face),
            base_url="http://localhost",
            headers=headers,
            **more,
        )

    async def claim(self, model: str = MODEL) -> Claim:
        claim = await self.ledger.claim(self.worker, [model])
        assert claim
        return claim

    async def succeed(self, claim: Claim, *, broken: int = 0) -> None:
        """End a task with pictures; the last `broken` of them are errors."""
        outputs = []
        for i in range(claim.order.n):
            if i >= claim.order.n - broken:
                outputs.append(Produced(code="InternalError.Timeout", message="too slow"))
                continue
            day = claim.task.submit_at.strftime("%Y%m%d")
            key = f"{day}/{claim.task.id}/{claim.lease.attempt}/{i}.png"
            file = self.folder / "new.png"
            file.write_bytes(PNG)
            await self.store.put(key, file, "image/png")
            outputs.append(
                Produced(
                    key=key,
                    type="image/png",
                    bytes=len(PNG),
                    sha256=sha256(PNG).hexdigest(),
                    width=claim.order.size[0],
                    height=claim.order.size[1],
                )
            )
        model = self.catalogue.models[claim.task.model]
        result = Result(
            outputs=tuple(outputs),
            usage=model.usage(claim.order, outputs),
            shown=model.shown(claim.order),
        )
        await self.ledger.settle(claim.lease, Ending(result=result))

    async def fail(self, claim: Claim, code: str, message: str) -> None:
        await self.ledger.settle(claim.lease, Ending(code=code, message=message))


@asynccontextmanager
async def house(
    folder: Path,
    options: Options | None = None,
    service_options: ServiceOptions | None = None,
    *,
    any_key: bool = False,
    test: bool = True,
    recipes: tuple[Recipe, ...] = (Recipe(model="*", engine="illustrator", label="illustration"),),
    access: AccessLog | None = None,
    limits: VendorLimits | None = None,
) -> AsyncIterator[House]:
    """Open a deployment in a folder."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    clock = SystemClock()
    catalogue = Catalogue.load()
    with TemporaryDirectory(prefix="ft-") as run:
        async with (
            UnixBell.open(data, run_dir=Path(run)) as bell,
            SqliteLedger.open(data, bell=bell, migrate=True, limits=Limits(test=test)) as ledger,
        ):
            key = new_key()
            await ledger.add_key(await ledger.make_account("default"), "first", key)
            store = LocalStore(data / "media")
            uploads = Uploads(ledger.secrets, LocalInputs(data / "media"), store, clock)
            service = Service(
                ledger,
                catalogue,
                recipes,
                bell,
                clock,
                store,
                uploads,
                service_options,
                limits,
                rehearsal := Rehearsal(ledger, clock),
            )
            keyring = Keyring(ledger, clock, any_key=any_key)
            links = Links(ledger.secrets, clock)
            face = build(
                service,
                keyring,
                links,
                store,
                uploads,
                catalogue,
                options or Options(),
                access or AccessLog(),
                rehearsal,
            )
            found = House(
                data,
                ledger,
                bell,
                store,
                catalogue,
                service,
                uploads,
                links,
                keyring,
                face,
                key,
                rehearsal,
            )  # fmt: skip
            await ledger.enrol(
                WorkerCard(id=found.worker, host="h", pid=1, version="0", models=(MODEL,))
            )
            yield found


@asynccontextmanager
async def listening(face: Face, *, drain: float = 1.0) -> AsyncIterator[int]:
    """Serve a face on a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(face, [sock], stop, drain=drain))
        try:
            yield port
        finally:
            stop.set()
            await serving


async def say(port: int, *pieces: bytes) -> bytes:
    """Send pieces, then read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
