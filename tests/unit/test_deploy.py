"""The files of deploy/: what they name exists."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from ferrotype.cli.commands import app
from ferrotype.settings.table import ABOUT

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]


def check_settings(names: set[str]) -> None:
    unknown = {name for name in names if name.removeprefix("FERROTYPE_").lower() not in ABOUT}
    assert not unknown


def test_the_image_copies_what_is_there_and_lets_it_through() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] != ["COPY"] or "--from=build" in words:
            continue
        for source in words[1:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored
    assert ignored[0] == "*"


def test_the_image_runs_as_nobody_in_particular_and_knows_its_settings() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    check_settings(set(re.findall(r"FERROTYPE_[A-Z_]+", text)))
    assert text.index("USER ferrotype") < text.index("ENTRYPOINT")
    assert re.search(r'CMD \["(\w+)"\]', text)[1] in COMMANDS  # type: ignore[index]
    assert "--require-hashes" in text


def test_compose_names_commands_and_settings_of_ours() -> None:
    services = COMPOSE["services"]
    for role in ("api", "worker"):
        service = services[role]
        assert service["command"][0] in COMMANDS
        given = {name for name in service["environment"] if name.startswith("FERROTYPE_")}
        check_settings(given)
        assert service["deploy"]["replicas"] == 2
    for service in services.values():
        for other in service.get("depends_on", {}):
            assert other in services
    assert (DEPLOY / services["api"]["build"]["dockerfile"].removeprefix("deploy/")).exists()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_run_commands_of_ours(path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text())
    service = unit["Service"]
    assert shlex.split(service["ExecStart"])[1] in COMMANDS
    check_settings({service["Environment"].split("=")[0]})
    assert service["User"] == "ferrotype"
    assert service["NoNewPrivileges"] == "yes"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx here")
def test_the_balancers_file_is_one(tmp_path: Path) -> None:
    text = (DEPLOY / "nginx.conf").read_text().replace("server api:8765", "server 127.0.0.1:8765")
    path = tmp_path / "nginx.conf"
    path.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\n{text}")
    done = subprocess.run(
        ["nginx", "-t", "-p", tmp_path, "-c", path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
