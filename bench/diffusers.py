"""What an engine process adds to a bare call of a pipeline that takes two seconds.

The pipeline is tiny and each step waits: as on a GPU, the processor is idle meanwhile, and what
is added does not drown in what else this machine does.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.rows import Row, Section

SIDE, STEPS, ROUNDS = 128, 8, 9  # pixels, steps of a call, calls of each kind
NAME = "z-image-turbo"
SLOW = """
import time, diffusers, torch
torch.set_num_threads(1)
whole = diffusers.ZImageTransformer2DModel.forward
def forward(self, *args, **more):
    time.sleep(0.25)
    return whole(self, *args, **more)
diffusers.ZImageTransformer2DModel.forward = forward
"""


def measure(folder: Path) -> Section:
    """Call it bare and in an engine room, by turns."""
    from bench import shapes
    from bench.rooms import Room

    weights = shapes.save(NAME, "tiny", folder)
    recipe = {"weights": str(weights), "steps": STEPS, "guidance": 0.0, "warm": True}
    room = Room(folder / "room", {NAME: recipe}, first=SLOW)
    room.start()
    exec(SLOW, {})  # in this process too
    bare, alone, ours = Bare(weights), [], []
    for i in range(ROUNDS + 1):
        alone.append(bare.call(i))
        ours.append(room.run([room.job(NAME, "text-to-image", (SIDE, SIDE), seed=i)])[0])
    room.close()
    pairs = list(zip(ours[1:], alone[1:], strict=True))
    added = [1000 * (one - other) for one, other in pairs]
    beside = "the bare call", median(alone[1:])
    ratio = median(one / other for one, other in pairs)
    return Section(
        "diffusers",
        [
            Row(what="a call through an engine process", unit="s", value=median(ours[1:]),
                beside=beside),
            Row(what="the same, against the bare call", unit="times", value=ratio, most=1.02),
            Row(what="added, the file's writing included", unit="ms", value=median(added)),
        ],
    )  # fmt: skip


class Bare:
    """The same pipeline, called as anybody would."""

    def __init__(self, weights: Path) -> None:
        import diffusers
        import torch

        self._torch: Any = torch
        self._pipe: Any = diffusers.DiffusionPipeline.from_pretrained(
            str(weights), use_safetensors=True, local_files_only=True
        )
        self._pipe.set_progress_bar_config(disable=True)

    def call(self, seed: int) -> float:
        """Make one call; return its seconds."""
        began = time.perf_counter()
        self._pipe(
            prompt="a flower shop", width=SIDE, height=SIDE, num_inference_steps=STEPS,
            guidance_scale=0.0, generator=self._torch.Generator("cpu").manual_seed(seed),
        )  # fmt: skip
        return time.perf_counter() - began
