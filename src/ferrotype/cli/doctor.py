"""`ferrotype doctor`: what is wrong here, and what to do about it."""

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import typer

from ferrotype import plugins
from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.presence import address
from ferrotype.cli.serving import WORKER_LATE
from ferrotype.errors import FerrotypeError, Missing, Unavailable
from ferrotype.settings import Settings
from ferrotype.task import LONELY_AFTER
from ferrotype.wiring.finding import Finding
from ferrotype.wiring.ledger import has_ledger, open_ledger

NETWORK_FILE_SYSTEMS = {
    *("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs"),
    *("lustre", "nfs", "nfs4", "smb3", "smbfs"),
}
MOUNTS = Path("/proc/mounts")
T = TypeVar("T")
PACK = ("art.json.xz", "kai.ttf")
LEAST_FREE = 0.05
PATIENCE = 30.0  # seconds for an answer of a bucket


def doctor(data_dir: DataDir = None, config: Config = None) -> None:
    """Check this machine, its settings and its data.

    Ends with 1 if something is broken.
    """
    chosen = settings(config, data_dir=data_dir)
    findings = [finding for check in CHECKS for finding in check(chosen)]
    for finding in findings:
        typer.echo(f"{finding.state:<7} {finding.said}")
        if finding.fix:
            typer.echo(f"{'':<7} -> {finding.fix}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def check_folder(chosen: Settings) -> Iterator[Finding]:
    """The data folder is ours alone."""
    folder = chosen.data_dir
    if not folder.exists():
        yield Finding("note", f"{folder} does not exist yet", "`ferrotype serve` makes it.")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        fix = f"chmod 700 {folder}"
        yield Finding("broken", f"others can enter {folder} (mode {mode:o})", fix)
    else:
        yield Finding("ok", f"{folder} is private")
    key = chosen.key_path
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("broken", f"others can read {key}", f"chmod 600 {key}")


def check_file_system(chosen: Settings) -> Iterator[Finding]:
    """Locks and fsync mean what they say: no network file system."""
    if chosen.postgres_url:
        return
    kind = file_system(chosen.ledger_dir, MOUNTS)
    if kind in NETWORK_FILE_SYSTEMS:
        fix = "Choose a DATA_DIR on a disk of this machine: SQLite's locks are not safe there."
        yield Finding("broken", f"{chosen.ledger_dir} is on a network file system ({kind})", fix)
    else:
        yield Finding("ok", f"the ledger's file system is {kind or 'local'}")


def file_system(path: Path, mounts: Path) -> str | None:
    """Return the kind of file system that a path is, or will be, on; None when unknown."""
    if not mounts.exists():
        return None
    found: tuple[int, str | None] = (-1, None)
    place = path.resolve()
    for line in mounts.read_text().splitlines():
        _, mount, kind = line.split()[:3]
        point = Path(mount.encode().decode("unicode_escape"))
        if place.is_relative_to(point) and len(point.parts) >= found[0]:
            found = (len(point.parts), kind)
    return found[1]


def check_bucket(chosen: Settings) -> Iterator[Finding]:
    """The bucket of results lets us in. Nothing is written."""
    if chosen.bucket_url is None:
        return
    from ferrotype.wiring.shared import make_stores  # with the client of buckets: slow to import

    store, _ = make_stores(chosen)
    try:
        days = asyncio.run(_within(store.days()))
    except (FerrotypeError, TimeoutError) as error:
        cause = str(error.__cause__ or "no answer").splitlines()[0]
        fix = "See MEDIA_URL, the keys and region in its vendor's variables, and its rights."
        yield Finding("broken", f"{chosen.bucket_url} cannot be listed: {cause}", fix)
    else:
        yield Finding("ok", f"{chosen.bucket_url} holds results of {len(days)} days")


async def _within(asked: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE):
        return await asked


def check_space(chosen: Settings) -> Iterator[Finding]:
    """There is room for results."""
    if chosen.bucket_url:
        return
    place = next(p for p in (chosen.media_dir, *chosen.media_dir.parents) if p.exists())
    usage = shutil.disk_usage(place)
    said = f"{usage.free / usage.total:.0%} of the disk is free ({usage.free >> 30} GiB)"
    if usage.free < LEAST_FREE * usage.total:
        fix = "Free some space: below 5 % creates are answered with 503."
        yield Finding("broken", said, fix)
    else:
        yield Finding("ok", said)


def check_ledger(chosen: Settings) -> Iterator[Finding]:
    """The database, its schema, lock and workers."""
    if chosen.postgres_url:
        url = urlsplit(chosen.postgres_url)
        yield Finding("ok", f"the ledger is {url.path[1:]} on {url.hostname or 'this machine'}")
    else:
        yield Finding("ok", f"SQLite {sqlite3.sqlite_version}")
    if not has_ledger(chosen):
        yield Finding("note", "there is no ledger yet", "`ferrotype serve` makes it.")
        return
    try:
        yield from asyncio.run(_look_into(chosen))
    except Missing:
        yield Finding("note", "there is no ledger yet", "`ferrotype api` or `worker` makes it.")
    except FerrotypeError as error:
        fix = "Stop the process that it names, or `ferrotype serve` to migrate."
        if chosen.postgres_url:
            away = isinstance(error, Unavailable)
            fix = "See that DATABASE_URL is right and its server runs." if away else ""
        why = f" ({error.__cause__})" if error.__cause__ else ""
        yield Finding("broken", f"the ledger cannot be opened: {error}{why}", fix)


async def _look_into(chosen: Settings) -> list[Finding]:
    async with open_ledger(chosen) as ledger:
        backlog, workers = await ledger.backlog(), await ledger.workers()
        stuck, paused = await ledger.stuck(5), await ledger.paused()
    waiting, running = sum(m.ready + m.held for m in backlog), sum(m.running for m in backlog)
    findings = [Finding("ok", f"the ledger answers: {waiting} tasks wait, {running} run")]
    for worker in workers:
        where = f" ({', '.join(worker.devices)})" if worker.devices else ""
        said = f"worker {worker.pid} on {worker.host}{where} serves {len(worker.models)} models"
        if worker.age > WORKER_LATE:
            fix = "It is stuck or stopped; another worker takes its tasks over."
            findings.append(Finding("broken", f"{said}, unseen for {worker.age:.0f} s", fix))
        else:
            findings.append(Finding("ok", said))
    if workers:
        findings += _unserved(
            chosen, {m for w in workers if w.age <= WORKER_LATE for m in w.models}
        )
    else:
        state: Literal["note", "broken"] = "broken" if waiting else "note"
        fix = "Start `ferrotype serve` or `ferrotype worker`."
        findings.append(Finding(state, f"no worker runs; {waiting} tasks wait", fix))
    for model, why in paused.items():
        findings.append(Finding("note", f"{model} is paused: {why}", "`ferrotype resume` ends it."))
    if stuck.count:
        said = f"{stuck.count} tasks began {LONELY_AFTER} times or more and did not end: "
        fix = "See the log for what ends their workers; they go on, alone and a minute apart."
        findings.append(Finding("broken", said + ", ".join(stuck.task_ids), fix))
    return findings


def _unserved(chosen: Settings, served: set[str]) -> Iterator[Finding]:
    """Name the recipes of which no live worker says that it can serve them now."""
    for recipe in chosen.all_recipes:
        if recipe.model != "*" and recipe.model not in served:
            fix = "Its engine has not started yet, or its worker's log says why it cannot serve."
            yield Finding("note", f"no live worker serves {recipe.model}", fix)


def check_service(chosen: Settings) -> Iterator[Finding]:
    """Where the service is, if it runs."""
    url = address(chosen.data_dir)
    if url:
        yield Finding("ok", f"`ferrotype serve` answers at {url}")
    else:
        yield Finding("note", "`ferrotype serve` does not run on this folder")


def check_recipes(chosen: Settings) -> Iterator[Finding]:
    """Each recipe can serve, as far as it shows; no two engines have the same name."""
    from ferrotype.wiring.examine import Examiner  # with the catalogue: slow to import

    try:
        plugins.engines()
    except plugins.PluginError as error:
        yield Finding("broken", str(error), "Until then our own one is used.")
    examiner = Examiner(chosen)
    for recipe in chosen.all_recipes:
        rest = "all models" if len(chosen.all_recipes) == 1 else "all other models"
        served = rest if recipe.model == "*" else recipe.model
        found = examiner.findings(recipe)
        if all(one.state != "broken" for one in found):
            yield Finding("ok", f"{recipe.engine} serves {served}: {recipe.label}")
        for one in found:
            yield Finding(one.state, f"{served}: {one.said}", one.fix)


def check_pack(chosen: Settings) -> Iterator[Finding]:
    """The illustrator has its art and its letters."""
    if all(recipe.engine != "illustrator" for recipe in chosen.all_recipes):
        return
    pack = resources.files("ferrotype.engines.illustrator") / "pack"
    missing = [name for name in PACK if not (pack / name).is_file()]
    if missing:
        fix = "Install ferrotype anew: pip install --force-reinstall ferrotype."
        yield Finding("broken", f"the illustrator lacks {' and '.join(missing)}", fix)
    else:
        yield Finding("ok", "the illustrator has its art and its letters")


def check_inputs(_: Settings) -> Iterator[Finding]:
    """Callers' files can be opened in a process without a network."""
    from ferrotype.fetchers.media_process import MediaProcess  # with an HTTP client: slow to import

    try:
        guard, reads = asyncio.run(MediaProcess().ability())
    except FerrotypeError as error:
        yield Finding(
            "broken", f"the media process does not run: {error}", "Install numpy, pillow, av."
        )
        return
    if guard is None:
        fix = "Allow user namespaces or seccomp here; until then tasks with input files fail."
        yield Finding("broken", "media processes cannot be kept off the network", fix)
    else:
        said = f"media processes have no network ({guard}) and read {', '.join(reads)}"
        yield Finding("ok", said)


def check_events(chosen: Settings) -> Iterator[Finding]:
    """Each receiver of events has an address, and one where we may go. Nothing is sent."""
    if not chosen.event_urls:
        return
    from ferrotype.gate.guard import Banned  # with an HTTP client: slow to import
    from ferrotype.gate.urls import parse
    from ferrotype.wiring.guard import make_guard

    guard = make_guard(chosen)
    for url in chosen.event_urls:
        at = parse(url)
        try:
            guard.check(at)
            asyncio.run(guard.addresses(at.host, at.port))
        except Banned as banned:
            fix = f"Events wait for a day. Put {at.netloc} on FETCH_ALLOW_HOSTS if it is yours."
            yield Finding("broken", f"no event can go to {at.netloc}: {banned}", fix)
        else:
            yield Finding("ok", f"events may go to {at.netloc}")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_folder,
    check_file_system,
    check_bucket,
    check_space,
    check_ledger,
    check_service,
    check_recipes,
    check_pack,
    check_inputs,
    check_events,
)
