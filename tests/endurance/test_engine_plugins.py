"""Engines of other packages: the page that builds one is true, the suite finds what is wrong."""

import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import tomllib
import venv
from pathlib import Path

import httpx
import pytest

from ferrotype.testing import server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins" / "engine.md"
HEADING = re.compile(r"^## .*?: `(.+?)`\n+```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NAUGHTY = '''
import asyncio, pathlib, random, socket, subprocess, tempfile, time
from PIL import Image, PngImagePlugin
from ferrotype.media import Output
from ferrotype.ports.engine import EngineRefusal

class Naughty:
    """An engine with one vice."""

    def __init__(self, vice="", **others):
        if others and vice != "takes any option":
            raise TypeError(f"no such option: {others}")
        self.vice, self.count, self.first = vice, 0, None
        self.concurrency = 2 if vice == "mixes folders" else 1
        self.unfit = {"*": "I do not feel well."} if vice == "is unfit" else {}

    async def run(self, job, bench):
        if job.kind != "text-to-image":
            raise EngineRefusal("" if self.vice == "refuses without a code" else "No", "No.")
        self.first = self.first or bench.workdir
        if self.vice == "is deaf" and job.n > 8:
            bench.progress(0.1)
            await asyncio.to_thread(time.sleep, 30)
        self.misbehave()
        self.count += 1
        outputs = []
        for i in range(job.n):
            outputs.append(self.draw(job, bench, i))
            await asyncio.sleep(0.11)
        return outputs

    def misbehave(self):
        if self.vice == "writes elsewhere":
            pathlib.Path(tempfile.gettempdir()).parent.joinpath("here").write_text("I was")
        if self.vice == "calls somebody":
            with socket.socket() as line:
                line.connect_ex(("127.0.0.1", 9))
        if self.vice == "starts somebody":
            subprocess.Popen(["sleep", "60"])

    def draw(self, job, bench, i):
        seed = {"has one seed": job.seed, "has odd seeds": job.seed * 10 + i}.get(
            self.vice, job.seed + i
        )
        if self.vice == "remembers":
            seed += self.count
        folder = self.first if self.vice == "mixes folders" else bench.workdir
        path = folder / f"{job.task}-{i}.png"
        facts = PngImagePlugin.PngInfo()
        if self.vice == "writes the time":
            facts.add_text("Time", str(time.time_ns()))
        size = (8, 8) if self.vice == "draws small" else job.size
        Image.new("RGB", size, tuple(random.Random(seed).randbytes(3))).save(path, pnginfo=facts)
        done = (i + 1) / job.n
        bench.progress(100 * done if self.vice == "counts per cent" else done)
        return Output(path=str(path), type="image/png", width=size[0], height=size[1])
'''
VICES = {
    "draws small": "outputs_are_what_they_are_said_to_be",
    "has one seed": "each_output_has_its_own_seed",
    "has odd seeds": "the_ith_output_is_drawn_with_the_seed_plus_i",
    "writes the time": "the_same_job_gives_the_same_files_in_any_process",
    "remembers": "jobs_after_one_another_do_not_know_of_each_other",
    "mixes folders": "so_many_at_once_as_it_says",
    "counts per cent": "progress_rises_from_0_to_1",
    "is deaf": "a_job_stops_when_asked_and_the_process_goes_on",
    "refuses without a code": "a_refusal_has_a_code_and_a_sentence",
    "is unfit": "it_is_fit_for_its_models",
    "writes elsewhere": "it_writes_where_it_may_calls_and_starts_nobody",
    "calls somebody": "it_writes_where_it_may_calls_and_starts_nobody",
    "starts somebody": "it_writes_where_it_may_calls_and_starts_nobody",
    "takes any option": "an_option_that_it_does_not_know_is_refused",
}
SUITE = """
from ferrotype.conformance import EngineSuite, Trial

class Test{number}(EngineSuite):
    engine = "naughty"
    options = {{"vice": {vice!r}}}
    jobs = (Trial(n=3, size=(32, 16)),)
    slow = Trial(n=64, size=(32, 16))
    refused = Trial(kind="text-to-video")
"""


class Venv:
    """An environment with all that ours has, and packages of its own."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._packages = folder / "lib" / version / "site-packages"
        ours = sysconfig.get_path("purelib")
        (self._packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    def install(self, name: str, version: str, module: str, code: str, **engines: str) -> None:
        """Lay a package out as an installer does."""
        (self._packages / f"{module}.py").write_text(code)
        info = self._packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = "".join(f"{engine} = {target}\n" for engine, target in engines.items())
        (info / "entry_points.txt").write_text(f"[ferrotype.engines]\n{points}")

    def pytest(self, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run pytest in it."""
        command = (str(self.python), "-P", "-m", "pytest", "-o", "asyncio_mode=auto", *arguments)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)


@pytest.fixture
def stripes(tmp_path: Path) -> tuple[Venv, dict[str, str]]:
    """An environment with the page's engine, and the page's files by name."""
    files = dict(HEADING.findall(PAGE.read_text("utf-8")))
    assert set(files) == {"stripes.py", "pyproject.toml", "ferrotype.toml", "test_stripes.py"}
    project = tomllib.loads(files["pyproject.toml"])["project"]
    place = Venv(tmp_path / "venv")
    engines = project["entry-points"]["ferrotype.engines"]
    place.install(project["name"], project["version"], "stripes", files["stripes.py"], **engines)
    return place, files


def test_the_engine_has_40_lines_at_most(stripes: tuple[Venv, dict[str, str]]) -> None:
    lines = [line for line in stripes[1]["stripes.py"].splitlines() if line.strip()]
    assert len(lines) <= 40


def test_the_engine_of_the_page_passes_the_suite(
    stripes: tuple[Venv, dict[str, str]], tmp_path: Path
) -> None:
    place, files = stripes
    (tmp_path / "test_stripes.py").write_text(files["test_stripes.py"])
    ran = place.pytest("-q", "test_stripes.py", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert "skipped" not in ran.stdout


def test_the_engine_of_the_page_is_served(
    stripes: tuple[Venv, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = stripes
    config = tmp_path / "ferrotype.toml"
    config.write_text(files["ferrotype.toml"])
    (model,) = tomllib.loads(files["ferrotype.toml"])["recipes"]
    monkeypatch.setattr(sys, "executable", str(place.python))
    with server(tmp_path / "data", engine="echo", config=config) as ours:
        headers = {"Authorization": f"Bearer {ours.key}", "X-DashScope-Async": "enable"}
        with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
            body = {"model": model, "input": {"prompt": "stripes"}, "parameters": {"n": 1}}
            path = "/services/aigc/text2image/image-synthesis"
            created = client.post(ours.url + path, json=body)
            assert created.headers["X-Ferrotype-Engine"] == "stripes"
            task = created.json()["output"]["task_id"]
            status = "PENDING"
            while status in ("PENDING", "RUNNING"):
                output = client.get(f"{ours.url}/tasks/{task}").json()["output"]
                status = output["task_status"]
            assert status == "SUCCEEDED", output
            assert client.get(output["results"][0]["url"]).content.startswith(b"\x89PNG")


def test_the_suite_finds_every_vice(tmp_path: Path) -> None:
    place = Venv(tmp_path / "venv")
    place.install("naughty", "1.0", "naughty", textwrap.dedent(NAUGHTY), naughty="naughty:Naughty")
    classes = [SUITE.format(number=number, vice=vice) for number, vice in enumerate(VICES)]
    (tmp_path / "test_naughty.py").write_text("".join(classes))
    chosen = [f"test_naughty.py::Test{i}::test_{test}" for i, test in enumerate(VICES.values())]
    ran = place.pytest("-q", "--tb=line", "-rf", *chosen, cwd=tmp_path)
    failed = re.findall(r"^FAILED (\S+)", ran.stdout, re.MULTILINE)
    assert failed == chosen, ran.stdout


def test_an_engine_without_a_vice_passes(tmp_path: Path) -> None:
    place = Venv(tmp_path / "venv")
    place.install("naughty", "1.0", "naughty", textwrap.dedent(NAUGHTY), naughty="naughty:Naughty")
    (tmp_path / "test_naughty.py").write_text(SUITE.format(number=0, vice=""))
    ran = place.pytest("-q", "test_naughty.py", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
