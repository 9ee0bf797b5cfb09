"""For the tests of client developers: a real Ferrotype on a free port, as a pytest fixture.

    def test_my_client(ferrotype_server):
        client = MyClient(base_url=ferrotype_server.url, api_key=ferrotype_server.key)

Each server has its own data folder, accepts any key, and lets its clock and its failures be set.
"""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:  # this module is loaded in every run of pytest: nothing heavy before its use
    from ferrotype.cli.local import LocalServer
    from ferrotype.ports.admin import Admin

MARKER = "ferrotype(engine=..., latency=..., **settings): how `ferrotype_server` is to run"

Errand = Callable[["Admin"], Coroutine[Any, Any, None]]


class Clock:
    """The server's clock. It runs on; it can be moved."""

    def __init__(self, errand: Callable[[Errand], None]) -> None:
        self._errand = errand
        self._offset = 0.0

    def advance(self, seconds: float) -> None:
        """Move the clock forward, such as past the 24 hours that a result lives."""
        self._move(self._offset + seconds)

    def set(self, moment: datetime) -> None:
        """Set the clock to a moment (one with a time zone)."""
        self._move((moment - datetime.now(UTC)).total_seconds())

    def _move(self, offset: float) -> None:
        self._errand(lambda admin: admin.set_clock_offset(offset))
        self._offset = offset


class Rule:
    """Something that is rehearsed until it is removed."""

    def __init__(self, rule_id: str, ask: Callable[[str, str], Any]) -> None:
        self.id = rule_id
        self._ask = ask

    def remove(self) -> None:
        """End it, if it has not ended yet."""
        with suppress(ValueError):
            self._ask("DELETE", f"/{self.id}")

    def __enter__(self) -> "Rule":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Server:
    """A running Ferrotype: what a client needs, and what a test may do to it."""

    def __init__(self, local: "LocalServer") -> None:
        self._local = local
        self.clock = Clock(self._errand)
        self.data_dir = local.data_dir
        self._admin: str | None = None  # a key that may rehearse, once one was needed

    @property
    def url(self) -> str:
        """The base address of the API, ending in /api/v1: `dashscope.base_http_api_url`."""
        return self._local.url

    @property
    def root(self) -> str:
        """Where the server listens: scheme, host and port."""
        return self._local.root

    @property
    def key(self) -> str:
        """An API key. Every other non-empty one is accepted too."""
        return self._local.key

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables by which the official clients find server and key."""
        return {"DASHSCOPE_API_KEY": self.key, "DASHSCOPE_HTTP_BASE_URL": self.url}

    @property
    def log(self) -> str:
        """What the server's processes have logged so far."""
        return (self.data_dir / "serve.log").read_text("utf-8", "replace")

    def rehearse(self, **rule: Any) -> "Rule":
        """Let something happen to creates, tasks or answers; see docs/testing.md for the words.

        For example `model="wan2.6-t2v", times=2, fail={"code": "Throttling", "at": "create"}`.
        Remove the rule by `remove()`, or by leaving a `with`.
        """
        answer = self._rehearsal("POST", "", rule)
        return Rule(answer["rule"]["id"], self._rehearsal)

    def fail_next(self, code: str, *, at: Literal["task", "create"] = "task") -> "Rule":
        """Make the next create fail with an error code such as "DataInspectionFailed".

        `at` "create": the call itself is refused; "task": the task is accepted and ends FAILED.
        """
        return self.rehearse(times=1, fail={"code": code, "at": at})

    def _rehearsal(self, method: str, path: str, said: object = None) -> Any:
        import httpx

        if self._admin is None:
            self._admin = f"sk-admin-{secrets.token_hex(16)}"
            self._errand(self._make_admin)
        answer = httpx.request(
            method,
            f"{self.root}/ext/v1/rehearsal{path}",
            headers={"Authorization": f"Bearer {self._admin}"},
            json=said,
            trust_env=False,
        )
        if answer.status_code != 200:
            raise ValueError(answer.json()["message"])
        return answer.json()

    async def _make_admin(self, admin: "Admin") -> None:
        assert self._admin
        account = await admin.make_account("rehearsal")
        await admin.add_key(account, "rehearsal", self._admin, scope="admin")

    def _errand(self, errand: Errand) -> None:
        """Do something in the server's ledger, also when the test runs in an event loop."""
        from ferrotype.wiring.ledger import open_ledger

        async def work() -> None:
            async with open_ledger(self._local.settings) as ledger:
                await errand(ledger)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, work()).result()


@contextmanager
def server(
    data_dir: Path | None = None, *, engine: str = "illustrator", **settings: object
) -> Iterator[Server]:
    """Run a server as a real process until the end of the `with`.

    `engine` "illustrator" draws pictures of the size asked for, and films with few pictures, each
    held longer, unless `quick_films=0`; "echo" makes one pixel, at once.
    `settings` by their names in lower case: `latency="2s"`, `poll_hold=0`. `data_dir` is kept;
    without it a temporary folder is used.
    """
    from ferrotype.cli.local import LocalServer

    given = {f"FERROTYPE_{name.upper()}": str(value) for name, value in settings.items()}
    variables = {
        "FERROTYPE_ENGINE": engine,
        "FERROTYPE_ANY_KEY": "1",
        "FERROTYPE_TEST": "1",
        "FERROTYPE_QUICK_FILMS": "1",
        **given,
    }
    with (
        tempfile.TemporaryDirectory(prefix="ferrotype-") as folder,
        LocalServer(data_dir or Path(folder), variables) as local,
    ):
        yield Server(local)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the fixture."""
    parser.addini("ferrotype_engine", "engine of ferrotype_server", default="illustrator")
    parser.addini("ferrotype_scope", "scope of ferrotype_server", default="function")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini("ferrotype_scope")


@pytest.fixture(scope=_scope)
def ferrotype_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Ferrotype of this test's own, as `@pytest.mark.ferrotype(...)` says."""
    marker = request.node.get_closest_marker("ferrotype")
    wishes: dict[str, Any] = {"engine": request.config.getini("ferrotype_engine")}
    with server(**(wishes | (marker.kwargs if marker else {}))) as running:
        yield running
