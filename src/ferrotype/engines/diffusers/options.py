"""What a recipe may say about how its weights are loaded and run."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ferrotype.engines.diffusers.weights import Weights

Positive = Annotated[float, Meta(gt=0)]
Part = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
Quantised = Literal["int8", "fp8", "fp8_dynamic"]
Scale = Annotated[float, Meta(ge=0, le=100)]

ATTENTION = frozenset({
    "native", "_native_cudnn", "_native_efficient", "_native_flash", "_native_math", "flex",
    "flash", "flash_varlen", "_flash_3", "_flash_varlen_3", "sage", "sage_varlen", "xformers",
    "_sage_qk_int8_pv_fp8_cuda", "_sage_qk_int8_pv_fp8_cuda_sm90", "_sage_qk_int8_pv_fp16_cuda",
    "_sage_qk_int8_pv_fp16_triton",
})  # fmt: skip
_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?(B|MB|GB|MiB|GiB)")
_UNITS = {"B": 1, "MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


class FirstBlock(Struct, frozen=True, kw_only=True, tag_field="kind", tag="first_block"):
    """Skip the other blocks of a step while the first one's output moves less than `threshold`."""

    threshold: Positive = 0.05


class TaylorSeer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="taylor_seer"):
    """Foresee `interval` - 1 steps by a Taylor series from the last one that was computed."""

    interval: Count = 5
    order: Annotated[int, Meta(ge=0, le=3)] = 1
    warm_steps: Count = 3
    lite: bool = False


class MagCache(Struct, frozen=True, kw_only=True, tag_field="kind", tag="mag_cache"):
    """Skip steps by the magnitudes that were measured for these weights: one ratio a step."""

    ratios: Annotated[list[float], Meta(min_length=1)]
    threshold: Positive = 0.06
    most_skipped: Count = 3
    kept_first: Part = 0.2


class Lora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A low-rank change of the weights: a folder or hub id, its file, how much, and where."""

    weights: str
    revision: str = ""
    file: str = ""
    scale: float = 1.0
    into: Literal["transformer", "transformer_2", "unet"] = "transformer"


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe's options. `batch` comes from the recipe itself.

    `weights`: an absolute folder, or a hub id with `revision` (40 hex digits) that was pulled.
    `pipeline`: the class to load them as, where model_index.json names another.
    `dtype`: "auto" is bfloat16 on a GPU (a Wan's VAE float32) and float32 on a CPU.
    `offload`: what waits in the machine's memory. `quantisation`: by component, by torchao.
    `attention`: a backend that is installed here. `cache`: one that skips parts of steps.
    `compile`: the repeated blocks, at the first call of each shape. `memory`: what loaded
    pipelines may take together on the device ("60GiB"; "auto": four fifths of it).
    `steps`, `guidance` (`guidance_2`: of the second expert), `true_cfg`, `max_sequence_length`,
    `strength`: as the pipeline calls them; its own where not given. `shift`: the flow's.
    `negative`: for tasks that bring none. `max_pixels`: what it draws at most, enlarged after.
    `fps`: the film's, as these weights were trained; `max_frames`: longer films are refused.
    `multiple`, `frame_step`: what sides, and frames less one, must be multiples of, where the
    pipeline does not tell. `watermark`: stamp all that is made, asked or not.
    `warm`: load before the first task. `load_within` seconds: longer, and it counts as hung.
    """

    weights: str
    revision: str = ""
    pipeline: str = ""
    dtype: Dtype | dict[str, Dtype] = "auto"
    offload: Literal["none", "model", "sequential", "group"] = "none"
    quantisation: dict[str, Quantised] = {}
    attention: str = ""
    cache: FirstBlock | TaylorSeer | MagCache | None = None
    compile: bool = False
    lora: list[Lora] = []
    vae_tiling: bool = False
    vae_slicing: bool = False
    shift: Positive | None = None
    memory: str = "auto"
    load_within: Positive = 1800.0
    warm: bool = False

    steps: Annotated[int, Meta(ge=1, le=200)] | None = None
    guidance: Scale | None = None
    guidance_2: Scale | None = None
    true_cfg: Scale | None = None
    max_sequence_length: Count | None = None
    strength: Part | None = None
    negative: str = ""
    max_pixels: Count | None = None
    multiple: Count | None = None
    frame_step: Count | None = None
    fps: Annotated[int, Meta(ge=1, le=120)] = 16
    max_frames: Count | None = None
    codec: Literal["auto", "libx264", "h264_nvenc"] = "auto"
    watermark: bool = False
    batch: Annotated[int, Meta(ge=1, le=64)] = 1

    @property
    def loading(self) -> bytes:
        """What the loaded pipeline depends on: recipes alike in it share one."""
        steps = self.steps if isinstance(self.cache, MagCache) else None
        return msgspec.json.encode([getattr(self, name) for name in _LOADING] + [steps])

    @property
    def device_bytes(self) -> int | None:
        """The memory that loaded pipelines may take, in bytes; None leaves it to us."""
        found = _MEMORY.fullmatch(self.memory)
        return int(float(found[1]) * _UNITS[found[2]]) if found else None

    def problems(self, pulled: str = "") -> Iterator[str]:
        """Say, a sentence each, what can be seen to be wrong without loading anything.

        `pulled`: the folder of weights that were pulled; without it they are not looked for.
        """
        if self.memory != "auto" and not self.device_bytes:
            yield f'memory is "auto" or such as "60GiB", not {self.memory!r}.'
        if self.attention.endswith("_hub"):
            yield (
                f"attention {self.attention!r} fetches program code from a hub, which is never "
                "run here; install a backend and name it, such as flash or sage."
            )
        elif self.attention and self.attention not in ATTENTION:
            yield f"There is no attention {self.attention!r}; there are {_listed(ATTENTION)}."
        if self.compile and self.offload == "sequential":
            yield "compile has no effect with sequential offload; choose one."
        own = Weights(self.weights, self.revision)
        yield from own.problems(pulled)
        for lora in self.lora:
            yield from Weights(lora.weights, lora.revision).file_problems(lora.file, pulled)


_LOADING = (
    "weights", "revision", "pipeline", "dtype", "offload", "quantisation", "attention", "cache",
    "compile", "lora", "vae_tiling", "vae_slicing", "shift",
)  # fmt: skip


def read_options(table: object) -> Options:
    """Read a recipe's options. Raises `msgspec.ValidationError`, which names the field."""
    return msgspec.convert(table, Options)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
