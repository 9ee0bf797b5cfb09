"""A small hub of models, as the hub's own library speaks to it: names, hashes, ranges, redirects.

Large files (LFS) are answered by a redirect to a store on another port, which wants no token.
"""

import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

COMMIT = "1" * 40
LARGE = 1000  # bytes from which a file is kept apart
CHUNK = 1_000_000


def sha1_of_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


class SmallHub:
    """One model at one commit. What goes wrong is set by the test, and counted."""

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        self.name, self.files = name, dict(files)
        self.url, self.store = "", ""
        self.gated = False
        self.sizes: dict[str, int] = {}  # said in place of the true ones
        self.lies: dict[str, bytes] = {}  # sent in place of the true bytes
        self.cut: dict[str, list[int]] = {}  # close the connection after so many bytes, each once
        self.stops: dict[str, int] = {}  # send so many bytes, then no more
        self.ranges, self.abrupt = True, False  # abrupt: connections are not closed but reset
        self.stopped = asyncio.Event()
        self.asked: list[str] = []  # paths for which bytes were asked
        self.begins: dict[str, list[int]] = {}  # from which byte, by path
        self.keys: dict[str, set[str]] = {"hub": set(), "store": set()}

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what a revision holds."""
        self._see("hub", request)
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        if self.gated:
            return self._no(403, "GatedRepo")
        if name != self.name:
            return self._no(404, "RepoNotFound")
        if request.match_info["revision"] not in (COMMIT, "main"):
            return self._no(404, "RevisionNotFound")
        files = [self._sibling(path, content) for path, content in self.files.items()]
        return web.json_response({"id": name, "sha": COMMIT, "private": False, "siblings": files})

    def _sibling(self, path: str, content: bytes) -> dict[str, object]:
        size = self.sizes.get(path, len(content))
        file: dict[str, object] = {"rfilename": path, "size": size, "blobId": sha1_of_blob(content)}
        if len(content) >= LARGE:
            file["blobId"] = sha1_of_blob(b"a pointer")
            sha256 = hashlib.sha256(content).hexdigest()
            file["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 130}
        return file

    @staticmethod
    def _no(status: int, code: str) -> web.Response:
        return web.json_response({"error": code}, status=status, headers={"X-Error-Code": code})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Give a small file, or say where a large one is."""
        self._see("hub", request)
        path = request.match_info["path"]
        content = self.files[path]
        headers = {"X-Repo-Commit": COMMIT}
        if len(content) < LARGE:
            return await self._give(request, path, headers | {"ETag": f'"{sha1_of_blob(content)}"'})
        return web.Response(
            status=302,
            headers=headers
            | {
                "Location": f"{self.store}/store/{path}",
                "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Linked-Size": str(len(content)),
            },
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Give a large file."""
        self._see("store", request)
        return await self._give(request, request.match_info["path"], {})

    def _see(self, where: str, request: web.Request) -> None:
        self.keys[where].add(request.headers.get("Authorization", ""))

    async def _give(
        self, request: web.Request, path: str, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        content = self.lies.get(path, self.files[path])
        begin = 0
        if self.ranges and (asked := request.headers.get("Range")):
            begin = int(asked.removeprefix("bytes=").split("-")[0])
        answer = web.StreamResponse(status=206 if begin else 200, headers=dict(headers))
        if begin:
            answer.headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        answer.content_length = len(content) - begin
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        self.asked.append(path)
        self.begins.setdefault(path, []).append(begin)
        cuts = self.cut.get(path)
        cut, stop = cuts.pop(0) if cuts else None, self.stops.get(path)
        for at in range(begin, len(content), CHUNK):
            if stop is not None and at >= stop:
                self.stopped.set()
                await asyncio.Event().wait()
            if cut is not None and at >= cut and request.transport:
                if self.abrupt:
                    at_once = struct.pack("ii", 1, 0)
                    connection = request.transport.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                    request.transport.abort()
                request.transport.close()
                break
            await answer.write(content[at : at + CHUNK])
        return answer


@asynccontextmanager
async def running(hub: SmallHub) -> AsyncIterator[SmallHub]:
    """Listen on two ports of this machine."""
    app, store = web.Application(), web.Application()
    app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", hub.tell)
    app.router.add_get("/{owner}/{name}/resolve/{revision}/{path:.+}", hub.resolve)
    store.router.add_get("/store/{path:.+}", hub.serve)
    runners = [web.AppRunner(one, access_log=None, shutdown_timeout=0.1) for one in (app, store)]
    urls = []
    for runner in runners:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
    hub.url, hub.store = urls
    yield hub
    for runner in runners:
        await runner.cleanup()
