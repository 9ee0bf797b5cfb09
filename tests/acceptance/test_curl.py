"""The vendor guide's two cURL commands, word for word, and what a user does with the answer."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ferrotype.testing import Server, server

VENDOR = "https://dashscope-intl.aliyuncs.com/api/v1"

CREATE = r"""
curl -X POST https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/text2image/image-synthesis \
    -H 'X-DashScope-Async: enable' \
    -H "Authorization: Bearer $DASHSCOPE_API_KEY" \
    -H 'Content-Type: application/json' \
    -d '{
    "model": "wan2.5-t2i-preview",
    "input": {
        "prompt": "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display"
    },
    "parameters": {
        "size": "1024*1024",
        "n": 1
    }
}'
"""  # noqa: E501 (the vendor's line)

QUERY = r"""
curl -X GET https://dashscope-intl.aliyuncs.com/api/v1/tasks/{task_id} \
    --header "Authorization: Bearer $DASHSCOPE_API_KEY"
"""

Shell = Callable[[str], str]


def shell_in(folder: Path, against: Server) -> Shell:
    """Run commands as a user would, in a folder; the vendor's scheme and host are replaced."""

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command.replace(VENDOR, against.url)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "DASHSCOPE_API_KEY": against.key},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def finished(shell: Shell) -> str:
    """Go through the guide's two steps; return the URL of the picture."""
    task_id = json.loads(shell(CREATE))["output"]["task_id"]
    for _ in range(60):
        output = json.loads(shell(QUERY.replace("{task_id}", task_id)))["output"]
        if output["task_status"] not in {"PENDING", "RUNNING"}:
            break
        time.sleep(0.2)
    assert output["task_status"] == "SUCCEEDED", output
    url: str = output["results"][0]["url"]
    return url


@pytest.fixture
def shell(served: Server, tmp_path: Path) -> Shell:
    return shell_in(tmp_path, served)


@pytest.fixture(scope="module")
def picture(served: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    return finished(shell_in(tmp_path_factory.mktemp("guide"), served))


def headers(text: str) -> dict[str, str]:
    lines = text.replace("\r", "").strip().split("\n")
    return {"status": lines[0].split()[1]} | {
        name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])
    }


def test_create_answers_with_an_id_and_pending(shell: Shell) -> None:
    answer = json.loads(shell(CREATE))

    assert answer.keys() == {"output", "request_id"}
    assert answer["output"].keys() == {"task_status", "task_id"}
    assert answer["output"]["task_status"] == "PENDING"


def test_query_answers_with_a_url_that_opens(shell: Shell, picture: str) -> None:
    shell(f"curl -sS -o flowers.png '{picture}'")

    assert shell("head -c 8 flowers.png | od -An -c | tr -d ' '").strip() == r"211PNG\r\n032\n"


def test_head_tells_type_length_and_etag(shell: Shell, picture: str) -> None:
    told = headers(shell(f"curl -sS -I '{picture}'"))

    size = int(shell(f"curl -sS '{picture}' | wc -c"))
    assert told["status"] == "200"
    assert told["content-type"] == "image/png"
    assert int(told["content-length"]) == size
    assert told["accept-ranges"] == "bytes"
    assert told["etag"].startswith('"')
    assert told["x-content-type-options"] == "nosniff"
    assert "x-ferrotype-engine" in told


def test_wget_downloads_and_resumes(shell: Shell, picture: str) -> None:
    if not shutil.which("wget"):
        pytest.skip("wget is not installed")
    shell(f"curl -sS -o whole.png '{picture}'")
    shell(f"wget -q -O flowers.png '{picture}'")
    shell("cmp whole.png flowers.png")

    shell("head -c 1000 whole.png > flowers.png")
    shell(f"wget -q -c -O flowers.png '{picture}'")
    shell("cmp whole.png flowers.png")


def test_a_range_is_served_alone(shell: Shell, picture: str) -> None:
    total = headers(shell(f"curl -sS -I '{picture}'"))["content-length"]

    told = headers(shell(f"curl -sS -r 0-7 -D - -o part '{picture}'"))
    assert told["status"] == "206"
    assert told["content-range"] == f"bytes 0-7/{total}"
    assert told["content-length"] == "8"
    assert shell("wc -c < part").strip() == "8"


def test_a_range_beyond_the_end_is_416(shell: Shell, picture: str) -> None:
    assert shell(f"curl -sS -r 99999999- -o /dev/null -w '%{{http_code}}' '{picture}'") == "416"


def test_an_unchanged_picture_is_304(shell: Shell, picture: str) -> None:
    etag = headers(shell(f"curl -sS -I '{picture}'"))["etag"]

    command = f"curl -sS -o /dev/null -w '%{{http_code}}' -H 'If-None-Match: {etag}' '{picture}'"
    assert shell(command) == "304"


def test_a_changed_signature_is_403(shell: Shell, picture: str) -> None:
    before, _, signature = picture.partition("Signature=")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]

    for url in (f"{before}Signature={changed}", before, picture.replace("Expires=", "Expires=9")):
        assert shell(f"curl -sS -o /dev/null -w '%{{http_code}}' '{url}'") == "403", url


def test_after_a_day_it_is_403(ferrotype_server: Server, tmp_path: Path) -> None:
    shell = shell_in(tmp_path, ferrotype_server)
    url = finished(shell)

    status = f"curl -sS -o /dev/null -w '%{{http_code}}' '{url}'"
    assert shell(status) == "200"
    ferrotype_server.clock.advance(24 * 3600 + 1)
    assert shell(status) == "403"


def test_the_url_follows_the_name_that_was_used(served: Server, tmp_path: Path) -> None:
    named = served.url.replace("127.0.0.1", "localhost")
    shell = shell_in(tmp_path, served)
    url = finished(lambda command: shell(command.replace(VENDOR, named)))

    assert url.startswith(named.removesuffix("api/v1") + "files/")
    assert shell(f"curl -sS -o /dev/null -w '%{{http_code}}' '{url}'") == "200"


def test_a_client_elsewhere_gets_the_public_url(tmp_path: Path) -> None:
    with server(engine="echo", public_url="http://pictures.example") as public:
        assert public.url == "http://pictures.example/api/v1"
        shell = shell_in(tmp_path, public)
        listens = public.root.removeprefix("http://")
        there = f"curl --connect-to pictures.example:80:{listens}"

        url = finished(lambda command: shell(command.replace("curl", there, 1)))
        assert url.startswith("http://pictures.example/files/")
        assert shell(f"{there} -sS -o /dev/null -w '%{{http_code}}' '{url}'") == "200"


def test_a_name_that_is_not_ours_is_refused(shell: Shell, served: Server) -> None:
    command = f"curl -sS -H 'Host: evil.example' -H 'Authorization: Bearer x' {served.url}/tasks"

    assert json.loads(shell(command))["code"] == "InvalidParameter"
