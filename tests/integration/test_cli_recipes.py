"""`ferrotype recipes`: what is wrong with each, what it serves, and who serves it now."""

import asyncio
import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from commands import Run, runner

from ferrotype import plugins
from ferrotype.cli import first
from ferrotype.conformance.ledger_base import card
from ferrotype.settings import load
from ferrotype.wiring import examine
from ferrotype.wiring.ledger import open_ledger

FILM = "wan2.2-t2v-plus"
PINNED = "a" * 40


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERROTYPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FERROTYPE_WEIGHTS_DIR", str(tmp_path / "weights"))
    return runner(monkeypatch, capsys)


def write(text: str) -> None:
    Path("ferrotype.toml").write_text(text)


def test_what_is_sound_is_one_line(run: Run) -> None:
    write(f'[recipes.mine]\nengine = "echo"\nlike = "{FILM}"\nnarrow = {{ watermark = false }}')
    done = run("recipes", "check")
    assert (done.code, done.out) == (0, "ok      mine: echo; test pattern; watermark: false\n")


def test_without_recipes_the_illustrator_is_looked_at(run: Run) -> None:
    done = run("recipes", "check")
    assert (done.code, done.out) == (0, "ok      *: illustrator; illustration\n")


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        ('engine = "echo"\nstal = 3', "no key 'stal'. Did you mean stall?", "docs/recipes.md"),
        ('engine = "mine"', "must have a label", "docs/recipes.md"),
        ('engine = "eco"\nlabel = "upstream"', "there are dashscope, ", "See engine"),
        ('engine = "echo"\nlike = "nobody"', "no model 'nobody'", "docs/recipes.md"),
        ('engine = "echo"\nnarrow = { sise = 1 }', "no field sise; did you mean size?", "narrow"),
        ('engine = "echo"\noptions = { concurency = 3 }', "`concurency`. Did you mean conc",
         "The options of echo are concurrency."),
        ('engine = "illustrator"\noptions = { quick = 3 }', "Expected `bool`", "concurrency, qui"),
        ('engine = "echo"\noptions = { concurrency = { env = "NOPE_N" } }', "NOPE_N is not set",
         "Set it where the worker runs."),
        ('engine = "echo"\nbatch = 4', "batch is 4, but the engine runs 1 jobs", "to 4 at least"),
        ('engine = "echo"\ndevices = ["cuda:0"]', "does not run on devices", "Take devices out"),
        ('engine = "echo"\ndevices = ["a", "b", "a"]', "a stands there twice", "once"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_the_next_step(run: Run, text: str, said: str, fix: str) -> None:
    write(f'[recipes."{FILM}"]\n{text}\n[recipes.other]\nengine = "echo"\nlike = "wanx-v1"')
    done = run("recipes", "check")
    assert done.code == 1
    assert f"broken  {FILM}: " in done.out
    assert said in done.out
    assert fix in done.out
    assert "ok      other: echo; test pattern\n" in done.out
    assert run("recipes", "check", "other").code == 0


def test_a_recipe_that_cannot_be_read_leaves_nothing_to_the_illustrator(run: Run) -> None:
    write('[recipes.wanx-v1]\nengine = "echo"\nstal = 3')
    done = run("recipes", "check")
    assert (done.code, "illustrator" in done.out) == (1, False)


def test_a_default_that_is_not_served_is_noted(run: Run) -> None:
    write(f'[recipes."{FILM}"]\nengine = "echo"\nnarrow = {{ size = ["832*480"] }}')
    done = run("recipes", "check")
    assert done.code == 0
    assert (
        f"note    {FILM}: callers must send parameters.size: its default (1920*1080) is not served"
    ) in done.out


def test_options_that_nobody_describes_are_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "ferrotype.engines.echo:Echo", plugins.GROUP)
    monkeypatch.setattr(
        metadata, "entry_points", lambda *, group: [point] if group == plugins.GROUP else []
    )
    write('[recipes.wanx-v1]\nengine = "mine"\nlabel = "same weights"\noptions = { any = 1 }')
    done = run("recipes", "check")
    assert done.code == 0
    assert "note    wanx-v1: mine does not say what its options may be" in done.out


def test_options_that_another_package_describes_are_checked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        EntryPoint("mine", "ferrotype.engines.echo:Echo", plugins.GROUP),
        EntryPoint("mine", "ferrotype.engines.echo:Options", plugins.OPTIONS_GROUP),
    ]
    monkeypatch.setattr(
        metadata, "entry_points", lambda *, group: [one for one in points if one.group == group]
    )
    write('[recipes.wanx-v1]\nengine = "mine"\nlabel = "same weights"\noptions = { any = 1 }')
    done = run("recipes", "check")
    assert (done.code, "unknown field `any`" in done.out) == (1, True)


