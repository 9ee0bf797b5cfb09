"""The parts of `bench.gpu` that film, and the one in which pictures and films take turns."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch

from bench.gpu_rooms import FILM, STILL, bare, recipe, room
from bench.gpu_run import GIB, Bench, Facts, timed, used
from bench.gpu_stills import Still


class Film:
    """The parts that film."""

    def __init__(self) -> None:
        self.pipe: Any = None

    def shape(self, bench: Bench) -> tuple[tuple[int, int], int, int]:
        """Return size, frames and steps."""
        return ((1280, 704), 49, 20) if bench.real else ((128, 96), 13, 2)

    def shoot(self, bench: Bench) -> Callable[[], Any]:
        """Return one bare call."""
        (wide, high), frames, steps = self.shape(bench)
        return lambda: self.pipe(
            prompt="a flower shop", negative_prompt="blurred", width=wide, height=high,
            num_frames=frames, num_inference_steps=steps, output_type="pt",
            generator=torch.Generator("cpu").manual_seed(1),
        )  # fmt: skip

    def against(self, bench: Bench) -> Iterator[Facts]:
        """Compare bare calls and jobs of an engine room, by turns."""

        def load() -> None:
            self.pipe = bare(bench, FILM)

        size, frames, steps = self.shape(bench)
        yield {"size, frames, steps": [*size, frames, steps]}
        yield {"loaded in s": round(timed(load), 1), "GiB in use": used()}
        yield {"first call s": round(timed(self.shoot(bench)), 2)}
        own = recipe(bench, FILM, steps=steps, fps=24, warm=True)
        with room(bench, {"film": own}) as made:
            yield {"engine ready in s": round(made.start(), 1)}
            seconds = (frames - 1) / 24
            alone, ours = [], []
            warm = made.job("film", "text-to-video", size, duration=seconds, negative="blurred")
            yield {"first job s": round(made.run([warm])[0], 2)}
            for _ in range(2):
                job = made.job("film", "text-to-video", size, duration=seconds, negative="blurred")
                ours.append(made.run([job])[0])
                alone.append(timed(self.shoot(bench)))
                mid = statistics.median(alone), statistics.median(ours)
                yield {
                    "bare call s": round(mid[0], 3),
                    "through the engine room, film written, s": round(mid[1], 3),
                    "ratio": round(mid[1] / mid[0], 4),
                    "ms added": round(1000 * (mid[1] - mid[0])),
                    "calls": len(ours),
                }
            yield {"GiB in use by both": used()}

    def compiled(self, bench: Bench) -> Iterator[Facts]:
        """Compile the repeated blocks of the bare pipeline."""
        if bench.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        before = timed(self.shoot(bench))
        if bench.device == "cuda":
            yield {"peak GiB of a call": round(torch.cuda.max_memory_allocated() / GIB, 1)}
        self.pipe.transformer.compile_repeated_blocks(fullgraph=True)
        yield {"first compiled call s": round(timed(self.shoot(bench)), 1)}
        after = timed(self.shoot(bench))
        yield {
            "eager s": round(before, 3),
            "compiled s": round(after, 3),
            "times as fast": round(before / after, 3),
        }
        self.pipe = None


def switching(bench: Bench) -> Iterator[Facts]:
    """Let two recipes share less memory than both need: each drops the other."""
    memory = "30GiB" if bench.real else "3MB"
    size, frames, _ = Film().shape(bench)
    side = Still().side(bench)
    recipes = {
        "still": recipe(bench, STILL, guidance=0.0, steps=8, memory=memory),
        "film": recipe(bench, FILM, steps=2, fps=24, memory=memory),
    }
    with room(bench, recipes) as made:
        made.start()
        for turn in ("first", "second"):
            job = made.job("still", "text-to-image", (side, side))
            yield {f"still, {turn} time, s": round(made.run([job])[0], 1)}
            job = made.job("film", "text-to-video", size, duration=(frames - 1) / 24)
            yield {f"film, {turn} time, s": round(made.run([job])[0], 1)}
        yield {"GiB in use": used()}
