"""How a try is signed, how long the next one waits, and what an event says."""

import json
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from ferrotype.courier import pause, signature
from ferrotype.http import wire
from ferrotype.ports.ledger import Letter
from ferrotype.task import Status

LETTER = Letter(
    n=1,
    event="81765e5b-0000-4000-8000-000000000000",
    url="http://one.example/",
    task="a154c328-0000-7000-8000-000000000000",
    account="123",
    key="1250",
    model="wanx2.1-t2i-turbo",
    route="text2image/image-synthesis",
    request_id="108f38f5-0000-4000-8000-000000000000",
    status=Status.SUCCEEDED,
    start_at=datetime(2026, 1, 2, 1, 45, 9, 120_000, UTC),
    end_at=datetime(2026, 1, 2, 1, 45, 16, 969_500, UTC),
)


def test_an_event_is_the_vendors() -> None:
    assert json.loads(wire.event(LETTER, region="cn-beijing")) == {
        "id": LETTER.event,
        "source": "acs.dashscope",
        "specversion": "1.0",
        "type": "dashscope:System:AsyncTaskFinish",
        "datacontenttype": "application/json;charset=utf-8",
        "time": "2026-01-02T01:45:16.969Z",
        "aliyunaccountid": "123",
        "aliyunoriginalaccountid": "123",
        "aliyunpublishtime": "2026-01-02T01:45:16.969Z",
        "aliyuneventbusname": "default",
        "aliyunregionid": "cn-beijing",
        "data": {
            "task_id": LETTER.task,
            "task_status": "SUCCEEDED",
            "start_time": "2026-01-02 09:45:09",
            "end_time": "2026-01-02 09:45:16",
            "user_api_unique_key": "apikey:v1:aigc:text2image:image-synthesis:wanx2.1-t2i-turbo",
            "contain_result": False,
            "region": "cn-beijing",
            "request_id": LETTER.request_id,
            "api_key_id": "1250",
        },
    }


def test_a_task_that_never_began_has_no_start() -> None:
    failed = replace(LETTER, start_at=None, status=Status.FAILED)
    data = json.loads(wire.event(failed, region="r"))["data"]
    assert "start_time" not in data
    assert data["task_status"] == "FAILED"


def test_tries_are_signed_as_standard_webhooks_says() -> None:
    """The example of the specification's own libraries."""
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    told = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 1), (1, 2), (8, 256), (9, 512), (10, 512), (9_999, 512)]
)
def test_pauses_double_up_to_a_bound(tries: int, seconds: float) -> None:
    assert pause(tries) == seconds
