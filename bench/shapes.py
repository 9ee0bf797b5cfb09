"""Pipelines with random weights: the shapes of open models, real in size or tiny.

What they draw is noise; how long they take, and what memory, is what their shape says.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

Scale = Literal["tiny", "real"]

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<pad>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>")


def byte_tokenizer() -> Any:
    """Return a tokenizer of single bytes, as T5's and Qwen's are loaded."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate((*SPECIAL, *letters))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=list(SPECIAL[3:]),
        model_max_length=512,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


@contextmanager
def seeded(device: str, dtype: torch.dtype) -> Iterator[None]:
    """Make what is made here on a device, in a format, the same in each run."""
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def scheduler(kind: Any, **settings: Any) -> Any:
    """Return a scheduler: its tables are made on the CPU, wherever the weights are."""
    with torch.device("cpu"):
        return kind(**settings)


def z_image(scale: Scale) -> Any:
    """Return a pipeline of the shape of Z-Image-Turbo: 6 billion numbers that draw, 4 that read."""
    real = scale == "real"
    reader = transformers.Qwen3Config(
        vocab_size=151936 if real else 300,
        hidden_size=2560 if real else 32,
        intermediate_size=9728 if real else 64,
        num_hidden_layers=36 if real else 2,
        num_attention_heads=32 if real else 2,
        num_key_value_heads=8 if real else 2,
        head_dim=128 if real else 16,
        max_position_embeddings=4096,
    )
    return diffusers.ZImagePipeline(
        scheduler=scheduler(diffusers.FlowMatchEulerDiscreteScheduler, shift=3.0),
        vae=still_vae(scale),
        text_encoder=transformers.Qwen3Model(reader),
        tokenizer=byte_tokenizer(),
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=16,
            dim=3840 if real else 64,
            n_layers=30 if real else 2,
            n_refiner_layers=2 if real else 1,
            n_heads=30 if real else 2,
            n_kv_heads=30 if real else 2,
            cap_feat_dim=2560 if real else 32,
            axes_dims=[32, 48, 48] if real else [8, 12, 12],
            axes_lens=[1536, 512, 512],
        ),
    )


def still_vae(scale: Scale, channels: int = 16) -> Any:
    """Return a VAE of the shape of Flux's."""
    real = scale == "real"
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512) if real else (8, 8, 8, 8),
        layers_per_block=2 if real else 1,
        norm_num_groups=32 if real else 4,
        latent_channels=channels,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def wan_ti2v(scale: Scale) -> Any:
    """Return a pipeline of the shape of Wan2.2-TI2V-5B, which reads by UMT5-XXL."""
    real = scale == "real"
    vae = diffusers.AutoencoderKLWan(
        base_dim=160 if real else 8,
        decoder_base_dim=256 if real else 8,
        z_dim=48,
        dim_mult=[1, 2, 4, 4] if real else [1, 1, 1, 1],
        num_res_blocks=2 if real else 1,
        temperal_downsample=[False, True, True],
        is_residual=True,
        patch_size=2,
        in_channels=12,
        out_channels=12,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
        latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48,
    )
    network = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=24 if real else 2,
        attention_head_dim=128 if real else 12,
        in_channels=48,
        out_channels=48,
        text_dim=4096 if real else 32,
        freq_dim=256,
        ffn_dim=14336 if real else 32,
        num_layers=30 if real else 2,
        qk_norm="rms_norm_across_heads",
    )
    return diffusers.WanPipeline(
        tokenizer=byte_tokenizer(),
        text_encoder=umt5(scale),
        vae=vae,
        scheduler=scheduler(
            diffusers.UniPCMultistepScheduler,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=5.0,
        ),
        transformer=network,
        expand_timesteps=True,
    )


def umt5(scale: Scale) -> Any:
    """Return a reader of the shape of UMT5-XXL: 5.7 billion numbers."""
    real = scale == "real"
    return transformers.UMT5EncoderModel(
        transformers.UMT5Config(
            vocab_size=256384 if real else 300,
            d_model=4096 if real else 32,
            d_kv=64 if real else 16,
            d_ff=10240 if real else 64,
            num_layers=24 if real else 2,
            num_heads=64 if real else 2,
            is_gated_act=True,
            feed_forward_proj="gated-gelu",
        )
    )


SHAPES: dict[str, Callable[[Scale], Any]] = {"z-image-turbo": z_image, "wan2.2-ti2v-5b": wan_ti2v}


def save(name: str, scale: Scale, folder: Path, device: str = "cpu") -> Path:
    """Build a shape on a device and write it as safetensors; return its folder."""
    own = folder / name
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    with seeded(device, dtype), torch.no_grad():
        pipe = SHAPES[name](scale)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.to(dtype).apply(_quieten)
    pipe.save_pretrained(str(own), safe_serialization=True)
    return own


def _quieten(module: torch.nn.Module) -> None:
    """Keep random weights from growing what passes through them beyond all numbers."""
    if isinstance(module, torch.nn.Linear):
        torch.nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
