"""One request of every family through a served Ferrotype: from the body to the file and its usage.

The caller's files come over HTTP and as data addresses; films are the test servers' quick ones.
"""

import base64
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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

TEXT, EDIT = "text2image/image-synthesis", "image2image/image-synthesis"
TASKS, SYNC = "image-generation/generation", "multimodal-generation/generation"
FILM, FRAMES = "video-generation/video-synthesis", "image2video/video-synthesis"
ENDS = ("SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")
KITE = "a red kite over a lake"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a picture (also as data), a sound of 3 s and a film of 3 s."""
    folder = tmp_path_factory.mktemp("files")
    Image.new("RGB", (768, 576), "teal").save(folder / "a.png")
    with wave.open(str(folder / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(b"\1\0" * 48_000)
    with av.open(str(folder / "a.mp4"), "w") as film:
        stream = film.add_stream("h264", 10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for k in range(30):
            shade = np.full((240, 320, 3), k * 8, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        film.mux(stream.encode())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    root = f"http://127.0.0.1:{server.server_port}"
    picture = base64.b64encode((folder / "a.png").read_bytes()).decode()
    yield {
        "picture": f"{root}/a.png",
        "sound": f"{root}/a.wav",
        "film": f"{root}/a.mp4",
        "data": f"data:image/png;base64,{picture}",
    }
    server.shutdown()
    thread.join()
    server.server_close()


def say(*pictures: str) -> dict[str, Any]:
    content = [{"text": KITE}, *({"image": url} for url in pictures)]
    return {"messages": [{"role": "user", "content": content}]}


def typed(**urls: str) -> dict[str, Any]:
    return {"prompt": KITE, "media": [{"type": role, "url": url} for role, url in urls.items()]}


def requests(f: dict[str, str]) -> list[tuple[str, str, dict[str, Any], dict[str, Any], Any, Any]]:
    """Route, model, input, parameters; then the usage, and width, height (and seconds) made."""
    film5 = {"video_duration": 5, "video_count": 1}
    return [
        (TEXT, "wan2.2-t2i-flash", {"prompt": KITE}, {"size": "512*512", "n": 2},
         {"image_count": 2}, (512, 512)),
        (EDIT, "wan2.5-i2i-preview", {"prompt": KITE, "images": [f["picture"], f["data"]]},
         {"n": 1}, {"image_count": 1}, (1472, 1104)),
        (EDIT, "wanx2.1-imageedit",
         {"function": "colorization", "prompt": KITE, "base_image_url": f["data"]}, {},
         {"image_count": 1}, (768, 576)),
        (EDIT, "qwen-mt-image",
         {"image_url": f["picture"], "source_lang": "zh", "target_lang": "en"}, {},
         {"image_count": 1}, (1184, 880)),
        (TASKS, "wan2.6-image", say(f["data"]), {"n": 1},
         {"size": "1472*1104", "image_count": 1, "input_tokens": 0, "output_tokens": 0,
          "total_tokens": 0}, (1472, 1104)),
        (TASKS, "wan2.6-image", say(), {"enable_interleave": True, "max_images": 2},
         {"size": "1280*1280", "image_count": 2, "input_tokens": 0, "output_tokens": 0,
          "total_tokens": 0}, (1280, 1280)),
        (TASKS, "qwen-image-3.0", say(f["picture"]), {"size": "512*640"},
         {"output_width": 512, "output_height": 640, "input_image_count": 1,
          "input_image_type": "qima_input_1k", "output_image_count": 1,
          "output_image_type": "qima_output_1k"}, (512, 640)),
        (SYNC, "qwen-image-edit-plus", say(f["data"]), {},
         {"width": 1184, "height": 880, "image_count": 1}, (1184, 880)),
        (SYNC, "z-image-turbo", say(), {"size": "512*512"},
         {"width": 512, "height": 512, "image_count": 1, "input_tokens": len(KITE),
          "output_tokens": 0, "total_tokens": len(KITE)}, (512, 512)),
        (TASKS, "wanx-style-repaint-v1", {"image_url": f["picture"], "style_index": 3}, {},
         {"image_count": 1}, (1184, 880)),
        ("background-generation/generation", "wanx-background-generation-v2",
         {"base_image_url": f["picture"], "ref_prompt": "a beach"}, {}, {"image_count": 1},
         (1184, 880)),
        (FILM, "wanx2.1-t2v-turbo", {"prompt": KITE}, {"size": "832*480"},
         {**film5, "video_ratio": "832*480"}, (832, 480, 5)),
        (FILM, "wan2.6-i2v", {"img_url": f["data"], "audio_url": f["sound"]},
         {"resolution": "720P", "duration": 2},
         {"duration": 2, "input_video_duration": 0, "output_video_duration": 2, "video_count": 1,
          "SR": 720}, (1108, 832, 2)),
        (FRAMES, "wan2.2-kf2v-flash",
         {"first_frame_url": f["data"], "last_frame_url": f["picture"]}, {"resolution": "480P"},
         {**film5, "SR": 480}, (720, 540, 5)),
        (FILM, "wan2.7-r2v",
         typed(reference_image=f["data"], reference_video=f["film"]),
         {"resolution": "720P", "ratio": "1:1", "duration": 2},
         {"duration": 5, "input_video_duration": 3, "output_video_duration": 2, "video_count": 1,
          "SR": 720, "ratio": "1:1"}, (960, 960, 2)),
        (FILM, "wan2.7-videoedit", typed(video=f["film"]), {"resolution": "720P"},
         {"duration": 6, "input_video_duration": 3, "output_video_duration": 3, "video_count": 1,
          "SR": 720}, (1108, 832, 3)),
        (FILM, "wan3.0-video", {"prompt": KITE}, {"resolution": "480P", "duration": 2},
         {"duration": 2, "input_video_duration": 0, "output_video_duration": 2, "video_count": 1,
          "SR": 480, "ratio": "16:9", "fps": 30}, (832, 480, 2)),
        (FRAMES, "wan2.2-s2v", {"image_url": f["picture"], "audio_url": f["sound"]}, {},
         {"video_duration": 3, "video_count": 1}, (720, 540, 3)),
        (FRAMES, "wan2.2-animate-move", {"image_url": f["picture"], "video_url": f["film"]},
         {"mode": "wan-std"}, {"video_duration": 3, "video_count": 1}, (1108, 832, 3)),
    ]  # fmt: skip


def made(url: str, folder: Path) -> tuple[float, ...]:
    """Download what was made: width and height, and the seconds of a film."""
    answer = httpx.get(url).raise_for_status()
    path = folder / "made"
    path.write_bytes(answer.content)
    if answer.headers["content-type"].startswith("image/"):
        with Image.open(path) as picture:
            return picture.size
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return stream.width, stream.height, round((film.duration or 0) / 1_000_000)


def urls(output: dict[str, Any]) -> list[str]:
    if "video_url" in output:
        return [output["video_url"]]
    if "results" in output:
        return [result["url"] for result in output["results"]]
    parts = [part for choice in output["choices"] for part in choice["message"]["content"]]
    return [part["image"] for part in parts if "image" in part]


def test_every_family_from_the_body_to_the_file(
    served: Server, files: dict[str, str], tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=120) as client:

        def ask(route: str, model: str, given: Any, parameters: Any) -> dict[str, Any]:
            body = {"model": model, "input": given, "parameters": parameters}
            waits = {} if route == SYNC else {"X-DashScope-Async": "enable"}
            answer = client.post(f"/services/aigc/{route}", json=body, headers=waits).json()
            while waits and answer.get("output", {}).get("task_status") not in ENDS:
                answer = client.get(f"/tasks/{answer['output']['task_id']}").json()
            assert isinstance(answer, dict)
            return answer

        asked = requests(files)
        with ThreadPoolExecutor(len(asked)) as threads:
            answers = list(threads.map(lambda one: ask(*one[:4]), asked))
    for (route, model, _, _, usage, expected), answer in zip(asked, answers, strict=True):
        name = f"{model} on {route}: {answer}"
        assert answer.get("usage") == usage, name
        count = usage.get("image_count", 1)
        found = urls(answer["output"])
        assert len(found) == count, name
        assert {made(url, tmp_path) for url in found} == {expected}, name
