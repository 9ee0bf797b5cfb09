"""The AI SDK's provider for these models, in its three dialects: sizes, resolutions, media."""

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferrotype.testing import Server

HERE = Path(__file__).parent

if not (HERE / "node_modules" / "@ai-sdk" / "alibaba").exists():
    pytest.skip("tests/clients_npm/ready installs the AI SDK", allow_module_level=True)


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (640, 360), (200, 120, 40)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def generate(server: Server, model: str, **ask: Any) -> dict[str, Any]:
    """What the SDK says of the film that it made, or of the error that it met."""
    wish = {"base": server.root, "key": server.key, "model": model, "ask": ask}
    done = subprocess.run(
        ["node", "ai_sdk.mjs", json.dumps(wish)],
        cwd=HERE, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize(
    ("model", "ask", "usage"),
    [
        (
            "wan2.6-t2v",
            {"resolution": "1280x720", "duration": 2},
            {"duration": 2, "outputVideoDuration": 2, "resolution": 720, "size": "1280*720"},
        ),
        (
            "wan2.7-t2v",
            {"resolution": "720x1280", "duration": 2, "aspectRatio": "9:16"},
            {"duration": 2, "outputVideoDuration": 2, "resolution": 720, "ratio": "9:16"},
        ),
        (
            "wan3.0-video",
            {"resolution": "832x480", "duration": 2, "aspectRatio": "16:9"},
            {
                "duration": 2,
                "outputVideoDuration": 2,
                "resolution": 480,
                "fps": 30,
                "ratio": "16:9",
            },
        ),
    ],
)
def test_each_dialect_makes_a_film(
    served: Server, model: str, ask: dict[str, Any], usage: dict[str, Any]
) -> None:
    told = generate(served, model, prompt="A kite over a beach", **ask)

    assert (told.get("type"), told.get("head")) == ("video/mp4", "ftyp"), told
    assert told["warnings"] == []
    assert told["told"]["videoUrl"].startswith(served.root)
    assert {key: told["told"]["usage"][key] for key in usage} == usage


def test_a_first_frame_goes_along_in_the_body(served: Server) -> None:
    told = generate(
        served, "wan3.0-video", duration=2, resolution="832x480",
        prompt={"image": picture(), "text": "zoom in"},
    )  # fmt: skip
    assert told.get("type") == "video/mp4", told
    assert told["told"]["usage"]["ratio"] == "16:9", "the picture's"


def test_the_sdk_reads_our_refusal(served: Server) -> None:
    told = generate(served, "wan2.6-t2v", prompt="A kite", resolution="100x100")
    assert "The size is not match the allowed size" in told["message"], told


def test_the_sdk_reads_a_task_that_failed(served: Server) -> None:
    served.fail_next("DataInspectionFailed")
    told = generate(served, "wan2.6-t2v", prompt="A kite", duration=2)
    assert told["message"].startswith("Video generation failed."), told
    assert "inappropriate content" in told["message"]
