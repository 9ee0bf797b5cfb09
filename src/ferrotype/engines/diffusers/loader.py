"""Loads a pipeline as its recipe says. Imports torch: only in the engine's process."""

import inspect
from pathlib import Path
from typing import Any

import diffusers
import torch

from ferrotype.engines.diffusers import abilities, tuning
from ferrotype.engines.diffusers.memory import Bytes
from ferrotype.engines.diffusers.options import Options
from ferrotype.engines.diffusers.weights import Weights, bytes_of, index_of
from ferrotype.engines.diffusers.wish import Mode

OTHERS = {  # the class that serves another mode with the same weights
    ("LTXPipeline", Mode.FIRST): "LTXImageToVideoPipeline",
    ("LTXImageToVideoPipeline", Mode.FILM): "LTXPipeline",
    ("WanPipeline", Mode.FIRST): "WanImageToVideoPipeline",  # of expanded time steps only
    ("WanImageToVideoPipeline", Mode.FILM): "WanPipeline",
}
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class Loaded:
    """A pipeline that is ready to be called, and what it is."""

    def __init__(self, pipe: Any, options: Options, cost: Bytes) -> None:
        self.pipe = pipe
        self.options = options
        self.cost = cost
        self.shapes: set[object] = set()  # of calls that were compiled for
        self._others: dict[Mode, Any] = {}

    def serves(self, mode: Mode) -> Any | None:
        """Return the pipeline for a mode, made of the same weights; None when there is none."""
        if mode in abilities.modes(self.pipe):
            return self.pipe
        if mode not in self._others:
            self._others[mode] = self._other(mode)
        return self._others[mode]

    def _other(self, mode: Mode) -> Any | None:
        name = OTHERS.get((type(self.pipe).__name__, mode))
        if mode is Mode.EDIT:
            name = _repainting(self.pipe)
        if name is None:
            return None
        expands = getattr(self.pipe.config, "expand_timesteps", False)
        if name.startswith("Wan") and not expands:
            return None
        return _of_same(self.pipe, getattr(diffusers, name))


def _repainting(pipe: Any) -> str | None:
    """Return the class that paints over pictures with these weights."""
    from diffusers.pipelines.auto_pipeline import AUTO_IMAGE2IMAGE_PIPELINES_MAPPING as PAINTERS
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING as DRAWERS

    for family, kind in DRAWERS.items():
        if kind is type(pipe) and family in PAINTERS:
            return str(PAINTERS[family].__name__)
    return None


def _of_same(pipe: Any, kind: Any) -> Any:
    """Make a pipeline of another class of the same components."""
    wanted = inspect.signature(kind.__init__).parameters.keys() - {"self"}
    given = {name: part for name, part in pipe.components.items() if name in wanted}
    given |= {name: pipe.config[name] for name in wanted - given.keys() if name in pipe.config}
    for name in wanted - given.keys():
        if name in kind._optional_components:
            given[name] = None
    made = kind(**given)
    made.set_progress_bar_config(disable=True)
    return made


def estimate(options: Options, pulled: str, device: torch.device) -> Bytes:
    """Say what a recipe's pipeline will take. Raises `ValueError`, `OSError`."""
    folder = Weights(options.weights, options.revision).folder(pulled)
    chosen = dtypes(options, _class_name(options, folder), device)
    sizes = {name or "": dtype.itemsize for name, dtype in chosen.items()}
    sizes[""] = sizes.pop("default")
    parts = bytes_of(folder, sizes | dict.fromkeys(options.quantisation, 1))
    return _placed(parts, options.offload, device)


def _placed(parts: dict[str, int], offload: str, device: torch.device) -> Bytes:
    whole = sum(parts.values())
    if device.type == "cpu":
        return Bytes(whole, whole)
    if offload == "none":
        return Bytes(whole)
    return Bytes(max(parts.values(), default=0) if offload == "model" else 0, whole)


def dtypes(options: Options, name: str, device: torch.device) -> dict[str, torch.dtype]:
    """Return each component's number format, and the "default" of the others."""
    plain = torch.float32 if device.type == "cpu" else torch.bfloat16
    table = options.dtype if isinstance(options.dtype, dict) else {"default": options.dtype}
    chosen = {part: DTYPES.get(word, plain) for part, word in table.items()}
    chosen.setdefault("default", plain)
    if options.dtype == "auto" and name.startswith("Wan"):
        chosen["vae"] = torch.float32
    return chosen


def _class_name(options: Options, folder: Path) -> str:
    return options.pipeline or str(index_of(folder)["_class_name"])


def pipeline_class(name: str) -> Any:
    """Return a pipeline's class by its name. Raises `ValueError`."""
    found = getattr(diffusers, name, None) if name.isidentifier() else None
    if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
        raise ValueError(f"diffusers {diffusers.__version__} has no pipeline {name!r}.")
    return found


def load(options: Options, pulled: str, device: torch.device) -> Loaded:
    """Load a recipe's pipeline onto the device. Raises whatever keeps it from that."""
    folder = Weights(options.weights, options.revision).folder(pulled)
    kind = pipeline_class(_class_name(options, folder))
    found: dict[str, Any] = {}
    if options.quantisation:
        found["quantization_config"] = tuning.quantisation(options.quantisation)
    pipe = kind.from_pretrained(
        str(folder),
        dtype=dtypes(options, kind.__name__, device),
        use_safetensors=True,
        local_files_only=True,
        **found,
    )
    pipe.set_progress_bar_config(disable=True)
    if not abilities.modes(pipe):
        raise ValueError(f"{kind.__name__} makes neither pictures nor films that we can follow.")
    tuning.check_call(pipe, options)
    tuning.change(pipe, options, pulled)
    parts = tuning.sizes(pipe)
    tuning.place(pipe, options, device)
    return Loaded(pipe, options, _placed(parts, options.offload, device))
