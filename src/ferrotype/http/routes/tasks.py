"""/api/v1/tasks: query one, list many, cancel one."""

import asyncio

from ferrotype.catalogue import Catalogue
from ferrotype.http import wire
from ferrotype.http.exchange import Exchange, served_by
from ferrotype.links import Links
from ferrotype.ports.ledger import Page
from ferrotype.service import Service
from ferrotype.task import Task

TASK_TYPE = b"application/json;charset=UTF-8"


class Tasks:
    """Shows callers their tasks. `hold` seconds may a query wait for its task's end."""

    def __init__(
        self, service: Service, catalogue: Catalogue, links: Links, *, hold: float, region: str
    ) -> None:
        self._service = service
        self._catalogue = catalogue
        self._links = links
        self._hold = hold
        self._region = region

    async def query(self, exchange: Exchange) -> None:
        """Answer with the task as it stands; whatever is no task of the caller's is UNKNOWN."""
        task_id = exchange.part
        task = await self._service.get(exchange.caller, task_id, self._hold)
        if task is None:
            await exchange.reply(200, wire.unknown(exchange.request_id, task_id), (), TASK_TYPE)
        else:
            await self.answer(exchange, task)

    async def answer(self, exchange: Exchange, task: Task) -> None:
        """Write a task with the links of its files."""
        urls: list[str] = []
        if task.result:
            urls = [
                await self._url(exchange.base, task, output.key) if output.key else ""
                for output in task.result.outputs
            ]
        body = wire.queried(
            exchange.request_id, task, urls, metrics=self._has_metrics(task.model, task.route)
        )
        await exchange.reply(200, body, served_by(task.served_by), TASK_TYPE)

    async def _url(self, base: str, task: Task, key: str) -> str:
        assert task.result and task.expires_at
        query = await self._links.sign(task.result.kid, key, task.expires_at)
        return f"{base}/files/{key}?{query}"

    def _has_metrics(self, model: str, route: str) -> bool:
        """Ask the catalogue; a model that it has lost since the create is written as most are."""
        try:
            return self._catalogue.on_route(model, route).task_metrics
        except KeyError:
            return True

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
        await exchange.reply(200, wire.cancelled(exchange.request_id), (), TASK_TYPE)
