"""Follows a call step by step: progress, measured seconds a step, and the way out."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ferrotype.engines.diffusers.seat import Pulse, Seat

DRAWN = 0.95  # of a call's progress when its last step is done: decoding and writing follow


class Stopped(Exception):
    """Nobody waits for this call any more."""


class Steps:
    """What a pipeline calls at the end of each step.

    On a GPU the steps are timed there, and one is always in flight: we wait for the last one.
    `done`, `share`: the part of the jobs' work before this call, and that of this call.
    `waiting`: whose turn comes after it, and who are alive as long as it takes steps.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        steps: int,
        *,
        waiting: Sequence[Seat],
        done: float,
        share: float,
        pulse: Pulse,
        device: torch.device,
    ) -> None:
        self._seats, self._waiting = seats, waiting
        self._steps = steps
        self._done, self._share = done, share
        self._pulse = pulse
        self._moment: Callable[[], Any] = _event if device.type == "cuda" else time.perf_counter
        self._moments: list[Any] = []

    def __call__(self, pipe: Any, step: int, _at: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Take note of a step. Raises `Stopped` once all jobs of the call have left."""
        self._pulse.end()
        self._moments.append(self._moment())
        if len(self._moments) > 1 and not isinstance(self._moments[-2], float):
            self._moments[-2].synchronize()
        self.look()
        steps = max(step + 1, int(getattr(pipe, "num_timesteps", 0) or self._steps))
        fraction = self._done + self._share * DRAWN * (step + 1) / steps
        for seat in self._seats:
            seat.move(fraction, step + 1, steps)
        for seat in self._waiting:
            seat.move(0.0)
        return tensors

    def look(self) -> None:
        """Raise `Stopped` once all jobs of the call have left."""
        if all(seat.left for seat in self._seats):
            raise Stopped

    @property
    def count(self) -> int:
        """How many steps were taken."""
        return len(self._moments)

    @property
    def seconds(self) -> float | None:
        """Seconds a step, measured from the end of the first; None for less than two."""
        if len(self._moments) < 2:
            return None
        first, last = self._moments[0], self._moments[-1]
        if isinstance(first, float):
            return float((last - first) / (len(self._moments) - 1))
        last.synchronize()
        return float(first.elapsed_time(last) / 1000 / (len(self._moments) - 1))


def _event() -> Any:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
