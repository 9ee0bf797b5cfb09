"""Every name on the wire: how bodies are read, and how they are written. Nowhere else but in
`dialects`, which writes what tasks made, and `events`, which frames it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ferrotype.catalogue import Model
from ferrotype.errors import IllegalInput, InvalidParameter
from ferrotype.http import dialects
from ferrotype.ports.ledger import Letter, Listed, ListQuery, Page
from ferrotype.task import Status, Task
from ferrotype.uploads import MAX_BYTES, Leave

VENDOR_OFFSET = timedelta(hours=8)
VENDOR_ZONE = timezone(VENDOR_OFFSET)
DAY = timedelta(hours=24)
MAX_PAGE_SIZE = 100
MAX_PAGE = 1_000_000
MAX_QUERY_FIELDS = 100
MAX_VALUES = 250_000  # in one body: some 50 ms of work, and more commas than a book has
UNSEEN = frozenset({"SUSPENDED", "UNKNOWN"})  # words of the vendor's that no task of ours is in

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def read_create(body: bytes) -> dict[str, Any]:
    """Read a create's body. Raises `IllegalInput` for whatever is no JSON object, or has too many
    values: a body that is nothing but brackets would stop the process for half a minute.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise IllegalInput()
    try:
        read = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise IllegalInput() from None
    if not isinstance(read, dict):
        raise IllegalInput()
    return read


def read_query(query: bytes) -> dict[str, str]:
    """Read a query string; of a repeated name the last one counts."""
    try:
        return dict(
            parse_qsl(
                query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
            )
        )
    except ValueError:
        raise InvalidParameter("Too many query parameters.") from None


def read_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Read `page_no` and `page_size`."""
    return (
        _whole(query, "page_no", 1, MAX_PAGE),
        _whole(query, "page_size", 10, MAX_PAGE_SIZE),
    )


def read_list(query: Mapping[str, str]) -> ListQuery | None:
    """Read a list's filters; None when they ask for a status that no task of ours is ever in."""
    page, page_size = read_page(query)
    start, end = _window(_moment(query, "start_time"), _moment(query, "end_time"))
    status = query.get("status") or None
    if status and status not in Status.__members__ and status not in UNSEEN:
        known = ", ".join([*Status, *sorted(UNSEEN)])
        raise InvalidParameter(f"status must be one of {known}.")
    if status in UNSEEN:
        return None
    return ListQuery(
        start=start,
        end=end,
        task_id=query.get("task_id") or None,
        model=query.get("model_name") or None,
        status=Status(status) if status else None,
        page=page,
        page_size=page_size,
    )


def _window(
    start: datetime | None, end: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Return a whole window; without a word about it, the ledger's last 24 hours are meant."""
    if start is None and end is None:
        return None, None
    start = start or (end and end - DAY)
    end = end or (start and start + DAY)
    assert start and end
    if end <= start:
        raise InvalidParameter("end_time must be later than start_time.")
    if end - start > DAY:
        raise InvalidParameter("start_time and end_time must not be more than 24 hours apart.")
    return start, end


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= most):
        raise InvalidParameter(f"{name} must be a whole number from 1 to {most}.")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        if not (text.isascii() and text.isdecimal() and len(text) == 14 and text > "1970010200"):
            raise ValueError
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=VENDOR_ZONE)
        moment = local.astimezone(UTC)
        _ = moment + DAY
    except (ValueError, OverflowError):
        raise InvalidParameter(f"{name} must have the form YYYYMMDDhhmmss.") from None
    return moment


def shown_status(task: Task) -> Status:
    """Return the status that callers see: once claimed, a task shows RUNNING until it ends."""
    if task.status is Status.PENDING and task.first_claim_at:
        return Status.RUNNING
    return task.status


def created(request_id: str, task_id: str) -> bytes:
    """Write the answer to an asynchronous create."""
    return _encode(
        {"request_id": request_id, "output": {"task_id": task_id, "task_status": Status.PENDING}}
    )


def unknown(request_id: str, task_id: str) -> bytes:
    """Write the answer to a query of an unknown, foreign or expired task."""
    return _encode(
        {"request_id": request_id, "output": {"task_id": task_id, "task_status": "UNKNOWN"}}
    )


def queried(request_id: str, task: Task, urls: Sequence[str], model: Model | None) -> bytes:
    """Write a task as its model's answers are; `urls` has one for each output, "" for a failed one.

    `model` is None when the catalogue has lost it since the create.
    """
    status = shown_status(task)
    output: dict[str, Any] = {
        "task_id": task.id,
        "task_status": status,
        "submit_time": _local(task.submit_at),
    }
    if task.first_claim_at:
        output["scheduled_time"] = _local(task.first_claim_at)
    if task.end_at:
        output["end_time"] = _local(task.end_at)
    answer: dict[str, Any] = {"request_id": request_id, "output": output}
    if status is Status.FAILED:
        output["code"], output["message"] = task.code, task.message
    elif task.result:
        output |= dialects.made(task.result, urls, model) | output  # an upstream names no frame
        answer["usage"] = task.result.usage
        if model and "repainted" in model.traits:
            output["start_time"] = output["scheduled_time"][:19]
            output["end_time"] = output["end_time"][:19]
    if status is not Status.CANCELED and (model is None or model.task_metrics):
        output["task_metrics"] = dialects.counts(task)
    return _encode(answer)


