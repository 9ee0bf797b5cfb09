"""`ferrotype recipes pull`: whole and checked or not there; killed, cut, lied to, without room."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hub import COMMIT, SmallHub, running

LIBRARY = Path(__file__).parent / ".hub"
SIZE, HALF = 33_000_000, 25_000_000  # the hub's library keeps what came by 10 MB
NAME = "someone/tiny-film"
MODEL = "wan2.2-t2v-plus"
SHARD = "transformer/diffusion_pytorch_model-00001-of-00002.safetensors"
OTHER = "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"
INDEX = {"_class_name": "WanPipeline", "transformer": ["diffusers", "X"], "vae": ["diffusers", "Y"],
         "image_encoder": [None, None]}  # fmt: skip
WHOLE = {
    "model_index.json": json.dumps(INDEX).encode(),
    "LICENSE.txt": b"Apache-2.0",
    SHARD: os.urandom(SIZE),
    OTHER: os.urandom(300_000),
    "transformer/config.json": b"{}",
    "vae/model.safetensors": os.urandom(5_000),
    "vae/config.json": b'{"_class_name": "Y"}',
}
NOT = {
    "vae/model.fp16.safetensors": os.urandom(2_000),
    "transformer/diffusion_pytorch_model.bin": os.urandom(2_000),
    "pipeline.py": b"import os",
    "ferrotype-manifest.json": b"{}",
    "vae/nothing\0.json": b"{}",
    "tiny_film.safetensors": os.urandom(9_000),
    "assets/picture.png": os.urandom(9_000),
    "image_encoder/model.safetensors": os.urandom(2_000),
    "vae/../../outside.safetensors": os.urandom(2_000),
}
PLUGIN = """
from msgspec import Struct

class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    weights: str
    revision: str = ""
    lora: list[dict[str, str]] = []

    def problems(self):
        if self.weights == "nowhere/at-all":
            yield "There is no such place; name another."
        if self.weights[0] != "/" and len(self.revision) != 40:
            yield f"{self.weights} needs a revision."
