"""Content Credentials (C2PA), signed with the operator's certificate by c2pa-python."""

import io
import json
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import c2pa

import ferrotype
from ferrotype.ports.seal import Claim, Unsealed

SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
SIGNED = frozenset(
    {"image/png", "image/jpeg", "image/webp", "image/gif", "image/tiff", "video/mp4"}
)
SETTINGS = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},  # it would be as large as the picture
    "verify": {"verify_after_sign": True, "remote_manifest_fetch": False},
}


class BadCertificate(Exception):
    """Certificate and key are not what files can be signed with. The message is one sentence."""


class C2paSeal:
    """Signs with a chain of certificates (PEM, the signer's own first) and its private key (PEM).

    Raises `BadCertificate` unless a picture can be signed with them now. No timestamp is asked for.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        try:
            self._chain, self._key = chain.read_bytes(), key.read_bytes()
        except OSError as error:
            raise BadCertificate(f"{error.filename} cannot be read: {error.strerror}.") from None
        self._context = c2pa.Context.from_json(json.dumps(SETTINGS))
        self._algorithm = self._choose()

    def sign(self, path: Path, type: str, claim: Claim) -> None:
        """Sign a file where it lies. Blocks. Raises `Unsealed`."""
        if type not in SIGNED:
            raise Unsealed(f"a result of type {type} cannot be signed")
        signed = path.with_name(f".signed-{path.name}")
        try:
            with path.open("rb") as given, signed.open("w+b") as into:
                self._sign(given, into, type, claim, self._algorithm)
            signed.replace(path)
        except (c2pa.C2paError, OSError) as error:
            raise Unsealed(f"a result could not be signed: {error}") from error
        finally:
            signed.unlink(missing_ok=True)

    def _sign(self, given: Any, into: Any, type: str, claim: Claim, algorithm: str) -> None:
        opened = _has_claim(given, type)
        given.seek(0)
        info = c2pa.C2paSignerInfo(algorithm.encode(), self._chain, self._key, None)
        said = json.dumps(_manifest(claim, opened))
        with (
            closing(c2pa.Signer.from_info(info)) as signer,
            closing(c2pa.Builder(said, self._context)) as one,
        ):
            if opened:
                one.set_intent(c2pa.C2paBuilderIntent.EDIT)  # what the file says stays below
            one.sign(signer, type, given, into)

    def _choose(self) -> str:
        """Return the algorithm of the key: the one that signs a picture of one pixel."""
        claim, first = Claim(task="none", model="none", served_by="none; test pattern"), ""
        for algorithm in ALGORITHMS:
            try:
                self._sign(io.BytesIO(_pixel()), io.BytesIO(), "image/png", claim, algorithm)
            except c2pa.C2paError as error:
                first = first or str(error)
            else:
                return algorithm
        raise BadCertificate(f"With this certificate and key nothing can be signed: {first}.")


def _has_claim(given: Any, type: str) -> bool:
    reader = c2pa.Reader.try_create(type, given)
    if reader is None:
        return False
    reader.close()
    return True


def _manifest(claim: Claim, opened: bool) -> dict[str, Any]:
    """Say what is claimed. A file that brings a claim of its own was made elsewhere."""
    made = {
        "action": "c2pa.published" if opened else "c2pa.created",
        "softwareAgent": {"name": f"Ferrotype {claim.engine}", "version": ferrotype.__version__},
        "parameters": {
            "engine": claim.engine,
            "label": claim.label,
            "model": claim.model,
            "task": claim.task,
        },
    }
    if not opened:
        kind = "trainedAlgorithmicMedia" if claim.trained else "algorithmicMedia"
        made["digitalSourceType"] = SOURCES + kind
    return {
        "claim_generator_info": [{"name": "Ferrotype", "version": ferrotype.__version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [made]}}],
    }


def _pixel() -> bytes:
    """Return a PNG of one black pixel."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
