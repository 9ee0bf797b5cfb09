"""A fresh clone, an empty environment, one command: a picture."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ferrotype.media import png_size

ROOT = Path(__file__).parents[2]
INTERPRETERS = ("python3", *(f"python3.{minor}" for minor in range(11, 15)))
NO_ENSUREPIP = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{python}" "$@"\n'


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed; the first test to demo in it sets it up for the next."""
    clone = tmp_path_factory.mktemp("newcomer") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    return clone


def environment(clone: Path) -> dict[str, str]:
    return {"HOME": str(clone.parent), "PATH": os.environ["PATH"]}


def test_a_python_that_cannot_make_environments_is_told_in_one_line(
    clone: Path, tmp_path: Path
) -> None:
    for name in INTERPRETERS:
        (tmp_path / name).write_text(NO_ENSUREPIP.format(python=sys.executable))
        (tmp_path / name).chmod(0o755)
    for name in ("make", "sh"):  # and no uv
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    done = subprocess.run(
        ["make", "demo"], cwd=clone, env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stdout + done.stderr
    version = ".".join(map(str, sys.version_info[:2]))
    said, end_of_make = done.stderr.splitlines()
    assert said.endswith(f": sudo apt-get install python{version}-venv")
    assert end_of_make.startswith("make: *** ")
    assert not (clone / ".venv").exists()


def test_make_demo_in_a_fresh_clone_makes_a_picture(clone: Path) -> None:
    done = subprocess.run(
        ["make", "demo"],
        cwd=clone,
        env=environment(clone),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = re.findall(r"^The picture: (.+\.png)$", done.stdout, re.MULTILINE)
    with (clone / shown).open("rb") as file:
        assert png_size(file) == (1024, 1024)
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert changed.stdout == "", "the demo left something in the tree"


def test_on_a_terminal_the_demo_serves_until_ctrl_c(clone: Path) -> None:
    ours, terminal = os.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", "make", "demo"],
        cwd=clone,
        env=environment(clone),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as make:
        os.close(terminal)
        try:
            said = read_until(ours, rb"The service stays up at (\S+); Ctrl-C ends it\.")
            root = re.findall(r"stays up at (\S+);", said)[0]
            assert httpx.get(f"{root}/readyz", timeout=20).status_code == 200
            os.write(ours, b"\x03")
            assert "Error" not in read_until(ours, rb"Stopped\.")
            assert make.wait(20) in (0, -signal.SIGINT)  # make itself ends by the signal
        finally:
            make.kill()
            os.close(ours)
    with pytest.raises(httpx.ConnectError):
        httpx.get(root)


def read_until(terminal: int, pattern: bytes) -> str:
    """Read a terminal until it shows the pattern; an end before it is an `OSError` (EIO)."""
    said = b""
    while not re.search(pattern, said):
        said += os.read(terminal, 65536)
    return said.decode()
