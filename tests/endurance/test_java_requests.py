"""What the vendor's Java SDK sends, replayed to a served Ferrotype from written-down requests.

Read from its public source, github.com/dashscope/dashscope-sdk-java, version 2.22.29, commit
7be4b738ee8994f906704c2d9c23018dd6b43b08: ImageSynthesis, VideoSynthesis, ImageGeneration,
MultiModalConversation, AsynchronousApi, OSSUtils, DashScopeHeaders and OkHttpHttpClient. No Java
runs here. What of its requests is unlike the Python package's:

- POSTs say `Content-Type: application/json; charset=utf-8`, for a cancel too, whose body is empty;
  GETs say `application/json`, without a body.
- A film has `extend_prompt` in `input` and `with_audio` in `parameters`, asked for or not;
  a conversation has `enable_search`; a negative prompt of ImageSynthesis stands in both tables.
- Its objects remember: one ImageGeneration that made a task asks for the next answer with
  `X-DashScope-Async` too, and one ImageSynthesis that edited stays on the path of edits. The
  vendor's gateway and we refuse both; what is expected says so.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ferrotype.testing import Server

AGENT = "dashscope/2.22.29; java/17.0.12; platform/Linux; processor/amd64"
READS = {"user-agent": AGENT, "Content-Type": "application/json",
         "Accept": "application/json; charset=utf-8", "Accept-Encoding": "gzip"}  # fmt: skip
WRITES = READS | {"Content-Type": "application/json; charset=utf-8"}
MAKES = WRITES | {"X-DashScope-Async": "enable"}
STREAMS = WRITES | {"Cache-Control": "no-cache", "Accept": "text/event-stream",
                    "X-Accel-Buffering": "no", "X-DashScope-SSE": "enable",
                    "user-agent": f"{AGENT}; incremental_to_full/0"}  # fmt: skip
TEXT, EDIT = "text2image/image-synthesis", "image2image/image-synthesis"
FILM, FRAMES = "video-generation/video-synthesis", "image2video/video-synthesis"
TASKS, CHAT = "image-generation/generation", "multimodal-generation/generation"
ENDS = ("FAILED", "CANCELED", "UNKNOWN", "SUCCEEDED")
SOUND = (
    b"RIFF\x24\x5e\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\x5e\0\0"
)
SOUND += b"@HPW[^`^[WPH@@@@" * 1504


@pytest.fixture(scope="module")
def java(served: Server) -> Iterator[httpx.Client]:
    """The SDK's connection: base URL and key."""
    headers = {"Authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def picture(java: httpx.Client) -> str:
    """A picture that inputs may name."""
    body = (
        '{"model":"wan2.2-t2i-flash","input":{"prompt":"a kite"},"parameters":{"size":"1024*1024"}}'
    )
    url: str = waited(java, create(java, TEXT, body))["output"]["results"][0]["url"]
    return url


def create(
    java: httpx.Client, route: str, body: str, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """`asyncCall`: the answer to a create that is accepted."""
    answer = java.post(f"/services/aigc/{route}", content=body, headers=headers or MAKES)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said["output"]["task_status"] == "PENDING"
    return said


def waited(java: httpx.Client, task: dict[str, Any]) -> dict[str, Any]:
    """`wait`: GET /tasks/{id} until it has ended; the SDK sleeps 1, 1, 2, 2, 2, 4 ... seconds."""
    path = f"/tasks/{task['output']['task_id']}"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        said: dict[str, Any] = java.get(path, headers=READS).json()
        if said["output"]["task_status"] in ENDS:
            return said
    raise AssertionError(f"{path} has not ended")


def test_image_synthesis_makes_a_picture_from_words(java: httpx.Client) -> None:
    task = create(
        java,
        TEXT,
        '{"model":"wan2.5-t2i-preview","input":{"prompt":"a red kite","negative_prompt":"people"},'
        '"parameters":{"negative_prompt":"people","size":"1024*1024","n":1,"seed":7,'
        '"prompt_extend":false,"watermark":false}}',
    )
    said = waited(java, task)
    assert said["output"]["task_status"] == "SUCCEEDED"
    assert set(said["output"]["results"][0]) >= {"url", "orig_prompt"}
    assert said["output"]["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert said["usage"]["image_count"] == 1


def test_image_synthesis_answers_at_once(java: httpx.Client) -> None:
    body = '{"model":"wan2.2-t2i-flash","input":{"prompt":"a kite"},"parameters":{"n":1}}'
    answer = java.post(f"/services/aigc/{TEXT}", content=body, headers=WRITES)
    assert answer.status_code == 200
    assert answer.json()["output"]["results"][0]["url"].startswith("http")


def test_image_synthesis_edits(java: httpx.Client, picture: str) -> None:
    bodies = [
        '{"model":"wanx2.1-imageedit","input":{"prompt":"evening","function":"description_edit",'
        '"base_image_url":"%s"},"parameters":{"n":1}}',
        '{"model":"wan2.5-i2i-preview","input":{"prompt":"evening","images":["%s"]},'
        '"parameters":{"n":1}}',
    ]
    tasks = [create(java, EDIT, body % picture) for body in bodies]
    for task in tasks:
        assert waited(java, task)["output"]["task_status"] == "SUCCEEDED"


def test_image_synthesis_that_edited_is_refused_words_for_it_stays_on_the_path(
    java: httpx.Client,
) -> None:
    body = '{"model":"wan2.5-t2i-preview","input":{"prompt":"a kite"},"parameters":{}}'
    answer = java.post(f"/services/aigc/{EDIT}", content=body, headers=MAKES)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("route", "body", "size"),
    [
        (FILM, '{"model":"wanx2.1-t2v-turbo","input":{"prompt":"a kite","extend_prompt":true},'
               '"parameters":{"size":"832*480","with_audio":false,"seed":3}}', "video_ratio"),
        (FILM, '{"model":"wan2.2-i2v-flash","input":{"prompt":"wind","extend_prompt":true,'
               '"img_url":"PICTURE"},"parameters":{"resolution":"480P","with_audio":false}}', "SR"),
        (FRAMES, '{"model":"wan2.2-kf2v-flash","input":{"extend_prompt":true,'
                 '"first_frame_url":"PICTURE","last_frame_url":"PICTURE","prompt":"wind"},'
                 '"parameters":{"resolution":"480P","with_audio":false}}', "SR"),
        (FILM, '{"model":"wan2.7-i2v","input":{"prompt":"wind","extend_prompt":true,"media":'
               '[{"type":"first_frame","url":"PICTURE"}]},"parameters":{"resolution":"720P",'
               '"duration":2,"with_audio":false,"prompt_extend":false}}', "SR"),
        (FILM, '{"model":"wan2.7-r2v","input":{"prompt":"Image 1 flies","extend_prompt":true,'
               '"media":[{"type":"reference_image","url":"PICTURE"}]},"parameters":'
               '{"resolution":"720P","ratio":"1:1","duration":2,"with_audio":false}}', "SR"),
    ],
)  # fmt: skip
def test_video_synthesis(
    java: httpx.Client, picture: str, route: str, body: str, size: str
) -> None:
    said = waited(java, create(java, route, body.replace("PICTURE", picture)))
    assert said["output"]["task_status"] == "SUCCEEDED", said
    assert said["output"]["video_url"].startswith("http")
    assert size in said["usage"]


def test_image_generation_as_a_task_then_at_once_with_the_same_object(java: httpx.Client) -> None:
    body = (
        '{"model":"wan2.6-t2i","input":{"messages":[{"role":"user","content":[{"text":"a kite"}]}'
        ']},"parameters":{"size":"1280*1280","n":1}}'
    )
    said = waited(java, create(java, TASKS, body))
    part = said["output"]["choices"][0]["message"]["content"][0]
    assert part["image"].startswith("http")
    assert said["output"]["finished"] is True

    answer = java.post(f"/services/aigc/{CHAT}", content=body, headers=WRITES)
    assert answer.status_code == 200
    assert answer.json()["output"]["choices"][0]["finish_reason"] == "stop"

    answer = java.post(f"/services/aigc/{CHAT}", content=body, headers=MAKES)  # the same object
    assert (answer.status_code, answer.json()["code"]) == (403, "AccessDenied")


def test_image_generation_streams_words_and_pictures(java: httpx.Client) -> None:
    body = (
        '{"model":"wan2.6-image","input":{"messages":[{"role":"user","content":[{"text":"a kite"}]}'
        ']},"parameters":{"enable_interleave":true,"stream":true,"max_images":1}}'
    )
    answer = java.post(f"/services/aigc/{CHAT}", content=body, headers=STREAMS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [
        json.loads(line.removeprefix("data:"))
        for line in answer.text.splitlines()
        if line.startswith("data:")
    ]
    reasons = [event["output"]["choices"][0]["finish_reason"] for event in events]
    assert set(reasons[:-1]) == {"null"}
    assert reasons[-1] == "stop"


def test_a_conversation_makes_and_edits_a_picture(java: httpx.Client, picture: str) -> None:
    words = '{"model":"z-image-turbo","input":{"messages":[{"role":"user","content":[{"text":"a kite"}]}]},"parameters":{"enable_search":false,"size":"512*512"}}'  # fmt: skip  # noqa: E501
    edit = '{"model":"qwen-image-edit-plus","input":{"messages":[{"role":"user","content":[{"image":"%s"},{"text":"evening"}]}]},"parameters":{"enable_search":false,"n":1,"watermark":false}}'  # fmt: skip  # noqa: E501
    for body in (words, edit % picture):
        answer = java.post(f"/services/aigc/{CHAT}", content=body, headers=WRITES)
        assert answer.status_code == 200, answer.text
        (choice,) = answer.json()["output"]["choices"]
        assert choice["message"]["content"][0]["image"].startswith("http")


def test_a_local_file_is_uploaded_and_named(java: httpx.Client, picture: str) -> None:
    model = "wan2.2-s2v"
    path = f"/uploads?action=getPolicy&model={model}"
    said = java.get(path, headers=READS).json()["data"]
    key = f"{said['upload_dir']}/voice.wav"
    fields = {
        "OSSAccessKeyId": said["oss_access_key_id"],
        "Signature": said["signature"],
        "policy": said["policy"],
        "key": key,
        "x-oss-object-acl": said["x_oss_object_acl"],
        "x-oss-forbid-overwrite": said["x_oss_forbid_overwrite"],
        "success_action_status": "200",
        "x-oss-content-type": "audio/x-wav",
    }
    file = {"file": ("voice.wav", SOUND, "audio/x-wav")}
    answer = httpx.post(said["upload_host"], data=fields, files=file)
    assert (answer.status_code, answer.content) == (200, b"")

    body = (
        f'{{"model":"{model}","input":{{"extend_prompt":true,"image_url":"{picture}",'
        f'"audio_url":"oss://{key}"}},"parameters":{{"with_audio":false}}}}'
    )
    headers = MAKES | {"X-DashScope-OssResourceResolve": "enable"}
    said = waited(java, create(java, FRAMES, body, headers))
    assert said["output"]["task_status"] == "SUCCEEDED", said
    answer = java.post(f"/services/aigc/{FRAMES}", content=body, headers=MAKES)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


def test_list_fetch_and_cancel(java: httpx.Client, picture: str) -> None:
    query = "?status=SUCCEEDED&model_name=wan2.2-t2i-flash&page_no=1&page_size=10"
    said = java.get(f"/tasks{query}", headers=READS).json()
    assert {row["status"] for row in said["data"]} == {"SUCCEEDED"}
    assert {row["model_name"] for row in said["data"]} == {"wan2.2-t2i-flash"}

    ended = said["data"][0]["task_id"]
    assert java.get(f"/tasks/{ended}", headers=READS).json()["output"]["task_id"] == ended
    answer = java.post(f"/tasks/{ended}/cancel", content="", headers=WRITES)
    assert (answer.status_code, answer.json()["code"]) == (400, "UnsupportedOperation")


def test_a_task_that_waits_is_cancelled(held: Server) -> None:
    headers = {"Authorization": f"Bearer {held.key}"}
    with httpx.Client(base_url=held.url, headers=headers) as java:
        body = '{"model":"wanx2.1-t2v-turbo","input":{"prompt":"a kite","extend_prompt":true},"parameters":{"with_audio":false}}'  # fmt: skip  # noqa: E501
        task = create(java, FILM, body)
        answer = java.post(f"/tasks/{task['output']['task_id']}/cancel", content="", headers=WRITES)
        assert answer.status_code == 200
        assert waited(java, task)["output"]["task_status"] == "CANCELED"
