"""The whole service with its files in a bucket, and a bucket that fails."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from gate import Gate, before
from PIL import Image
from swift import Swift

from ferrotype.testing import Server, server

pytest_plugins = ["bucket_fixtures"]

CREATE = "/services/aigc/text2image/image-synthesis"
EDIT = "/services/aigc/image2image/image-synthesis"


@pytest.fixture(autouse=True)
def variables(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in swift.variables().items():
        monkeypatch.setenv(name, value)


class Caller:
    """Somebody who calls one server."""

    def __init__(self, running: Server) -> None:
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {running.key}", "X-DashScope-Async": "enable"},
            trust_env=False,
            timeout=30,
        )
        self.url = running.url

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def make(self, path: str, body: Mapping[str, object], **headers: str) -> dict[str, object]:
        """Create a task and poll it to its end."""
        answer = self._client.post(self.url + path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        task = answer.json()["output"]["task_id"]
        while True:
            output: dict[str, object] = self._client.get(f"{self.url}/tasks/{task}").json()[
                "output"
            ]
            if output["task_status"] not in ("PENDING", "RUNNING"):
                return output

    def picture(self, n: int = 1) -> dict[str, object]:
        """Have some pictures made."""
        body = {
            "model": "wan2.2-t2i-flash",
            "input": {"prompt": "echo"},
            "parameters": {"n": n, "size": "1024*1024"},
        }
        return self.make(CREATE, body)

    def upload(self, data: bytes, model: str) -> str:
        """Upload a file as the SDK does, and return its address."""
        leave = self._client.get(
            f"{self.url}/uploads", params={"action": "getPolicy", "model": model}
        ).json()["data"]
        key = f"{leave['upload_dir']}/picture.png"
        form = {
            "OSSAccessKeyId": leave["oss_access_key_id"],
            "Signature": leave["signature"],
            "policy": leave["policy"],
            "key": key,
            "x-oss-object-acl": leave["x_oss_object_acl"],
            "x-oss-forbid-overwrite": leave["x_oss_forbid_overwrite"],
            "success_action_status": "200",
        }
        answer = httpx.post(
            leave["upload_host"], data=form, files={"file": ("picture.png", data)}, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        return f"oss://{key}"


def fetch(url: str, **more: object) -> httpx.Response:
    return httpx.get(url, trust_env=False, **more)  # type: ignore[arg-type]


def urls(output: dict[str, object]) -> list[str]:
    results: list[dict[str, str]] = output["results"]  # type: ignore[assignment]
    return [one["url"] for one in results]


def test_a_picture_goes_through_the_bucket(bucket: str) -> None:
    with (
        server(engine="echo", media_url=f"s3://{bucket}/media") as running,
        Caller(running) as caller,
    ):
        output = caller.picture(n=2)
        for url in urls(output):
            assert url.startswith(running.url.removesuffix("/api/v1") + "/files/")
            hop = fetch(url)
            assert hop.status_code == 302
            assert "X-Amz-Signature" in hop.headers["location"]
            whole = fetch(url, follow_redirects=True)
            assert whole.status_code == 200
            assert whole.content.startswith(b"\x89PNG")
            assert fetch(url[:-1]).status_code == 403


def test_links_of_the_buckets_own(bucket: str) -> None:
    with (
        server(engine="echo", media_url=f"s3://{bucket}", media_links="direct") as running,
        Caller(running) as caller,
    ):
        (url,) = urls(caller.picture())
        assert "X-Amz-Signature" in url
        answer = fetch(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


def test_an_upload_goes_through_the_bucket(bucket: str) -> None:
    canvas = io.BytesIO()
    Image.effect_noise((600, 520), 80).save(canvas, "PNG")
    with server(engine="echo", media_url=f"s3://{bucket}") as running, Caller(running) as caller:
        model = "wanx2.1-imageedit"
        address = caller.upload(canvas.getvalue(), model)
        body = {
            "model": model,
            "input": {
                "function": "stylization_all",
                "prompt": "echo",
                "base_image_url": address,
            },
            "parameters": {"n": 1},
        }
        output = caller.make(EDIT, body, **{"X-DashScope-OssResourceResolve": "enable"})
        assert output["task_status"] == "SUCCEEDED", output.get("message")
        picture = fetch(urls(output)[0], follow_redirects=True).content
        assert hashlib.sha256(picture).hexdigest()


@pytest.fixture
async def gate(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    async with before(swift.url) as opened:
        monkeypatch.setenv("AWS_ENDPOINT", opened.url)
        yield opened


@pytest.mark.parametrize(("trouble", "times"), [(500, 3), ("cut", 2), (2.0, 1)])
async def test_a_bucket_that_fails_for_a_moment_is_asked_again(
    bucket: str, gate: Gate, trouble: int | float | str, times: int
) -> None:
    def work() -> None:
        with (
            server(engine="echo", media_url=f"s3://{bucket}") as running,
            Caller(running) as caller,
        ):
            gate.trouble, gate.times = trouble, times
            output = caller.picture()
            assert output["task_status"] == "SUCCEEDED", output.get("message")
            assert gate.struck == times
            assert fetch(urls(output)[0], follow_redirects=True).status_code == 200

    await asyncio.to_thread(work)


@pytest.mark.parametrize("trouble", [500, "expired", "cut"])
async def test_nothing_succeeds_without_its_file(
    bucket: str, gate: Gate, trouble: int | str
) -> None:
    def work() -> None:
        with (
            server(engine="echo", media_url=f"s3://{bucket}") as running,
            Caller(running) as caller,
        ):
            gate.trouble = trouble
            output = caller.picture()
            assert output["task_status"] == "FAILED"
            assert output["code"] == "InternalError.Upload"
            assert gate.struck
            gate.trouble = None
            assert caller.picture()["task_status"] == "SUCCEEDED"

    await asyncio.to_thread(work)


async def test_callers_are_sent_to_the_buckets_address_for_them(
    swift: Swift, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(outside: str) -> None:
        with (
            server(engine="echo", media_url=f"s3://{bucket}", media_endpoint=outside) as running,
            Caller(running) as caller,
        ):
            (url,) = urls(caller.picture())
            assert fetch(url).headers["location"].startswith(f"{outside}/{bucket}/")
            assert fetch(url, follow_redirects=True).content.startswith(b"\x89PNG")

    async with before(swift.url) as gate:
        await asyncio.to_thread(work, gate.url)
        assert gate.answered == ["GET"]
