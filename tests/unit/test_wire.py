import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ferrotype.catalogue import Catalogue
from ferrotype.errors import IllegalInput, InvalidParameter
from ferrotype.http import wire
from ferrotype.media import Produced
from ferrotype.ports.ledger import Listed, Page
from ferrotype.task import Result, Status, Task

SUBMIT = datetime(2026, 1, 2, 9, 38, 24, 817_900, UTC)
CLAIM = SUBMIT + timedelta(milliseconds=14)
END = SUBMIT + timedelta(seconds=20)
URL = "http://here/files/k"
OK = Produced(key="k", type="image/png")
BAD = Produced(code="DataInspectionFailed", message="Output data may contain it.")
BASE = Task(
    id="0f6e5a10-1111-7c22-9333-5d44aa55bb66",
    account="a",
    key="42",
    model="m",
    route="text2image/image-synthesis",
    served_by="e; l",
    status=Status.PENDING,
    total=2,
    submit_at=SUBMIT,
)
RUNNING = replace(BASE, status=Status.RUNNING, first_claim_at=CLAIM, claim_at=CLAIM)
ENDED = replace(RUNNING, end_at=END, expires_at=END + timedelta(hours=24))
RESULT = Result(
    outputs=(OK, BAD),
    usage={"image_count": 1},
    shown={"orig_prompt": "a", "actual_prompt": "b"},
    kid="k1",
)
RESULTS = Catalogue.load().models["wanx2.1-t2i-turbo"]
ZEROS = {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 0}
TIMES = {
    "submit_time": "2026-01-02 17:38:24.817",
    "scheduled_time": "2026-01-02 17:38:24.831",
    "end_time": "2026-01-02 17:38:44.817",
}
STATES: dict[str, tuple[Task, dict[str, Any]]] = {
    "pending": (
        BASE,
        {"task_status": "PENDING", "submit_time": TIMES["submit_time"], "task_metrics": ZEROS},
    ),
    "running": (
        RUNNING,
        {
            "task_status": "RUNNING",
            "submit_time": TIMES["submit_time"],
            "scheduled_time": TIMES["scheduled_time"],
            "task_metrics": ZEROS,
        },
    ),
    "waiting for its next attempt": (
        replace(RUNNING, status=Status.PENDING, attempt=1),
        {
            "task_status": "RUNNING",
            "submit_time": TIMES["submit_time"],
            "scheduled_time": TIMES["scheduled_time"],
            "task_metrics": ZEROS,
        },
    ),
    "succeeded": (
        replace(ENDED, status=Status.SUCCEEDED, result=RESULT),
        {
            "task_status": "SUCCEEDED",
            **TIMES,
            "results": [
                {"orig_prompt": "a", "actual_prompt": "b", "url": URL},
                {"code": BAD.code, "message": BAD.message},
            ],
            "task_metrics": {"TOTAL": 2, "SUCCEEDED": 1, "FAILED": 1},
        },
    ),
    "failed": (
        replace(ENDED, status=Status.FAILED, code="InvalidParameter", message="no"),
        {
            "task_status": "FAILED",
            **TIMES,
            "code": "InvalidParameter",
            "message": "no",
            "task_metrics": {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 2},
        },
    ),
    "canceled, never claimed": (
        replace(BASE, status=Status.CANCELED, end_at=END),
        {
            "task_status": "CANCELED",
            "submit_time": TIMES["submit_time"],
            "end_time": TIMES["end_time"],
        },
    ),
    "canceled after a claim": (
        replace(ENDED, status=Status.CANCELED),
        {"task_status": "CANCELED", **TIMES},
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_each_status_has_exactly_its_fields(name: str) -> None:
    task, output = STATES[name]
    urls = [URL, ""] if task.result else []
    answer = {"request_id": "r", "output": {"task_id": task.id, **output}}
    if task.result:
        answer["usage"] = {"image_count": 1}
    assert json.loads(wire.queried("r", task, urls, RESULTS)) == answer
    del_metrics = {k: v for k, v in output.items() if k != "task_metrics"}
    written = json.loads(wire.queried("r", task, urls, replace(RESULTS, task_metrics=False)))
    assert written["output"] == {"task_id": task.id, **del_metrics}


def test_every_status_is_shown() -> None:
    assert {wire.shown_status(replace(BASE, status=one)) for one in Status} == set(Status)
    assert {task.status for task, _ in STATES.values()} == set(Status)


def test_create_and_unknown_say_two_things_alone() -> None:
    assert json.loads(wire.created("r", "t")) == {
        "request_id": "r",
        "output": {"task_id": "t", "task_status": "PENDING"},
    }
    assert json.loads(wire.unknown("r", 'x"\x00')) == {
        "request_id": "r",
        "output": {"task_id": 'x"\x00', "task_status": "UNKNOWN"},
    }


def test_list_is_flat_and_in_epoch_milliseconds() -> None:
    page = Page(11, (Listed(ENDED, "r1"), Listed(BASE, "r2")))
    written = json.loads(wire.listed("r", page, 1, 10, region="x"))
    first, second = written.pop("data")
    assert written == {
        "total": 11,
        "total_page": 2,
        "page_no": 1,
        "page_size": 10,
        "request_id": "r",
    }
    assert first == {
        "api_key_id": "42",
        "caller_parent_id": "a",
        "caller_uid": "a",
        "gmt_create": 1767346704817,
        "start_time": 1767346704831,
        "end_time": 1767346724817,
        "model_name": "m",
        "region": "x",
        "request_id": "r1",
        "status": "RUNNING",
        "task_id": BASE.id,
        "user_api_unique_key": "apikey:v1:aigc:text2image:image-synthesis:m",
    }
    assert "start_time" not in second
    assert "end_time" not in second


DAY = timedelta(hours=24)
LOCAL = datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC) - timedelta(hours=8)


def test_a_list_leaves_the_window_to_the_ledger_unless_told() -> None:
    query = wire.read_list({})
    assert query
    assert (query.start, query.end) == (None, None)
    assert (query.page, query.page_size, query.status, query.model) == (1, 10, None, None)


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ({"start_time": "20260101000000"}, LOCAL, LOCAL + DAY),
        ({"end_time": "20260101000000"}, LOCAL - DAY, LOCAL),
        (
            {"start_time": "20260101000000", "end_time": "20260101010000"},
            LOCAL,
            LOCAL + timedelta(hours=1),
        ),
    ],
)
def test_a_window_is_read_in_the_vendors_zone(
    given: dict[str, str], start: datetime, end: datetime
) -> None:
    query = wire.read_list(given)
    assert query
    assert (query.start, query.end) == (start, end)


