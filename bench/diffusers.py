"""What an engine process, and the whole service, add to a bare call of a pipeline of 2 s."""

import json
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.rows import Row, Section

SIDE, ROUNDS, LEAST = 512, 7, 2.3  # pixels, calls of each kind, seconds of a call
MODEL, NAME = "wan2.2-t2i-flash", "z-image-turbo"
CREATE = "/services/aigc/text2image/image-synthesis"


def measure(folder: Path) -> Section:
    """Call a tiny pipeline bare, in an engine room and over HTTP, by turns."""
    from bench import shapes
    from bench.rooms import Room

    weights = shapes.save(NAME, "tiny", folder)
    bare = Bare(weights)
    steps = bare.steps()
    recipe = {"weights": str(weights), "steps": steps, "guidance": 0.0, "warm": True}
    room = Room(folder / "room", {MODEL: recipe | {"label": "substitute"}})
    room.start()
    alone, ours = [], []
    for i in range(ROUNDS + 1):
        alone.append(bare.call(steps, i))
        ours.append(room.run([room.job(MODEL, "text-to-image", (SIDE, SIDE), seed=i)])[0])
    room.close()
    between, whole = _service(folder / "service", recipe, bare, steps)
    return Section(
        "diffusers",
        [
            *_rows("through an engine process", alone[1:], ours[1:]),
            *_rows("through the service, create to end in the ledger", between[1:], whole[1:]),
        ],
    )


def _rows(what: str, alone: list[float], ours: list[float]) -> list[Row]:
    """Compare each call with the bare one just before it."""
    ratio = median(one / other for one, other in zip(ours, alone, strict=True))
    added = median(1000 * (one - other) for one, other in zip(ours, alone, strict=True))
    beside = "the bare call", median(alone)
    return [
        Row(what=f"a call of a pipeline {what}", unit="s", value=median(ours), beside=beside),
        Row(what=f"{what}: against the bare call", unit="times", value=ratio, most=1.02),
        Row(what=f"{what}: added", unit="ms", value=added),
    ]


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

    def call(self, steps: int, seed: int) -> float:
        """Make one call; return its seconds."""
        began = time.perf_counter()
        self._pipe(
            prompt="a flower shop", width=SIDE, height=SIDE, num_inference_steps=steps,
            guidance_scale=0.0, generator=self._torch.Generator("cpu").manual_seed(seed),
        )  # fmt: skip
        return time.perf_counter() - began

    def steps(self) -> int:
        """Return how many steps make a call of two seconds."""
        self.call(2, 0)
        few, many = self.call(2, 0), self.call(10, 0)
        return 2 + max(0, round((LEAST - few) / (max(many - few, 1e-3) / 8)))


def _service(
    folder: Path, recipe: dict[str, Any], bare: Bare, steps: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of bare calls, and those of tasks, by turns."""
    import asyncio

    from bench.ledger import tasks_of
    from ferrotype.testing import server

    folder.mkdir()
    options = "\n".join(f"{name} = {json.dumps(value)}" for name, value in recipe.items())
    (folder / "ferrotype.toml").write_text(
        f'[recipes."{MODEL}"]\nengine = "diffusers"\nlabel = "substitute"\n'
        f'allow_substitutes = true\n[recipes."{MODEL}".options]\n{options}\n'
    )
    data, config = folder / "data", str(folder / "ferrotype.toml")
    alone, ids = [], []
    with server(data, engine="echo", config=config) as running:
        headers = {"Authorization": f"Bearer {running.key}", "X-DashScope-Async": "enable"}
        with httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client:
            for i in range(ROUNDS + 1):
                alone.append(bare.call(steps, i))
                ids.append(_ended(client, i))
    tasks = asyncio.run(tasks_of(data, ids))
    second = timedelta(seconds=1)
    return alone, [(task.end_at - task.submit_at) / second for task in tasks if task.end_at]


def _ended(client: httpx.Client, seed: int) -> str:
    """Create a task and wait for its end; return its id."""
    wish = {"size": f"{SIDE}*{SIDE}", "n": 1, "seed": seed}
    body = {"model": MODEL, "input": {"prompt": "a flower shop"}, "parameters": wish}
    task = str(client.post(CREATE, json=body).raise_for_status().json()["output"]["task_id"])
    for _ in range(600):
        status = client.get(f"/tasks/{task}").json()["output"]["task_status"]
        if status == "SUCCEEDED":
            return task
        if status == "FAILED":
            break
        time.sleep(0.05)
    raise RuntimeError(f"the task {task} was not made")