def test_what_an_engine_needs_is_looked_for_and_not_loaded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = plugins.Plugin("colorsys:Engine", "Install it.", needs=("no_such_thing", "sqlite3"))
    monkeypatch.setitem(plugins.BUILT_IN, "heavy", heavy)
    sys.modules.pop("colorsys", None)
    write('[recipes.wanx-v1]\nengine = "heavy"\nlabel = "same weights"')
    done = run("recipes", "check")
    assert done.code == 1
    assert "the engine heavy lacks no_such_thing\n        -> Install it." in done.out
    assert "colorsys" not in sys.modules


def test_gpus_that_are_not_there_are_noted(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared = plugins.Plugin("colorsys:Engine", "Install it.", shares=True)
    monkeypatch.setitem(plugins.BUILT_IN, "heavy", shared)
    monkeypatch.setattr(examine, "DEVICES", tmp_path)
    text = '[recipes.wanx-v1]\nengine = "heavy"\nlabel = "same weights"\ndevices = ["cuda:1"]'
    write(text)
    assert "note    wanx-v1: devices: this machine shows no GPU" in run("recipes", "check").out
    (tmp_path / "nvidia1").touch()
    assert "no GPU" not in run("recipes", "check").out


def test_a_name_that_is_no_recipe_ends_with_2(run: Run) -> None:
    write('[recipes.wanx-v1]\nengine = "echo"')
    assert run("recipes", "check", "wanx-v2").code == 2
    assert run("recipes", "pull", "wanx-v2").code == 2


def test_without_the_hubs_library_it_is_said_how_to_get_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    write(
        '[recipes.wanx-v1]\nengine = "echo"\n'
        f'options = {{ weights = "some/one", revision = "{PINNED}" }}'
    )
    for command in ("pull", "pin"):
        done = run("recipes", command)
        assert done.code == 1
        assert "pip install 'ferrotype[diffusers]'" in done.err
    write('[recipes.wanx-v1]\nengine = "echo"')
    assert "No recipe names weights" in run("recipes", "pull").err


def serve(*models: str) -> None:
    """Let a worker say that it serves these."""

    async def whole() -> None:
        async with open_ledger(load()) as ledger:
            await ledger.enrol(card("hand", *models))

    chosen = load()
    chosen.data_dir.mkdir(mode=0o700)
    asyncio.run(first.prepare(chosen))
    asyncio.run(whole())


def test_list_and_doctor_say_who_is_served_now(run: Run) -> None:
    write(
        f'[recipes.mine]\nengine = "echo"\nlike = "{FILM}"\nbatch = 2\n'
        "options = { concurrency = 2 }\n"
        '[recipes.wanx-v1]\nengine = "eco"\nlabel = "upstream"'
    )
    serve("mine")
    rows = [line.split("\t") for line in run("recipes", "list").out.splitlines()]
    assert rows[0] == ["recipe", "like", "engine", "label", "devices", "batch", "workers", "state"]
    assert rows[1] == ["mine", FILM, "echo", "test pattern", "", "2", "1", "ok"]
    assert rows[2][:-1] == ["wanx-v1", "", "eco", "upstream", "", "1", "0"]
    assert rows[2][-1].startswith("There is no engine 'eco'")
    done = run("doctor")
    assert done.code == 1
    assert "ok      echo serves mine: test pattern\n" in done.out
    assert "note    no live worker serves wanx-v1\n" in done.out
    assert "broken  wanx-v1: There is no engine 'eco'" in done.out


def test_the_rest_is_served_by_those_who_serve_any_of_it(run: Run) -> None:
    write(f'[recipes."*"]\nengine = "echo"\n[recipes.mine]\nengine = "echo"\nlike = "{FILM}"')
    serve("wanx-v1", FILM)
    rows = [line.split("\t") for line in run("recipes", "list").out.splitlines()]
    assert [(row[0], row[6]) for row in rows[1:]] == [("*", "1"), ("mine", "0")]


def test_models_say_what_is_narrowed(run: Run) -> None:
    write('[recipes.wanx-v1]\nengine = "echo"\nnarrow = { n = [1, 2], ref_img = false }')
    lines = run("models").out.splitlines()
    rows = {line.split("\t")[0]: line.split("\t") for line in lines}
    assert rows["wanx-v1"][-1] == "n: one of 1, 2; ref_img: absent"
    assert rows["wanx-v1"][2:4] == ["echo", "test pattern"]
