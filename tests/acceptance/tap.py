"""A relay on loopback that remembers what a client sent, byte by byte."""

import re
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

REQUEST_LINE = re.compile(rb"(GET|HEAD|POST) (/\S*) HTTP/1\.1\r\n")


class Tap:
    """Relays its `url` to another; `sent` holds each connection's client bytes."""

    def __init__(self, url: str) -> None:
        self._upstream = urlsplit(url)
        self.sent: list[bytearray] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        port = self._server.getsockname()[1]
        return f"http://127.0.0.1:{port}{self._upstream.path}"

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and target of every request so far, connection by connection."""
        return [
            (method.decode(), target.decode())
            for sent in self.sent
            for method, target in REQUEST_LINE.findall(bytes(sent))
        ]

    def polls(self) -> int:
        """How often a single task was asked for."""
        return sum(
            method == "GET" and target.startswith("/api/v1/tasks/")
            for method, target in self.requests
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection((self._upstream.hostname, self._upstream.port))
                self._open += [client, server]
                kept = bytearray()
                self.sent.append(kept)
                threading.Thread(target=_pump, args=(client, server, kept), daemon=True).start()
                threading.Thread(target=_pump, args=(server, client), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, kept: bytearray | None = None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if kept is not None:
                kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