"""


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    async with running(SmallHub(NAME, WHOLE | NOT)) as hub:
        yield hub


class Place:
    """A folder with settings, a plugin that has options, and the command."""

    def __init__(self, folder: Path, hub: SmallHub) -> None:
        self.folder, self.hub = folder, hub
        self.weights = folder / "weights"
        self.whole = self.weights / NAME.replace("/", "--") / COMMIT
        self.parts = self.whole.with_name(f"{COMMIT}.part")
        info = folder / "site" / "films-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: films\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            "[ferrotype.engines]\nfilms = films:Options\n"
            "[ferrotype.engine_options]\nfilms = films:Options\n"
        )
        (folder / "site" / "films.py").write_text(PLUGIN)
        self.recipe(f'weights = "{NAME}"\nrevision = "{COMMIT}"')

    def recipe(self, options: str) -> None:
        (self.folder / "ferrotype.toml").write_text(
            f'[recipes."{MODEL}"]\nengine = "films"\nlabel = "same weights"\n\n'
            f'[recipes."{MODEL}".options]\n{options}\n'
        )

    async def start(self, *arguments: str, token: str = "") -> Process:
        paths = [str(LIBRARY), str(self.folder / "site")]
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("FERROTYPE_", "HF_"))}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "ferrotype", "recipes", *arguments),
            cwd=self.folder,
            env=environ
            | {
                "PYTHONPATH": os.pathsep.join(paths),
                "FERROTYPE_WEIGHTS_DIR": str(self.weights),
                "FERROTYPE_DATA_DIR": str(self.folder / "data"),
                "HF_ENDPOINT": self.hub.url,
                "HF_HOME": str(self.folder / "home"),
                **({"HF_TOKEN": token} if token else {}),
            },
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self, *arguments: str, token: str = "") -> tuple[int, str]:
        process = await self.start(*arguments, token=token)
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, (out + err).decode()

    def files(self) -> dict[str, bytes]:
        """What lies in the folder, but for the manifest."""
        paths = [path for path in self.whole.rglob("*") if path.is_file()]
        found = {str(path.relative_to(self.whole)): path.read_bytes() for path in paths}
        found.pop("ferrotype-manifest.json")
        return found


@pytest.fixture
def place(tmp_path: Path, hub: SmallHub) -> Place:
    return Place(tmp_path, hub)


async def test_a_pipeline_comes_whole_and_nothing_else_does(place: Place) -> None:
    code, said = await place.run("pull")
    assert (code, said) == (0, f"pulled  {NAME} {COMMIT}\n")
    assert place.files() == WHOLE
    manifest = msgspec.json.decode((place.whole / "ferrotype-manifest.json").read_bytes())
    assert manifest["files"][SHARD] == {
        "size": SIZE,
        "sha256": hashlib.sha256(WHOLE[SHARD]).hexdigest(),
    }
    assert not place.parts.exists()
    assert not set(place.hub.asked) & set(NOT)
    place.hub.asked.clear()
    assert await place.run("pull", MODEL) == (0, f"here    {NAME} {COMMIT}\n")
    assert place.hub.asked == []


async def test_check_sees_what_is_pulled_and_reads_it_when_told_to(place: Place) -> None:
    code, said = await place.run("check")
    assert code == 1
    assert f"{MODEL}: {NAME} is not pulled yet" in said
    assert f"-> `ferrotype recipes pull {MODEL}`" in said
    await place.run("pull")
    assert (await place.run("check"))[0] == 0
    file = place.whole / SHARD
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert (await place.run("check"))[0] == 0
    code, said = await place.run("check", "--hashes")
    assert code == 1
    assert f"{SHARD} has other bytes than were pulled" in said
    file.write_bytes(b"short")
    code, said = await place.run("check")
    assert (code, f"{SHARD} has 5 bytes, not {SIZE}" in said) == (1, True)
    assert await place.run("pull") == (0, f"pulled  {NAME} {COMMIT}\n")
    assert place.files() == WHOLE


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_connection_that_is_cut_goes_on_where_it_was(place: Place, abrupt: bool) -> None:
    place.hub.abrupt = abrupt
    place.hub.cut[SHARD] = [12_000_000, HALF]
    assert (await place.run("pull"))[0] == 0
    begins = place.hub.begins[SHARD]
    assert begins == sorted(begins)
    assert begins[0] == 0 < begins[2]  # a reset loses what was still on its way
    assert place.files() == WHOLE


async def test_a_killed_pull_goes_on_where_it_was(place: Place) -> None:
    place.hub.stops[SHARD] = HALF
    process = await place.start("pull")
    await place.hub.stopped.wait()
    part = place.parts / SHARD
    while not part.exists() or part.stat().st_size < 20_000_000:
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert not place.whole.exists()
    came = part.stat().st_size
    assert 0 < came < SIZE
    place.hub.stops.clear()
    assert (await place.run("pull"))[0] == 0
    assert place.hub.begins[SHARD][-1] == came
    assert place.files() == WHOLE


async def test_a_hub_that_hangs_keeps_no_interrupt_waiting(place: Place) -> None:
    place.hub.stops[SHARD] = HALF
    process = await place.start("pull")
    await place.hub.stopped.wait()
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode not in (0, None)
    assert not place.whole.exists()
    place.hub.stops.clear()
    assert (await place.run("pull"))[0] == 0
    assert place.files() == WHOLE


async def test_a_hub_without_ranges_begins_anew(place: Place) -> None:
    place.hub.cut[SHARD] = [HALF]
    place.hub.ranges = False
    assert (await place.run("pull"))[0] == 0
    assert place.files() == WHOLE


@pytest.mark.parametrize("file", [SHARD, "vae/config.json"])
async def test_wrong_bytes_are_thrown_away(place: Place, file: str) -> None:
    place.hub.lies[file] = bytes(len(WHOLE[file]))
    code, said = await place.run("pull")
    assert code == 1
    assert f"{file} came with other bytes than the hub says it has" in said
    assert not place.whole.exists()
    assert not (place.parts / file).exists()
    place.hub.lies.clear()
    assert (await place.run("pull"))[0] == 0
    assert place.files() == WHOLE


async def test_more_bytes_than_were_told_are_not_written(place: Place) -> None:
    place.hub.lies[SHARD] = bytes(5 * SIZE)
    code, said = await place.run("pull")
    assert (code, f"{SHARD} did not come (it has more than the" in said) == (1, True)
    assert (place.parts / SHARD).stat().st_size <= SIZE
    place.hub.lies.clear()
    assert (await place.run("pull"))[0] in (0, 1)  # what came of the lie is thrown away first
    assert (await place.run("pull"))[0] == 0
    assert place.files() == WHOLE


async def test_a_branch_is_no_revision(place: Place) -> None:
    place.recipe(f'weights = "{NAME}"\nrevision = "main"')
    code, said = await place.run("pull")
    assert code == 1
    assert "needs a revision of 40 hex digits, not 'main'" in said
    code, said = await place.run("check")
    assert (code, "has no pinned revision ('main')" in said) == (1, True)
    assert said.count("revision") == 1  # told once, although the engine would tell it too
    assert place.hub.asked == []


async def test_pin_writes_the_commit_in_and_leaves_all_else_alone(place: Place) -> None:
    place.recipe(f'weights = "{NAME}"  # tiny\nrevision = ""  # of main')
    file = place.folder / "ferrotype.toml"
    file.write_text(f'# weights = "x/y"\n{file.read_text()}')
    before = file.read_text()
    assert await place.run("pin") == (0, f"pinned  {NAME} {COMMIT}\n")
    assert file.read_text() == before.replace('revision = ""', f'revision = "{COMMIT}"')
    assert await place.run("pin") == (0, "")


async def test_pin_says_what_to_write_where_it_does_not_dare(place: Place) -> None:
    place.recipe(f'revision = ""\nweights = "{NAME}"')
    before = (place.folder / "ferrotype.toml").read_text()
    code, said = await place.run("pin")
    assert code == 2
    assert f'{NAME}: revision = "{COMMIT}"' in said
    assert (place.folder / "ferrotype.toml").read_text() == before


async def test_one_file_is_pulled_beside_another(place: Place) -> None:
    one, other = "tiny_film.safetensors", "vae/model.fp16.safetensors"
    lora = f'weights = "{NAME}", revision = "{COMMIT}", file = '
    place.recipe(f'weights = "/srv/mine"\nlora = [{{ {lora}"{one}" }}]')
    assert (await place.run("pull"))[0] == 0
    assert set(place.files()) == {one, "LICENSE.txt"}
    place.recipe(f'weights = "/srv/mine"\nlora = [{{ {lora}"{other}" }}]')
    code, said = await place.run("check")
    assert (code, f"{NAME} {other} is not pulled yet" in said) == (1, True)
    place.hub.asked.clear()
    assert (await place.run("pull"))[0] == 0
    assert set(place.files()) == {one, other, "LICENSE.txt"}
    assert place.hub.asked == [other]
    assert (await place.run("check"))[0] == 0
    place.recipe(f'weights = "/srv/mine"\nlora = [{{ {lora}"pipeline.py" }}]')
    code, said = await place.run("pull")
    assert (code, "has no pipeline.py that could be pulled" in said) == (1, True)


async def test_what_an_earlier_pull_left_half_is_not_moved_in(place: Place) -> None:
    place.hub.stops[SHARD] = HALF
    process = await place.start("pull")
    await place.hub.stopped.wait()
    process.kill()
    await process.communicate()
    assert (place.parts / SHARD).exists()
    lora = f'weights = "{NAME}", revision = "{COMMIT}", file = "tiny_film.safetensors"'
    place.recipe(f'weights = "/srv/mine"\nlora = [{{ {lora} }}]')
    assert (await place.run("pull"))[0] == 0
    assert set(place.files()) == {"tiny_film.safetensors", "LICENSE.txt"}


async def test_what_has_no_room_is_not_begun(place: Place) -> None:
    place.hub.sizes[SHARD] = 1 << 60
    code, said = await place.run("pull")
    assert code == 1
    assert "make room, or choose another WEIGHTS_DIR" in said
    assert place.hub.asked == ["model_index.json"]


async def test_a_token_is_for_the_hub_alone(place: Place) -> None:
    assert (await place.run("pull", token="hf_secret"))[0] == 0
    assert place.hub.keys == {"hub": {"Bearer hf_secret"}, "store": {""}}


async def test_what_the_hub_refuses_is_told_in_one_sentence(place: Place) -> None:
    place.hub.gated = True
    code, said = await place.run("pull")
    assert (code, "is gated: accept its terms" in said, said.count("\n")) == (1, True, 1)
    place.hub.gated = False
    place.recipe(f'weights = "{NAME}"\nrevision = "{"2" * 40}"')
    code, said = await place.run("pull")
    assert (code, f"has no {NAME}@2222" in said, said.count("\n")) == (1, True, 1)
    place.recipe(f'weights = "nobody/nothing"\nrevision = "{COMMIT}"')
    code, said = await place.run("pull")
    assert (code, "has no nobody/nothing" in said, said.count("\n")) == (1, True, 1)


async def test_two_pulls_at_once_are_one(place: Place) -> None:
    place.hub.stops[SHARD] = HALF
    process = await place.start("pull")
    await place.hub.stopped.wait()
    async with asyncio.timeout(30):
        code, said = await place.run("pull")
    assert (code, "Another process pulls" in said) == (1, True)
    process.kill()
    await process.communicate()


async def test_options_of_another_package_are_checked(place: Place) -> None:
    place.recipe('weights = "nowhere/at-all"\nrevison = "x"')
    code, said = await place.run("check")
    assert code == 1
    assert "Object contains unknown field `revison`. Did you mean revision?" in said
    assert "The options of films are lora, revision, weights." in said
    place.recipe(f'weights = "nowhere/at-all"\nrevision = "{COMMIT}"')
    assert "There is no such place; name another." in (await place.run("check"))[1]
