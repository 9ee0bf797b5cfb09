"""What answers of an upstream mean."""

from typing import Any

import msgspec
import pytest

from ferrotype.engines.dashscope import results
from ferrotype.engines.dashscope.events import gathered
from ferrotype.engines.dashscope.memo import MAX_ANSWER, Memo, State, recall
from ferrotype.engines.dashscope.results import Item
from ferrotype.engines.dashscope.told import Error, Meaning, Reply, error_of

JSON = {"content-type": "application/json;charset=UTF-8"}


def reply(status: int, said: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers={**JSON, **named}, body=msgspec.json.encode(said))


def told(status: int, code: str, message: str = "m") -> Error:
    error = error_of(reply(status, {"code": code, "message": message, "request_id": "r"}))
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "InvalidParameter", Meaning.REQUEST),
        (400, "DataInspectionFailed", Meaning.REQUEST),
        (400, "BadRequest.InputDownloadFailed", Meaning.REQUEST),
        (404, "NotFound", Meaning.REQUEST),
        (413, "RequestTooLarge", Meaning.REQUEST),
        (400, "Arrearage", Meaning.REGION),
        (401, "InvalidApiKey", Meaning.REGION),
        (401, "NOT AUTHORIZED", Meaning.REGION),
        (403, "AccessDenied", Meaning.REGION),
        (403, "AccessDenied.Unpurchased", Meaning.REGION),
        (403, "AllocationQuota.FreeTierOnly", Meaning.REGION),
        (404, "ModelNotFound", Meaning.REGION),
        (429, "PrepaidBillOverdue", Meaning.REGION),
        (429, "Throttling.RateQuota", Meaning.PACE),
        (429, "LimitRequests", Meaning.PACE),
        (503, "ModelUnavailable", Meaning.PACE),
        (503, "ModelServingError", Meaning.PACE),
        (500, "InternalError", Meaning.UNCLEAR),
        (500, "ModelServingError", Meaning.UNCLEAR),
        (504, "RequestTimeOut", Meaning.UNCLEAR),
    ],
)
def test_an_error_is_somebodys_trouble(status: int, code: str, meaning: Meaning) -> None:
    assert told(status, code).meaning is meaning


def test_some_errors_are_told_apart_by_their_words() -> None:
    mode = "current user api does not support asynchronous calls"
    assert told(403, "AccessDenied", mode).meaning is Meaning.REQUEST
    assert told(400, "InvalidParameter", "Model not exist.").meaning is Meaning.REGION


@pytest.mark.parametrize(
    "answer",
    [
        reply(400, {"code": "X", "message": "m"}),
        reply(400, {"code": "", "message": "m", "request_id": "r"}),
        reply(400, {"code": 7, "message": "m", "request_id": "r"}),
        reply(400, ["code", "message", "request_id"]),
        reply(200, {"code": "X", "message": "m", "request_id": "r"}),
        Reply(status=503, headers=JSON, body=b"{"),
        Reply(status=503, headers=JSON, body=b"\xff"),
        Reply(
            status=503,
            headers={"content-type": "text/html"},
            body=b'{"code":"X","message":"m","request_id":"r"}',
        ),
    ],
)
def test_what_has_another_shape_proves_nothing(answer: Reply) -> None:
    assert error_of(answer) is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0", 0.0), ("1e9", 600.0), ("-1", None), ("nan", None)]
)
def test_a_wait_is_believed_within_reason(header: str, seconds: float | None) -> None:
    assert reply(429, {}, retry_after=header).wait == seconds


@pytest.mark.parametrize(
    ("output", "items", "shown"),
    [
        (
            {
                "task_id": "t",
                "results": [
                    {"code": "DataInspectionFailed", "message": "no"},
                    {"orig_prompt": "o", "actual_prompt": "a", "url": "http://h/1"},
                ],
            },
            [Item(code="DataInspectionFailed", message="no"), Item(url="http://h/1")],
            {"orig_prompt": "o", "actual_prompt": "a"},
        ),
        (
            {"results": [{"url": "http://h/1"}], "style_index": 3, "error_code": 0},
            [Item(url="http://h/1")],
            {"style_index": 3},
        ),
        (
            {"video_url": "http://h/v", "orig_prompt": "o", "submit_time": "now"},
            [Item(url="http://h/v")],
            {"orig_prompt": "o"},
        ),
        (
            {"results": [{"url": "http://h/1", "svg_url": "x"}], "url": "http://h/2", "n": 1},
            [Item(url="http://h/1")],
            {"n": 1},
        ),
        ({"results": {"video_url": "http://h/v"}}, [Item(url="http://h/v")], {}),
        ({"output_video_url": "http://h/v"}, [Item(url="http://h/v")], {}),
        ({"image_url": "http://h/i"}, [Item(url="http://h/i")], {}),
        ({"task_status": "SUCCEEDED"}, [], {}),
    ],
)
def test_results_are_found_where_they_are(
    output: dict[str, Any], items: list[Item], shown: dict[str, Any]
) -> None:
    assert results.items(output) == items
    assert results.shown(output) == shown


def test_words_belong_to_the_picture_after_them() -> None:
    content = [{"text": "one"}, {"image": "http://h/1"}, {"text": "two"}, {"image": "http://h/2"}]
    bad = {"finish_reason": "error", "message": {"content": [{"text": "Some.Code: bad: luck"}]}}
    output = {"choices": [{"finish_reason": "stop", "message": {"content": content}}, bad]}
    assert results.items(output) == [
        Item(url="http://h/1", caption="one"),
        Item(url="http://h/2", caption="two"),
        Item(code="Some.Code", message="bad: luck"),
    ]


def test_a_stream_is_put_together() -> None:
    def event(*parts: dict[str, str]) -> str:
        output = {"choices": [{"message": {"content": list(parts)}}]}
        said = {"output": output, "usage": {"image_count": len(parts)}, "request_id": "r"}
        return (
            f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{msgspec.json.encode(said).decode()}\n\n"
        )

    events = event({"text": "o"}) + event({"text": "ne"}) + ": ping\n\n" + event({"image": "u"})
    whole = gathered(Reply(status=200, headers={}, body=events.encode()))
    assert not isinstance(whole, Error)
    assert whole["usage"] == {"image_count": 1}
    assert results.items(whole["output"]) == [Item(url="u", caption="one")]


def test_a_stream_may_tell_an_error() -> None:
    data = '{"code":"DataInspectionFailed","message":"no","request_id":"r"}'
    body = f"id:1\nevent:error\n:HTTP_STATUS/400\ndata:{data}\n\n".encode()
    error = gathered(Reply(status=200, headers={}, body=body))
    assert isinstance(error, Error)
    assert (error.code, error.meaning) == ("DataInspectionFailed", Meaning.REQUEST)
    assert gathered(Reply(status=200, headers={}, body=b"data: {\n\n")) == {}


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    small = Memo(state=State.ANSWERED, region="r", answer={"output": {}})
    assert recall(small.pack()) == small
    large = Memo(state=State.ANSWERED, region="r", answer={"x": "x" * MAX_ANSWER})
    assert recall(large.pack()) == Memo(state=State.INTENT, region="r")


def test_the_note_of_a_stranger_means_that_it_was_sent() -> None:
    assert recall(None) == recall(b"") == Memo()
    assert recall(b"half").state is recall(b'{"state":"else"}').state is State.INTENT
