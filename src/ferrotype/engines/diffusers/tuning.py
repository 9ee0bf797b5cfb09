"""What a recipe changes about a pipeline once it is loaded: LoRA, caches, attention, placement."""

from typing import Any

import diffusers
import torch
from diffusers import attention_backend, hooks

from ferrotype.engines.diffusers import abilities
from ferrotype.engines.diffusers.memory import taken
from ferrotype.engines.diffusers.options import (
    FirstBlock,
    Lora,
    MagCache,
    Options,
    Quantised,
    TaylorSeer,
)
from ferrotype.engines.diffusers.weights import Weights

CALLED = {  # option -> a call's parameter
    "guidance": "guidance_scale",
    "guidance_2": "guidance_scale_2",
    "true_cfg": "true_cfg_scale",
    "max_sequence_length": "max_sequence_length",
    "steps": "num_inference_steps",
}


def check_call(pipe: Any, options: Options) -> None:
    """Raise `ValueError` for an option that this pipeline's calls do not know."""
    takes = abilities.parameters(pipe)
    for option, parameter in CALLED.items():
        if getattr(options, option) is not None and parameter not in takes:
            raise ValueError(f"{type(pipe).__name__} knows no {option}; leave it out.")


def quantisation(table: dict[str, Quantised]) -> Any:
    """Return how components are to be quantised as they are loaded."""
    import transformers
    from torchao import quantization as ao

    ways = {
        "int8": ao.Int8WeightOnlyConfig,
        "fp8": ao.Float8WeightOnlyConfig,
        "fp8_dynamic": ao.Float8DynamicActivationFloat8WeightConfig,
    }
    mapping = {
        part: (transformers if part.startswith("text_encoder") else diffusers).TorchAoConfig(
            ways[way]()
        )
        for part, way in table.items()
    }
    return diffusers.PipelineQuantizationConfig(quant_mapping=mapping)


def backbones(pipe: Any) -> list[Any]:
    """Return the networks that take the steps: one, or two experts."""
    names = ("transformer", "transformer_2", "unet")
    return [part for name in names if (part := getattr(pipe, name, None)) is not None]


def change(pipe: Any, options: Options, pulled: str) -> None:
    """Apply what does not depend on where the pipeline lies."""
    add_loras(pipe, options.lora, pulled)
    if options.shift is not None:
        _shift(pipe, options.shift)
    vae = getattr(pipe, "vae", None)
    if vae is not None and options.vae_tiling:
        vae.enable_tiling()
    if vae is not None and options.vae_slicing:
        vae.enable_slicing()
    for network in backbones(pipe):
        network.requires_grad_(False)
        if options.attention:
            with attention_backend("native"):  # which ends what it sets for all other networks
                network.set_attention_backend(options.attention)
        if options.cache is not None:
            network.enable_cache(_cache(options.cache, pipe, options.steps))


def add_loras(pipe: Any, loras: list[Lora], pulled: str) -> None:
    """Load every LoRA into its network, all of them active. Raises `ValueError`."""
    for i, lora in enumerate(loras):
        path = Weights(lora.weights, lora.revision).file(lora.file, pulled)
        second = {"load_into_transformer_2": True} if lora.into == "transformer_2" else {}
        pipe.load_lora_weights(
            str(path.parent),
            weight_name=path.name,
            adapter_name=f"lora{i}",
            local_files_only=True,
            use_safetensors=True,
            **second,
        )
    for into in {lora.into for lora in loras}:
        own = {f"lora{i}": lora.scale for i, lora in enumerate(loras) if lora.into == into}
        network = getattr(pipe, into, None)
        known = getattr(network, "peft_config", {})
        if network is None or not own.keys() <= known.keys():
            raise ValueError(f"A LoRA has nothing for the {into} of {type(pipe).__name__}.")
        network.set_adapters(list(own), list(own.values()))


def _shift(pipe: Any, shift: float) -> None:
    scheduler = pipe.scheduler
    names = [name for name in ("flow_shift", "shift") if name in scheduler.config]
    if not names:
        raise ValueError(f"{type(scheduler).__name__} has no flow shift; leave shift out.")
    pipe.scheduler = type(scheduler).from_config(scheduler.config, **{names[0]: shift})


def _cache(cache: FirstBlock | TaylorSeer | MagCache, pipe: Any, steps: int | None) -> Any:
    if isinstance(cache, FirstBlock):
        return hooks.FirstBlockCacheConfig(threshold=cache.threshold)
    if isinstance(cache, TaylorSeer):
        return hooks.TaylorSeerCacheConfig(
            cache_interval=cache.interval,
            max_order=cache.order,
            disable_cache_before_step=cache.warm_steps,
            use_lite_mode=cache.lite,
        )
    own = abilities.parameters(pipe)["num_inference_steps"].default
    return hooks.MagCacheConfig(
        threshold=cache.threshold,
        max_skip_steps=cache.most_skipped,
        retention_ratio=cache.kept_first,
        mag_ratios=cache.ratios,
        num_inference_steps=steps or own,
    )


def sizes(pipe: Any) -> dict[str, int]:
    """Return the bytes that each component takes."""
    modules = {n: p for n, p in pipe.components.items() if isinstance(p, torch.nn.Module)}
    return {name: taken([module]) for name, module in modules.items()}


def place(pipe: Any, options: Options, device: torch.device) -> None:
    """Bring a pipeline to its device, and compile it there if so wished."""
    if device.type == "cpu" and options.offload in ("model", "sequential"):
        raise ValueError(f"{options.offload} offload needs a GPU, and this runs on the CPU.")
    if options.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif options.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    elif options.offload == "group":
        pipe.enable_group_offload(
            onload_device=device,
            offload_type="leaf_level",
            use_stream=device.type == "cuda",
        )
    else:
        pipe.to(device)
    if options.compile:
        for network in backbones(pipe):
            network.compile_repeated_blocks(fullgraph=options.cache is None)
