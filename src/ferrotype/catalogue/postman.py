"""Writes the Postman collection that follows from the catalogue. Same data, same text.

`postman.toml` says which model stands for a kind of request and names the error cases; paths,
modes, usage and the errors of missing fields are the catalogue's. Each request carries an example
of its answer; the tests hold newman's answers against their status and code.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferrotype.catalogue.check import Catalogue
from ferrotype.catalogue.model import Model, Variant
from ferrotype.errors import Refused

FILE = "ferrotype.postman_collection.json"
CREATE = "/api/v1/services/aigc/"
ROOT = "{{baseUrl}}"
TASK_ID = "0385dc79-5ff8-4d82-bcb6-7c2f5b1c0a11"
REQUEST_ID = "7574ee8f-38a3-4b1e-9280-11c33ab46e51"
KITE = "a red kite over a lake"
FIRST = "wan2.5-t2i-preview"
FIRST_BODY: Mapping[str, Any] = {
    "model": FIRST,
    "input": {
        "prompt": "A flower shop with exquisite windows, a beautiful wooden door, and flowers "
        "on display"
    },
    "parameters": {"size": "1024*1024", "n": 1},
}
ASYNC = {"X-DashScope-Async": "enable"}
RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}
URLS = {
    "results": "output.results.map((result) => result.url)",
    "choices": "output.choices.flatMap((choice) => choice.message.content)"
    ".map((part) => part.image).filter(Boolean)",
    "video": "[output.video_url]",
}
VARIABLES = (
    ("poll_wait_ms", "4000", "Milliseconds between two polls (the guide asks for 3 to 5 s)"),
    ("poll_limit", "60", "Polls after which the run gives up"),
    ("polls", "0", ""),
    ("task_id", "", "The task that was made last"),
    ("file_url", "", "What that task made"),
    ("picture_url", "", "The picture that later requests work from"),
    ("film_url", "", "The film that later requests work from"),
    ("oss_url", "", "The upload that a later request works from"),
)
DESCRIPTION = (
    "The steps of the vendor's guide for text-to-image: create a task, poll it until it has ended, "
    "look at the picture; then one request of every kind that the catalogue has, most of them from "
    "that picture; then every error. Choose an environment (the local server, or a region of the "
    "vendor), put your key into its `apiKey`, and run the collection from top to bottom. Each run "
    "at the vendor is billed: send single folders there. Written by `python -m "
    "ferrotype.catalogue postman postman`; do not edit."
)
Json = dict[str, Any]


def collection(catalogue: Catalogue) -> str:
    """Return the text of the collection's file."""
    return Collection(catalogue).text()


