"""Fills measured figures into docs/performance.md, whose text people wrote."""

import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
LIBRARIES = ("starlette", "msgspec", "uvicorn", "uvloop")


def fill(**figures: str) -> None:
    """Put each text between the marks of its name. Raises `LookupError` when there are none."""
    text = DOCUMENT.read_text()
    for name, figure in figures.items():
        before, mark, rest = text.partition(f"<!-- figures: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (mark and end):
            raise LookupError(f"{DOCUMENT.name} has no place for the figures of {name}")
        text = f"{before}{mark}{figure}\n{end}{after}"
    DOCUMENT.write_text(text)


def machine(busy: float) -> str:
    """Say what this was measured on, and nothing by which to find it.

    `busy`: the part of the processors, in percent, that others used just before.
    """
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{psutil.cpu_count()} cores of {_processor()}, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}.\n"
        f"Just before, other programs kept {busy:.0f} % of the cores busy."
    )


def _processor() -> str:
    """Return the processor's name, as Linux has it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
