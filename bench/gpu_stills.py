"""The parts of `bench.gpu` that draw pictures."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch

from bench.gpu_rooms import STILL, bare, recipe, room
from bench.gpu_run import GIB, Bench, Facts, free, timed, used
from bench.rooms import Room

BACKENDS = (
    "native",
    "_native_flash",
    "_native_cudnn",
    "_native_efficient",
    "flash",
    "_flash_3",
    "sage",
)


class Still:
    """The parts that draw pictures."""

    def __init__(self) -> None:
        self.pipe: Any = None
        self.steps = 8

    def draw(self, size: int, steps: int | None = None, count: int = 1) -> Callable[[], Any]:
        """Return one bare call."""
        seeds = [torch.Generator("cpu").manual_seed(i) for i in range(count)]
        words = ["a flower shop"] * count
        return lambda: self.pipe(
            prompt=words, width=size, height=size, generator=seeds, guidance_scale=0.0,
            num_inference_steps=steps or self.steps,
        )  # fmt: skip

    def side(self, bench: Bench) -> int:
        """Return the side of the usual picture."""
        return 1024 if bench.real else 128

    def load(self, bench: Bench) -> Iterator[Facts]:
        """Load it bare, and find how many steps make a call of two seconds."""
        yield {"loaded in s": round(timed(self._load(bench)), 1), "GiB in use": used()}
        side = self.side(bench)
        first = timed(self.draw(side, 8))
        eight = min(timed(self.draw(side, 8)) for _ in range(2))
        yield {"first call s": round(first, 2), f"8 steps at {side} s": round(eight, 3)}
        if bench.real:
            self.steps = max(8, int(8 * 2.3 / eight) + 1)
        yield {"steps of a call of 2 s": self.steps}

    def _load(self, bench: Bench) -> Callable[[], None]:
        def work() -> None:
            self.pipe = bare(bench, STILL)

        return work

    def against(self, bench: Bench) -> Iterator[Facts]:
        """Compare bare calls and jobs of an engine room, by turns."""
        side, plain = self.side(bench), {"guidance": 0.0, "steps": self.steps, "warm": True}
        recipes = {"one": recipe(bench, STILL, **plain)}
        recipes |= {f"by-{n}": recipe(bench, STILL, **plain, batch=n) for n in (2, 4)}
        with room(bench, recipes) as made:
            yield {"engine ready in s": round(made.start(), 1), "GiB in use by both": used()}
            made.run([made.job("one", "text-to-image", (side, side))])
            yield from self._pairs(bench, made)
            yield from self._batches(bench, made)

    def _pairs(self, bench: Bench, made: Room) -> Iterator[Facts]:
        side, path = self.side(bench), bench.out / "bare.png"
        alone, saved, ours = [], [], []
        for _ in range(5):
            kept: list[Any] = []
            call = self.draw(side)
            alone.append(timed(lambda call=call, kept=kept: kept.append(call())))  # type: ignore[misc]
            saving = timed(lambda kept=kept: kept[0].images[0].save(path, compress_level=1))  # type: ignore[misc]
            saved.append(alone[-1] + saving)
            ours.append(made.run([made.job("one", "text-to-image", (side, side))])[0])
        path.unlink()
        mid = [statistics.median(times) for times in (alone, saved, ours)]
        yield {
            "bare call s": round(mid[0], 3), "bare call and PNG s": round(mid[1], 3),
            "through the engine room s": round(mid[2], 3),
            "ratio to the call": round(mid[2] / mid[0], 4),
            "ratio to call and PNG": round(mid[2] / mid[1], 4),
            "ms added to call and PNG": round(1000 * (mid[2] - mid[1]), 1),
        }  # fmt: skip

    def _batches(self, bench: Bench, made: Room) -> Iterator[Facts]:
        side = self.side(bench)
        for size in (side, side // 2):
            for count in (1, 2, 4):
                model = "one" if count == 1 else f"by-{count}"
                again = 2
                seconds = min(
                    made.run(
                        [made.job(model, "text-to-image", (size, size)) for _ in range(count)]
                    )[0]
                    for _ in range(again)
                )
                yield {
                    f"{count} at once, {size}: pictures a minute": round(60 * count / seconds, 1),
                    f"{count} at once, {size}: s": round(seconds, 3),
                }
        yield {"GiB in use by both after batches": used()}

    def pressed(self, bench: Bench) -> Iterator[Facts]:
        """Leave ever less of the device's memory, and see what a party of four comes to."""
        if bench.device != "cuda":
            return
        side = self.side(bench)
        own = recipe(bench, STILL, guidance=0.0, steps=8, warm=True, batch=4)
        for left in (4.0, 2.0, 0.5):
            with room(bench, {"by-4": own}) as made:
                made.start()
                rest, _ = torch.cuda.mem_get_info()
                weight = torch.empty(
                    max(0, rest - int(left * GIB)), dtype=torch.uint8, device="cuda"
                )
                jobs = [made.job("by-4", "text-to-image", (side, side)) for _ in range(4)]
                try:
                    seconds, outputs = made.run(jobs)
                    came_to = f"{len(outputs)} made in {seconds:.1f} s"
                except Exception as error:
                    came_to = f"{type(error).__name__}: {error}"
                yield {f"4 at once with {left} GiB left": came_to}
                del weight
                free()

    def backends(self, bench: Bench) -> Iterator[Facts]:
        """Compare the attention backends that are installed here."""
        side = self.side(bench)
        for name in BACKENDS:
            try:
                self.pipe.transformer.set_attention_backend(name)
                timed(self.draw(side))
                yield {name: round(min(timed(self.draw(side)) for _ in range(2)), 3)}
            except Exception as error:
                yield {name: f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"}
        self.pipe.transformer.set_attention_backend("native")

    def compiled(self, bench: Bench) -> Iterator[Facts]:
        """Compile the repeated blocks of the bare pipeline."""
        side = self.side(bench)
        torch.cuda.reset_peak_memory_stats() if bench.device == "cuda" else None
        before = min(timed(self.draw(side)) for _ in range(2))
        if bench.device == "cuda":
            yield {"peak GiB of a call": round(torch.cuda.max_memory_allocated() / GIB, 1)}
        self.pipe.transformer.compile_repeated_blocks(fullgraph=True)
        yield {"first compiled call s": round(timed(self.draw(side)), 1)}
        after = min(timed(self.draw(side)) for _ in range(3))
        yield {
            "eager s": round(before, 3),
            "compiled s": round(after, 3),
            "times as fast": round(before / after, 3),
        }

    def through(self, bench: Bench) -> Iterator[Facts]:
        """Compile through a recipe of the engine."""
        self.pipe = None
        free()
        side = self.side(bench)
        own = recipe(bench, STILL, guidance=0.0, steps=self.steps, compile=True, warm=True)
        with room(bench, {"compiled": own}) as made:
            yield {"engine ready in s": round(made.start(), 1)}
            for name in ("first call s", "second call s", "third call s"):
                job = made.job("compiled", "text-to-image", (side, side))
                yield {name: round(made.run([job])[0], 3)}
            yield {"GiB in use": used()}