class Collection:
    """All requests, made from a catalogue and from `postman.toml` beside it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        data = tomllib.loads((Path(__file__).parent / "postman.toml").read_text(encoding="utf-8"))
        self._families: list[Json] = data["family"]
        self._errors: list[Json] = data["error"]
        self._scripts: dict[str, str] = data["scripts"]

    def text(self) -> str:
        """Return the collection as JSON."""
        whole = {
            "info": {
                "_postman_id": "6f0f1b1c-7a2e-4a55-9d0c-2b6a7a1f5c01",
                "name": "Ferrotype",
                "description": DESCRIPTION,
                "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
            },
            "auth": _bearer("{{apiKey}}"),
            "variable": [
                {"key": key, "value": value, "type": "string", "description": what}
                for key, value, what in VARIABLES
            ],
            "item": list(self._folders()),
        }
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"

    def _folders(self) -> Iterator[Json]:
        names = [*(_first(family) for family in self._families), "List the tasks"]
        yield {"name": "Make a picture", "item": self._picture()}
        for family, following in zip(self._families, names[1:], strict=True):
            yield {"name": family["name"], "item": self._family(family, following)}
        yield {"name": "Look after tasks", "item": self._tasks()}
        yield {"name": "Errors", "item": [self._error(error) for error in self._errors]}
        yield {"name": "Errors: a field is missing", "item": list(self._missing())}

    def _picture(self) -> list[Json]:
        route = next(iter(self._catalogue.models[FIRST].routes))
        model, after = self._catalogue.on_route(FIRST, route), "List the tasks"
        answer = self._answer(model, 1, "picture_url")
        show = self._scripts["show"].strip()
        return [
            _item(
                "Create a task",
                _post(CREATE + route, FIRST_BODY, ASYNC),
                self._script("accepted", next=after),
                "Step 1 of the guide. The answer comes at once and carries the task's id, which "
                "the test script keeps in the collection variable `task_id`.",
                _example(_created()),
            ),
            _item(
                "Poll until it has ended",
                _get("/api/v1/tasks/{{task_id}}"),
                self._script("poll", {"answer": answer, "show": show}, next=after),
                "Step 2 of the guide. In a run (Runner or newman) the request repeats itself every "
                "`poll_wait_ms` until the task has ended, at most `poll_limit` times. Sent by "
                "hand it asks once. When the task has succeeded, the tab Visualize shows it.",
                _example(_ended(model)),
            ),
            _item(
                "Download the picture",
                {**_url("GET", "{{picture_url}}"), "auth": {"type": "noauth"}},
                self._script("png"),
                "Step 3 of the guide. The URL is signed and needs no key; it lives for 24 hours.",
                _example(None),
            ),
        ]

    def _family(self, family: Json, following: str) -> list[Json]:
        name, waits = family["name"], family.get("waits", False)
        model, route = self._place(family)
        body = _body(family, family["model"])
        answer = self._answer(model, _count(model, body), family.get("keeps", ""))
        uploads = family.get("uploads", False)
        headers = ({} if waits else ASYNC) | (RESOLVE if uploads else {})
        create = _post(CREATE + route, body, headers)
        poll = f"{name}: poll until it has ended"
        items = self._upload(family) if uploads else []
        if waits:
            script = self._script("waited", {"answer": answer}, next=following)
            items.append(
                _item(_create(family), create, script, _told(model), _example(_now(model)))
            )
        else:
            script = self._script("accepted", next=following)
            items.append(_item(_create(family), create, script, _told(model), _example(_created())))
            script = self._script("poll", {"answer": answer, "show": ""}, next=following)
            get = _get("/api/v1/tasks/{{task_id}}")
            items.append(_item(poll, get, script, "", _example(_ended(model))))
        look = {**_url("GET", "{{file_url}}", {"Range": "bytes=0-15"}), "auth": {"type": "noauth"}}
        script = self._script(model.media)
        what = "The first bytes of the file."
        items.append(_item(f"{name}: look at the file", look, script, what, _example(None, 206)))
        return items

    def _upload(self, family: Json) -> list[Json]:
        name = family["name"]
        ask = _get(f"/api/v1/uploads?action=getPolicy&model={family['model']}")
        fields = {
            "OSSAccessKeyId": "{{oss_access_key_id}}",
            "Signature": "{{signature}}",
            "policy": "{{policy}}",
            "key": "{{upload_key}}",
            "x-oss-object-acl": "{{x_oss_object_acl}}",
            "x-oss-forbid-overwrite": "{{x_oss_forbid_overwrite}}",
            "success_action_status": "200",
            "file": "{{sound}}",
        }
        form = [{"key": key, "value": value, "type": "text"} for key, value in fields.items()]
        send = {
            **_url("POST", "{{upload_host}}"),
            "auth": {"type": "noauth"},
            "body": {"mode": "formdata", "formdata": form},
        }
        what = "A form to `upload_host`, the file last. For a file of yours: File in place of Text."
        sent = _item(f"{name}: upload", send, self._script("uploaded"), what, _example(None))
        sent["event"].append(_event("prerequest", self._script("sound")))
        what = "Where a file may be uploaded to, and with which words."
        script = self._script("policy")
        return [_item(f"{name}: ask for a policy", ask, script, what, _example(None)), sent]

    def _tasks(self) -> list[Json]:
        unknown = "00000000-0000-4000-8000-000000000000"
        return [
            _item(
                "List the tasks",
                _get("/api/v1/tasks?page_no=1&page_size=10"),
                self._script("listed"),
                "The tasks of the last 24 hours, the newest first.",
                _example({"total": 1, "page_no": 1, "page_size": 10, "data": []}),
            ),
            _item(
                "Ask for an unknown task",
                _get(f"/api/v1/tasks/{unknown}"),
                self._script("unknown"),
                "An id that does not exist, is somebody else's or is older than 24 hours is "
                "answered with 200 and the status UNKNOWN.",
                _example({"output": {"task_id": unknown, "task_status": "UNKNOWN"}}),
            ),
        ]

    def _error(self, error: Json) -> Json:
        if "get" in error:
            request = _get(error["get"])
        elif "post" in error:
            request = _url("POST", ROOT + error["post"])
        else:
            name = error.get("model", FIRST)
            route = error.get("route") or self._route(name, waits=error.get("waits", False))
            given = {"input": {"prompt": KITE}, **error}
            headers = ({} if error.get("waits") else ASYNC) | error.get("headers", {})
            request = _post(CREATE + route, error.get("body", _body(given, name)), headers)
        if "key" in error:
            request["auth"] = _bearer(error["key"]) if error["key"] else {"type": "noauth"}
        return self._refused(error, request)

    def _missing(self) -> Iterator[Json]:
        """Yield each family's request without one field that it must have, told as we tell it."""
        for family in self._families:
            model, route = self._place(family)
            waits = family.get("waits", False)
            for field in (key for key, one in model.input.items() if one.required):
                given = {key: value for key, value in family["input"].items() if key != field}
                body = _body({**family, "input": given}, model.name)
                error = {"name": f"{family['name']}: without input.{field}", "status": 400}
                try:
                    self._catalogue.check(route, _filled(body), asynchronous=not waits)
                except Refused as refusal:
                    error |= {"code": [refusal.code], "message": refusal.message}
                else:
                    raise ValueError(f"{error['name']}: the catalogue takes it")
                request = _post(CREATE + route, body, {} if waits else ASYNC)
                yield self._refused(error, request)

    def _refused(self, error: Json, request: Json) -> Json:
        codes, status = error["code"], error["status"]
        words = f"{status} {codes[0]}"
        statuses = error.get("statuses", [status])
        name = error.get("script", "refused")
        script = self._script(name, words=words, statuses=statuses, codes=codes)
        said = {"code": codes[0], "message": error.get("message", "..."), "request_id": REQUEST_ID}
        return _item(
            error["name"], request, script, error.get("what", f"{words}."), _example(said, status)
        )

    def _answer(self, model: Model, count: int, keeps: str) -> str:
        keys = sorted(model.measures)
        text = self._scripts["answer"].strip().replace("«urls»", URLS[model.dialect])
        text = text.replace("«count»", str(count)).replace("«usage»", json.dumps(keys))
        more = f'\npm.collectionVariables.set("{keeps}", urls[0]);' if keeps else ""
        return text + more

    def _script(self, name: str, code: Mapping[str, str] | None = None, **words: Any) -> list[str]:
        """Return the lines of a script: `code` goes in as it is, at its place's depth."""
        lines: list[str] = []
        for line in self._scripts[name].strip().splitlines():
            mark = line.strip().strip("«»")
            if code is not None and line.strip() == f"«{mark}»":
                depth = " " * (len(line) - len(line.lstrip()))
                lines += [depth + one for one in code[mark].splitlines()]
                continue
            for word, value in words.items():
                line = line.replace(f"«{word}»", json.dumps(value))
            lines.append(line)
        return lines

    def _place(self, family: Json) -> tuple[Model, str]:
        name = family["model"]
        route = family.get("route") or self._route(name, waits=family.get("waits", False))
        return self._catalogue.on_route(name, route), route

    def _route(self, name: str, *, waits: bool) -> str:
        """Return the path on which a model answers so, or else its first."""
        routes = self._catalogue.models[name].routes
        mode = "sync" if waits else "async"
        return next((route for route, modes in routes.items() if mode in modes), next(iter(routes)))


