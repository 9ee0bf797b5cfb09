"""Makes what jobs of one shape ask for, in as few calls of the pipeline as may be."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
import torch

from ferrotype.engines.diffusers import memory, outputs
from ferrotype.engines.diffusers.loader import Loaded
from ferrotype.engines.diffusers.options import Options
from ferrotype.engines.diffusers.outputs import Drawn
from ferrotype.engines.diffusers.plan import Piece, Plan, choose
from ferrotype.engines.diffusers.seat import Pulse, Seat
from ferrotype.engines.diffusers.steps import Steps, Stopped
from ferrotype.engines.diffusers.wish import read
from ferrotype.media import Output

_log = structlog.get_logger(__name__)


class Call:
    """The work for one party of jobs.

    `make_room` frees all memory but this pipeline's own. `waiting`: whose turn comes after them.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        loaded: Loaded,
        options: Options,
        device: torch.device,
        make_room: Callable[[], object],
        waiting: Sequence[Seat] = (),
    ) -> None:
        wish = read(seats[0].job)
        self._plan = Plan(seats[0].job, wish, options, choose(wish.mode, loaded))
        self._seats = {seat.job.task: seat for seat in seats}
        self._waiting = waiting
        self._loaded = loaded
        self._device = device
        self._make_room = make_room

    def make(self) -> dict[str, list[Output]]:
        """Return each job's outputs, by task. Raises `Stopped` once all jobs have left.

        Raises `MemoryError` when there is too little even for the half.
        """
        made: dict[str, list[Output]] = {task: [] for task in self._seats}
        parts = list(self._parts())
        for number, part in enumerate(parts):
            pieces = [piece for piece in part if not self._seats[piece.job.task].left]
            if not pieces:
                continue
            for drawn in self._persist(pieces, number / len(parts), 1 / len(parts)):
                self._write(drawn, made)
        if all(seat.left for seat in self._seats.values()):
            raise Stopped
        return made

    def _parts(self) -> Iterator[list[Piece]]:
        """Yield what is made together: alike also in whether a negative prompt guides it."""
        pieces = [Piece(s.job, i) for s in self._seats.values() for i in range(s.job.n)]
        guided = [piece for piece in pieces if self._plan.negative(piece.job)]
        plain = [piece for piece in pieces if not self._plan.negative(piece.job)]
        for alike in (plain, guided):
            for start in range(0, len(alike), self._plan.together):
                yield alike[start : start + self._plan.together]

    def _write(self, drawn: Drawn, made: dict[str, list[Output]]) -> None:
        """Write an output into its job's folder, unless nobody waits for it."""
        task = drawn.piece.job.task
        seat = self._seats[task]
        if seat.left:
            return
        try:
            made[task].append(outputs.write(drawn, self._plan, seat.bench.workdir))
        except OSError as error:  # its folder, not the pipeline's trouble
            seat.fail(error)
            return
        made[task].sort(key=lambda output: output.path or "")
        seat.move(len(made[task]) / seat.job.n)

    def _persist(self, pieces: Sequence[Piece], done: float, share: float) -> list[Drawn]:
        """Draw; when memory runs out make room, halve and tile, and try once more."""
        try:
            return self._draw(pieces, done, share)
        except Exception as error:
            if not memory.ran_out(error):
                raise
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
        _log.warning("out of memory", pieces=len(pieces), why=why)
        self._make_room()
        half = (len(pieces) + 1) // 2
        try:
            with _tiled(self._plan.pipe):
                first = self._draw(pieces[:half], done, share / 2)
                rest = pieces[half:]
                more = self._draw(rest, done + share / 2, share / 2) if rest else []
            return first + more
        except Exception as error:
            if memory.ran_out(error):
                raise MemoryError(f"out of memory, also in a smaller call: {error}") from error
            raise

    def _draw(self, pieces: Sequence[Piece], done: float, share: float) -> list[Drawn]:
        """Make one call of the pipeline. Raises `Stopped`, and whatever it raises."""
        plan = self._plan
        seats = list({piece.job.task: self._seats[piece.job.task] for piece in pieces}.values())
        waiting = [seat for seat in self._seats.values() if seat not in seats] + [*self._waiting]
        guided = bool(plan.negative(pieces[0].job))
        shape = (plan.wish.mode, plan.canvas.drawn, plan.frames, len(pieces), guided)
        unknown = self._loaded.options.compile and shape not in self._loaded.shapes
        with Pulse(seats, plan.options.load_within if unknown else 0.0, done) as pulse:
            steps = Steps(
                seats, plan.steps, waiting=waiting, done=done, share=share, pulse=pulse,
                device=self._device,
            )  # fmt: skip
            steps.look()
            result = self._run(plan.arguments(pieces), steps)
        self._loaded.shapes.add(shape)
        drawn = outputs.unpack(result, pieces, steps)
        _log.info(
            "drawn", model=pieces[0].job.model, mode=plan.wish.mode.value, at_once=len(pieces),
            size="{}*{}".format(*plan.canvas.drawn), frames=plan.frames, steps=steps.count,
            seconds_a_step=steps.seconds, peak_bytes=memory.peak(self._device),
        )  # fmt: skip
        return drawn

    def _run(self, arguments: dict[str, Any], steps: Steps) -> Any:
        try:
            return self._plan.pipe(**arguments, callback_on_step_end=steps)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # one that the device's end brings
                self._plan.pipe.maybe_free_model_hooks()  # and what step caches hold
            raise


@contextlib.contextmanager
def _tiled(pipe: Any) -> Iterator[None]:
    """Have pictures decoded one by one and in tiles: slower, a little different, and smaller."""
    vae = getattr(pipe, "vae", None)
    found = [
        (name, getattr(vae, f"use_{name}"))
        for name in ("slicing", "tiling")
        if hasattr(vae, f"enable_{name}") and hasattr(vae, f"use_{name}")
    ]
    for name, _ in found:
        getattr(vae, f"enable_{name}")()
    try:
        yield
    finally:
        for name, before in found:
            setattr(vae, f"use_{name}", before)
