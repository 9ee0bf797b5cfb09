"""The official Python package with files of the caller's own, unmodified."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import dashscope
import pytest
from dashscope import Client
from dashscope.aigc.image_synthesis import ImageSynthesis
from dashscope.aigc.video_synthesis import VideoSynthesis
from PIL import Image

from ferrotype.testing import Server

DASHSCOPE = Path(sys.executable).with_name("dashscope")


@pytest.fixture(autouse=True)
def pointed(served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(dashscope, "base_http_api_url", served.url)
    monkeypatch.setattr(dashscope, "api_key", served.key)
    yield
    dashscope.close_shared_sync_session()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "图 one.png"
    Image.new("RGB", (640, 512), "tomato").save(path)
    return path


def test_a_reference_picture_of_ones_own(picture: Path) -> None:
    answer = ImageSynthesis.call(
        model="wanx-v1", prompt="a kite", n=1, ref_img=f"file://{picture}", size="1024*1024"
    )
    assert answer.status_code == HTTPStatus.OK, answer
    assert answer.output.task_status == "SUCCEEDED", answer


def test_pictures_with_one_name_by_one_leave(picture: Path) -> None:
    """The package uploads both to one key: the second is the same again."""
    answer = ImageSynthesis.call(
        model="wan2.5-i2i-preview", prompt="a kite", n=1, images=[str(picture)] * 2
    )
    assert answer.status_code == HTTPStatus.OK, answer
    assert answer.output.task_status == "SUCCEEDED", answer


def test_a_film_from_a_picture_of_ones_own(picture: Path) -> None:
    answer = VideoSynthesis.async_call(
        model="wan2.2-i2v-flash", prompt="a kite", img_url=str(picture), resolution="480P"
    )
    assert answer.status_code == HTTPStatus.OK, answer
    assert answer.output.task_status == "PENDING", answer
    VideoSynthesis.cancel(answer)


def test_ten_threads_upload_at_once(picture: Path) -> None:
    def create(number: int) -> int:
        own = picture.with_name(f"{number % 5}.png")
        own.write_bytes(picture.read_bytes())
        answer = ImageSynthesis.async_call(
            model="wanx-v1", prompt="a kite", n=1, ref_img=str(own), size="1024*1024"
        )
        ImageSynthesis.cancel(answer)
        return int(answer.status_code)

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(create, range(20))) == {200}


def test_the_second_generation_client(served: Server, picture: Path) -> None:
    with Client(base_url=served.url, api_key=served.key) as client:
        job = client.images.generate(
            model="wanx-v1",
            prompt="a kite",
            n=1,
            size="1024*1024",
            extra_input={"ref_img": str(picture)},
        )
    assert job.succeeded, job


def test_the_command_uploads(served: Server, picture: Path) -> None:
    done = subprocess.run(
        [DASHSCOPE, "oss", "upload", "-f", picture, "-m", "wanx-v1"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(served.data_dir),
            "COLUMNS": "1000",
            **served.environ,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    assert "oss://dashscope-instant/" in done.stdout
