"""The host's end of the line to its room: threads of its own, so that a busy engine stays alive."""

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Mapping

from ferrotype.engine_rooms import frames


class Line:
    """Frames in and out, and a heartbeat. Any thread may send.

    When the room hangs up, the whole process group is killed at once, whatever it is doing.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._sending = threading.Lock()
        self._early: queue.SimpleQueue[frames.ToHost] = queue.SimpleQueue()
        self._take: Callable[[frames.ToHost], None] = self._early.put
        self._unfit: Callable[[], Mapping[str, str]] = dict

    def open(self) -> None:
        """Start to listen and to give signs of life."""
        for work in (self._listen, self._beat):
            threading.Thread(target=work, name=f"line-{work.__name__}", daemon=True).start()

    def first(self) -> frames.ToHost:
        """Wait for the room's first frame."""
        return self._early.get()

    def deliver(self, take: Callable[[frames.ToHost], None]) -> None:
        """Hand on every further frame by calling this, in a thread of the line."""
        self._take = take

    def tell(self, unfit: Callable[[], Mapping[str, str]]) -> None:
        """Have every sign of life say, from now on, which models cannot be served and why."""
        self._unfit = unfit
        self.beat()

    def beat(self) -> None:
        """Give a sign of life. It says how the models are, as far as that can be told."""
        try:
            unfit = {model: why[: frames.LONGEST] for model, why in self._unfit().items()}
            self.send(frames.Heartbeat(unfit))
        except Exception as error:  # a stranger's code, asked in a thread of ours
            why = f"the engine cannot say how it is: {error!a}"[: frames.LONGEST]
            self.send(frames.Heartbeat({"*": why}))

    def send(self, frame: frames.ToRoom) -> None:
        """Send one frame; it is with the kernel when this returns. Raises `BrokenFrame`."""
        packed = frames.pack_checked(frame)
        try:
            with self._sending:
                self._socket.sendall(packed)
        except OSError:
            self._hang_up()

    def _listen(self) -> None:
        with self._socket.makefile("rb") as stream:
            while (frame := frames.receive_blocking(stream)) is not None:
                self._take(frame)
        self._hang_up()

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(frames.HEARTBEAT):
            self.beat()

    def _hang_up(self) -> None:
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
