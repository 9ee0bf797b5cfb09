"""Uploads to real processes: little memory, and nothing left of one that a kill cut off."""

import os
import signal
import time
from pathlib import Path

import pytest

from ferrotype.cli.local import LocalServer
from large_uploads import MIB, Upload, api_process, peak

VARIABLES = {"FERROTYPE_ANY_KEY": "1", "FERROTYPE_ENGINE": "echo"}
KEY = "sk-anyone"


def files(server: LocalServer) -> list[Path]:
    return [path for path in (server.data_dir / "media").rglob("*") if path.is_file()]


def test_a_large_upload_needs_little_memory(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", VARIABLES) as server:
        assert server.pid
        api = api_process(server.pid)
        assert Upload(server.url, KEY, 1).send() == 200
        before = peak(api)
        assert Upload(server.url, KEY, 128).send() == 200
        assert peak(api) - before < 24 * MIB
        assert sorted(path.stat().st_size for path in files(server)) == [MIB, 128 * MIB]


def test_a_kill_during_an_upload_leaves_no_object(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "data", VARIABLES) as server:
        assert server.pid
        upload = Upload(server.url, KEY, 8)
        connection, body = upload.begin(), upload.body()
        for _ in range(5):
            connection.send(next(body))
        end = time.monotonic() + 30
        while not files(server) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(api_process(server.pid).pid, signal.SIGKILL)
        with pytest.raises(OSError):
            connection.getresponse()
        assert [path.parent.name for path in files(server)] == ["parts"]
        assert Upload(server.url, KEY, 8).send() == 200  # the next api process takes it
        (whole,) = [path for path in files(server) if path.parent.name != "parts"]
        assert whole.stat().st_size == 8 * MIB
