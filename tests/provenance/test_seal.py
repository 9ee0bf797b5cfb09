"""Files signed with a certificate of the tests' own, read back by the library that others use."""

import io
from pathlib import Path

import pytest
from authority import Authority
from claims import claims
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from PIL import Image

from ferrotype.ports.seal import Claim, Unsealed
from ferrotype.seals.c2pa import BadCertificate, C2paSeal
from omni import film

TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF",
         "image/tiff": "TIFF", "image/bmp": "BMP"}  # fmt: skip
CLAIM = Claim(task="some-task", model="qwen-image", served_by="diffusers; same weights")
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def seal(authority: Authority, tmp_path: Path) -> C2paSeal:
    return C2paSeal(*authority.issue(tmp_path / "certificates"))


def made(folder: Path, type: str) -> Path:
    """Return a file of a type."""
    path = folder / "0.file"
    if type == "video/mp4":
        path.write_bytes(film((64, 64), 8, 8))
    else:
        Image.effect_noise((96, 64), 60).convert("RGB").save(path, TYPES[type])
    return path


@pytest.mark.parametrize(
    "type", ["image/png", "image/jpeg", "image/webp", "image/gif", "image/tiff", "video/mp4"]
)
def test_a_file_says_who_made_it(type: str, seal: C2paSeal, tmp_path: Path) -> None:
    path = made(tmp_path, type)
    before = path.read_bytes()
    seal.sign(path, type, CLAIM)
    signed = path.read_bytes()
    assert 0 < len(signed) - len(before) < 20_000
    said = claims(signed, type)
    assert said["state"] == "Valid"
    (action,) = said["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == SOURCES + "trainedAlgorithmicMedia"
    assert action["softwareAgent"]["name"] == "Ferrotype diffusers"
    assert action["parameters"] == {
        "engine": "diffusers",
        "label": "same weights",
        "model": "qwen-image",
        "task": "some-task",
    }
    assert said["of"]["signature_info"]["common_name"] == "Signer of the tests"
    if type != "video/mp4":
        with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(signed)) as new:
            assert old.convert("RGB").tobytes() == new.convert("RGB").tobytes()
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [path.name]


@pytest.mark.parametrize("served_by", ["illustrator; illustration", "echo; test pattern"])
def test_what_no_model_made_is_not_said_to_be_trained(
    served_by: str, seal: C2paSeal, tmp_path: Path
) -> None:
    path = made(tmp_path, "image/png")
    seal.sign(path, "image/png", Claim(task="t", model="m", served_by=served_by))
    (action,) = claims(path.read_bytes(), "image/png")["actions"]
    assert action["digitalSourceType"] == SOURCES + "algorithmicMedia"


def test_a_change_is_seen(seal: C2paSeal, tmp_path: Path) -> None:
    path = made(tmp_path, "image/jpeg")
    seal.sign(path, "image/jpeg", CLAIM)
    changed = bytearray(path.read_bytes())
    changed[-100] ^= 1
    assert claims(bytes(changed), "image/jpeg")["state"] == "Invalid"


def test_an_earlier_claim_stays_below_ours(seal: C2paSeal, tmp_path: Path) -> None:
    path = made(tmp_path, "image/png")
    seal.sign(path, "image/png", CLAIM)
    seal.sign(path, "image/png", Claim(task="u", model="m", served_by="dashscope; upstream"))
    said = claims(path.read_bytes(), "image/png")
    assert said["state"] == "Valid"
    assert said["manifests"] == 2
    assert [action["action"] for action in said["actions"]] == ["c2pa.opened", "c2pa.published"]
    assert said["actions"][1]["parameters"]["task"] == "u"
    assert "digitalSourceType" not in said["actions"][1]
    assert said["of"]["ingredients"][0]["relationship"] == "parentOf"


@pytest.mark.parametrize("type", ["image/bmp", "image/png", "video/mp4"])
def test_what_cannot_be_signed_stays_as_it_was(type: str, seal: C2paSeal, tmp_path: Path) -> None:
    path = made(tmp_path, "image/bmp")
    before = path.read_bytes()
    with pytest.raises(Unsealed, match="signed"):
        seal.sign(path, type, CLAIM)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [path.name]


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()],
    ids=["P-384", "Ed25519"],
)
def test_other_keys_sign_too(
    key: ec.EllipticCurvePrivateKey, authority: Authority, tmp_path: Path
) -> None:
    path = made(tmp_path, "image/png")
    C2paSeal(*authority.issue(tmp_path / "other", key)).sign(path, "image/png", CLAIM)
    assert claims(path.read_bytes(), "image/png")["state"] == "Valid"


def test_certificates_that_are_none_are_found_at_the_start(
    authority: Authority, tmp_path: Path
) -> None:
    chain, key = authority.issue(tmp_path / "one")
    other, _ = authority.issue(tmp_path / "another")
    with pytest.raises(BadCertificate, match="nothing can be signed"):
        C2paSeal(other, key)
    with pytest.raises(BadCertificate, match="nothing can be signed"):
        C2paSeal(key, key)
    with pytest.raises(BadCertificate, match=r"missing\.pem cannot be read: No such file"):
        C2paSeal(chain, tmp_path / "missing.pem")
    with pytest.raises(BadCertificate, match="nothing can be signed"):
        C2paSeal(*authority.issue(tmp_path / "old", days=-1))
