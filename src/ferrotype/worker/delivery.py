"""Files first, row second: keeps what an attempt made, before the ledger is told of it."""

import asyncio
from collections.abc import Sequence

import structlog

from ferrotype.errors import UploadFailed
from ferrotype.media import EXTENSIONS, Produced
from ferrotype.ports.media_store import MediaStore
from ferrotype.task import Lease, Task
from ferrotype.worker.outputs import Piece

TRIES = 3
PAUSE = 0.5  # seconds between two tries

_log = structlog.get_logger(__name__)


class Delivery:
    """The files of one attempt in the media store."""

    def __init__(self, store: MediaStore, task: Task, lease: Lease) -> None:
        self._store = store
        self._prefix = f"{task.submit_at:%Y%m%d}/{task.id}/{lease.attempt}"
        self._begun = False

    async def keep(self, pieces: Sequence[Piece]) -> tuple[Produced, ...]:
        """Put every file, and return what the ledger is to hold. Raises `UploadFailed`."""
        return tuple([await self._keep(i, piece) for i, piece in enumerate(pieces)])

    async def take_back(self) -> None:
        """Remove what was put, if anything was; what stays goes with its task."""
        if not self._begun:
            return
        try:
            await self._store.drop(self._prefix)
        except Exception:
            _log.exception("files not dropped", action="media.drop", prefix=self._prefix)

    async def _keep(self, i: int, piece: Piece) -> Produced:
        output = piece.output
        if piece.path is None:
            return Produced(code=output.error_code, message=output.error_message or "")
        key = f"{self._prefix}/{i}.{EXTENSIONS[output.type]}"
        await self._put(key, piece)
        return Produced(
            key=key,
            caption=output.caption,
            type=output.type,
            bytes=piece.bytes,
            sha256=piece.sha256,
            width=output.width,
            height=output.height,
            seconds=output.seconds,
        )

    async def _put(self, key: str, piece: Piece) -> None:
        assert piece.path is not None
        self._begun = True
        for left in reversed(range(TRIES)):
            try:
                return await self._store.put(key, piece.path, piece.output.type)
            except Exception as error:
                _log.warning("not kept", action="media.put", key=key, left=left, error=repr(error))
                if not left:
                    raise UploadFailed from error
            await asyncio.sleep(PAUSE)
        return None
