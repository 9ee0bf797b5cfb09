"""Uploads of any size to a served Ferrotype, and what its API process needs for them."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

MIB = 1 << 20
PIECE = os.urandom(MIB)


def api_process(supervisor: int) -> psutil.Process:
    """Return the process that answers HTTP."""
    (found,) = [
        one
        for one in psutil.Process(supervisor).children(recursive=True)
        if "ferrotype.cli.process api" in " ".join(one.cmdline())
    ]
    return found


def peak(process: psutil.Process) -> int:
    """Return the most bytes of memory that a process ever had."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


class Upload:
    """A form that brings a file of so many MiB."""

    def __init__(self, url: str, key: str, mebibytes: int) -> None:
        answer = httpx.get(
            f"{url}/uploads",
            params={"action": "getPolicy", "model": "wanx-v1"},
            headers={"Authorization": f"Bearer {key}"},
        )
        given = answer.json()["data"]
        fields = {
            "OSSAccessKeyId": given["oss_access_key_id"],
            "Signature": given["signature"],
            "policy": given["policy"],
            "key": f"{given['upload_dir']}/large.bin",
        }
        part = '--B\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
        self.host = given["upload_host"]
        self.mebibytes = mebibytes
        self._head = "".join(f"{part.format(name)}{value}\r\n" for name, value in fields.items())
        self._head += part.format("file")

    def begin(self) -> http.client.HTTPConnection:
        """Send all headers."""
        tail = b"\r\n--B--\r\n"
        connection = http.client.HTTPConnection(urlsplit(self.host).netloc, timeout=120)
        connection.putrequest("POST", urlsplit(self.host).path)
        connection.putheader("Content-Type", "multipart/form-data; boundary=B")
        size = len(self._head) + self.mebibytes * MIB + len(tail)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        return connection

    def body(self) -> Iterator[bytes]:
        """Yield the body, a MiB at a time."""
        yield self._head.encode()
        for _ in range(self.mebibytes):
            yield PIECE
        yield b"\r\n--B--\r\n"

    def send(self) -> int:
        """Send it whole; return the status of the answer."""
        connection = self.begin()
        for piece in self.body():
            connection.send(piece)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status
