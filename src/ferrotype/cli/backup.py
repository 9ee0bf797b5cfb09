"""`ferrotype backup` and `ferrotype restore`: a data folder, safe elsewhere, and back."""

import asyncio
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO

import msgspec
import typer
from msgspec import Struct

from ferrotype import __version__
from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import broken, wrong
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import back_up, open_ledger

MANIFEST = "manifest.json"
LEDGER = "ledger.db"
KEY = "api-key"
MEDIA = "media"

Target = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", file_okay=False, help="New or empty folder to write the backup into."
    ),
]
Source = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder that `ferrotype backup` wrote.")
]


class Entry(Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup holds: files by relative path. Written last, so it proves the rest whole."""

    version: int = 1
    ferrotype: str
    made_at: datetime
    files: dict[str, Entry]


def backup(folder: Target, data_dir: DataDir = None, config: Config = None) -> None:
    """Copy ledger, keys and results while the service runs.

    It holds what opens the service (the key file, the secrets of result links): keep it safe.
    """
    chosen = settings(config, data_dir=data_dir)
    if chosen.bucket_url:
        wrong("Results are in a bucket: back it up where it is, and the ledger with its database.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        wrong(f"{folder} is not empty: name a new folder.")
    asyncio.run(back_up(chosen, folder / LEDGER))
    if chosen.key_path.exists():
        _copy(chosen.key_path, folder / KEY)
    _link_tree(chosen.media_dir, folder / MEDIA)
    manifest = Manifest(ferrotype=__version__, made_at=datetime.now(UTC), files=_weigh(folder))
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    total = sum(entry.bytes for entry in manifest.files.values())
    typer.echo(f"{len(manifest.files)} files, {total} bytes, are in {folder}.")


def _link_tree(source: Path, target: Path) -> None:
    """Link each result file, which never changes once it is there, or copy it to another disk.

    Files that go meanwhile belong to tasks that expired; those half written to none yet.
    """
    for folder, _, names in os.walk(source):
        into = target / Path(folder).relative_to(source)
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            with suppress(FileNotFoundError):
                if not name.startswith("."):
                    _link(Path(folder, name), into / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, _create(target) as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def _create(path: Path) -> BinaryIO:
    """Open a new file for us alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with _create(part) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _weigh(folder: Path) -> dict[str, Entry]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _entry(path) for path in files}


def _entry(path: Path) -> Entry:
    with path.open("rb") as file:
        return Entry(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def restore(folder: Source, data_dir: DataDir = None, config: Config = None) -> None:
    """Fill an empty data folder from a backup.

    Each file is checked first. Tasks that were running start again; nobody has to send them
    anew.
    """
    chosen = settings(config, data_dir=data_dir)
    if chosen.database_url or chosen.media_url:
        wrong("Restore fills one DATA_DIR: unset DATABASE_URL and MEDIA_URL for it.")
    target = chosen.data_dir
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        wrong(f"{target} is not empty: restore into a new folder by --data-dir.")
    manifest = _manifest(folder)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    part.mkdir(mode=0o700)
    try:
        for name, entry in manifest.files.items():
            (part / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(folder / name, part / name)
            if _entry(part / name) != entry:
                broken(f"{folder / name} is not what the backup wrote: nothing was restored.")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    lost = asyncio.run(_let_go(chosen))
    typer.echo(f"{len(manifest.files)} files are in {target}; tasks start again: {lost}.")


def _manifest(folder: Path) -> Manifest:
    """Read a backup's manifest; it may name regular files of its own folder only."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        wrong(f"{folder} holds no whole backup ({MANIFEST}: {error.strerror}).")
    except msgspec.DecodeError as error:
        wrong(f"{folder} holds no whole backup: {error}.")
    if manifest.version != 1:
        wrong(f"{folder} was written by a newer Ferrotype ({manifest.ferrotype}): upgrade first.")
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        known = name in (LEDGER, KEY) or parts[:1] == (MEDIA,)
        if not known or ".." in parts or (folder / name).resolve() != folder.resolve() / name:
            wrong(f"{folder}: {name!r} does not belong into a backup.")
        if not (folder / name).is_file():
            broken(f"{folder / name} is missing: nothing was restored.")
    if LEDGER not in manifest.files:
        wrong(f"{folder} holds no ledger.")
    return manifest


async def _let_go(chosen: Settings) -> int:
    """Take the tasks from the workers that held them when the backup was made."""
    async with open_ledger(chosen, migrate=True) as ledger:
        before = await ledger.counts()
        await ledger.reap()
        after = await ledger.counts()
    running = sum(n for (_, status), n in before.items() if status == "RUNNING")
    return running - sum(n for (_, status), n in after.items() if status == "RUNNING")
