"""What lies in a folder of weights is read, never run."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_pipelines import only, shown

from ferrotype.ports.engine import EngineUnfit

pytest_plugins = ["pipeline_fixtures"]

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Bomb:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.write_text, (self.canary, "it ran")


def pickled(folder: Path, canary: Path) -> None:
    part = folder / "text_encoder"
    (part / "model.safetensors").unlink()
    (part / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(canary)))


def own_pipeline(folder: Path, canary: Path) -> None:
    (folder / "pipeline.py").write_text(f"open({str(canary)!r}, 'w').write('it ran')")
    change(folder / "model_index.json", _class_name=["pipeline", "Evil"])


def own_component(folder: Path, canary: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w').write('it ran')")
    (folder / "transformer" / "evil.py").write_text((folder / "evil.py").read_text())
    change(folder / "model_index.json", transformer=["evil", "Evil"])


def own_module(folder: Path, canary: Path) -> None:
    change(folder / "model_index.json", transformer=["os", "system"])


def own_reader(folder: Path, canary: Path) -> None:
    part = folder / "text_encoder"
    (part / "evil.py").write_text(f"open({str(canary)!r}, 'w').write('it ran')")
    change(part / "config.json", auto_map={"AutoModel": "evil.Evil"}, model_type="evil")
    change(folder / "model_index.json", text_encoder=["transformers", "AutoModel"])


def change(path: Path, **more: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


SPOILED: dict[str, Callable[[Path, Path], None]] = {
    "pickled": pickled,
    "own pipeline": own_pipeline,
    "own component": own_component,
    "own module": own_module,
    "own reader": own_reader,
}


def test_programs_in_weights_are_never_run_and_harm_no_other_recipe(
    models: Path, menu: dict[str, dict[str, Any]], open_room: Any, tmp_path: Path
) -> None:
    canary, recipes = tmp_path / "canary", {"flux": menu["flux"]}
    for name, spoil in SPOILED.items():
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(models / "flux", folder)
        spoil(folder, canary)
        recipes[name] = {"weights": str(folder), "warm": True}
    room = open_room(recipes)
    assert set(room.unfit) == set(SPOILED)
    assert "safetensors" in room.unfit["pickled"]
    for name in SPOILED:
        with pytest.raises(EngineUnfit):
            room.run([room.job(name, "text-to-image", (64, 64))])
    room.run([room.job("flux", "text-to-image", (64, 64))])
    assert not canary.exists()


def test_the_canary_would_have_told(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(Bomb(canary)))
    assert canary.read_text() == "it ran"


def test_pulled_weights_are_found_under_their_revision(
    models: Path, open_room: Any, tmp_path: Path
) -> None:
    pulled = tmp_path / "room-0"  # where this room looks for them
    shutil.copytree(models / "flux", pulled / "someone--flux" / REVISION)
    own = {"weights": "someone/flux", "revision": REVISION, "steps": 2}
    room = open_room({"flux": own, "absent": own | {"weights": "someone/else"}})
    said = shown(only(room.run([room.job("flux", "text-to-image", (64, 64))])[1]))[1]
    assert said["Weights"] == f"someone/flux@{REVISION}"
    with pytest.raises(EngineUnfit, match=r"someone/else.* is not here yet: ferrotype "):
        room.run([room.job("absent", "text-to-image", (64, 64))])
