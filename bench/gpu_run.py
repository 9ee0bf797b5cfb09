"""A run of `bench.gpu`: part after part, each within its time, and what they found."""

import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from bench import shapes

GIB = 2**30
Facts = dict[str, Any]


class Bench:
    """One run: where it writes, how long it may take, and what it has found."""

    def __init__(self, out: Path, weights: Path, scale: shapes.Scale, seconds: float) -> None:
        self.out, self.weights, self.scale = out, weights, scale
        self.real = scale == "real"
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.until = time.monotonic() + seconds
        self.found: dict[str, Facts] = {}

    def part(self, name: str, measure: Callable[["Bench"], Iterator[Facts]], most: float) -> None:
        """Measure one part, in `most` seconds at most; keep what it found until then."""
        left = min(most, self.until - time.monotonic())
        facts = self.found.setdefault(name, {})
        if left < 5:
            facts["skipped"] = "no time was left"
            self.write()
            return
        began = time.monotonic()
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(max(1, int(left)))
        try:
            for more in measure(self):
                facts |= more
                self.write()
                sys.stdout.write(f"{name}: {json.dumps(more)}\n")
                sys.stdout.flush()
        except BaseException as error:
            facts["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
            sys.stdout.write(f"{name}: {facts['error']}\n")
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            signal.alarm(0)
            facts["seconds"] = round(time.monotonic() - began, 1)
            self.write()
            free()

    def write(self) -> None:
        """Write what is known."""
        (self.out / "gpu.json").write_text(json.dumps(self.found, indent=1))
        rows = [
            f"| {part} | {name} | {_cell(value)} |"
            for part, facts in self.found.items()
            for name, value in facts.items()
        ]
        head = "| part | what | found |\n| --- | --- | --- |\n"
        (self.out / "gpu.md").write_text(head + "\n".join(rows) + "\n")


class Late(BaseException):
    """A part has had its time."""


def _late(*_: object) -> None:
    raise Late("the time for this part is over")


def _cell(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def free() -> None:
    """Give memory back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def sync() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def used() -> float:
    """Return the GiB in use on the device, by all processes."""
    if not torch.cuda.is_available():
        return 0.0
    rest, whole = torch.cuda.mem_get_info()
    return float(round((whole - rest) / GIB, 1))


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that something takes on the device."""
    sync()
    began = time.perf_counter()
    work()
    sync()
    return time.perf_counter() - began
