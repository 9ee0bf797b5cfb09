"""From a create to the download, over HTTP, by a real service with recipes in ferrotype.toml."""

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import psutil
import pytest
from PIL import Image

from ferrotype.testing import Server, server

pytest_plugins = ["pipeline_fixtures"]

IMAGES = "/services/aigc/text2image/image-synthesis"
FILMS = "/services/aigc/video-generation/video-synthesis"
FROM_PICTURE = FILMS
PICTURE, FILM, ANIMATED, BROKEN = (
    "wan2.2-t2i-flash", "wan2.2-t2v-plus", "wan2.2-i2v-flash", "wan2.2-t2i-plus",
)  # fmt: skip
PATIENCE = 180.0
SERVED_BY = "diffusers; substitute"


def recipe(model: str, weights: Path | str, batch: int = 1, **options: Any) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    return "\n".join(
        (
            f'[recipes."{model}"]', 'engine = "diffusers"', 'label = "substitute"',
            "allow_substitutes = true", f"batch = {batch}", f'[recipes."{model}".options]',
            f"weights = {json.dumps(str(weights))}", *lines, "",
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def service(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("service")
    small = {"steps": 2, "fps": 4, "max_pixels": 64 * 64}
    (folder / "ferrotype.toml").write_text(
        recipe(PICTURE, models / "flux", 3, steps=3, warm=True)
        + recipe(FILM, models / "wan", **small)
        + recipe(ANIMATED, models / "wan-image", **small)
        + recipe(BROKEN, folder / "nothing-here", warm=True)
    )
    config = str(folder / "ferrotype.toml")
    with server(folder / "data", engine="illustrator", config=config) as running:
        yield running


@pytest.fixture
def client(service: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {service.key}", "X-DashScope-Async": "enable"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=60) as made:
        yield made


def create(client: httpx.Client, path: str, model: str, more: Any = None, **parameters: Any) -> str:
    body = {
        "model": model,
        "input": {"prompt": "a flower shop", **(more or {})},
        "parameters": {"seed": 7, **parameters},
    }
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Ferrotype-Engine"] == "diffusers"
    assert answer.headers["X-Ferrotype-Served-By"] == "substitute"
    assert answer.json()["output"]["task_status"] == "PENDING"
    return str(answer.json()["output"]["task_id"])


def end(client: httpx.Client, task: str) -> tuple[dict[str, Any], list[str]]:
    """Poll a task to its end; return the last answer and the statuses that were seen."""
    seen: list[str] = []
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        answer: dict[str, Any] = client.get(f"/tasks/{task}").json()
        status = answer["output"]["task_status"]
        if status not in seen[-1:]:
            seen.append(status)
        if status in ("SUCCEEDED", "FAILED", "CANCELED"):
            return answer, seen
        time.sleep(0.1)
    raise AssertionError(f"{task} did not end; seen: {seen}")


def test_a_picture_over_http(client: httpx.Client) -> None:
    answer, seen = end(client, create(client, IMAGES, PICTURE, n=2, size="512*520"))
    assert seen[-1] == "SUCCEEDED"
    assert set(seen) <= {"PENDING", "RUNNING", "SUCCEEDED"}
    assert answer["usage"] == {"image_count": 2}
    seeds = []
    for result in answer["output"]["results"]:
        file = client.get(result["url"])
        with Image.open(io.BytesIO(file.content)) as picture:
            assert picture.size == (512, 520)
            seeds.append(picture.text["Seed"])  # type: ignore[attr-defined]
            assert picture.text["Engine"] == SERVED_BY  # type: ignore[attr-defined]
    assert seeds == ["7", "8"]


def test_a_film_over_http(client: httpx.Client) -> None:
    answer, seen = end(client, create(client, FILMS, FILM, size="832*480"))
    assert seen[-1] == "SUCCEEDED", answer
    film = client.get(answer["output"]["video_url"]).content
    with av.open(io.BytesIO(film), "r") as opened:
        stream = opened.streams.video[0]
        assert (stream.width, stream.height) == (832, 480)
        assert (float(stream.average_rate or 0), stream.frames) == (4, 20)
    assert film.index(b"moov") < film.index(b"mdat")  # it can be shown before it is here


def test_a_first_frame_over_http(client: httpx.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (480, 240), (200, 120, 40)).save(file, "PNG")

    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    task = create(client, FROM_PICTURE, ANIMATED, {"img_url": url}, resolution="480P")
    answer, seen = end(client, task)
    assert seen[-1] == "SUCCEEDED", answer
    with av.open(io.BytesIO(client.get(answer["output"]["video_url"]).content), "r") as opened:
        stream = opened.streams.video[0]
        assert stream.width / stream.height == pytest.approx(2, rel=0.02)


def test_tasks_that_wait_together_share_calls(client: httpx.Client, service: Server) -> None:
    tasks = [
        create(client, IMAGES, PICTURE, {"prompt": f"cat {i}"}, n=1, size="512*512")
        for i in range(6)
    ]
    answers = [end(client, task)[0] for task in tasks]
    assert {answer["output"]["task_status"] for answer in answers} == {"SUCCEEDED"}


def test_what_cannot_be_loaded_is_not_served_and_the_others_are(
    client: httpx.Client, service: Server
) -> None:
    task = create(client, IMAGES, BROKEN, n=1, size="512*512")
    end(client, create(client, IMAGES, PICTURE, n=1, size="512*512"))
    assert client.get(f"/tasks/{task}").json()["output"]["task_status"] == "PENDING"
    assert "nothing-here" in service.log


def test_a_caller_that_leaves_stops_the_call_and_not_the_engine(service: Server) -> None:
    """The call that waits for its answer is attended: hanging up asks the task to stop."""
    engines = engine_pids(service)
    body = {
        "model": PICTURE,
        "input": {"prompt": "a long wait"},
        "parameters": {"n": 4, "size": "1024*1440", "seed": 1},
    }
    headers = {"Authorization": f"Bearer {service.key}"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(service.url + IMAGES, json=body, headers=headers, timeout=0.7, trust_env=False)
    with httpx.Client(
        base_url=service.url, headers=headers | {"X-DashScope-Async": "enable"}, trust_env=False
    ) as client:
        end(client, create(client, IMAGES, PICTURE, n=1, size="512*512"))
        listed = client.get("/tasks", params={"status": "CANCELED"}).json()
    assert listed["total"] == 1
    assert engine_pids(service) == engines


def engine_pids(service: Server) -> set[int]:
    children = psutil.Process(service._local.pid).children(recursive=True)
    return {child.pid for child in children if "diffusers" in child.cmdline()}


def test_torch_is_in_the_engines_process_only(service: Server, client: httpx.Client) -> None:
    end(client, create(client, IMAGES, PICTURE, n=1, size="512*512"))
    engines = engine_pids(service)
    assert len(engines) == 1
    for process in psutil.Process(service._local.pid).children(recursive=True):
        mapped = any("libtorch" in part.path for part in process.memory_maps())
        assert mapped == (process.pid in engines)


def test_loading_the_recipes_of_a_deployment_needs_no_torch() -> None:
    program = (
        "import sys, ferrotype.wiring.back, ferrotype.engines.diffusers.options\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run((sys.executable, "-c", program), check=False).returncode == 0
