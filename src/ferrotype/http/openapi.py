"""The API's description: what is the same everywhere from a file, the models from the catalogue."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ferrotype
from ferrotype.catalogue import Catalogue, Model
from ferrotype.catalogue.model import Mode
from ferrotype.catalogue.schema import Schema, of_body

SKELETON = Path(__file__).parent / "openapi.json"
CREATE = "/api/v1/services/aigc/"
HEADERS = ("Async", "WorkSpace", "Resolve", "Idempotency")
REFUSALS = {
    "400": "Refused",
    "401": "Unauthorised",
    "403": "Denied",
    "404": "Missing",
    "408": "TooSlow",
    "413": "TooLarge",
    "429": "Throttled",
    "500": "Broken",
    "503": "Unavailable",
}


def describe(catalogue: Catalogue) -> bytes:
    """Return the OpenAPI 3.1 description of every path and of every model, as JSON."""
    document: dict[str, Any] = json.loads(SKELETON.read_text(encoding="utf-8"))
    document["info"]["version"] = ferrotype.__version__
    schemas = document["components"]["schemas"]
    _, model = document["paths"]["/api/v1/uploads"]["get"]["parameters"]
    model["schema"] = {"enum": list(catalogue.models)}
    for route in sorted(catalogue.routes):
        models = catalogue.models_on(route)
        document["paths"][f"{CREATE}{route}"] = {"post": _create(route, models, schemas)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _create(route: str, models: Sequence[Model], schemas: dict[str, Schema]) -> dict[str, Any]:
    """Return one create path's operation; the bodies of its models go into `schemas`."""
    modes = {mode for model in models for mode in model.routes[route]}
    talks = "sync" in modes and any(model.dialect == "choices" for model in models)
    streams = [_ref("parameters", "Stream")] * talks
    answers = [_ref("schemas", "Created")] * ("async" in modes)
    if "sync" in modes:
        answers += [_ref("schemas", "Answer"), _ref("schemas", "Task")]
    content: dict[str, Any] = {"application/json": {"schema": {"anyOf": answers}}}
    if talks:
        content["text/event-stream"] = {}
    success: dict[str, Any] = {
        "description": _answer(modes),
        "headers": {
            "X-Request-Id": _ref("headers", "RequestId"),
            "X-Ferrotype-Engine": _ref("headers", "Engine"),
            "X-Ferrotype-Served-By": _ref("headers", "ServedBy"),
        },
        "content": content,
    }
    if "async" in modes:
        success["links"] = {
            name: {"operationId": name, "parameters": {"task_id": "$response.body#/output/task_id"}}
            for name in ("getTask", "cancelTask")
        }
    refusals = {status: _ref("responses", name) for status, name in REFUSALS.items()}
    return {
        "operationId": "create-" + route.replace("/", "-"),
        "tags": ["create"],
        "summary": f"Make a task on {route}",
        "parameters": [_ref("parameters", name) for name in HEADERS] + streams,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _bodies(route, models, schemas)}},
        },
        "responses": {"200": success, **refusals},
    }


def _bodies(route: str, models: Sequence[Model], schemas: dict[str, Schema]) -> Schema:
    """Name one schema for all models that may be asked the same; tell them apart by `model`."""
    names: dict[str, list[str]] = {}
    bodies: dict[str, Schema] = {}
    for model in models:
        body = of_body(model)
        alike = json.dumps(body, sort_keys=True)
        names.setdefault(alike, []).append(model.name)
        bodies[alike] = body
    refs: dict[str, str] = {}
    for alike, of in names.items():
        key = f"{route.replace('/', '.')}.{of[0]}"
        named = {
            "type": "object",
            "required": ["model"],
            "properties": {"model": {"enum": of}},
        }
        schemas[key] = {"title": ", ".join(of), "allOf": [named, bodies[alike]]}
        refs |= {name: f"#/components/schemas/{key}" for name in of}
    return {
        "oneOf": [{"$ref": ref} for ref in dict.fromkeys(refs.values())],
        "discriminator": {"propertyName": "model", "mapping": refs},
    }


def _answer(modes: set[Mode]) -> str:
    if modes == {"async"}:
        return "The task was accepted."
    return "The result." if modes == {"sync"} else "The task was accepted, or its result."


def _ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}