@pytest.mark.parametrize(
    "given",
    [
        {"start_time": "2026-01-01"},
        {"start_time": "20261301000000"},
        {"start_time": "00000000000000"},
        {"end_time": "99991231235959", "start_time": "99991231235958"},
        {"start_time": "２０２６０１０１００００００"},
        {"start_time": "20260101000000", "end_time": "20260102000001"},
        {"start_time": "20260102000000", "end_time": "20260101000000"},
        {"start_time": "20260101000000", "end_time": "20260101000000"},
        {"page_no": "0"},
        {"page_no": "-1"},
        {"page_no": "1.5"},
        {"page_no": "9" * 400},
        {"page_no": "1000001"},
        {"page_size": "101"},
        {"page_size": "ten"},
        {"status": "DONE"},
        {"status": "succeeded"},
    ],
)
def test_a_bad_filter_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter):
        wire.read_list(given)


@pytest.mark.parametrize("status", Status)
def test_every_status_can_be_asked_for(status: Status) -> None:
    query = wire.read_list({"status": status.value})
    assert query
    assert query.status is status


@pytest.mark.parametrize("status", ["UNKNOWN", "SUSPENDED"])
def test_words_of_the_vendor_that_no_task_is_in_match_nothing(status: str) -> None:
    assert wire.read_list({"status": status}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"1",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":[' * 5_000 + b"]}" * 5_000,
        b"\x00",
        b'{"a":[' + b"[]," * 200_000 + b"[]]}",
        b'{"a":[' + b"{}," * 200_000 + b"{}]}",
        b'{"a":[' + b"0," * 300_000 + b"0]}",
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_json_object_is_illegal(body: bytes) -> None:
    with pytest.raises(IllegalInput):
        wire.read_create(body)


def test_of_a_repeated_name_the_last_counts() -> None:
    assert wire.read_create(b'{"a":1,"a":2}') == {"a": 2}
    assert wire.read_query(b"a=1&a=2&b=&%E4%BD%A0=x") == {"a": "2", "b": "", "你": "x"}


def test_a_query_of_a_thousand_fields_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        wire.read_query(b"&".join([b"a=1"] * 1000))


def test_what_is_shown_does_not_take_the_place_of_the_frame() -> None:
    shown = {"task_id": "theirs", "task_status": "PENDING", "orig_prompt": "a"}
    result = replace(RESULT, outputs=(OK,), shown=shown)
    film = Catalogue.load().models["wan2.2-t2v-plus"]
    task = replace(ENDED, status=Status.SUCCEEDED, result=result)
    output = json.loads(wire.queried("r", task, [URL], film))["output"]
    assert (output["task_id"], output["task_status"]) == (BASE.id, "SUCCEEDED")
    assert (output["video_url"], output["orig_prompt"]) == (URL, "a")


def test_only_numbers_that_can_be_added_up_are_added_up() -> None:
    usage = {
        "image_count": 2,
        "seconds": 1.5,
        "ratio": "1:1",
        "audio": True,
        "huge": 10**400,
        "none": float("nan"),
        "a\0b": 1,
    }
    assert replace(RESULT, usage=usage).numbers() == {"image_count": 2, "seconds": 1.5}
