"""What the parts of `bench.gpu` have in common: shapes on disk, bare pipelines, engine rooms."""

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import diffusers
import torch
import transformers

from bench import shapes
from bench.gpu_run import GIB, Bench, Facts, timed
from bench.rooms import Room

STILL, FILM = "z-image-turbo", "wan2.2-ti2v-5b"


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
