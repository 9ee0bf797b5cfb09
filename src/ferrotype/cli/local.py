"""A service of one's own for a while: `ferrotype serve` as a child on a free port."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

import httpx

from ferrotype.lifeline import PARENT
from ferrotype.settings import Settings, load

LISTENS = "Ferrotype listens on "
SERVES = "export DASHSCOPE_HTTP_BASE_URL="
STOP_WITHIN = 10.0  # seconds that a stopping service has before it is killed


class NotStarted(Exception):
    """The service did not become ready. The message ends with what it said last."""


class LocalServer:
    """`ferrotype serve` on a free port of this machine, stopped at the end of the `with`.

    `root` is where it listens, `url` the base address of its API as clients are told it. It sees
    no `FERROTYPE_*` variable and no settings file but those given here. Its logs are in
    `serve.log` of its data folder. Raises `NotStarted` after `patience` seconds.
    """

    def __init__(
        self, data_dir: Path, variables: Mapping[str, str], *, patience: float = 60.0
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._patience = patience
        self._environ = {
            "FERROTYPE_DATA_DIR": str(self.data_dir),
            "FERROTYPE_PORT": "0",
            "FERROTYPE_METRICS_PORT": "0",
            "FERROTYPE_DRAIN": "2s",
            **variables,
        }
        self._process: subprocess.Popen[str] | None = None
        self.root = ""
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def key(self) -> str:
        """The API key that the first start made."""
        return self.settings.key_path.read_text().strip()

    @property
    def settings(self) -> Settings:
        """The settings that the service runs with."""
        return load(environ=self._environ)

    @property
    def pid(self) -> int | None:
        """The process id of the supervisor, None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the service and return when it is ready."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("FERROTYPE_")}
        if threading.current_thread() is threading.main_thread():  # whose end is the process's end
            environ[PARENT] = str(os.getpid())
        with (self.data_dir / "serve.log").open("ab") as log:
            process = self._process = subprocess.Popen(
                (sys.executable, "-P", "-m", "ferrotype", "serve"),
                cwd=self.data_dir,
                env=environ | self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches it through us alone, once
            )
        alarm = threading.Timer(self._patience, process.kill)
        alarm.start()
        try:
            assert process.stdout is not None
            self.root, self.url = _addresses(process.stdout)
            httpx.get(f"{self.root}/readyz", timeout=self._patience, trust_env=False)
        except (EOFError, httpx.HTTPError) as error:
            self.stop()
            raise NotStarted(f"ferrotype serve did not start ({error}): {self._said()}") from None
        finally:
            alarm.cancel()

    def stop(self) -> int | None:
        """Stop the service: politely, then by force. Return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with process:
            process.send_signal(signal.SIGTERM)
            try:
                return process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()

    def wait(self) -> int | None:
        """Wait until the service ends by itself, and return its exit code."""
        return self._process.wait() if self._process else None

    def _said(self) -> str:
        lines = (self.data_dir / "serve.log").read_text("utf-8", "replace").splitlines()
        return " | ".join(lines[-5:]) or "it said nothing."


def _addresses(output: IO[str]) -> tuple[str, str]:
    """Read what `serve` tells at its start: where it listens, and the URL for clients."""
    root = ""
    for line in output:
        if line.startswith(LISTENS):
            root = line.removeprefix(LISTENS).strip().replace("//0.0.0.0:", "//127.0.0.1:")
        if line.startswith(SERVES):
            return root, line.removeprefix(SERVES).strip()
    raise EOFError("it ended at once")
