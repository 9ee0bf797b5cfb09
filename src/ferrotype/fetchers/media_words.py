"""What parent and media process say to each other: one request, one answer, both JSON."""

from typing import Literal

from msgspec import Struct

from ferrotype.ports.fetcher import FileRule

NetworkGuard = Literal["unshare", "seccomp"]


class Request(Struct, frozen=True, kw_only=True):
    """What the child is asked. Without a rule it only says how it is guarded. `type` is what the
    source begins like.

    `memory` and `file` in bytes, `cpu` in seconds.
    """

    source: str
    target: str
    rule: FileRule | None
    type: str
    memory: int
    cpu: int
    file: int


class Answer(Struct, frozen=True, kw_only=True):
    """What the child answers: how it is guarded (None: not, nothing was opened), and the rest.

    `reads`: the formats and decoders that it has, where it was asked for no file.
    """

    guard: NetworkGuard | None
    reads: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    code: str | None = None
    message: str | None = None
