"""The description of the API: what it says of the catalogue's models, and that it is OpenAPI."""

import json
import re
from typing import Any

import pytest

from ferrotype.catalogue import Catalogue
from ferrotype.catalogue.schema import of_body
from ferrotype.http.openapi import describe

CATALOGUE = Catalogue.load()
DOCUMENT: dict[str, Any] = json.loads(describe(CATALOGUE))
METHODS = ("get", "post", "delete")
OPERATIONS = {
    (path, method): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method in METHODS
}


def references(value: object) -> list[str]:
    """Every reference within the document, the discriminators' included."""
    if isinstance(value, list):
        return [ref for item in value for ref in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    if "mapping" in value:
        own += value["mapping"].values()
    return own + [ref for item in value.values() for ref in references(item)]


def resolve(ref: str) -> Any:
    found: Any = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


@pytest.mark.parametrize("ref", sorted(set(references(DOCUMENT))))
def test_every_reference_leads_somewhere(ref: str) -> None:
    assert resolve(ref)


def test_every_part_is_used() -> None:
    used = set(references(DOCUMENT))
    named = {
        f"#/components/{kind}/{name}"
        for kind, parts in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert named == used


def test_every_operation_has_its_own_name() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


def test_every_part_of_a_path_is_described() -> None:
    for (path, _), operation in OPERATIONS.items():
        given = [
            resolve(one["$ref"]) if "$ref" in one else one
            for one in operation.get("parameters", [])
        ]
        described = {one["name"] for one in given if one["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path)), path


def test_every_model_is_on_its_paths() -> None:
    described = {
        (path.removeprefix("/api/v1/services/aigc/"), name)
        for (path, method), operation in OPERATIONS.items()
        if method == "post" and "/services/aigc/" in path
        for name in operation["requestBody"]["content"]["application/json"]["schema"][
            "discriminator"
        ]["mapping"]
    }
    served = {(route, name) for name, model in CATALOGUE.models.items() for route in model.routes}
    assert described >= served
    assert {name for _, name in described} == set(CATALOGUE.models)


def test_a_body_says_what_the_catalogue_checks() -> None:
    body = of_body(CATALOGUE.on_route("wan2.2-t2i-flash", "text2image/image-synthesis"))

    assert body["required"] == ["input"]
    assert body["properties"]["input"]["required"] == ["prompt"]
    parameters = body["properties"]["parameters"]["properties"]
    assert parameters["n"] == {"type": "integer", "minimum": 1, "maximum": 4, "default": 4}
    assert parameters["seed"] == {"type": "integer", "minimum": 0, "maximum": 2_147_483_647}
    assert parameters["watermark"] == {"type": "boolean", "default": False}
    assert re.search(parameters["size"]["pattern"], "1024*1024")
    assert not re.search(parameters["size"]["pattern"], "1024x1024")
    assert "512 to 1440" in parameters["size"]["description"]


def test_a_task_leads_to_its_query_and_its_cancel() -> None:
    create = OPERATIONS["/api/v1/services/aigc/text2image/image-synthesis", "post"]
    names = {operation["operationId"] for operation in OPERATIONS.values()}

    links = create["responses"]["200"]["links"]
    assert {link["operationId"] for link in links.values()} == {"getTask", "cancelTask"} <= names