def answered(request_id: str, task: Task, urls: Sequence[str], model: Model) -> bytes:
    """Write what a caller waited for, in messages."""
    assert task.result
    output = dialects.answered(task, urls, model)
    return _encode({"request_id": request_id, "output": output, "usage": task.result.usage})


def streamed(request_id: str, task: Task, urls: Sequence[str], model: Model) -> Iterator[bytes]:
    """Write what a caller waited for part by part; that it is the last one stands in the last."""
    assert task.result
    output = dialects.answered(task, urls, model)
    parts = [part for one in output["choices"] for part in one["message"]["content"]]
    for i, part in enumerate(parts, 1):
        output["choices"] = [dialects.choice([part], reason="stop" if i == len(parts) else "null")]
        yield _encode({"output": output, "usage": task.result.usage, "request_id": request_id})


def listed(request_id: str, page: Page, number: int, size: int, *, region: str) -> bytes:
    """Write a page of tasks."""
    return _encode(
        {
            "total": page.total,
            "data": [_row(row, region) for row in page.rows],
            "total_page": -(-page.total // size),
            "page_no": number,
            "page_size": size,
            "request_id": request_id,
        }
    )


def _row(row: Listed, region: str) -> dict[str, Any]:
    task = row.task
    said = {
        "api_key_id": task.key,
        "caller_parent_id": task.account,
        "caller_uid": task.account,
        "gmt_create": _millis(task.submit_at),
        "model_name": task.model,
        "region": region,
        "request_id": row.request_id,
        "status": shown_status(task),
        "task_id": task.id,
        "user_api_unique_key": _unique_key(task.route, task.model),
    }
    if task.first_claim_at:
        said["start_time"] = _millis(task.first_claim_at)
    if task.end_at:
        said["end_time"] = _millis(task.end_at)
    return said


def _unique_key(route: str, model: str) -> str:
    return f"apikey:v1:aigc:{route.replace('/', ':')}:{model}"


def event(letter: Letter, *, region: str) -> bytes:
    """Write a letter as the vendor's event bus does: without the result, and the same each try."""
    ended = _zulu(letter.end_at)
    data = {
        "task_id": letter.task,
        "task_status": letter.status,
        "end_time": _local(letter.end_at)[:19],
        "user_api_unique_key": _unique_key(letter.route, letter.model),
        "contain_result": False,
        "region": region,
        "request_id": letter.request_id,
        "api_key_id": letter.key,
    }
    if letter.start_at:
        data["start_time"] = _local(letter.start_at)[:19]
    return _encode(
        {
            "id": letter.event,
            "source": "acs.dashscope",
            "specversion": "1.0",
            "type": "dashscope:System:AsyncTaskFinish",
            "datacontenttype": "application/json;charset=utf-8",
            "time": ended,
            "aliyunaccountid": letter.account,
            "aliyunoriginalaccountid": letter.account,
            "aliyunpublishtime": ended,
            "aliyuneventbusname": "default",
            "aliyunregionid": region,
            "data": data,
        }
    )


def cancelled(request_id: str) -> bytes:
    """Write the answer to a cancel that was made."""
    return _encode({"request_id": request_id})


def models(
    request_id: str, rows: Sequence[tuple[str, str, bool]], total: int, number: int, size: int
) -> bytes:
    """Write a page of models, each (name, who serves it, whether these are its open weights)."""
    return _encode(
        {
            "request_id": request_id,
            "output": {
                "total": total,
                "page_no": number,
                "page_size": size,
                "models": [
                    {"model": name, "source": "ferrotype", "provider": who, "opensource": same}
                    for name, who, same in rows
                ],
            },
        }
    )


def policy(leave: Leave, host: str) -> bytes:
    """Write leave to upload. The life it tells of is the vendor's; the policy's own is longer."""
    return _encode(
        {
            "data": {
                "policy": leave.policy,
                "signature": leave.signature,
                "upload_dir": leave.folder,
                "upload_host": host,
                "expire_in_seconds": 300,
                "max_file_size_mb": MAX_BYTES >> 20,
                "capacity_limit_mb": 999_999_999,
                "oss_access_key_id": leave.kid,
                "x_oss_object_acl": "private",
                "x_oss_forbid_overwrite": "true",
            },
            "request_id": leave.id,
        }
    )


def fault(request_id: str, code: str, message: str) -> bytes:
    """Write an error."""
    return _encode({"code": code, "message": message, "request_id": request_id})


def rehearsal(request_id: str, said: Mapping[str, Any]) -> bytes:
    """Write what is rehearsed, which is none of the vendor's words."""
    return _encode({"request_id": request_id, **said})


def health(status: str) -> bytes:
    """Write how we are."""
    return _encode({"status": status})


def _local(moment: datetime) -> str:
    """Say a moment as the vendor does: in UTC+8, with milliseconds and without a zone mark."""
    return (moment + VENDOR_OFFSET).isoformat(" ", "milliseconds")[:23]


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _millis(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
