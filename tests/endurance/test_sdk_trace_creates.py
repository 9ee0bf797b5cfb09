"""The bodies that the official Python package (2.0.2) was seen to send to every create path, and
what each must come to: a task that succeeds, a task that fails, or a refusal.

Each stands as it was recorded, with its extra fields; only the inputs' addresses lead to files of
this machine, and what was uploaded is uploaded here too.
"""

import base64
import io
import json
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from ferrotype.testing import Server

TEXT = "text2image/image-synthesis"
EDIT = "image2image/image-synthesis"
MESSAGES = "image-generation/generation"
WAIT = "multimodal-generation/generation"
FILM = "video-generation/video-synthesis"
FRAMES = "image2video/video-synthesis"
ASYNC = {"X-DashScope-Async": "enable"}

# name: (path, waits for the answer, body; {x} is where the files are, {up} one uploaded)
SUCCEED: dict[str, tuple[str, bool, str]] = {
    "i2i images": (
        EDIT, False,
        '{"model": "wan2.5-i2i-preview", "parameters": {}, "input": {"prompt": "cat", "images": '
        '["{x}/a.png", "{data}"]}}',
    ),
    "imageedit": (
        EDIT, False,
        '{"model": "wanx2.1-imageedit", "parameters": {}, "input": {"prompt": "cat", "function": '
        '"stylization_all", "mask_image_url": "{x}/m.png", "base_image_url": "{x}/a.png"}}',
    ),
    "i2i local files": (
        EDIT, False,
        '{"model": "wan2.5-i2i-preview", "parameters": {}, "input": {"prompt": "cat", "images": '
        '["{up}", "{up}"]}}',
    ),
    "t2v": (
        FILM, False,
        '{"model": "wan2.6-t2v", "parameters": {"size": "1280*720", "duration": 5, "seed": 1, '
        '"prompt_extend": true, "watermark": false, "shot_type": "multi"}, "input": {"prompt": '
        '"cat", "extend_prompt": true, "negative_prompt": "n", "function": "video-synthesis", '
        '"audio_url": "{x}/a.mp3"}}',
    ),
    "i2v local": (
        FILM, False,
        '{"model": "wan2.6-i2v", "parameters": {"audio": true, "resolution": "720P"}, "input": '
        '{"prompt": "cat", "extend_prompt": true, "template": "flying", "function": '
        '"video-synthesis", "img_url": "{up}"}}',
    ),
    "kf2v": (
        FRAMES, False,
        '{"model": "wan2.2-kf2v-flash", "parameters": {"resolution": "720P"}, "input": {"prompt": '
        '"cat", "extend_prompt": true, "function": "video-synthesis", "first_frame_url": '
        '"{x}/a.png", "last_frame_url": "{x}/m.png"}}',
    ),
    "r2v": (
        FILM, False,
        '{"model": "wan2.6-r2v", "parameters": {"shot_type": "single"}, "input": {"prompt": "cat", '
        '"extend_prompt": true, "function": "video-synthesis", "reference_urls": ["{x}/a.mp4", '
        '"{x}/a.png"]}}',
    ),
    "r2v, legacy name": (
        FILM, False,
        '{"model": "wan2.6-r2v", "parameters": {}, "input": {"prompt": "cat", "extend_prompt": '
        'true, "function": "video-synthesis", "reference_video_urls": ["{x}/a.mp4"]}}',
    ),
    "media of wan2.7": (
        FILM, False,
        '{"model": "wan2.7-i2v", "parameters": {"duration": 10, "resolution": "720P"}, "input": '
        '{"prompt": "cat", "extend_prompt": true, "function": "video-synthesis", "media": '
        '[{"type": "first_frame", "url": "{up}"}, {"type": "driving_audio", "url": '
        '"{x}/a.mp3"}]}}',
    ),
    "ratio of wan2.7": (
        FILM, False,
        '{"model": "wan2.7-t2v", "parameters": {"resolution": "1080P", "ratio": "16:9"}, "input": '
        '{"prompt": "cat", "extend_prompt": true, "function": "video-synthesis"}}',
    ),
    "messages that wait": (
        WAIT, True,
        '{"model": "wan2.6-t2i", "parameters": {"n": 1, "size": "1280*1280", "negative_prompt": '
        '"bad", "prompt_extend": true, "watermark": false}, "input": {"messages": [{"role": "user",'
        ' "content": [{"text": "cat"}]}]}}',
    ),
    "messages": (
        MESSAGES, False,
        '{"model": "wan2.6-image", "parameters": {"enable_interleave": false, "n": 2, "is_async": '
        'true}, "input": {"messages": [{"role": "user", "content": [{"text": "cat"}, {"image": '
        '"{x}/a.png"}]}]}}',
    ),
    "messages with a local file": (
        MESSAGES, False,
        '{"model": "wan2.6-image", "parameters": {"is_async": true}, "input": {"messages": '
        '[{"role": "user", "content": [{"text": "cat"}, {"image": "{up}"}]}]}}',
    ),
    "conversation": (
        WAIT, True,
        '{"model": "qwen-image-plus", "parameters": {"watermark": false, "prompt_extend": true, '
        '"negative_prompt": "", "size": "1328*1328", "result_format": "message"}, "input": '
        '{"messages": [{"role": "user", "content": [{"text": "cat"}]}]}}',
    ),
    "a bare film": (
        FILM, False,
        '{"model": "wan2.6-t2v", "parameters": {"duration": 5}, "input": {"prompt": "cat", '
        '"extend_prompt": true, "function": "video-synthesis"}}',
    ),
    "v2, prompt style": (
        TEXT, False,
        '{"model":"wan2.2-t2i-flash","input":{"prompt":"cat"},"parameters":{"n":1,"size":'
        '"1024*1024"}}',
    ),
    "v2, messages that wait": (
        WAIT, True,
        '{"model":"wan2.6-t2i","input":{"messages":[{"role":"user","content":[{"text":"cat"}]}]},'
        '"parameters":{"n":1,"size":"1280*1280"}}',
    ),
    "v2, messages": (
        MESSAGES, False,
        '{"model":"wan2.6-image","input":{"messages":[{"role":"user","content":[{"text":"cat"},'
        '{"image":"{x}/a.png"}]}]}}',
    ),
    "v2, media": (
        FILM, False,
        '{"model":"wan2.7-i2v","input":{"prompt":"cat","media":[{"type":"first_frame","url":'
        '"{up}"}]},"parameters":{"resolution":"720P"}}',
    ),
    "v2, a film": (
        FILM, False,
        '{"model":"wan2.6-t2v","input":{"prompt":"cat"},"parameters":{"size":"1280*720",'
        '"duration":5}}',
    ),
}  # fmt: skip
FAIL = {
    "an address that leads nowhere": (
        FRAMES,
        '{"model": "wan2.2-kf2v-flash", "parameters": {}, "input": {"prompt": "cat", '
        '"extend_prompt": true, "function": "video-synthesis", "first_frame_url": "{x}/none.png", '
        '"last_frame_url": "{x}/a.png"}}',
        "BadRequest.InputDownloadFailed",
    ),
}
REFUSED = {
    "a first frame without a last": (
        FRAMES, 400, "InvalidParameter", "Field required: input.last_frame_url",
        '{"model": "wan2.2-kf2v-flash", "parameters": {}, "input": {"prompt": "cat", '
        '"extend_prompt": true, "function": "video-synthesis", "first_frame_url": "{x}/1.png"}}',
    ),
    "a file that was never uploaded": (
        EDIT, 400, "InvalidURL", "",
        '{"model": "wan2.5-i2i-preview", "parameters": {}, "input": {"prompt": "cat", "images": '
        '["oss://dashscope-instant/abc/x.png"]}}',
    ),
    "a model nobody knows": (
        TEXT, 400, "InvalidParameter", "Model not exist.",
        '{"model": "bad-model", "parameters": {}, "input": {"prompt": "x"}}',
    ),
}  # fmt: skip