def _first(family: Json) -> str:
    return f"{family['name']}: ask for a policy" if family.get("uploads") else _create(family)


def _create(family: Json) -> str:
    return f"{family['name']}: {'ask' if family.get('waits') else 'create a task'}"


def _count(model: Model, body: Json) -> int:
    """Return how many files a body asks for: `n`, or what its variant says in place of it."""
    parameters = body.get("parameters", {})
    for variant in model.variants:
        if variant.pictures and _meets(variant, parameters):
            return int(parameters[variant.pictures])
    return int(parameters.get("n", 1))


def _meets(variant: Variant, parameters: Json) -> bool:
    return all(parameters.get(key) == value for key, value in variant.when.items())


def _told(model: Model) -> str:
    fields = {f"input.{key}": field for key, field in model.input.items()}
    fields |= {f"parameters.{key}": field for key, field in model.parameters.items()}
    lines = [
        f"- `{where}`{' (required)' if field.required else ''}: {field.say()}"
        for where, field in fields.items()
    ]
    return f"`{model.name}`, one of the family {model.family}. It takes:\n\n" + "\n".join(lines)


def _body(given: Json, model: str) -> Json:
    return {"model": model} | {key: given[key] for key in ("input", "parameters") if key in given}


def _filled(body: Json) -> Json:
    """Return a body with an address in place of each variable."""
    filled: Json = json.loads(re.sub(r"\{\{\w+\}\}", "https://example.com/file", json.dumps(body)))
    return filled


