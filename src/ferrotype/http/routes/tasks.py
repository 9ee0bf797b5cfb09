"""/api/v1/tasks: query one, list many, cancel one."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from ferrotype.catalogue import Catalogue, Model
from ferrotype.errors import Broken
from ferrotype.http import wire
from ferrotype.http.exchange import Exchange, served_by
from ferrotype.links import Links
from ferrotype.ports.ledger import Page
from ferrotype.ports.media_store import MediaStore
from ferrotype.rehearsal import Rehearsal
from ferrotype.service import Service
from ferrotype.task import Task

TASK_TYPE = b"application/json;charset=UTF-8"


class Tasks:
    """Shows callers their tasks. `hold` seconds may a query wait for its task's end."""

    def __init__(
        self,
        service: Service,
        catalogue: Catalogue,
        links: Links,
        store: MediaStore,
        hold: float,
        region: str,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self._service = service
        self._catalogue = catalogue
        self._links = links
        self._store = store
        self._hold = hold
        self._region = region
        self._rehearsal = rehearsal

    async def query(self, exchange: Exchange) -> None:
        """Answer with the task as it stands; whatever is no task of the caller's is UNKNOWN."""
        task_id = exchange.part
        task = await self._service.get(exchange.caller, task_id, self._hold)
        if task and self._rehearsal and await self._rehearsal.query(task):
            task = None
        if task is None:
            await exchange.reply(200, wire.unknown(exchange.request_id, task_id), (), TASK_TYPE)
        else:
            exchange.task, exchange.span = task.id, "query" if task.ended else ""
            await self.answer(exchange, task)

    async def answer(self, exchange: Exchange, task: Task) -> None:
        """Write a task with the links of its files."""
        urls, model = await self.urls(exchange.base, task), self._model(task)
        body = wire.queried(exchange.request_id, task, urls, model)
        await exchange.reply(200, body, served_by(task.served_by), TASK_TYPE)

    async def answer_now(self, exchange: Exchange, task: Task) -> None:
        """Write what a task made to the caller who waited for it."""
        model = self._model(task)
        if model is None or model.dialect != "choices":
            await self.answer(exchange, task)
            return
        urls = await self.urls(exchange.base, task)
        body = wire.answered(exchange.request_id, task, urls, model)
        await exchange.reply(200, body, served_by(task.served_by))

    async def parts(self, exchange: Exchange, task: Task) -> Iterator[bytes]:
        """Write what a task made part by part. Raises `Broken` when its model is gone."""
        model = self._model(task)
        if model is None:
            raise Broken()
        urls = await self.urls(exchange.base, task)
        return wire.streamed(exchange.request_id, task, urls, model)

    async def urls(self, base: str, task: Task) -> list[str]:
        """Return the signed links of what a task made, "" for what failed."""
        outputs = task.result.outputs if task.result else ()
        until = task.expires_at
        if self._rehearsal and await self._rehearsal.urls_ended(task):
            until = task.submit_at
        return [await self._url(base, task, one.key, until) if one.key else "" for one in outputs]

    async def _url(self, base: str, task: Task, key: str, until: datetime | None) -> str:
        assert task.result and until
        if (direct := await self._store.link(key, until)) is not None:
            return direct
        query = await self._links.sign(task.result.kid, key, until)
        return f"{base}/files/{key}?{query}"

    def _model(self, task: Task) -> Model | None:
        """Ask the catalogue, which may have lost the model since the create."""
        try:
            return self._catalogue.on_route(task.model, task.route)
        except KeyError:
            return None

    async def list(self, exchange: Exchange) -> None:
        """Answer with a page of the account's tasks, the newest first."""
        asked = exchange.query()
        query = wire.read_list(asked)
        page = await self._service.list(exchange.caller, query) if query else Page(0, ())
        number, size = wire.read_page(asked)
        body = wire.listed(exchange.request_id, page, number, size, region=self._region)
        await exchange.reply(200, body, (), TASK_TYPE)

    async def cancel(self, exchange: Exchange) -> None:
        """Cancel a task that still waits. The body, which some clients send, says nothing."""
        await asyncio.shield(self._service.cancel(exchange.caller, exchange.part))
        exchange.task, exchange.span = exchange.part, "cancel"
        await exchange.reply(200, wire.cancelled(exchange.request_id), (), TASK_TYPE)
