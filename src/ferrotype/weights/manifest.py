"""What lies in a folder of pulled weights: written once all was there and its hashes right."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ferrotype.errors import FerrotypeError

NAME = "ferrotype-manifest.json"


class WeightsError(FerrotypeError):
    """Weights cannot be had, or are not what they should be. One sentence for the operator."""


class Entry(Struct, frozen=True):
    """One file: its size in bytes, and its hash in hex."""

    size: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """The files of a folder by their path in it. `wanted`: for what they were pulled ("": all)."""

    hub: str
    revision: str
    wanted: tuple[str, ...]
    files: dict[str, Entry]


def read_manifest(folder: Path) -> Manifest | None:
    """Read a folder's manifest; None where there is none. Raises `WeightsError`."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise WeightsError(f"{folder / NAME} cannot be read: {error}.") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest into its folder, whole and durably, in place of an older one."""
    new = folder / f".{NAME}"
    with new.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / NAME)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make durable which names a folder has."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def faults(folder: Path, manifest: Manifest, *, hashes: bool) -> Iterator[str]:
    """Say what of a folder is not as its manifest says: sizes, and hashes if all is to be read."""
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif (size := path.stat().st_size) != entry.size:
            yield f"{name} has {size} bytes, not {entry.size}"
        elif hashes and sha256_of(path) != entry.sha256:
            yield f"{name} has other bytes than were pulled"


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_of(path: Path) -> str:
    """Return the name that git gives to a file's bytes: a SHA-1 in hex."""
    with path.open("rb") as file:
        start = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        return hashlib.file_digest(file, start.copy).hexdigest()
