"""The hub that weights come from, by its own library."""

import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from ferrotype.weights.manifest import WeightsError
from ferrotype.weights.want import Want

ABSENT = (
    "Weights are pulled by the library huggingface_hub, which is not installed: "
    "pip install 'ferrotype[diffusers]'."
)
TRIES = 3  # in a row that brought nothing


class Remote(Struct, frozen=True, kw_only=True):
    """A file of a revision: its path there, bytes, and what names these: `sha256`, or a git blob's
    SHA-1."""

    path: str
    size: int
    blob: str
    sha256: str | None


class Hub:
    """A hub: HF_ENDPOINT, with the token of HF_TOKEN. Raises `WeightsError` without its library."""

    def __init__(self) -> None:
        self._library = _library("huggingface_hub")
        self._download = _library("huggingface_hub.file_download")
        self._utils = _library("huggingface_hub.utils")
        self._error: type[Exception] = _library("huggingface_hub.errors").HTTPError
        self._utils.disable_progress_bars()
        self._headers = dict(self._utils.build_hf_headers(library_name="ferrotype"))

    def head(self, hub: str) -> str:
        """Return the commit that the branch main of a hub id is at now."""
        with self._told(hub):
            return str(self._library.HfApi().model_info(hub, revision="main").sha)

    def files(self, want: Want) -> list[Remote]:
        """Return all files of a revision."""
        with self._told(f"{want.hub}@{want.revision}"):
            info = self._library.HfApi().model_info(
                want.hub, revision=want.revision, files_metadata=True
            )
        if info.sha != want.revision:
            raise WeightsError(f"{want.hub} has {info.sha} for the revision {want.revision}.")
        return [_remote(one, want) for one in info.siblings]

    def fetch(self, want: Want, remote: Remote, part: Path, count: Callable[[int], None]) -> None:
        """Bring one file into `part`, going on where that ends.

        `count` is told how many bytes came; fewer than none when the hub began anew.
        """
        url = self._library.hf_hub_url(want.hub, remote.path, revision=want.revision)
        tries, before = 0, -1
        while True:
            with Part(part, remote.size, count) as file:
                came = file.tell()
                tries = 0 if came > before else tries + 1
                before = came
                try:
                    self._get(url, file, remote)
                    return
                except (self._error, OSError, ValueError) as error:
                    cut = isinstance(error, self._error) and not isinstance(error, OSError)
                    if tries >= TRIES or not cut:
                        said = f"{want.hub}: {remote.path} did not come"
                        raise WeightsError(
                            f"{said} ({_line(error)}); the same command goes on where it stopped."
                        ) from error

    def _get(self, url: str, file: "Part", remote: Remote) -> None:
        found = self._library.get_hf_file_metadata(url, headers=self._headers)
        headers = {**self._headers, "Accept-Encoding": "identity"}
        if urlsplit(found.location).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # it is for the hub alone
        self._download.http_get(
            found.location,
            file,
            resume_size=file.tell(),
            headers=headers,
            expected_size=remote.size,
        )
        os.fsync(file.fileno())

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say in one sentence why the hub did not answer as it should."""
        errors = _library("huggingface_hub.errors")
        try:
            yield
        except errors.GatedRepoError:
            raise WeightsError(
                f"{what} is gated: accept its terms on its page, and give a token by HF_TOKEN."
            ) from None
        except errors.RevisionNotFoundError:
            raise WeightsError(f"The hub has no {what}.") from None
        except errors.RepositoryNotFoundError:
            raise WeightsError(
                f"The hub has no {what}, or shows it only to a token: HF_TOKEN."
            ) from None
        except (self._error, OSError, ValueError) as error:
            raise WeightsError(f"The hub did not tell of {what}: {_line(error)}.") from error


class Part(io.FileIO):
    """A file that is written on from its end, up to `size` bytes.

    Counts what is written and what is dropped.
    """

    def __init__(self, path: Path, size: int, count: Callable[[int], None]) -> None:
        super().__init__(path, "ab")
        self._size = size
        self._count = count

    def write(self, chunk: Any) -> int:
        """Write all of a chunk. Raises `ValueError` for more than the file is to have."""
        if self.tell() + len(chunk) > self._size:
            raise ValueError(f"it has more than the {self._size} bytes that the hub tells of")
        left = memoryview(chunk)
        while left:
            left = left[super().write(left) :]
        self._count(len(chunk))
        return len(chunk)

    def truncate(self, size: int | None = None) -> int:
        """Drop what is beyond `size`, or beyond the position."""
        kept = self.tell() if size is None else size
        self._count(kept - os.fstat(self.fileno()).st_size)
        return super().truncate(kept)


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WeightsError(ABSENT) from None


def _remote(one: Any, want: Want) -> Remote:
    if one.size is None or one.blob_id is None:
        raise WeightsError(f"{want.hub} does not tell the size and hash of {one.rfilename}.")
    lfs = one.lfs.sha256 if one.lfs else None
    return Remote(path=one.rfilename, size=one.size, blob=one.blob_id, sha256=lfs)


def _line(error: Exception) -> str:
    """Return an error's first line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
