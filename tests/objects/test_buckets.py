"""Results and callers' files in a bucket of a server that verifies every signature."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import obstore
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from swift import SECRET, USER, Swift

from ferrotype.cli.doctor import check_bucket
from ferrotype.conformance.media_store import PNG, MediaStoreSuite, Stores, new_prefix
from ferrotype.errors import Unavailable, UploadFailed
from ferrotype.media_stores.object_inputs import ObjectInputs
from ferrotype.media_stores.objects import ObjectFiles, open_bucket
from ferrotype.ports.media_store import Stored
from ferrotype.settings import load

pytest_plugins = ["bucket_fixtures"]


@pytest.fixture(autouse=True)
def variables(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in swift.variables().items():
        monkeypatch.setenv(name, value)


class TestBucket(MediaStoreSuite):
    @pytest.fixture(autouse=True)
    def _bucket(self, bucket: str) -> None:
        self._name = bucket

    @asynccontextmanager
    async def open_stores(self, folder: Path) -> AsyncIterator[Stores]:
        bucket = open_bucket(f"s3://{self._name}/some/prefix")
        yield ObjectFiles(bucket), ObjectInputs(bucket)

    async def read(self, stored: Stored) -> bytes:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(stored.url or "")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == PNG
        return answer.content


async def kept(bucket: str, folder: Path) -> tuple[ObjectFiles, str]:
    """Put a file; return its store and key."""
    media, key = ObjectFiles(open_bucket(f"s3://{bucket}"), direct=True), f"{new_prefix()}/1/0.png"
    (folder / "file").write_bytes(b"a picture")
    await media.put(key, folder / "file", PNG)
    return media, key


async def test_a_link_opens_one_file_for_reading_and_for_its_time(
    bucket: str, tmp_path: Path
) -> None:
    media, key = await kept(bucket, tmp_path)
    soon = datetime.now(UTC) + timedelta(seconds=6)  # a busy machine takes some for what follows
    link = await media.link(key, soon)
    assert link is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link)).content == b"a picture"
        ranged = await client.get(link, headers={"Range": "bytes=2-4"})
        assert (ranged.status_code, ranged.content) == (206, b"pic")
        assert (await client.put(link, content=b"other")).status_code == 403
        assert (await client.get(link.replace("0.png", "1.png"))).status_code == 403
        assert (await client.get(link[:-1] + ("0" if link[-1] != "0" else "1"))).status_code == 403
        assert (await client.get(link.split("?")[0])).status_code in (400, 401, 403)
        async with asyncio.timeout(20):
            while (await client.get(link)).status_code != 403:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"AWS_SECRET_ACCESS_KEY": "wrong"},
        {"AWS_ACCESS_KEY_ID": "nobody:there"},
        {"AWS_ENDPOINT": "http://127.0.0.1:1"},
    ],
)
async def test_a_bucket_that_refuses_us_is_told(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    media, key = await kept(bucket, tmp_path)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    refused = ObjectFiles(open_bucket(f"s3://{bucket}"))
    with capture_logs() as said:
        with pytest.raises(UploadFailed):
            await refused.put(key, tmp_path / "file", PNG)
        with pytest.raises(Unavailable):
            await refused.find(key)
        with pytest.raises(Unavailable):
            await refused.days()
    assert [line["event"] for line in said] == ["the bucket refuses"] * 3
    assert not any(SECRET in line["error"] for line in said)
    found = await media.find(key)
    assert found is not None
    assert found.bytes == 9


async def test_what_is_not_ours_in_the_bucket_is_left_alone(bucket: str, tmp_path: Path) -> None:
    media, key = await kept(bucket, tmp_path)
    bucket_ = open_bucket(f"s3://{bucket}")
    await obstore.put_async(bucket_, "notes/mine.txt", b"x")
    assert len(await media.days()) == 1
    await media.drop("/".join(key.split("/")[:2]))
    assert (await obstore.head_async(bucket_, "notes/mine.txt"))["size"] == 1


class Role:
    """What gives a container its keys: temporary ones, which end soon."""

    def __init__(self) -> None:
        self.given = 0
        self.lasts = timedelta(hours=1)

    async def answer(self, request: web.Request) -> web.Response:
        """Give keys."""
        assert request.headers["Authorization"] == "some-token"
        self.given += 1
        end = datetime.now(UTC) + self.lasts
        keys = {"AccessKeyId": USER, "SecretAccessKey": SECRET, "Token": f"token-{self.given}"}
        return web.json_response({**keys, "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}"})


@pytest.fixture
async def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Role]:
    role, app = Role(), web.Application()
    app.router.add_get("/keys", role.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text("some-token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    where = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", where)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    yield role
    await runner.cleanup()


async def test_temporary_keys_of_a_role_are_used_and_renewed(
    bucket: str, tmp_path: Path, role: Role
) -> None:
    media, key = await kept(bucket, tmp_path)
    assert role.given == 1
    link = await media.link(key, datetime.now(UTC) + timedelta(hours=1))
    assert "X-Amz-Security-Token=token-1" in (link or "")
    assert await media.find(key)
    assert role.given == 1  # kept for as long as they are good
    role.lasts = timedelta(seconds=1)
    media, key = await kept(bucket, tmp_path)
    before = role.given
    async with asyncio.timeout(5):
        while role.given == before:  # not asked for more than ten times a second
            await media.put(key, tmp_path / "file", PNG)
    async with httpx.AsyncClient(trust_env=False) as client:
        found = await media.find(key)
        assert (await client.get((found and found.url) or "")).content == b"a picture"


def test_doctor_says_whether_the_bucket_lets_us_in(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = load({"data_dir": tmp_path}, environ={"FERROTYPE_MEDIA_URL": f"s3://{bucket}/media"})
    (found,) = check_bucket(chosen)
    assert (found.state, found.said) == ("ok", f"s3://{bucket}/media holds results of 0 days")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    (found,) = check_bucket(chosen)
    assert found.state == "broken"
    assert "wrong" not in found.said
