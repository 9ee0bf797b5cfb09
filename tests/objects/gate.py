"""A gate before an S3 server, which fails as such servers do when a test wants it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from yarl import URL

EXPIRED = """<?xml version="1.0"?><Error><Code>ExpiredToken</Code>
<Message>The provided token has expired.</Message></Error>"""


class Gate:
    """Forwards each request as it came, unless `trouble` says otherwise.

    `trouble`: 500, "expired", "cut" or a number of seconds (a float) that an answer takes;
    `times`: how often, None for as long as it is set; `method`: to which requests.
    """

    def __init__(self, there: str) -> None:
        self._there = there
        self.trouble: int | float | str | None = None
        self.times: int | None = None
        self.method = "PUT"
        self.struck = 0
        self.answered: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.read()
        self.answered.append(request.method)
        if self._strikes(request.method):
            self.struck += 1
            if self.trouble == "cut":
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            if self.trouble == "expired":
                return web.Response(status=403, text=EXPIRED, content_type="application/xml")
            if isinstance(self.trouble, float):
                await asyncio.sleep(self.trouble)
            else:
                return web.Response(status=500, text="broken")
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self._there + request.raw_path, encoded=True),
                headers=request.headers,
                data=body,
                skip_auto_headers=["User-Agent", "Content-Type"],
            ) as answer,
        ):
            kept = {"etag", "content-type", "last-modified", "content-disposition"}
            headers = {
                name: value for name, value in answer.headers.items() if name.lower() in kept
            }
            if request.method == "HEAD":
                headers["Content-Length"] = answer.headers.get("Content-Length", "0")
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)

    def _strikes(self, method: str) -> bool:
        if self.trouble is None or method != self.method or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@asynccontextmanager
async def before(there: str) -> AsyncIterator[Gate]:
    """Open a gate before a server."""
    gate = Gate(there)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{rest:.*}", gate.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield gate
    finally:
        await runner.cleanup()