def _created() -> Json:
    output = {"task_status": "PENDING", "task_id": TASK_ID}
    return {"output": output, "request_id": REQUEST_ID}


def _ended(model: Model) -> Json:
    output = {"task_id": TASK_ID, "task_status": "SUCCEEDED", **_made(model)}
    return {"request_id": REQUEST_ID, "output": output}


def _now(model: Model) -> Json:
    return {"request_id": REQUEST_ID, "output": _made(model)}


def _made(model: Model) -> Json:
    """Return the part of an answer that names the files."""
    url = "https://..."
    match model.dialect:
        case "results":
            return {"results": [{"url": url}]}
        case "video":
            return {"video_url": url}
        case "choices":
            message = {"role": "assistant", "content": [{"image": url}]}
            return {"choices": [{"finish_reason": "stop", "message": message}]}


def _item(name: str, request: Json, script: Sequence[str], what: str, example: Json) -> Json:
    return {
        "name": name,
        "event": [_event("test", script)],
        "request": {**request, "description": what},
        "response": [{"name": name, **example}],
    }


def _event(listen: str, script: Sequence[str]) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(script)}}


def _example(body: Json | None, status: int = 200) -> Json:
    text = "" if body is None else json.dumps(body, indent=2, ensure_ascii=False)
    return {"code": status, "_postman_previewlanguage": "json" if body else "text", "body": text}


def _bearer(key: str) -> Json:
    return {"type": "bearer", "bearer": [{"key": "token", "value": key, "type": "string"}]}


def _get(path: str) -> Json:
    return _url("GET", ROOT + path)


def _post(path: str, body: Mapping[str, Any] | str, headers: Mapping[str, str]) -> Json:
    raw = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    said = {**headers, "Content-Type": "application/json"}
    options = {"raw": {"language": "json"}}
    return {
        **_url("POST", ROOT + path, said),
        "body": {"mode": "raw", "raw": raw, "options": options},
    }


def _url(method: str, url: str, headers: Mapping[str, str] | None = None) -> Json:
    place, _, query = url.partition("?")
    host, *path = place.split("/") if place.startswith(ROOT) else [place]
    parts: Json = {"raw": url, "host": [host]} | ({"path": path} if path else {})
    if query:
        pairs = (pair.partition("=") for pair in query.split("&"))
        parts["query"] = [{"key": key, "value": value} for key, _, value in pairs]
    header = [{"key": key, "value": value} for key, value in (headers or {}).items()]
    return {"method": method, "header": header, "url": parts}
