"""The Postman collection: what the catalogue says, a request for every kind, and right bodies."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferrotype.catalogue import Catalogue
from ferrotype.catalogue.__main__ import main
from ferrotype.catalogue.answers import CREATE_ERRORS
from ferrotype.catalogue.postman import CREATE, FILE, collection
from ferrotype.errors import FerrotypeError

CATALOGUE = Catalogue.load()
TEXT = collection(CATALOGUE)
ALL = json.loads(TEXT)["item"]
FOLDERS: dict[str, list[dict[str, Any]]] = {folder["name"]: folder["item"] for folder in ALL}
FAMILIES = [name for name in FOLDERS if "Errors" not in name]


def creates(folders: list[str]) -> Iterator[tuple[dict[str, Any], str, Any, bool]]:
    """Item, path, body and whether it makes a task, of each create request of some folders."""
    for item in (item for name in folders for item in FOLDERS[name]):
        request = item["request"]
        if CREATE not in request["url"]["raw"]:
            continue
        route = request["url"]["raw"].partition(CREATE)[2]
        raw = re.sub(r"\{\{\w+\}\}", "https://example.com/file", request["body"]["raw"])
        headers = {header["key"]: header["value"] for header in request["header"]}
        yield item, route, raw, headers.get("X-DashScope-Async") == "enable"


def test_the_collection_is_what_the_catalogue_says() -> None:
    committed = Path(__file__).parents[2] / "postman" / FILE
    assert committed.read_text(encoding="utf-8") == TEXT, (
        "run: python -m ferrotype.catalogue postman postman"
    )


def test_the_command_writes_it(tmp_path: Path) -> None:
    assert main(["postman", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / FILE).read_text(encoding="utf-8") == TEXT


def test_names_are_unique_for_scripts_go_on_by_name() -> None:
    assert len(FOLDERS) == len(ALL)
    names = [item["name"] for items in FOLDERS.values() for item in items]
    assert len(names) == len(set(names))
    goes_to = set(re.findall(r'setNextRequest\(\\"([^"]*)\\"\)', TEXT))
    # Whoever fails goes on with the next folder; the first one with the tasks, as nothing works
    # without its picture.
    assert len(goes_to) == len(FAMILIES) - 2
    assert goes_to <= set(names)


def test_every_request_is_tested_and_has_an_example() -> None:
    for item in (item for items in FOLDERS.values() for item in items):
        tests = [event for event in item["event"] if event["listen"] == "test"]
        assert "pm.test(" in "\n".join(tests[0]["script"]["exec"]), item["name"]
        assert "«" not in json.dumps(item, ensure_ascii=False), item["name"]
        assert item["response"][0]["code"] >= 200


def test_every_kind_of_request_of_the_catalogue_is_there() -> None:
    asked = set()
    for _, route, raw, asynchronous in creates(FAMILIES):
        body = json.loads(raw)
        mode = "async" if asynchronous else "sync"
        checked = CATALOGUE.check(route, body, asynchronous=asynchronous)
        assert checked.refusal is None
        asked.add((checked.model.family, checked.model.kind, checked.model.dialect, mode))
    there = {
        (model.family, model.kind, model.dialect, mode)
        for model in CATALOGUE.entries
        for modes in model.routes.values()
        for mode in modes
    }
    assert asked == there


def test_each_error_that_a_body_causes_is_what_we_say() -> None:
    seen = set()
    for item, route, raw, asynchronous in creates(list(FOLDERS)[-2:]):
        code = json.loads(item["response"][0]["body"])["code"]
        seen.add(code)
        try:
            body = json.loads(raw)
        except ValueError:
            continue
        if item["name"] in ("No key", "Server-sent events from a model that has none"):
            continue
        if "oss://" in raw:  # only the uploads know
            continue
        with pytest.raises(FerrotypeError) as refused:
            CATALOGUE.check(route, body, asynchronous=asynchronous)
        assert refused.value.code == code, item["name"]
    ours = {kind.code for status, kind, _, _ in CREATE_ERRORS if status < 429}
    assert seen == ours
