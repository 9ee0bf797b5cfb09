"""Brings weights from a hub into a folder that is either whole and checked, or not there."""

import fcntl
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue

from ferrotype.weights.hub import Hub, Remote
from ferrotype.weights.manifest import (
    NAME,
    Entry,
    Manifest,
    WeightsError,
    blob_of,
    faults,
    read_manifest,
    sha256_of,
    sync_folder,
    write_manifest,
)
from ferrotype.weights.want import Want, folder_of

INDEX = "model_index.json"
SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")
LICENCES = ("LICENSE", "LICENCE", "NOTICE")
AT_ONCE = 4  # files


class Pull:
    """Pulls what is wanted of one hub id at one revision.

    Begins a file where an earlier, killed pull left it. `count(bytes)` is told what came,
    `total(bytes)` what there is to come, once that is known.
    """

    def __init__(
        self,
        hub: Hub,
        weights: Path,
        wanted: Sequence[Want],
        *,
        total: Callable[[int], None],
        count: Callable[[int], None],
    ) -> None:
        self._hub, self._wanted, self._first = hub, wanted, wanted[0]
        self._total, self._told = total, count
        self._ends = threading.Event()
        self._folder = folder_of(weights, self._first.hub, self._first.revision)
        self._parts = self._folder.with_name(f"{self._folder.name}.part")

    def run(self) -> bool:
        """Pull, and return whether anything was missing. Raises `WeightsError`."""
        if not self._first.pinned:
            raise WeightsError(
                f"{self._first.hub} needs a revision of 40 hex digits, not "
                f"{self._first.revision!r}: a branch may come to mean other weights. "
                "`ferrotype recipes pin` writes the current one."
            )
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            known = read_manifest(self._folder)
            if known and not self._lacks(known):
                return False
            self._bring(known)
        return True

    def _count(self, came: int) -> None:
        if self._ends.is_set():
            raise WeightsError("Stopped; the same command goes on from here.")
        self._told(came)

    def _lacks(self, known: Manifest) -> bool:
        fresh = {want.file for want in self._wanted} - {*known.wanted}
        return bool(fresh) or any(faults(self._folder, known, hashes=False))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._folder.with_name(f"{self._folder.name}.lock")
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WeightsError(f"Another process pulls {self._first.hub} just now.") from None
            yield

    def _bring(self, known: Manifest | None) -> None:
        remotes = self._chosen(self._hub.files(self._first))
        kept = {} if known is None else known.files
        missing = [one for one in remotes if not self._is_there(one, kept)]
        self._make_room(missing)
        entries = self._fetch_all(missing)
        self._settle(
            Manifest(
                hub=self._first.hub,
                revision=self._first.revision,
                wanted=tuple(sorted({w.file for w in self._wanted} | {*(known or self).wanted})),
                files=kept | entries,
            )
        )

    def _fetch_all(self, missing: Sequence[Remote]) -> dict[str, Entry]:
        """Bring files, some at once. The threads are daemons: a hub that hangs keeps no Ctrl-C."""
        todo: SimpleQueue[Remote] = SimpleQueue()
        done: SimpleQueue[tuple[str, Entry | Exception]] = SimpleQueue()
        for one in missing:
            todo.put(one)

        def work() -> None:
            while not self._ends.is_set() and not todo.empty():
                with suppress(Empty):
                    one = todo.get_nowait()
                    try:
                        done.put((one.path, self._fetch(one)))
                    except Exception as error:
                        done.put((one.path, error))

        for _ in range(AT_ONCE):
            threading.Thread(target=work, daemon=True).start()
        entries: dict[str, Entry] = {}
        try:
            while len(entries) < len(missing):
                path, came = done.get()
                if isinstance(came, Exception):
                    raise came
                entries[path] = came
        finally:
            self._ends.set()
        return entries

    @property
    def wanted(self) -> tuple[str, ...]:
        """The files that are wanted ("": all that a pipeline is loaded from)."""
        return tuple(want.file for want in self._wanted)

    def _chosen(self, remotes: Sequence[Remote]) -> list[Remote]:
        """Return what is to be pulled: named files, or a pipeline's; data alone, never programs."""
        safe = {one.path: one for one in remotes if _is_data(one.path)}
        chosen = {path for path in safe if path.startswith(LICENCES)}
        for file in self.wanted:
            if file and file not in safe:
                raise WeightsError(f"{self._first.hub} has no {file} that could be pulled.")
            chosen |= {file} if file else self._whole(safe)
        return [one for path, one in safe.items() if path in chosen]

    def _whole(self, safe: dict[str, Remote]) -> set[str]:
        """Return a pipeline's files: its index and its components, one variant of each."""
        if INDEX not in safe:
            if not any(path.endswith(".safetensors") for path in safe):
                raise WeightsError(f"{self._first.hub} has no weights in .safetensors files.")
            return set(safe)
        self._fetch(safe[INDEX])
        components = _components((self._parts / INDEX).read_bytes())
        mine = {path for path in safe if path.split("/")[0] in components}
        plain = {path for path in mine if _is_plain(path)}
        folders = {str(PurePosixPath(path).parent) for path in plain if _is_weights(path)}
        variants = {p for p in mine - plain if str(PurePosixPath(p).parent) not in folders}
        return plain | variants | {INDEX}

    def _is_there(self, one: Remote, kept: dict[str, Entry]) -> bool:
        entry, path = kept.get(one.path), self._folder / one.path
        return entry is not None and path.is_file() and path.stat().st_size == entry.size

    def _make_room(self, missing: Sequence[Remote]) -> None:
        """Say how much is to come, less what came before; refuse what has no room."""
        here = {one.path: self._parts / one.path for one in missing}
        came = sum(path.stat().st_size for path in here.values() if path.is_file())
        total = sum(one.size for one in missing)
        free = shutil.disk_usage(self._folder.parent).free
        if total - came > free:
            raise WeightsError(
                f"{self._first.hub} needs {_gib(total - came)} more, and {self._folder.parent} has "
                f"{_gib(free)} free: make room, or choose another WEIGHTS_DIR."
            )
        self._total(total)
        self._count(came)

    def _fetch(self, one: Remote) -> Entry:
        """Bring one file beside the folder, and hold it against the hub's hash."""
        part = self._parts / one.path
        part.parent.mkdir(parents=True, exist_ok=True)
        if part.is_file() and part.stat().st_size > one.size:
            part.unlink()
        if not part.is_file() or part.stat().st_size < one.size:
            self._hub.fetch(self._first, one, part, self._count)
        sha256 = sha256_of(part)
        if sha256 != one.sha256 if one.sha256 else blob_of(part) != one.blob:
            part.unlink()
            raise WeightsError(
                f"{self._first.hub}: {one.path} came with other bytes than the hub says it has, "
                "and was thrown away; try again."
            )
        return Entry(size=one.size, sha256=sha256)

    def _settle(self, manifest: Manifest) -> None:
        """Let the folder be whole in one step; in one that is there, let files precede names."""
        self._parts.mkdir(exist_ok=True)
        for path in _files(self._parts):
            if str(path.relative_to(self._parts)) not in manifest.files:
                path.unlink()  # of an earlier pull that wanted something else
        if not self._folder.exists():
            write_manifest(self._parts, manifest)
            for folder in [path for path in self._parts.rglob("*") if path.is_dir()]:
                sync_folder(folder)
            self._parts.replace(self._folder)
        else:
            for path in _files(self._parts):
                place = self._folder / path.relative_to(self._parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
                sync_folder(place.parent)
            write_manifest(self._folder, manifest)
            shutil.rmtree(self._parts)
        sync_folder(self._folder.parent)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _is_data(path: str) -> bool:
    """Tell whether a file is weights or words, in a place of its own below the folder."""
    place = PurePosixPath(path)
    if path == NAME or not path.isprintable():
        return False
    if place.is_absolute() or ".." in place.parts or "\\" in path or place.name.startswith("."):
        return False
    return place.suffix in SUFFIXES or (len(place.parts) == 1 and place.name.startswith(LICENCES))


def _components(index: bytes) -> set[str]:
    """Return the names of a pipeline's components: each has a folder."""
    try:
        return {name for name, of in json.loads(index).items() if isinstance(of, list) and of[0]}
    except (ValueError, AttributeError, IndexError):
        raise WeightsError(f"{INDEX} is not what a pipeline is loaded from.") from None


def _is_weights(path: str) -> bool:
    return path.endswith(".safetensors")


def _is_plain(path: str) -> bool:
    """Tell whether a file is none of a variant, such as model.fp16.safetensors."""
    return not _is_weights(path) or PurePosixPath(path).name.count(".") == 1


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
