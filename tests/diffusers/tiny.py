"""Tiny pipelines with random weights, one of each family, saved as their makers save them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from bench.shapes import byte_tokenizer, seeded, still_vae, umt5, wan_ti2v, z_image
from peft import LoraConfig, get_peft_model_state_dict
from tokenizers import pre_tokenizers


def clip_tokenizer() -> Any:
    """Return a tokenizer of single bytes, as CLIP's is loaded."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def clip_text(**more: Any) -> Any:
    """Return a reader of CLIP's kind."""
    return transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=520, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, bos_token_id=512, eos_token_id=513, pad_token_id=513, **more,
        )
    )  # fmt: skip


def clip_vision() -> tuple[Any, Any]:
    """Return eyes of CLIP's kind, and what prepares pictures for them."""
    eyes = transformers.CLIPVisionModel(
        transformers.CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
            image_size=32, patch_size=8,
        )
    )  # fmt: skip
    size = {"height": 32, "width": 32}
    return eyes, transformers.CLIPImageProcessor(size=size, crop_size=size)


def stable_diffusion() -> Any:
    """Return a Stable Diffusion."""
    return diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            norm_num_groups=4,
            latent_channels=4,
        ),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        unet=diffusers.UNet2DConditionModel(
            sample_size=64,
            block_out_channels=(8, 16),
            layers_per_block=1,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            norm_num_groups=4,
            attention_head_dim=4,
        ),
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def flux(layers: int = 1) -> Any:
    """Return a Flux."""
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=still_vae("tiny", channels=4),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=byte_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=layers,
            num_single_layers=layers,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
        ),
    )


def t5() -> Any:
    """Return a reader of T5's kind."""
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=300, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2
        )
    )


def qwen(kind: str = "QwenImagePipeline") -> Any:
    """Return a Qwen-Image, or one that edits."""
    reader = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config={
                "vocab_size": 300, "hidden_size": 16, "intermediate_size": 16,
                "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
                "rope_parameters": {
                    "rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6,
                },
            },
            vision_config={
                "depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
                "out_hidden_size": 16,
            },
            image_token_id=298, video_token_id=299, vision_start_token_id=296,
            vision_end_token_id=297,
        )
    )  # fmt: skip
    parts: dict[str, Any] = {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        "vae": diffusers.AutoencoderKLQwenImage(
            base_dim=24,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        "text_encoder": reader,
        "tokenizer": byte_tokenizer(),
        "transformer": diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
    }
    return getattr(diffusers, kind)(**parts)


def wan_vae() -> Any:
    """Return a VAE of Wan 2.1's kind."""
    return diffusers.AutoencoderKLWan(
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )


def wan_network(**more: Any) -> Any:
    """Return a network of Wan's kind."""
    plain: dict[str, Any] = {"in_channels": 16, "image_dim": None, "added_kv_proj_dim": None}
    return diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        out_channels=16,
        text_dim=32,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
        **(plain | more),
    )


def wan_parts(**more: Any) -> dict[str, Any]:
    """Return what all of Wan's pipelines have."""
    return {
        "tokenizer": byte_tokenizer(),
        "text_encoder": umt5("tiny"),
        "vae": wan_vae(),
        "scheduler": diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        **more,
    }


def wan() -> Any:
    """Return a Wan 2.1 that films words."""
    return diffusers.WanPipeline(**wan_parts(transformer=wan_network()))


def wan_experts() -> Any:
    """Return a Wan 2.2 with two experts."""
    experts = {"transformer": wan_network(), "transformer_2": wan_network()}
    return diffusers.WanPipeline(**wan_parts(**experts, boundary_ratio=0.875))


def wan_image(ends: bool = False) -> Any:
    """Return a Wan 2.1 that films on from a picture; with `ends`, also towards one."""
    eyes, processor = clip_vision()
    network = wan_network(
        in_channels=36, image_dim=32, added_kv_proj_dim=24,
        pos_embed_seq_len=2 * 17 if ends else None,
    )  # fmt: skip
    parts = wan_parts(transformer=network, image_encoder=eyes, image_processor=processor)
    return diffusers.WanImageToVideoPipeline(**parts)


def wan_both() -> Any:
    """Return a Wan 2.2 that films on from a picture, or between two."""
    experts = {name: wan_network(in_channels=36) for name in ("transformer", "transformer_2")}
    return diffusers.WanImageToVideoPipeline(**wan_parts(**experts, boundary_ratio=0.9))


def vace() -> Any:
    """Return a VACE, which films what pictures show."""
    network = diffusers.WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16,
        out_channels=16, text_dim=32, freq_dim=16, ffn_dim=32, num_layers=3,
        qk_norm="rms_norm_across_heads", rope_max_seq_len=64, vace_layers=[0, 2],
        vace_in_channels=96,
    )  # fmt: skip
    return diffusers.WanVACEPipeline(**wan_parts(transformer=network))


def ltx() -> Any:
    """Return an LTX."""
    network = diffusers.LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4,
        attention_head_dim=8, cross_attention_dim=32, num_layers=1, caption_channels=32,
    )  # fmt: skip
    vae = diffusers.AutoencoderKLLTXVideo(
        in_channels=3, out_channels=3, latent_channels=8, block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8), layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False, False, False, False, False),
        upsample_residual=(False, False, False, False), upsample_factor=(1, 1, 1, 1),
        timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True,
        decoder_causal=False,
    )  # fmt: skip
    return diffusers.LTXPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=t5(),
        tokenizer=byte_tokenizer(),
        transformer=network,
    )


BUILD: dict[str, Callable[[], Any]] = {
    "flux": flux,
    "ltx": ltx,
    "qwen": qwen,
    "sd": stable_diffusion,
    "vace": vace,
    "wan": wan,
    "wan-both": wan_both,
    "wan-ends": lambda: wan_image(ends=True),
    "wan-experts": wan_experts,
    "wan-image": wan_image,
    "wan-ti2v": lambda: wan_ti2v("tiny"),
    "z-image": lambda: z_image("tiny"),
}


def save(name: str, folder: Path) -> None:
    """Build a pipeline, the same each time, and write it."""
    with seeded("cpu", torch.float32), torch.no_grad():
        BUILD[name]().save_pretrained(str(folder / name), safe_serialization=True)


def save_lora(name: str, into: str, folder: Path) -> None:
    """Write a LoRA that changes one network of a pipeline."""
    with seeded("cpu", torch.float32):
        pipe = BUILD[name]()
        network = getattr(pipe, into)
        targets = ["to_q", "to_k", "to_v"]
        network.add_adapter(
            LoraConfig(r=2, lora_alpha=8, target_modules=targets, init_lora_weights=False)
        )
    layers = get_peft_model_state_dict(network)
    type(pipe).save_lora_weights(str(folder), transformer_lora_layers=layers)


if __name__ == "__main__":
    for wanted in BUILD:
        save(wanted, Path(sys.argv[1]))
    save_lora("flux", "transformer", Path(sys.argv[1]) / "flux-lora")
    save_lora("wan-experts", "transformer_2", Path(sys.argv[1]) / "wan-lora")
