"""Has the files of a task signed, after they were looked at and before anybody may have them."""

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from ferrotype.ports.seal import Claim, Seal
from ferrotype.worker.outputs import Piece


def sealed(pieces: Sequence[Piece], seal: Seal, claim: Claim) -> tuple[Piece, ...]:
    """Return the pieces as they are once they are signed. Blocks. Raises `Unsealed`."""
    return tuple(_sealed(piece, seal, claim) for piece in pieces)


def _sealed(piece: Piece, seal: Seal, claim: Claim) -> Piece:
    if piece.path is None:
        return piece
    seal.sign(piece.path, piece.output.type, claim)
    with piece.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return replace(piece, bytes=file.tell(), sha256=digest)
