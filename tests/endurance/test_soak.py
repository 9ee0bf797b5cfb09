"""5,000 tasks of ten accounts: all end, expire and go, and the service does not grow."""

from pathlib import Path

from bench.soak import soak

TASKS = 5_000
RETENTION = 8.0  # seconds: most of the tasks have come and gone before the last one ends


def test_nothing_grows_with_the_tasks_that_pass(tmp_path: Path) -> None:
    run = soak(tmp_path, TASKS, RETENTION)
    assert run.ends == {"SUCCEEDED": TASKS}
    assert run.grew() == [], run.report()
