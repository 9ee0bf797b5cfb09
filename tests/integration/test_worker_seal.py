"""Signing among a worker's steps: after the engine, before anything is kept; never left out."""

import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from workplace import workplace

from ferrotype.ports.seal import Claim, Unsealed
from ferrotype.settings import SettingsError, load
from ferrotype.task import Status
from ferrotype.wiring.seal import make_seal


class Stamp:
    """Writes a line behind a file, or cannot."""

    def __init__(self, broken: bool = False) -> None:
        self.claims: list[tuple[str, Claim]] = []
        self._broken = broken

    def sign(self, path: Path, type: str, claim: Claim) -> None:
        self.claims.append((type, claim))
        if self._broken:
            raise Unsealed("a result could not be signed: the certificate has expired")
        with path.open("ab") as file:
            file.write(claim.task.encode())


async def test_files_are_kept_as_they_were_signed(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        stamp = Stamp()
        place.tools = replace(place.tools, seal=stamp)
        place.start()
        task = await place.run("echo fail-item=1:DataInspectionFailed", n=3)
        assert task.result is not None
        said = Claim(task=task.id, model=task.model, served_by="echo; test pattern")
        assert stamp.claims == [("image/png", said)] * 2
        assert not said.trained
        for output in (task.result.outputs[0], task.result.outputs[2]):
            stored = await place.store.find(output.key)
            data = stored.path.read_bytes()
            assert data.endswith(task.id.encode())
            assert (output.bytes, output.sha256) == (len(data), sha256(data).hexdigest())
        await place.close()


async def test_without_a_signature_there_is_no_result(tmp_path: Path) -> None:
    async with workplace(tmp_path) as place:
        place.tools = replace(place.tools, seal=(stamp := Stamp(broken=True)))
        place.start()
        task = await place.run("a cat")
        assert (task.status, task.code, task.faults) == (Status.FAILED, "InternalError.Algo", 3)
        assert len(stamp.claims) == 3
        assert await place.files() == set()
        await place.close()


def test_nothing_is_signed_unless_it_is_said_with_what(tmp_path: Path) -> None:
    assert make_seal(load({}, environ={})) is None
    with pytest.raises(SettingsError, match="belong together"):
        make_seal(load({"c2pa_key": tmp_path / "key.pem"}, environ={}))


def test_without_the_library_it_is_said_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.delitem(sys.modules, "ferrotype.seals.c2pa", raising=False)
    chosen = load({"c2pa_cert": tmp_path / "a", "c2pa_key": tmp_path / "b"}, environ={})
    with pytest.raises(SettingsError, match=r"pip install 'ferrotype\[c2pa\]'"):
        make_seal(chosen)
