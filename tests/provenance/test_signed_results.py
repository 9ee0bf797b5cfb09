"""Results of a service that signs: from POST to a file that proves who made it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from authority import Authority
from claims import claims

from ferrotype.testing import Server, server

EXTRA = Path(__file__).parent / ".c2pa"
PICTURE: dict[str, Any] = {
    "model": "wan2.2-t2i-flash",
    "input": {"prompt": "a red door"},
    "parameters": {"n": 2, "size": "512*512"},
}
FILM: dict[str, Any] = {
    "model": "wan2.2-t2v-plus",
    "input": {"prompt": "a red door"},
    "parameters": {"size": "832*480"},
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return Authority().issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def signing(
    certificates: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A service that signs what its illustrator draws."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(EXTRA))
    chain, key = certificates
    with server(tmp_path, c2pa_cert=chain, c2pa_key=key) as running:
        yield running


def results(ours: Server, body: dict[str, Any]) -> tuple[str, list[tuple[str, bytes]]]:
    """Create a task, poll it to its end; return its id, and type and bytes of its files."""
    film = "video" in body["model"] or "t2v" in body["model"]
    path = "video-generation/video-synthesis" if film else "text2image/image-synthesis"
    headers = {"Authorization": f"Bearer {ours.key}", "X-DashScope-Async": "enable"}
    with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
        created = client.post(f"{ours.url}/services/aigc/{path}", json=body).json()
        task = str(created["output"]["task_id"])
        status = ""
        while status not in ("SUCCEEDED", "FAILED"):
            output = client.get(f"{ours.url}/tasks/{task}").json()["output"]
            status = output["task_status"]
        assert status == "SUCCEEDED", output
        urls = [output["video_url"]] if film else [one["url"] for one in output["results"]]
        answers = [client.get(url) for url in urls]
        return task, [(answer.headers["Content-Type"], answer.content) for answer in answers]


@pytest.mark.parametrize("body", [PICTURE, FILM], ids=["pictures", "film"])
def test_every_result_is_signed(body: dict[str, Any], signing: Server) -> None:
    task, files = results(signing, body)
    assert len(files) == body["parameters"].get("n", 1)
    for type, data in files:
        said = claims(data, type)
        assert said["state"] == "Valid"
        (action,) = said["actions"]
        assert action["digitalSourceType"].endswith("/algorithmicMedia")
        assert action["parameters"] == {
            "engine": "illustrator",
            "label": "illustration",
            "model": body["model"],
            "task": task,
        }


def test_the_key_never_reaches_an_engine(signing: Server, certificates: tuple[Path, Path]) -> None:
    results(signing, PICTURE)
    pid = signing._local.pid
    assert pid is not None
    family = psutil.Process(pid).children(recursive=True)
    engines = [one for one in family if "ferrotype.engine_host" in one.cmdline()]
    assert engines
    for engine in engines:
        files = [link.readlink() for link in Path(f"/proc/{engine.pid}/fd").iterdir()]
        assert not set(map(os.fspath, files)) & set(map(os.fspath, certificates))
        assert not [name for name in engine.environ() if "C2PA" in name]
        maps = Path(f"/proc/{engine.pid}/maps").read_text()
        assert "c2pa" not in maps


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("cert",), "belong together: set both, or neither"),
        (("cert", "key"), "With this certificate and key nothing can be signed"),
    ],
)
def test_half_a_certificate_or_a_wrong_one_does_not_start(
    names: tuple[str, ...], why: str, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    _, other = Authority().issue(tmp_path / "other")
    given = {"cert": certificates[0], "key": other}
    environ = {f"FERROTYPE_C2PA_{name.upper()}": os.fspath(given[name]) for name in names}
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(EXTRA)}
    command = (sys.executable, "-P", "-m", "ferrotype", "serve", "--data-dir", str(tmp_path / "d"))
    ran = subprocess.run(command, env=path | environ, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert why in ran.stderr
    assert "Traceback" not in ran.stderr
