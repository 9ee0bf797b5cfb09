"""What an operator may say about a server: the options of the engine `openai`."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

Flavour = Literal["vllm-omni", "sglang"]
OURS = frozenset(
    {
        *("guidance_scale", "height", "image", "input_reference", "model", "n", "negative_prompt"),
        *("num_frames", "num_inference_steps", "output_format", "prompt", "response_format"),
        *("seconds", "seed", "size", "width", "fps"),
    }
)  # fields that the engine sets itself


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a recipe with `engine = "openai"`.

    `url`: where the server listens, such as "http://gpu-1:8091". `key`: sent as a bearer token,
    where it asks for one. `flavour`: which server it is. `model`: its model's name there, sent
    with every request and compared with what it serves. `steps`, `guidance`: where the caller may
    not say them or does not. `fps`: frames a second of its films; `frames`: a film has a multiple
    of that and one more (Wan 4, LTX 8; 1: any number). `multiple`: what both sides of its pictures
    must be a multiple of. `extra`: further fields of its requests, such as `true_cfg_scale`.
    `concurrency`: tasks that may be with it at once. Seconds: `connect` for a connection, `poll`
    between two looks at a film. `second_submit`: ask again for a film whose create had no answer,
    though the first may run there still; otherwise such a task fails.
    """

    url: str
    key: str = ""
    flavour: Flavour = "vllm-omni"
    model: str = ""
    steps: Annotated[int, Meta(ge=1, le=200)] | None = None
    guidance: Annotated[float, Meta(ge=0, le=20)] | None = None
    fps: Annotated[int, Meta(ge=1, le=120)] = 24
    frames: Annotated[int, Meta(ge=1, le=64)] = 4
    multiple: Annotated[int, Meta(ge=1, le=256)] = 16
    extra: dict[str, Any] = {}
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 1
    connect: Annotated[float, Meta(gt=0, le=60)] = 5.0
    poll: Annotated[float, Meta(gt=0, le=60)] = 2.0
    second_submit: bool = True

    @property
    def base(self) -> str:
        """The server's address, to which "/v1/..." is added."""
        return self.url.rstrip("/").removesuffix("/v1")

    def problems(self) -> Iterator[str]:
        """Say what is wrong, as far as it can be seen without asking the server."""
        yield from self._problems_of_url()
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            yield "key has characters that no header can carry: copy it again."
        for name in sorted(OURS & self.extra.keys()):
            yield f"extra may not have {name}: the engine sets it for each task."

    def _problems_of_url(self) -> Iterator[str]:
        none = 'url is no address: write one such as "http://gpu-1:8091".'
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:  # brackets that do not close, a port that is none
            yield none
            return
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            yield none
        if parts.username or parts.password:
            yield 'url holds a password: write it as key = { env = "NAME" }.'
        if parts.query or parts.fragment:
            yield "url ends in a query: write scheme, host, port and path alone."
