"""A small server that speaks as vLLM-Omni and SGLang Diffusion do, by their public documents.

It makes real files: pictures in one colour, films of moving grey. Faults are asked for by name and
happen once each, to the next request of that kind.
"""

import asyncio
import base64
import io
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
from aiohttp import BodyPartReader, web
from PIL import Image

MODEL = "Qwen/Qwen-Image"


class Omni:
    """What was asked, what is in the making, and what is to go wrong."""

    def __init__(self, flavour: str = "vllm-omni") -> None:
        self.flavour = flavour
        self.url = ""
        self.key = ""
        self.models = [MODEL]
        self.asked: list[tuple[str, dict[str, Any]]] = []  # (path, fields) of creates
        self.files: list[bytes] = []
        self.films: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, list[str]] = {}
        self.healthy = True
        self.drawn = asyncio.Event()  # clear it to hold pictures back
        self.drawn.set()
        self.looks_needed = 2
        self.snap = 1  # sides are cut to a multiple of it, as some models do
        self.most_frames = 1000
        self.sound = False
        self._ids = itertools.count()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_get("/health", self.health)
        app.router.add_get("/v1/models", self.listing)
        app.router.add_post("/v1/images/generations", self.generations)
        app.router.add_post("/v1/images/edits", self.edits)
        app.router.add_post("/v1/videos", self.create)
        app.router.add_get("/v1/videos/{id}", self.retrieve)
        app.router.add_delete("/v1/videos/{id}", self.delete)
        app.router.add_get("/v1/videos/{id}/content", self.content)
        return app

    def restart(self) -> None:
        """Forget every film, as a restart does."""
        self.films.clear()

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.healthy else 503)

    async def listing(self, request: web.Request) -> web.Response:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        data = [{"id": name, "object": "model", "owned_by": "them"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def generations(self, request: web.Request) -> web.StreamResponse:
        fields = await request.json()
        return await self._draw(request, fields)

    async def edits(self, request: web.Request) -> web.StreamResponse:
        fields, files = await _form(request)
        if not files.get("image"):
            return _detail(422, "Field 'image' or 'url' is required")
        self.files += files["image"]
        return await self._draw(request, fields)

    async def _draw(self, request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        self.asked.append((request.path, fields))
        await self.drawn.wait()
        if (trouble := await self._trouble("picture", request)) is not None:
            return trouble
        width, height = (int(side) // self.snap * self.snap for side in fields["size"].split("x"))
        one = {"b64_json": base64.b64encode(picture(int(fields["seed"]), width, height)).decode()}
        return web.json_response({"created": 1, "data": [one], "output_format": "png"})

    async def create(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "application/json":
            if self.flavour == "vllm-omni":
                missing = {"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}
                return web.json_response({"detail": [missing]}, status=422)
            fields: dict[str, Any] = await request.json()
        else:
            fields, files = await _form(request)
            self.files += files.get("input_reference", [])
            if self.flavour == "sglang" and not files.get("input_reference"):
                return _detail(400, "input_reference file or reference_url is required")
        self.asked.append((request.path, fields))
        if (trouble := await self._trouble("create", request)) is not None:
            return trouble
        film = {
            "id": f"video_gen_{next(self._ids)}",
            "object": "video",
            "status": "queued",
            "progress": 0,
            "created_at": 1,
            "seconds": fields["seconds"],
            "size": fields["size"],
        }
        self.films[str(film["id"])] = {"told": film, "fields": fields, "looks": 0}
        return web.json_response(film)

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        if (trouble := await self._trouble("look", request)) is not None:
            return trouble
        film = self.films.get(request.match_info["id"])
        if film is None:
            return _detail(404, "Video not found")
        told, film["looks"] = film["told"], film["looks"] + 1
        if waiting := self.faults.get("film"):
            code = int(waiting.pop(0))
            told |= {"status": "failed", "error": {"code": code, "message": f"Film error {code}."}}
            status = code if self.flavour == "vllm-omni" else 200
            return web.json_response(told, status=status)
        if film["looks"] >= self.looks_needed:
            told |= {"status": "completed", "progress": 100}
        else:
            told |= {"status": "in_progress", "progress": 50}
        return web.json_response(told)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        if self.films.pop(request.match_info["id"], None) is None:
            return _detail(404, "Video not found")
        return web.json_response({"id": request.match_info["id"], "deleted": True})

    async def content(self, request: web.Request) -> web.StreamResponse:
        made = self.films.get(request.match_info["id"])
        if made is None:
            return _detail(404, "Video not found")
        if (trouble := await self._trouble("content", request)) is not None:
            return trouble
        fields = made["fields"]
        size = tuple(int(side) // self.snap * self.snap for side in fields["size"].split("x"))
        count, fps = min(int(fields["num_frames"]), self.most_frames), int(fields["fps"])
        body = await asyncio.to_thread(film, size, count, fps, self.sound)  # type: ignore[arg-type]
        return web.Response(body=body, content_type="video/mp4")

    async def _trouble(self, what: str, request: web.Request) -> web.StreamResponse | None:
        """Let go wrong what is to go wrong next."""
        if not (waiting := self.faults.get(what)):
            return None
        fault = waiting.pop(0)
        if fault == "cut":
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            await response.write(b'{"data": [')
            assert request.transport is not None
            request.transport.close()
            return response
        if fault == "garbage":
            return web.Response(text="<html>It works!</html>")
        if fault == "no picture":
            one = {"b64_json": base64.b64encode(b"This is no picture.").decode()}
            return web.json_response({"data": [one]})
        return _detail(int(fault), f"Error {fault} as asked.")


def picture(seed: int, width: int, height: int) -> bytes:
    """Return a PNG in a colour that follows from the seed."""
    colour = (seed * 67 % 256, seed * 31 % 256, seed * 13 % 256)
    into = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(into, "PNG")
    return into.getvalue()


def film(size: tuple[int, int], count: int, fps: int, sound: bool = False) -> bytes:
    """Return an MP4 of `count` frames, each a little lighter."""
    into = io.BytesIO()
    with av.open(into, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        voice = out.add_stream("aac", rate=48_000, layout="stereo") if sound else None
        for number in range(count):
            grey = np.full((size[1], size[0], 3), number % 256, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode(None))
        if voice is not None:
            for number in range(count * 48_000 // fps // 1024):
                quiet = np.zeros((2, 1024), np.float32)
                frame = av.AudioFrame.from_ndarray(quiet, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = 48_000, number * 1024
                out.mux(voice.encode(frame))
            out.mux(voice.encode(None))
    return into.getvalue()


async def _form(request: web.Request) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    """Read multipart/form-data: fields, and files by role."""
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        assert part.name
        if part.filename:
            files.setdefault(part.name, []).append(bytes(await part.read()))
        else:
            fields[part.name] = (await part.read()).decode()
    return fields, files


def _detail(status: int, why: str) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"detail": why}), content_type="application/json"
    )


@asynccontextmanager
async def omni(flavour: str = "vllm-omni", port: int = 0) -> AsyncIterator[Omni]:
    """Run such a server on loopback, in this loop."""
    server = Omni(flavour)
    async with running(server, port):
        yield server


@asynccontextmanager
async def running(server: Omni, port: int = 0) -> AsyncIterator[None]:
    """Have a server listen; it keeps what it knows when it comes to listen again."""
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()
