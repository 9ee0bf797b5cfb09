"""`ferrotype keys`, `env` and `models`, and how commands are told to be wrong."""

import asyncio
import io
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from commands import Run, runner

from ferrotype.cli import first
from ferrotype.settings import Settings, load
from ferrotype.wiring.ledger import open_ledger


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERROTYPE_DATA_DIR", str(tmp_path / "data"))
    return runner(monkeypatch, capsys)


def known(settings: Settings, key: str) -> bool:
    async def ask() -> bool:
        async with open_ledger(settings) as ledger:
            return await ledger.find_key(sha256(key.encode()).digest()) is not None

    return asyncio.run(ask())


def test_create_prints_the_key_alone(run: Run) -> None:
    done = run("keys", "create", "alice")
    assert done.code == 0
    assert done.out.startswith("sk-")
    assert done.out.count("\n") == 1
    assert known(load(), done.out.strip())


def test_a_key_can_come_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sk-from-outside\n"))
    assert run("keys", "create", "alice", "--key", "-").out == "sk-from-outside\n"


@pytest.mark.parametrize("key", ["short", "sk with spaces", "sk-" + "x" * 300, "sk-ключ-ключ"])
def test_a_key_must_look_like_one(run: Run, key: str) -> None:
    done = run("keys", "create", "alice", "--key", key)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


def test_list_never_shows_a_key(run: Run) -> None:
    key = run("keys", "create", "alice", "--account", "team").out.strip()
    run("keys", "create", "bob")
    run("keys", "revoke", "bob")
    header, alice, bob = run("keys", "list").out.splitlines()
    assert header.split("\t") == ["id", "name", "account", "hint", "created", "state"]
    assert alice.split("\t")[1:3] == ["alice", "team"]
    assert alice.endswith("good")
    assert "revoked" in bob
    assert key not in alice


def test_revoke_goes_by_name_or_id_and_says_what_it_cannot(run: Run) -> None:
    key = run("keys", "create", "alice").out.strip()
    run("keys", "create", "twin")
    run("keys", "create", "twin")
    assert run("keys", "revoke", "nobody").code == 2
    assert "by id" in run("keys", "revoke", "twin").err
    by_id = run("keys", "list").out.splitlines()[2].split("\t")[0]
    assert run("keys", "revoke", by_id).code == 0
    assert run("keys", "revoke", "alice").code == 0
    assert not known(load(), key)


def test_the_same_key_twice_is_refused(run: Run) -> None:
    run("keys", "create", "alice", "--key", "sk-0123456789")
    assert run("keys", "create", "bob", "--key", "sk-0123456789").code == 2


def test_no_ledger_is_told_with_the_next_step(run: Run) -> None:
    for command in (("keys", "list"), ("keys", "revoke", "x"), ("backup", "there")):
        done = run(*command)
        assert done.code == 2
        assert "ferrotype serve" in done.err


def test_env_prints_two_lines_that_a_shell_can_read(run: Run, tmp_path: Path) -> None:
    assert run("env").code == 1
    settings = load()
    settings.data_dir.mkdir(mode=0o700)
    asyncio.run(first.prepare(settings))
    key = settings.key_path.read_text().strip()
    assert run("env", "--port", "99").out == (
        f"export DASHSCOPE_API_KEY={key}\n"
        "export DASHSCOPE_HTTP_BASE_URL=http://127.0.0.1:99/api/v1\n"
    )


def test_the_first_start_makes_one_key_and_the_next_ones_none(run: Run) -> None:
    settings = load()
    settings.data_dir.mkdir(mode=0o700)
    asyncio.run(first.prepare(settings))
    key = settings.key_path.read_text()
    asyncio.run(first.prepare(settings))
    assert settings.key_path.read_text() == key
    assert len(run("keys", "list").out.splitlines()) == 2


def test_a_start_that_was_killed_before_the_ledger_knew_the_key_is_mended(run: Run) -> None:
    settings = load()
    settings.data_dir.mkdir(mode=0o700)
    key = first.first_key(settings.key_path)
    asyncio.run(first.prepare(settings))
    assert known(settings, key)


def test_a_key_file_that_was_taken_away_is_not_made_again(run: Run) -> None:
    settings = load()
    settings.data_dir.mkdir(mode=0o700)
    asyncio.run(first.prepare(settings))
    settings.key_path.unlink()
    asyncio.run(first.prepare(settings))
    assert not settings.key_path.exists()
    assert len(run("keys", "list").out.splitlines()) == 2


def test_a_revoked_first_key_stays_revoked(run: Run) -> None:
    settings = load()
    settings.data_dir.mkdir(mode=0o700)
    asyncio.run(first.prepare(settings))
    run("keys", "revoke", "first")
    asyncio.run(first.prepare(settings))
    assert not known(settings, settings.key_path.read_text().strip())


def test_models_say_who_serves_them(run: Run) -> None:
    done = run("models")
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in done.out.splitlines()}
    assert rows["wan2.5-t2i-preview"][:3] == ["text-to-image", "illustrator", "illustration"]
    assert "not by these models" in done.err


def test_models_of_ones_own_and_models_without_a_recipe(run: Run) -> None:
    Path("ferrotype.toml").write_text('[recipes.mine]\nlike = "wan2.2-t2i-plus"\nengine = "echo"\n')
    rows = {row.split("\t")[0]: row.split("\t")[2:4] for row in run("models").out.splitlines()}
    assert rows["mine"] == ["echo", "test pattern"]
    assert rows["wan2.2-t2i-plus"] == ["-", "not served"]
    Path("ferrotype.toml").write_text('[recipes.nonesuch]\nengine = "echo"\n')
    assert run("models").code == 2


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "api",
        "worker",
        "keys",
        "env",
        "models",
        "recipes",
        "demo",
        "doctor",
        "backup",
        "restore",
    ],
)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert len(done.out.splitlines()) > 5
    assert f"  {command} " in run("--help").out


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("serve", "--prot", "1"), ("keys", "create"), ("backup",)]
)
def test_wrong_use_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2


def test_an_unknown_variable_ends_every_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERROTYPE_DATADIR", "/x")
    done = run("env")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "FERROTYPE_DATA_DIR" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--data-dir", "file"), "is no folder: choose another --data-dir"),
        (("serve", "--data-dir", "/proc/nowhere"), "cannot be used"),
        (("keys", "create", "x", "--data-dir", "file"), "is no folder"),
        (("backup", "file"), "is a file"),
        (("demo", "--data-dir", "file"), "is a file"),
        (("api", "--fd", "987", "--data-dir", "data"), "--fd: 987 is no open socket"),
        (("serve", "--port", "70000"), "--port: 70000 is not between 0 and 65535"),
        (("serve", "--config", "file"), "cannot be read"),
    ],
)
def test_wrong_use_is_told_in_one_sentence(run: Run, arguments: tuple[str, ...], said: str) -> None:
    Path("file").write_text("not = = toml")
    done = run(*arguments)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
