"""The official Python package's second generation: `dashscope.Client` and its async twin."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from dashscope import AsyncClient, Client
from dashscope.v2 import errors

from ferrotype.testing import Server

MODEL = "wan2.2-t2i-flash"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def client(served: Server) -> Iterator[Client]:
    with Client(base_url=served.url, api_key=served.key) as client:
        yield client


@pytest.fixture
async def aio(served: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=served.url, api_key=served.key) as client:
        yield client


class TestImages:
    def test_generate_returns_the_pictures(self, client: Client) -> None:
        job = client.images.generate(model=MODEL, prompt="a cat", n=2, size="512x512", seed=3)

        assert job.succeeded
        assert len(job.image_urls) == 2
        assert job.model_dump()["usage"]["image_count"] == 2
        assert all([job.submitted_at, job.scheduled_at, job.finished_at])
        assert job.headers["x-request-id"] == job.request_id
        for url in job.image_urls:
            assert httpx.get(url).headers["content-type"] == "image/png"

    def test_the_guides_model_needs_no_other_call(self, client: Client) -> None:
        job = client.images.generate(model="wan2.5-t2i-preview", prompt="a cat", n=1)

        assert job.succeeded
        assert job.results[0].model_dump()["orig_prompt"] == "a cat"

    def test_create_fetch_wait(self, client: Client) -> None:
        created = client.images.jobs.create(model=MODEL, prompt="a cat", n=1, size="512*512")

        assert created.status == "PENDING"
        assert client.images.jobs.fetch(created.task_id).task_id == created.task_id
        done = client.images.jobs.wait(created.task_id)
        assert done.succeeded
        assert done.result_url

    def test_a_pending_job_can_be_cancelled(self, held: Server) -> None:
        with Client(base_url=held.url, api_key=held.key) as client:
            created = client.images.jobs.create(model=MODEL, prompt="a cat", n=1)
            cancelled = client.images.jobs.cancel(created.task_id)
            assert not cancelled.is_error
            assert cancelled.request_id
            with pytest.raises(errors.DashScopeError, match="was canceled while waiting"):
                client.images.jobs.wait(created)

    def test_list_counts_but_shows_nothing(self, client: Client) -> None:
        """This package reads `tasks`; the vendor's own lists, and so ours, say `data`."""
        client.images.generate(model=MODEL, prompt="a cat", n=1)

        page = client.images.jobs.list(status="SUCCEEDED", page_size=5)
        assert (page.page_no, page.page_size) == (1, 5)
        assert page.total >= 1
        assert page.tasks == []


class TestErrors:
    def test_a_failed_task_raises_its_code(self, client: Client, served: Server) -> None:
        served.fail_next("DataInspectionFailed")

        with pytest.raises(errors.ContentFilterError) as caught:
            client.images.generate(model=MODEL, prompt="a cat", n=1)
        assert caught.value.code == "DataInspectionFailed"
        assert caught.value.request_id

    def test_one_picture_may_fail_alone(self, guarded: Server) -> None:
        with Client(base_url=guarded.url, api_key=guarded.key) as client:
            job = client.images.generate(
                model=MODEL, prompt="echo fail-item=0:DataInspectionFailed", n=2
            )

        assert job.succeeded
        assert len(job.results) == 2
        assert len(job.image_urls) == 1

    def test_a_refusal_raises_bad_request(self, client: Client) -> None:
        with pytest.raises(errors.BadRequestError, match=r"Model not exist\.") as caught:
            client.images.jobs.create(model="no-such-model", prompt="a cat")
        assert (caught.value.status_code, caught.value.code) == (400, "InvalidParameter")
        assert caught.value.request_id == caught.value.headers["x-request-id"]

    def test_a_finished_job_cannot_be_cancelled(self, client: Client) -> None:
        job = client.images.generate(model=MODEL, prompt="a cat", n=1)

        with pytest.raises(errors.BadRequestError) as caught:
            client.images.jobs.cancel(job.task_id)
        assert caught.value.code == "UnsupportedOperation"

    def test_an_unknown_job_is_returned(self, client: Client) -> None:
        assert client.images.jobs.wait(NOWHERE).status == "UNKNOWN"

    def test_a_wrong_key_raises(self, guarded: Server) -> None:
        with Client(base_url=guarded.url, api_key="sk-wrong") as client:
            for call in (
                lambda: client.images.jobs.create(model=MODEL, prompt="a cat"),
                lambda: client.images.jobs.fetch(NOWHERE),
                lambda: client.images.jobs.list(),
                lambda: client.models.list(),
            ):
                with pytest.raises(errors.AuthenticationError, match="Invalid API-key provided"):
                    call()

    def test_without_raising_the_envelope_tells(self, served: Server) -> None:
        with Client(base_url=served.url, api_key=served.key, raise_on_error=False) as client:
            refused = client.images.jobs.create(model="no-such-model", prompt="a cat")
        assert refused.is_error
        assert refused.code == "InvalidParameter"


class TestModels:
    def test_all_models_can_be_listed(self, client: Client) -> None:
        page = client.models.list(page_size=100)

        assert page.total_count == len(page.models)
        names = {model.model for model in page.models}
        assert {"wan2.5-t2i-preview", MODEL, "wanx-v1"} <= names
        assert all(model.provider for model in page.models)

    def test_one_model_can_be_asked_for(self, client: Client) -> None:
        assert client.models.get(MODEL).model == MODEL

    def test_a_model_that_is_not_there_raises(self, client: Client) -> None:
        with pytest.raises(errors.NotFoundError, match="no-such-model"):
            client.models.get("no-such-model")


class TestAsync:
    async def test_generate_returns_the_pictures(self, aio: AsyncClient) -> None:
        job = await aio.images.generate(model=MODEL, prompt="a cat", n=1, size="512*512")

        assert job.succeeded
        assert len(job.image_urls) == 1

    async def test_create_fetch_wait_cancel_list(self, aio: AsyncClient) -> None:
        created = await aio.images.jobs.create(model=MODEL, prompt="a cat", n=1)
        assert (await aio.images.jobs.fetch(created.task_id)).task_id == created.task_id
        assert (await aio.images.jobs.wait(created.task_id)).succeeded
        with pytest.raises(errors.BadRequestError):
            await aio.images.jobs.cancel(created.task_id)
        assert (await aio.images.jobs.list()).total >= 1

    async def test_models(self, aio: AsyncClient) -> None:
        assert (await aio.models.list()).page_no == 1
        assert (await aio.models.get(MODEL)).model == MODEL
