"""Weights on this machine's disk: where they lie, and what can be seen of them unloaded."""

import json
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

REVISION = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
INDEX = "model_index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
MAX_HEADER = 100 * 1024 * 1024  # bytes of a safetensors file before its numbers


class Weights(Struct, frozen=True):
    """An absolute folder, or a hub id with the revision that was pulled."""

    name: str
    revision: str = ""

    @property
    def local(self) -> bool:
        """Whether they are named by their folder."""
        return Path(self.name).is_absolute()

    @property
    def title(self) -> str:
        """How a file names them: without this machine's paths."""
        name = Path(self.name).name if self.local else self.name
        return f"{name}@{self.revision}" if self.revision else name

    def folder(self, pulled: str) -> Path:
        """Return where they lie, in `pulled` for a hub id. Raises `ValueError`."""
        if self.local:
            return Path(self.name)
        for problem in self.name_problems():
            raise ValueError(problem)
        return Path(pulled) / self.name.replace("/", "--") / self.revision

    def name_problems(self) -> Iterator[str]:
        """Say why the name does not name weights, and only one version of them."""
        if self.local:
            return
        if not HUB_ID.fullmatch(self.name) or ".." in self.name:
            yield f"weights are an absolute folder or a hub id (owner/name), not {self.name!r}."
        elif not REVISION.fullmatch(self.revision):
            yield (
                f"{self.name} needs a revision: the 40 hex digits of a commit, since a branch or "
                "tag may come to mean other weights."
            )

    def _place(self, pulled: str) -> tuple[Path | None, list[str]]:
        """Return the folder, if it can be looked into, and what is wrong with name or place."""
        wrong = list(self.name_problems())
        if wrong or not (self.local or pulled):
            return None, wrong
        folder = self.folder(pulled)
        return (folder, []) if folder.is_dir() else (None, [self._absent(folder)])

    def problems(self, pulled: str) -> Iterator[str]:
        """Say what can be seen to be wrong with a whole pipeline's weights."""
        folder, wrong = self._place(pulled)
        yield from wrong
        if folder is None:
            return
        try:
            parts = parts_of(folder)
        except ValueError as error:
            yield str(error)
            return
        for part in parts:
            yield from _part_problems(folder / part)

    def file_problems(self, file: str, pulled: str) -> Iterator[str]:
        """Say what can be seen to be wrong with one file (or the only one) of a folder."""
        folder, wrong = self._place(pulled)
        yield from wrong
        if folder is None:
            return
        try:
            self.file(file, pulled)
        except ValueError as error:
            yield str(error)

    def file(self, file: str, pulled: str) -> Path:
        """Return a LoRA's file. Raises `ValueError`."""
        folder = self.folder(pulled)
        if file:
            path = folder / file
            if (
                path.suffix != ".safetensors"
                or Path(file).is_absolute()
                or ".." in Path(file).parts
            ):
                raise ValueError(f"A LoRA's file is a .safetensors in its folder, not {file!r}.")
            if not path.is_file():
                raise ValueError(f"{self.title} has no file {file!r}.")
            return path
        found = sorted(folder.glob("*.safetensors"))
        if len(found) != 1:
            raise ValueError(
                f"{self.title} has {len(found)} .safetensors files; say which by `file`."
            )
        return found[0]

    def _absent(self, folder: Path) -> str:
        if self.local:
            return f"There is no folder {folder}."
        return f"{self.title} is not here yet: ferrotype recipes pull"


def index_of(folder: Path) -> dict[str, Any]:
    """Read a pipeline's model_index.json. Raises `ValueError`."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder.name}/{INDEX} cannot be read: {error}.") from None
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise ValueError(f"{folder.name}/{INDEX} names no class of diffusers in _class_name.")
    return index


def parts_of(folder: Path) -> list[str]:
    """Name the components of a pipeline that have a folder. Raises `ValueError`."""
    found = []
    for name, value in index_of(folder).items():
        if name.startswith("_") or not isinstance(value, list) or not value or not value[0]:
            continue
        if (folder / name).is_dir():
            found.append(name)
    return found


def _part_problems(part: Path) -> Iterator[str]:
    files = [file for file in part.iterdir() if file.is_file()]
    pickled = [file.name for file in files if file.suffix in PICKLES]
    if pickled and not any(file.suffix == ".safetensors" for file in files):
        yield (
            f"{part.name} has its weights in {pickled[0]}, a format that can run programs; only "
            ".safetensors is read."
        )


def bytes_of(folder: Path, sizes: dict[str, int]) -> dict[str, int]:
    """Say how many bytes each component will take, when its floats have `sizes` bytes each.

    `sizes`: by component, "" for all others. Raises `ValueError` for a broken file.
    """
    found = {}
    for part in parts_of(folder):
        size = sizes.get(part, sizes[""])
        found[part] = sum(_numbers(file, size) for file in _shards(folder / part))
    return found


def _shards(part: Path) -> list[Path]:
    """Return the files that are loaded: not those of a variant, such as model.fp16.safetensors."""
    return [file for file in part.glob("*.safetensors") if file.name.count(".") == 1]


def _numbers(file: Path, size: int) -> int:
    total = 0
    for count, kind in _tensors(file):
        total += count * (size if kind.startswith(("F", "BF")) and kind[:2] != "F8" else 1)
    return total


def _tensors(file: Path) -> tuple[tuple[int, str], ...]:
    """Read how many numbers of which kind a safetensors file holds, from its header."""
    with file.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 0 < length <= MAX_HEADER:
            raise ValueError(f"{file.parent.name}/{file.name} is no safetensors file.")
        try:
            header = json.loads(stream.read(length))
            return tuple(
                (math.prod(entry["shape"]), entry["dtype"])
                for name, entry in header.items()
                if name != "__metadata__"
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{file.parent.name}/{file.name} is no safetensors file.") from None