def sound(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libmp3lame", rate=48_000, layout="mono")
        for start in range(0, 4 * 48_000, 1_152):
            wave = np.sin(np.arange(start, start + 1_152) / 20).astype(np.float32)[None, :]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.rate = 48_000
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def film(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 480, 270, "yuv420p"
        for i in range(48):
            picture = np.full((270, 480, 3), i * 5, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of this machine with a picture, a mask, a sound and a film."""
    folder = tmp_path_factory.mktemp("files")
    Image.new("RGB", (640, 512), (200, 120, 40)).save(folder / "a.png")
    Image.new("L", (640, 512), 255).save(folder / "m.png")
    sound(folder / "a.mp3")
    film(folder / "a.mp4")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 512), (40, 120, 200)).save(file, "PNG")
    return file.getvalue()


class Caller:
    """Speaks to a server as the package does."""

    def __init__(self, server: Server, files: str) -> None:
        self.server, self.files = server, files
        self.http = httpx.Client(headers={"Authorization": f"Bearer {server.key}"}, timeout=60)

    def upload(self, model: str) -> str:
        """Upload a picture by the package's form, and return its address."""
        asked = {"action": "getPolicy", "model": model}
        leave = self.http.get(f"{self.server.url}/uploads", params=asked).json()["data"]
        key = f"{leave['upload_dir']}/in.png"
        form = {
            "OSSAccessKeyId": leave["oss_access_key_id"], "Signature": leave["signature"],
            "policy": leave["policy"], "key": key, "x-oss-object-acl": leave["x_oss_object_acl"],
            "x-oss-forbid-overwrite": leave["x_oss_forbid_overwrite"],
            "success_action_status": "200", "x-oss-content-type": "image/png",
        }  # fmt: skip
        sent = httpx.post(leave["upload_host"], data=form, files={"file": ("in.png", picture())})
        assert (sent.status_code, sent.content) == (200, b"")
        return f"oss://{key}"

    def create(self, path: str, body: str, *, waits: bool) -> httpx.Response:
        model = json.loads(body)["model"]
        said = body.replace("{x}", self.files)
        headers = {} if waits else dict(ASYNC)
        if "{up}" in said or "oss://" in said:
            headers["X-DashScope-OssResourceResolve"] = "enable"
        if "{up}" in said:
            said = said.replace("{up}", self.upload(model))
        if "{data}" in said:
            encoded = base64.b64encode(picture()).decode()
            said = said.replace("{data}", f"data:image/png;base64,{encoded}")
        url = f"{self.server.url}/services/aigc/{path}"
        headers["Content-Type"] = "application/json; charset=utf-8"
        return self.http.post(url, content=said.encode(), headers=headers)

    def wait(self, task_id: str) -> dict[str, Any]:
        end = time.monotonic() + 90
        while time.monotonic() < end:  # each query waits up to a second for the end
            answer: dict[str, Any] = self.http.get(f"{self.server.url}/tasks/{task_id}").json()
            if answer["output"]["task_status"] not in ("PENDING", "RUNNING"):
                return answer
        raise AssertionError("the task did not end")


@pytest.fixture(scope="module")
def caller(served: Server, files: str) -> Iterator[Caller]:
    caller = Caller(served, files)
    with caller.http:
        yield caller


def addresses(value: object) -> list[str]:
    """Every result's address in an answer."""
    if isinstance(value, str):
        return [value] if "/files/" in value else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for part in parts for one in addresses(part)]


@pytest.mark.parametrize("name", SUCCEED)
def test_a_recorded_create_comes_to_its_files(name: str, caller: Caller) -> None:
    path, waits, body = SUCCEED[name]
    answer = caller.create(path, body, waits=waits)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    if not waits:
        assert set(told["output"]) == {"task_id", "task_status"}
        told = caller.wait(told["output"]["task_id"])
        assert told["output"]["task_status"] == "SUCCEEDED", told
    made = addresses(told["output"])
    assert len(made) == told["usage"].get("image_count", 1)
    head = caller.http.get(made[0]).content[:8]
    assert head == b"\x89PNG\r\n\x1a\n" if path not in (FILM, FRAMES) else head[4:] == b"ftyp"


@pytest.mark.parametrize("name", FAIL)
def test_a_recorded_create_that_fails_at_its_task(name: str, caller: Caller) -> None:
    path, body, code = FAIL[name]
    answer = caller.create(path, body, waits=False)
    assert answer.status_code == 200, answer.text
    output = caller.wait(answer.json()["output"]["task_id"])["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", code)


@pytest.mark.parametrize("name", REFUSED)
def test_a_recorded_create_that_is_refused(name: str, caller: Caller) -> None:
    path, status, code, message, body = REFUSED[name]
    answer = caller.create(path, body, waits=False)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert message in answer.json()["message"]
