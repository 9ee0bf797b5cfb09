"""`make gpu`: real-size shapes with random weights on a GPU, bare and through an engine room.

python -m bench.gpu --out FOLDER [--scale tiny] [--seconds 520] [--weights FOLDER]

Each part is measured for itself: one that fails says so, and the next begins. What is known is
written after each, as gpu.json and gpu.md.
"""

import argparse
import contextlib
import gc
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import structlog
import torch
import transformers

from bench import shapes
from bench.rooms import Room
from ferrotype.engines.diffusers.engine import ALONE

GIB = 2**30
BACKENDS = (
    "native",
    "_native_flash",
    "_native_cudnn",
    "_native_efficient",
    "flash",
    "_flash_3",
    "sage",
)
STILL, FILM = "z-image-turbo", "wan2.2-ti2v-5b"
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


def machine(bench: Bench) -> Iterator[Facts]:
    """Name what this runs on."""
    yield {
        "python": platform.python_version(), "torch": torch.__version__,
        "diffusers": diffusers.__version__, "transformers": transformers.__version__,
        "cores": os.cpu_count(), "scale": bench.scale,
    }  # fmt: skip
    if torch.cuda.is_available():
        own = torch.cuda.get_device_properties(0)
        yield {"gpu": own.name, "gib": round(own.total_memory / GIB, 1)}


def build(name: str) -> Callable[[Bench], Iterator[Facts]]:
    """Return the part that makes a shape and writes it to disk."""

    def work(bench: Bench) -> Iterator[Facts]:
        seconds = timed(lambda: shapes.save(name, bench.scale, bench.weights, bench.device))
        files = (bench.weights / name).rglob("*.safetensors")
        yield {
            "made and written in s": round(seconds, 1),
            "GB": round(sum(file.stat().st_size for file in files) / 1e9, 2),
        }

    return work


def bare(bench: Bench, name: str) -> Any:
    """Load a shape as anybody would, without Ferrotype."""
    dtype: Any = torch.bfloat16 if bench.device == "cuda" else torch.float32
    if name == FILM:
        dtype = {"default": dtype, "vae": torch.float32}
    pipe = diffusers.DiffusionPipeline.from_pretrained(
        str(bench.weights / name), dtype=dtype, use_safetensors=True, local_files_only=True
    ).to(bench.device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def recipe(bench: Bench, name: str, **more: Any) -> Facts:
    """Return a recipe for a shape."""
    return {"weights": str(bench.weights / name), **more}


@contextlib.contextmanager
def room(bench: Bench, recipes: dict[str, Facts]) -> Iterator[Room]:
    """Give an engine room, and end it after."""
    folder = bench.out / "rooms" / str(time.monotonic_ns())
    folder.mkdir(parents=True)
    made = Room(folder, recipes)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


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
            yield from self._pressed(bench, made)

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

    def _pressed(self, bench: Bench, made: Room) -> Iterator[Facts]:
        """Take nearly all memory away, and see what a party of four comes to."""
        if bench.device != "cuda":
            return
        rest, _ = torch.cuda.mem_get_info()
        weight = torch.empty(max(0, rest - GIB // 2), dtype=torch.uint8, device="cuda")
        try:
            side = 2 * self.side(bench)
            jobs = [made.job("by-4", "text-to-image", (side, side)) for _ in range(4)]
            seconds, outputs = made.run(jobs)
            yield {"4 at once with 0.5 GiB left": f"{len(outputs)} made in {seconds:.1f} s"}
        except Exception as error:
            yield {"4 at once with 0.5 GiB left": f"{type(error).__name__}: {error}"}
        finally:
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


class Film:
    """The parts that film."""

    def __init__(self) -> None:
        self.pipe: Any = None

    def shape(self, bench: Bench) -> tuple[tuple[int, int], int, int]:
        """Return size, frames and steps."""
        return ((1280, 704), 49, 10) if bench.real else ((128, 96), 13, 2)

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
            for _ in range(3):
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


def roomiest() -> Path:
    """Return a folder for 45 GB: in memory where it has them, else where most is free."""
    places = [place for place in map(Path, ("/dev/shm", "/tmp", "/var/tmp")) if place.is_dir()]
    space = {place: shutil.disk_usage(place).free for place in places}
    return places[0] if space[places[0]] > 50e9 else max(places, key=lambda place: space[place])


def main() -> int:
    """Measure all parts; 0 when none failed."""
    parser = argparse.ArgumentParser(prog="bench.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=roomiest() / "ferrotype-gpu")
    parser.add_argument("--scale", choices=("tiny", "real"), default="real")
    parser.add_argument("--seconds", type=float, default=520.0)
    given = parser.parse_args()
    os.environ.update(ALONE)
    given.out.mkdir(parents=True, exist_ok=True)
    given.weights.mkdir(parents=True, exist_ok=True)
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    with (given.out / "gpu.log").open("a", buffering=1) as log:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        bench = Bench(given.out, given.weights, given.scale, given.seconds)
        still, film = Still(), Film()
        bench.part("machine", machine, 30)
        bench.part(f"{STILL}: build", build(STILL), 90)
        bench.part(f"{STILL}: bare", still.load, 90)
        bench.part(f"{STILL}: engine", still.against, 180)
        bench.part(f"{STILL}: attention, s a call", still.backends, 60)
        bench.part(f"{STILL}: compile", still.compiled, 90)
        still.pipe = None
        free()
        bench.part(f"{FILM}: build", build(FILM), 90)
        bench.part(f"{FILM}: engine", film.against, 150)
        bench.part(f"{FILM}: compile", film.compiled, 90)
        film.pipe = None
        free()
        bench.part("switching", switching, 120)
        bench.part(f"{STILL}: compiled by recipe", still.through, 120)
    shutil.rmtree(given.weights, ignore_errors=True)
    shutil.rmtree(given.out / "rooms", ignore_errors=True)
    return 1 if any("error" in facts for facts in bench.found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
