"""The programs in docs/testing.md do what they say."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")
*TESTS, PROGRAM = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(OPTIONS,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
CLIENT = "import pytest\n\n@pytest.fixture\ndef my_client():\n    return None\n"


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tests_pass_with_the_options(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(OPTIONS, "utf-8")
    (tmp_path / "conftest.py").write_text(CLIENT, "utf-8")
    (tmp_path / "test_page.py").write_text("\n".join(TESTS), "utf-8")
    assert f"{len(TESTS)} passed" in run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_the_program_prints_where_and_by_which_key(tmp_path: Path) -> None:
    url, key = run(tmp_path, "-c", PROGRAM).split()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v1", url)
    assert key.startswith("sk-")
