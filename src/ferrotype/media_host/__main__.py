"""`python -m ferrotype.media_host`: one JSON request on stdin, one JSON answer on stdout.

The order matters: leave the network, set limits, import the decoders, open both files, close the
door to everything else, and only then look at the first byte that came from outside.
"""

import os
import sys
from collections.abc import Callable
from typing import BinaryIO, cast

import msgspec

from ferrotype import lifeline
from ferrotype.errors import Refused
from ferrotype.fetchers.media_words import Answer, NetworkGuard, Request
from ferrotype.media_host import sandbox
from ferrotype.ports.fetcher import FileRule

_MAX_REQUEST = 64 << 10
_READ = os.O_RDONLY
_WRITE_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL


def main() -> int:
    """Answer one request. The exit status is 0 whenever an answer was written."""
    left_network = sandbox.leave_network()
    lifeline.tie_if_asked()
    request = msgspec.json.decode(sys.stdin.buffer.read(_MAX_REQUEST), type=Request)
    sandbox.set_limits(memory=request.memory, cpu=request.cpu, file=request.file)
    if request.rule is None:
        reads = _readable()
        return _answer(Answer(guard=_guard(left_network), reads=reads))
    rewrite = _loaded(request.type)
    with _open(request.source, _READ) as source, _open(request.target, _WRITE_NEW) as target:
        guard = _guard(left_network)
        if guard is None:
            return _answer(Answer(guard=None))
        try:
            width, height, seconds = rewrite(source, target, request.rule)
        except Refused as refusal:
            return _answer(Answer(guard=guard, code=refusal.code, message=refusal.message))
    return _answer(Answer(guard=guard, width=width, height=height, seconds=seconds))


def _loaded(type: str) -> Callable[[BinaryIO, BinaryIO, FileRule], tuple[int, int, float]]:
    """Import what reads files of a type, and return it."""
    if type.startswith("image/"):
        from ferrotype.media_host import images

        return images.rewrite
    from ferrotype.media_host import films, sounds

    return films.rewrite if type.startswith("video/") else sounds.reader(type)


def _readable() -> tuple[str, ...]:
    """Name what can be read here: pictures' formats, then decoders of films and of sounds."""
    import av

    from ferrotype.media_host import films, images, sounds

    codecs = sorted(films.CODECS) + sorted(sounds.CODECS)
    return (*images.FORMATS, *(name for name in codecs if name in av.codecs_available))


def _open(path: str, flags: int) -> BinaryIO:
    mode = "rb" if flags == _READ else "w+b"
    return cast(BinaryIO, os.fdopen(os.open(path, flags | os.O_NOFOLLOW, 0o600), mode))


def _guard(left_network: bool) -> NetworkGuard | None:
    """Close the doors; return the strongest thing that keeps this process off the network."""
    closed = sandbox.close_doors()
    return "unshare" if left_network else "seccomp" if closed else None


def _answer(answer: Answer) -> int:
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
