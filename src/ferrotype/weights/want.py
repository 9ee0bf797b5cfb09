"""Which weights a recipe's options name, and where they lie."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"[0-9a-f]{40}")


class Want(Struct, frozen=True, kw_only=True, order=True):
    """A hub id at a revision: its `file`, or ("") all that a pipeline is loaded from."""

    hub: str
    revision: str
    file: str = ""

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit: a branch or tag may come to mean other weights."""
        return REVISION.fullmatch(self.revision) is not None


def wants(options: Mapping[str, Any]) -> list[Want]:
    """Return the hub weights that options name, in `weights`, `revision` and `file` at any depth.

    Folders are no hub weights.
    """
    return sorted(set(_wants(options)))


def _wants(value: Any) -> Iterator[Want]:
    if isinstance(value, list):
        for item in value:
            yield from _wants(item)
    if not isinstance(value, Mapping):
        return
    name = value.get("weights")
    if isinstance(name, str) and HUB_ID.fullmatch(name):
        revision, file = value.get("revision", ""), value.get("file", "")
        yield Want(hub=name, revision=str(revision), file=str(file))
    for item in value.values():
        yield from _wants(item)


def folder_of(weights: Path, hub: str, revision: str) -> Path:
    """Return where a hub id's revision lies: `<weights>/<id with "--" for "/">/<revision>`."""
    return weights / hub.replace("/", "--") / revision
