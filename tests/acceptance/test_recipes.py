"""A deployment with recipes of its own: what its callers see of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ferrotype.cli.local import LocalServer

ROUTE = "text2image/image-synthesis"
RECIPES = """
[recipes.flower-shop]
engine = "echo"
like = "wan2.2-t2i-plus"
narrow = { size = ["1024*1024", "1440*810"], n = { max = 2 }, negative_prompt = false }
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "own.toml").write_text(RECIPES)
    config = {"FERROTYPE_CONFIG": str(folder / "own.toml")}
    with LocalServer(folder / "data", config) as service:
        yield service


@pytest.fixture
def client(service: LocalServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {service.key}", "X-DashScope-Async": "enable"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        yield client


def create(
    service: LocalServer, client: httpx.Client, model: str = "flower-shop", **parameters: Any
) -> httpx.Response:
    body = {"model": model, "input": {"prompt": "a shop"}, "parameters": parameters}
    return client.post(f"{service.url}/services/aigc/{ROUTE}", json=body)


def test_a_model_of_ones_own_is_served_by_its_name(
    service: LocalServer, client: httpx.Client
) -> None:
    made = create(service, client, n=1)
    assert made.status_code == 200, made.text
    shown = made.headers["X-Ferrotype-Engine"], made.headers["X-Ferrotype-Served-By"]
    assert shown == ("echo", "test pattern")
    task = made.json()["output"]["task_id"]
    while True:
        output = client.get(f"{service.url}/tasks/{task}").json()["output"]
        if output["task_status"] not in ("PENDING", "RUNNING"):
            break
    assert output["task_status"] == "SUCCEEDED"
    listed = client.get(f"{service.url}/models").json()["output"]["models"]
    assert [model["model"] for model in listed] == ["flower-shop"]
    assert create(service, client, model="wan2.2-t2i-plus").status_code == 503


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"n": 3}, "parameters.n must be at most 2 on this deployment"),
        ({}, "parameters.n is required on this deployment, which does not serve its default (4)"),
        ({"n": 1, "size": "512*512"}, "parameters.size must be one of 1024*1024, 1440*810 on"),
    ],
)
def test_what_is_not_served_is_a_400_that_says_what_is(
    service: LocalServer, client: httpx.Client, parameters: dict[str, Any], said: str
) -> None:
    answer = create(service, client, **parameters)
    assert answer.status_code == 400
    assert answer.json()["code"] == "InvalidParameter"
    assert said in answer.json()["message"]
    assert set(answer.json()) == {"code", "message", "request_id"}


def test_the_description_of_the_deployment_says_so_too(
    service: LocalServer, client: httpx.Client
) -> None:
    document = client.get(f"{service.root}/openapi.json").json()
    path = document["paths"][f"/api/v1/services/aigc/{ROUTE}"]["post"]
    mapping = path["requestBody"]["content"]["application/json"]["schema"]["discriminator"][
        "mapping"
    ]
    key = mapping["flower-shop"].rpartition("/")[2]
    tables = document["components"]["schemas"][key]["allOf"][1]["properties"]
    parameters = tables["parameters"]
    assert parameters["required"] == ["n"]
    assert parameters["properties"]["n"]["maximum"] == 2
    assert parameters["properties"]["size"]["enum"] == ["1024*1024", "1440*810"]
    assert tables["input"]["properties"]["negative_prompt"]["not"] == {}


def test_the_operator_sees_who_serves_it(service: LocalServer, tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-P", "-m", "ferrotype", "recipes", "list"),
        env={**os.environ, **service.settings.environ()},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    shown = ["flower-shop", "wan2.2-t2i-plus", "echo", "test pattern", "", "1", "1", "ok"]
    assert rows[1:] == [shown]
