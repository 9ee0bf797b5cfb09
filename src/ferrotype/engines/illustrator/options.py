"""What a recipe may say to the illustrator."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`concurrency`: jobs that one process draws at once. `quick`: films with few pictures."""

    concurrency: Annotated[int, Meta(ge=1, le=64)] = 1
    quick: bool = False

    def problems(self) -> Iterator[str]:
        """Say what is wrong: nothing can be."""
        return iter(())
