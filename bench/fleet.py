"""A deployment of many processes on PostgreSQL, each with a data folder of its own, as on hosts.

Whoever dies is started again at once, as systemd or Kubernetes would.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.servers import KEY, environ, free_port, python, wait_until_up

CONFIG = """[recipes."*"]
engine = "echo"
options = {concurrency = 8}
"""


class Host:
    """One api or worker process, kept alive."""

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path, port: int
    ) -> None:
        self.name = name
        self.port = port
        self.starts = 0
        self._argv = argv
        self._env = dict(env)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Start the process again and again."""
        while True:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv, env=self._env, stdout=log, stderr=log
                )
            self.starts += 1
            try:
                await self._process.wait()
            finally:
                await self._end()
            await asyncio.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def upgrade(self, code: Path) -> None:
        """End the process politely; its next life runs the code of another folder."""
        self._env["PYTHONPATH"] = str(code)
        self.send(signal.SIGTERM)

    async def _end(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Fleet:
    """The hosts of one deployment."""

    def __init__(self, folder: Path, url: str, group: asyncio.TaskGroup) -> None:
        self.apis: list[Host] = []
        self.workers: list[Host] = []
        self._folder = folder
        self._url = url
        self._group = group
        self._keeping: dict[str, asyncio.Task[None]] = {}
        (folder / "ferrotype.toml").write_text(CONFIG)

    @property
    def urls(self) -> list[str]:
        """Where the replicas of the API are."""
        return [f"http://127.0.0.1:{host.port}" for host in self.apis]

    async def make_key(self) -> None:
        """Make an account and its key, as an operator does."""
        argv = python("ferrotype", "keys", "create", "bench", "--key", KEY, "--account", "bench")
        made = await asyncio.create_subprocess_exec(
            *argv, env=self._environ("operator"), stdout=asyncio.subprocess.DEVNULL
        )
        if await made.wait():
            raise RuntimeError("ferrotype keys create failed")

    def add(self, role: str, *, via: str | None = None, before: Sequence[str] = ()) -> Host:
        """Start an api or a worker on a host of its own.

        `via`: the URL by which it reaches the database; `before`: a command that runs it.
        """
        hosts = self.apis if role == "api" else self.workers
        name, port = f"{role}-{len(hosts)}", free_port()
        env = self._environ(name, port=port, **({"database_url": via} if via else {}))
        argv = (*before, *python("ferrotype", role))
        host = Host(name, argv, env, self._folder / f"{name}.log", port)
        hosts.append(host)
        self._keeping[name] = self._group.create_task(host.keep())
        return host

    async def ready(self) -> None:
        """Wait until every replica of the API answers."""
        await asyncio.gather(*(asyncio.to_thread(wait_until_up, f"{u}/readyz") for u in self.urls))

    async def remove(self, host: Host) -> None:
        """Stop a host, for good."""
        task = self._keeping.pop(host.name)
        task.cancel()
        await asyncio.wait({task})

    def end(self) -> None:
        """Stop all hosts."""
        for task in self._keeping.values():
            task.cancel()

    def _environ(self, name: str, **more: object) -> dict[str, str]:
        shared = {
            "database_url": self._url,
            "database_pool": 4,
            "media_url": f"file://{self._folder / 'media'}",
            "config": self._folder / "ferrotype.toml",
            "drain": "2s",
        }
        return environ(self._folder / name, **(shared | more))


@asynccontextmanager
async def deployed(
    folder: Path, url: str, *, apis: int = 2, workers: int = 4
) -> AsyncIterator[Fleet]:
    """Run a deployment for a while."""
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(folder, url, group)
        try:
            await fleet.make_key()
            for role, count in (("api", apis), ("worker", workers)):
                for _ in range(count):
                    fleet.add(role)
            await fleet.ready()
            yield fleet
        finally:
            fleet.end()
