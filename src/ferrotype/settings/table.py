"""The table of all settings. Times are in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

from ferrotype.ports.engine_room import Recipe
from ferrotype.settings.defaults import default_data_dir, default_slots, default_weights_dir
from ferrotype.settings.recipes import recipe_for_all
from ferrotype.settings.values import (
    BUCKETS,
    SettingsError,
    flag,
    is_loopback,
    ledger_url,
    names,
    networks,
    one_of,
    origin,
    path,
    receivers,
    results_url,
    seconds,
    signing_secret,
    text,
    whole,
    word,
)

PREFIX = "FERROTYPE_"


@dataclass(frozen=True)
class About:
    """What a setting does, how its text is read, and its default where that is not plain."""

    doc: str
    read: Callable[[object], Any]
    shown: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator may choose."""

    data_dir: Annotated[
        Path,
        About(
            "Folder of everything that must survive: ledger, results, keys. Mode 0700.",
            path,
            "`$XDG_DATA_HOME/ferrotype`, else `~/.local/share/ferrotype`",
        ),
    ] = field(default_factory=default_data_dir)
    database_url: Annotated[
        str | None,
        About(
            "Where the ledger is: `sqlite:///absolute/path/ledger.db`, on a disk of this machine, "
            "or `postgresql://user:password@host/database`, for many machines.",
            ledger_url,
            "`ledger.db` in `DATA_DIR`",
        ),
    ] = None
    database_pool: Annotated[
        int,
        About(
            "Connections to PostgreSQL that each process keeps; lists have two more.",
            whole(1, 1000),
        ),
    ] = 8
    database_pooler: Annotated[
        bool,
        About(
            "PostgreSQL is behind a pooler of transactions (such as PgBouncer): nothing of a "
            "session is used, and waiting processes look once a second instead of being woken.",
            flag,
        ),
    ] = False
    media_url: Annotated[
        str | None,
        About(
            "Where results are kept: `file:///absolute/folder`, which all our processes must "
            "see, or a bucket: `s3://bucket/prefix`, `gs://...`, `az://...`.",
            results_url,
            "`media` in `DATA_DIR`",
        ),
    ] = None
    media_links: Annotated[
        Literal["redirect", "direct"],
        About(
            "How files in a bucket are handed out: by links of ours that redirect to it, or "
            "directly by its own, which are other ones in each answer.",
            one_of("redirect", "direct"),
        ),
    ] = "redirect"
    media_endpoint: Annotated[
        str | None,
        About(
            "Address of the bucket's S3 server for callers, where `AWS_ENDPOINT` is one that only "
            "our own processes reach.",
            origin,
            "the address by which we reach it",
        ),
    ] = None
    run_dir: Annotated[
        Path | None,
        About(
            "Folder of the sockets by which our processes wake one another.",
            path,
            "`$XDG_RUNTIME_DIR`, else the system's temporary folder",
        ),
    ] = None
    host: Annotated[str, About("Address to listen on.", text)] = "127.0.0.1"
    port: Annotated[int, About("Port to listen on; 0 takes a free one.", whole(0, 65535))] = 8765
    metrics_port: Annotated[int, About("Port of `/metrics`; 0 turns it off.", whole(0, 65535))] = (
        9464
    )
    metrics_host: Annotated[
        str,
        About("Address of `/metrics`. It asks for no key: keep it to machines of yours.", text),
    ] = "127.0.0.1"
    public_url: Annotated[
        str | None,
        About("Scheme and host that result URLs begin with.", origin, "the request's own Host"),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        About("Host names that requests may name, besides loopback and `HOST`.", names),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        About("Addresses or networks whose `X-Forwarded-*` headers are believed.", networks),
    ] = ()
    region: Annotated[str, About("Region that this deployment says it is.", word)] = (
        "ap-southeast-1"
    )
    region_hosts: Annotated[
        bool,
        About("Answer by the vendor's own host names of `REGION` too: you point them here.", flag),
    ] = False
    workspaces: Annotated[
        tuple[str, ...], About("Workspace ids that requests may name.", names, "any")
    ] = ()
    unknown_model: Annotated[
        Literal["400", "404"],
        About("HTTP status that answers for a model that nobody knows.", one_of("400", "404")),
    ] = "400"
    any_key: Annotated[
        bool,
        About("Accept every non-empty API key, as account `default`; for development.", flag),
    ] = False
    yes_anyone: Annotated[
        bool, About("Allow `ANY_KEY` although other machines can reach `HOST`.", flag)
    ] = False
    retention: Annotated[
        float, About("How long a task and its files live after its end.", seconds, "24h")
    ] = 86400.0
    poll_hold: Annotated[
        float,
        About(
            "How long a query of an unfinished task may wait for its end.",
            seconds,
            "1s on a loopback `HOST`, else 0s",
        ),
    ] = 1.0
    latency: Annotated[
        float,
        About(
            "Make every task take at least this long, so that PENDING and RUNNING can be seen.",
            seconds,
            "0s",
        ),
    ] = 0.0
    rehearsal: Annotated[
        bool | None,
        About(
            "Let keys of scope `admin` ask for failures and delays at `/ext/v1/rehearsal`.",
            flag,
            "true on a loopback `HOST`, else false",
        ),
    ] = None
    unserved_after: Annotated[
        float,
        About(
            "How long a task waits while no live worker serves its model; then it fails.",
            seconds,
            "1h",
        ),
    ] = 3600.0
    drain: Annotated[
        float,
        About(
            "How long a stopping worker may finish what it runs; the rest is given back.",
            seconds,
            "60s",
        ),
    ] = 60.0
    max_pending: Annotated[
        int, About("Unfinished tasks that one account may have.", whole(1, 10_000_000))
    ] = 10_000
    upload_space: Annotated[
        int,
        About(
            "Mebibytes that one account's uploads may have; they live for 48 hours.",
            whole(1, 1 << 30),
        ),
    ] = 20480
    engine: Annotated[
        str | None,
        About(
            "Engine of every model that no recipe names.",
            word,
            "`illustrator` while there is no recipe, else none",
        ),
    ] = None
    illustrator_slots: Annotated[
        int,
        About(
            "Pictures that the illustrator draws at once.",
            whole(1, 1024),
            "processors - 1, at least 1",
        ),
    ] = field(default_factory=default_slots)
    quick_films: Annotated[
        bool,
        About(
            "Let the illustrator film with few pictures, each held longer; for test suites.", flag
        ),
    ] = False
    weights_dir: Annotated[
        Path,
        About(
            "Folder of the weights that `ferrotype recipes pull` fetches.",
            path,
            "`$XDG_DATA_HOME/ferrotype-weights`, else `~/.local/share/ferrotype-weights`",
        ),
    ] = field(default_factory=default_weights_dir)
    c2pa_cert: Annotated[
        Path | None,
        About(
            "File of the certificates (PEM, the signer's own first) that results are signed with.",
            path,
        ),
    ] = None
    c2pa_key: Annotated[
        Path | None, About("File of the private key (PEM) that belongs to `C2PA_CERT`.", path)
    ] = None
    fetch_allow_hosts: Annotated[
        tuple[str, ...],
        About(
            "Hosts that inputs may be fetched from although they are private. A `serve` that "
            "only its own machine can call fetches from loopback too.",
            names,
        ),
    ] = ()
    event_urls: Annotated[
        tuple[str, ...],
        About("URLs that are sent an event whenever a task succeeds or fails.", receivers),
    ] = ()
    event_secret: Annotated[
        str | None,
        About("Signs events: `whsec_` and the base64 of 24 to 64 random bytes.", signing_secret),
    ] = None
    limits: Annotated[
        Literal["off", "vendor"],
        About(
            "`vendor` makes the vendor's limits ours: creates a second, tasks at once.",
            one_of("off", "vendor"),
        ),
    ] = "off"
    log_level: Annotated[
        str, About("Least level that is logged.", one_of("debug", "info", "warning", "error"))
    ] = "info"
    log_format: Annotated[
        str,
        About(
            "`console` for eyes, `json` for machines. The line about a request is always JSON.",
            one_of("auto", "console", "json"),
            "`console` on a terminal, else `json`",
        ),
    ] = "auto"
    test: Annotated[
        bool,
        About("Let tests move the clock; never in production.", flag),
    ] = False
    recipes: tuple[Recipe, ...] = ()
    config: Path | None = None

    @property
    def ledger_dir(self) -> Path:
        """The folder of an SQLite ledger and its locks."""
        if self.database_url is None or self.postgres_url:
            return self.data_dir
        return Path(self.database_url.removeprefix("sqlite://")).parent

    @property
    def postgres_url(self) -> str | None:
        """Where the ledger is when it is not on this machine's disk."""
        url = self.database_url or ""
        return url if url.startswith("postgres") else None

    @property
    def media_dir(self) -> Path:
        """The folder of result files, where they are in one."""
        if self.media_url is None or self.bucket_url:
            return self.data_dir / "media"
        return Path(self.media_url.removeprefix("file://"))

    @property
    def bucket_url(self) -> str | None:
        """The bucket of result files, where they are in one."""
        url = self.media_url or ""
        return url if url.startswith(BUCKETS) else None

    @property
    def key_path(self) -> Path:
        """The file of the first key, which `serve` makes on its first start."""
        return self.data_dir / "api-key"

    @property
    def all_recipes(self) -> tuple[Recipe, ...]:
        """The configured recipes, and the one that serves all other models where there is one.

        The illustrator answers only while nothing is configured: nothing ever falls back to it.
        """
        if any(recipe.model == "*" for recipe in self.recipes):
            return self.recipes
        engine = self.engine or (None if self.recipes else "illustrator")
        if engine is None:
            return self.recipes
        options = {"quick": True} if engine == "illustrator" and self.quick_films else {}
        return (*self.recipes, recipe_for_all(engine, options))

    @property
    def rehearses(self) -> bool:
        """Whether failures may be asked for."""
        return self.private if self.rehearsal is None else self.rehearsal

    @property
    def private(self) -> bool:
        """True when only programs of this machine call: no proxy, no name of ours beyond it."""
        url = urlsplit(self.public_url) if self.public_url else None
        return (
            is_loopback(self.host)
            and (url is None or is_loopback(url.hostname or ""))
            and all(is_loopback(name) for name in self.allowed_hosts)
            and not self.region_hosts
            and not self.trusted_proxies
        )

    def check_exposure(self) -> None:
        """Refuse to listen where strangers could come in unasked. Raises `SettingsError`."""
        if is_loopback(self.host):
            return
        if self.public_url is None and not self.allowed_hosts:
            raise SettingsError(
                f"Other machines can reach {self.host}: set FERROTYPE_PUBLIC_URL (or --public-url) "
                "to the address by which clients know this service, or FERROTYPE_ALLOWED_HOSTS "
                "to the host names that they may use."
            )
        if self.any_key and not self.yes_anyone:
            raise SettingsError(
                f"With --any-key everybody who can reach {self.host} may use this service: "
                "add --yes-anyone if that is meant."
            )

    def environ(self) -> dict[str, str]:
        """Say these settings as variables, for a process of ours that must see the same ones."""
        chosen = {name: getattr(self, name) for name in ABOUT}
        variables = {
            PREFIX + name.upper(): _written(value)
            for name, value in chosen.items()
            if value is not None and value != ()
        }
        if self.config:
            variables["FERROTYPE_CONFIG"] = str(self.config)
        return variables


def _about() -> dict[str, About]:
    hints = get_type_hints(Settings, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


ABOUT = _about()


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)
