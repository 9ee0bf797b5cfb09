"""The official package at a Ferrotype that forwards to another one."""

from http import HTTPStatus
from io import BytesIO
from pathlib import Path

import dashscope
import httpx
import pytest
from PIL import Image

from ferrotype.media import image_size
from ferrotype.testing import Server, server

RECIPE = """
[recipes."*"]
engine = "dashscope"
label = "upstream"
options = {{ key = "sk-theirs", regions = ["{root}"], poll = {{ first = 0.1 }} }}
"""


def test_a_local_file_goes_up_twice_and_a_picture_comes_down_twice(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (600, 450), "teal").save(tmp_path / "kite.png")
    (tmp_path / "ferrotype.toml").write_text(RECIPE.format(root=served.root))
    with server(config=tmp_path / "ferrotype.toml") as front:
        monkeypatch.setattr(dashscope, "base_http_api_url", front.url)
        answer = dashscope.ImageSynthesis.call(
            "wan2.5-i2i-preview",
            "a red kite over a lake",
            api_key=front.key,
            images=[str(tmp_path / "kite.png")],
            n=1,
            seed=7,
        )
        assert answer.status_code == HTTPStatus.OK, answer
        assert answer.output.task_status == "SUCCEEDED", answer
        assert answer.usage.image_count == 1
        [result] = answer.output.results
        assert result.url.startswith(f"{front.root}/files/")
        picture = httpx.get(result.url, trust_env=False)
    assert picture.headers["x-ferrotype-served-by"] == "upstream"
    assert picture.headers["x-ferrotype-engine"] == "dashscope"
    assert image_size(BytesIO(picture.content)) == (1472, 1104)
