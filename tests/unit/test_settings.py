"""Settings: where they come from, what they may be, and what is said when they may not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferrotype.ports.engine_room import Recipe
from ferrotype.settings import Settings, SettingsError, is_loopback, load, reference, seconds
from ferrotype.settings.recipes import resolve
from ferrotype.wiring.shared import load_catalogue

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def write(text: str) -> None:
    Path("ferrotype.toml").write_text(text)


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default() -> None:
    write("port = 1001\nregion = 'file'\nretention = '1h'")
    environ = {"FERROTYPE_PORT": "1002", "FERROTYPE_REGION": "variable"}
    chosen = load({"port": 1003, "region": None}, environ=environ)
    assert (chosen.port, chosen.region) == (1003, "variable")
    assert (chosen.retention, chosen.drain) == (3600.0, 60.0)


def test_the_defaults_are_the_documented_ones() -> None:
    chosen = load(environ={})
    assert (chosen.host, chosen.port, chosen.metrics_port) == ("127.0.0.1", 8765, 9464)
    assert (chosen.region, chosen.retention) == ("ap-southeast-1", 86400.0)
    assert (chosen.unserved_after, chosen.drain, chosen.latency) == (3600.0, 60.0, 0.0)
    assert chosen.illustrator_slots >= 1
    assert not (chosen.any_key or chosen.test)


def test_the_data_folder_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert load(environ={}).data_dir == Path("/somewhere/ferrotype")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert load(environ={}).data_dir == Path("/home/someone/.local/share/ferrotype")


@pytest.mark.parametrize(
    ("host", "hold"), [("127.0.0.1", 1.0), ("::1", 1.0), ("localhost", 1.0), ("0.0.0.0", 0.0)]
)
def test_polls_are_held_on_a_loopback_server_only(host: str, hold: float) -> None:
    assert load({"host": host}, environ={}).poll_hold == hold
    assert load({"host": host, "poll_hold": "300ms"}, environ={}).poll_hold == 0.3


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"FERROTYPE_DATADIR": "x"}, "FERROTYPE_DATA_DIR"),
        ({"FERROTYPE_PORT": "99999"}, "FERROTYPE_PORT: '99999' is not between 0 and 65535."),
        ({"FERROTYPE_PORT": "http"}, "is not a whole number"),
        ({"FERROTYPE_PORT": "８０"}, "is not a whole number"),
        ({"FERROTYPE_RETENTION": "a day"}, "is not a duration"),
        ({"FERROTYPE_RETENTION": "99999d"}, "longer than ten years"),
        ({"FERROTYPE_ANY_KEY": "perhaps"}, "neither true nor false"),
        ({"FERROTYPE_PUBLIC_URL": "pictures.example"}, "is not an address"),
        ({"FERROTYPE_PUBLIC_URL": "https://me:secret@x.example"}, "without a path"),
        ({"FERROTYPE_PUBLIC_URL": "https://x.example/deep"}, "without a path"),
        ({"FERROTYPE_TRUSTED_PROXIES": "10.0.0.0/99"}, "is not an address or a network"),
        ({"FERROTYPE_DATABASE_URL": "mysql://me:hunter2@db/x"}, "is neither"),
        ({"FERROTYPE_DATABASE_URL": "postgresql://me:hunter2@db"}, "must name a database"),
        ({"FERROTYPE_DATABASE_URL": "postgresql://me:hunter2/x@db/f"}, "%2F"),
        ({"FERROTYPE_DATABASE_URL": "postgresql://me:hunter2#x@db/f"}, "%2F"),
        ({"FERROTYPE_DATABASE_URL": "sqlite:////tmp/other.db"}, "/ledger.db"),
        ({"FERROTYPE_MEDIA_URL": "ftp://bucket"}, "is neither"),
        ({"FERROTYPE_MEDIA_URL": "s3://me:key@bucket/x"}, "must be a bucket"),
        ({"FERROTYPE_REGION": "no where"}, "is not a name"),
        ({"FERROTYPE_LOG_LEVEL": "loud"}, "is not one of"),
        ({"FERROTYPE_EVENT_URLS": "http://a.example/,ftp://b.example/hunter2"}, "number 2"),
        ({"FERROTYPE_EVENT_URLS": "http://me:hunter2@a.example/"}, "credentials"),
        ({"FERROTYPE_EVENT_SECRET": "hunter2"}, "the value is not"),
        ({"FERROTYPE_EVENT_SECRET": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"FERROTYPE_EVENT_SECRET": "whsec_hunter2!"}, "24 to 64 bytes"),
        ({"FERROTYPE_LIMITS": "mine"}, "is not one of off, vendor"),
        ({"FERROTYPE_HOST": " "}, "is not text"),
        ({"FERROTYPE_CONFIG": "missing.toml"}, "There is no settings file"),
    ],
)
def test_a_wrong_variable_is_told_in_one_sentence(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "there is no setting 'prot'. Did you mean port"),
        ("port = ", "cannot be read"),
        ("port = true", "is not a whole number"),
        ("allowed_hosts = [1]", "is not a list of names"),
        ("recipes = 3", "Recipes are tables"),
        ('[models.mine]\nlike = "wan2.2-t2i-plus"', "there is no setting 'models'"),
        ('[recipes."*"]\nlabel = "upstream"', "must name its engine"),
        ('[recipes."*"]\nengine = "mine"', "must have a label"),
        ('[recipes."*"]\nengine = "mine"\nlabel = "substitute"', "allow_substitutes = true"),
        ('[recipes."*"]\nengine = "echo"\nstal = 3', "Did you mean stall"),
        ('[recipes."*"]\nengine = "echo"\nstall = "long"', "is not a duration"),
        ('[recipes."*"]\nengine = "echo"\nstall = "0s"', "longer than nothing"),
        ('[recipes."*"]\nengine = "echo"\ndeadline = 0', "longer than nothing"),
        ('[recipes."*"]\nengine = "echo"\noptions = 3', "options"),
        ('[recipes."*"]\nengine = "echo"\nlabel = "same weights"', 'is "test pattern"'),
        ('[recipes."*"]\nengine = "dashscope"\nlabel = "substitute"', 'is "upstream"'),
        ('[recipes.""]\nengine = "echo"', "has 1 to 128 characters"),
        ('[recipes."a b"]\nengine = "echo"', "has 1 to 128 characters"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(text: str, said: str) -> None:
    write(text)
    with pytest.raises(SettingsError, match=said.replace("(", r"\(")):
        load(environ={})


def test_recipes_come_from_the_file() -> None:
    write("""
        [recipes."*"]
        engine = "echo"
        [recipes.my-model]
        engine = "mine"
        label = "substitute"
        allow_substitutes = true
        stall = "2m"
        options = { steps = 4 }
        like = "wan2.2-t2i-plus"
    """)
    chosen = load(environ={})
    assert chosen.recipes == (
        Recipe(model="*", engine="echo", label="test pattern"),
        Recipe(
            model="my-model",
            engine="mine",
            label="substitute",
            like="wan2.2-t2i-plus",
            stall=120.0,
            options={"steps": 4},
        ),
    )
    assert chosen.all_recipes == chosen.recipes


def test_the_illustrator_serves_only_while_nothing_is_configured() -> None:
    assert [r.served_by for r in load(environ={}).all_recipes] == ["illustrator; illustration"]
    write('[recipes.my-model]\nengine = "mine"\nlabel = "upstream"')
    assert [r.model for r in load(environ={}).all_recipes] == ["my-model"]
    assert [r.engine for r in load({"engine": "echo"}, environ={}).all_recipes] == ["mine", "echo"]


def test_a_foreign_engine_for_all_models_must_have_its_label_said() -> None:
    with pytest.raises(SettingsError, match="label"):
        _ = load({"engine": "mine"}, environ={}).all_recipes


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"host": "0.0.0.0"}, "FERROTYPE_PUBLIC_URL"),
        ({"host": "::"}, "FERROTYPE_ALLOWED_HOSTS"),
        ({"host": "0.0.0.0", "public_url": "http://x.example", "any_key": True}, "--yes-anyone"),
    ],
)
def test_listening_beyond_loopback_needs_a_name_and_keys(
    flags: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        load(flags, environ={}).check_exposure()


def test_what_is_safe_may_listen() -> None:
    load({"any_key": True}, environ={}).check_exposure()
    load({"host": "0.0.0.0", "allowed_hosts": "pictures"}, environ={}).check_exposure()
    open_door = {"host": "0.0.0.0", "public_url": "http://x.example", "any_key": "1"}
    load({**open_door, "yes_anyone": "1"}, environ={}).check_exposure()


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "0.0.0.0", "allowed_hosts": "pictures"},
        {"public_url": "https://pictures.example"},
        {"allowed_hosts": "localhost,pictures.example"},
        {"trusted_proxies": "127.0.0.1"},
        {"region_hosts": "1"},
    ],
)
def test_a_service_that_others_reach_by_a_proxy_is_not_private(flags: dict[str, object]) -> None:
    assert not load(flags, environ={}).private


def test_a_service_for_its_own_machine_is_private() -> None:
    assert load(environ={}).private
    assert load({"public_url": "http://localhost:9"}, environ={}).private


def test_a_child_process_sees_the_same_settings() -> None:
    write('port = 7\n[recipes."*"]\nengine = "echo"')
    flags = {
        "allowed_hosts": ["a.example", "b.example"],
        "data_dir": "data",
        "database_url": "sqlite:////var/lib/ferrotype/ledger.db",
        "media_url": "file:///srv/media",
        "any_key": True,
        "latency": "1500ms",
        "event_urls": ["http://a.example/x?y=1", "http://b.example/", "http://a.example/x?y=1"],
        "event_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "limits": "vendor",
    }
    chosen = load(flags, environ={})
    assert load(environ=chosen.environ()) == chosen
    assert chosen.media_dir == Path("/srv/media")
    assert chosen.ledger_dir == Path("/var/lib/ferrotype")
    assert chosen.postgres_url is None


def test_a_ledger_on_a_server_leaves_the_data_folder_as_it_is() -> None:
    url = "postgresql://me:secret@db.example/ferrotype"
    chosen = load({"database_url": url, "data_dir": "/srv/data"}, environ={})
    assert chosen.postgres_url == url
    assert chosen.ledger_dir == Path("/srv/data")
    assert load(environ=chosen.environ()) == chosen


@pytest.mark.parametrize(
    ("text", "span"), [("500ms", 0.5), ("5s", 5), ("2.5 m", 150), ("24h", 86400), (3, 3), ("7", 7)]
)
def test_durations(text: object, span: float) -> None:
    assert seconds(text) == span


def test_loopback() -> None:
    assert is_loopback("127.8.8.8")
    assert is_loopback("[::1]")
    assert not is_loopback("localhost.example")
    assert not is_loopback("192.168.1.1")


def test_the_reference_is_what_the_code_knows() -> None:
    assert reference() in (DOCS / "settings.md").read_text("utf-8")
    for name in ("DATA_DIR", "DATABASE_URL", "MEDIA_URL", "PUBLIC_URL", "REGION", "RETENTION"):
        assert f"| `{name}` |" in reference()
    assert Settings.port == 8765


BLOCKS = re.findall(r"```toml\n(.*?)```", (DOCS / "settings.md").read_text("utf-8"), re.DOTALL)


def test_the_blocks_of_the_reference_are_a_settings_file() -> None:
    write("\n".join(BLOCKS))
    chosen = load(environ={})
    assert [recipe.model for recipe in chosen.all_recipes] == ["wan2.2-t2i-plus"]
    assert "wan2.2-t2i-plus" in load_catalogue(chosen).models


@pytest.mark.parametrize("name", ["NONESUCH", 5, ["A"]])
def test_a_variable_that_is_none_is_told_by_its_name(name: object) -> None:
    with pytest.raises(SettingsError, match="is not set"):
        resolve({"a": [{"key": {"env": name}}]}, "options")
