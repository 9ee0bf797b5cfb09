"""What an attempt leaves for the next one, so that there is one bill."""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

MAX_ANSWER = 48 * 1024  # bytes of an answer that is kept; a note may have 64 KiB


class State(StrEnum):
    """How far a task had come at its upstream when the note was written."""

    CLEAR = "clear"  # nothing of it is there
    INTENT = "intent"  # it was about to be sent: it may be there
    SENT = "sent"  # it is there, and this is its id
    ANSWERED = "answered"  # it has been made, and this is the answer


class Memo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`region`: the base URL it was sent to; `task` and `request` the upstream's ids.

    `submits`: how often it was sent, with the outcome unknown. `answer`: `output` and `usage` of a
    call that waited.
    """

    state: State = State.CLEAR
    region: str = ""
    task: str = ""
    request: str = ""
    submits: int = 0
    answer: dict[str, Any] | None = None

    def pack(self) -> bytes:
        """Return it as bytes. An answer that is too long is left out, and with it its state."""
        packed = msgspec.json.encode(self)
        if self.answer is None or len(packed) <= MAX_ANSWER:
            return packed
        return msgspec.json.encode(msgspec.structs.replace(self, state=State.INTENT, answer=None))


def recall(memo: bytes | None) -> Memo:
    """Read what an attempt left. What is not ours may mean anything: so, that the task was sent."""
    if not memo:
        return Memo()
    try:
        return msgspec.json.decode(memo, type=Memo)
    except msgspec.MsgspecError:
        return Memo(state=State.INTENT)
