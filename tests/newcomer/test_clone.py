"""A fresh clone, an empty environment, one command: a picture."""

import os
import re
import subprocess
from pathlib import Path

from ferrotype.media import png_size

ROOT = Path(__file__).parents[2]


def test_make_demo_in_a_fresh_clone_makes_a_picture(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    done = subprocess.run(
        ["make", "demo"],
        cwd=clone,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
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
