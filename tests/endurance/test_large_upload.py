"""The largest file that may be uploaded, and the memory that it takes."""

from pathlib import Path

from ferrotype.cli.local import LocalServer
from large_uploads import MIB, Upload, api_process, peak

KEY = "sk-anyone"


def test_a_gibibyte_and_not_a_byte_more(tmp_path: Path) -> None:
    variables = {"FERROTYPE_ANY_KEY": "1", "FERROTYPE_ENGINE": "echo"}
    with LocalServer(tmp_path / "data", variables) as server:
        assert server.pid
        api = api_process(server.pid)
        assert Upload(server.url, KEY, 1).send() == 200
        before = peak(api)
        assert Upload(server.url, KEY, 1024).send() == 200
        grown = peak(api) - before
        print(f"peak {peak(api) / MIB:.0f} MiB, {grown / MIB:.1f} MiB of it for 1 GiB")  # noqa: T201
        assert grown < 24 * MIB
        assert Upload(server.url, KEY, 1025).send() == 400
        sizes = [p.stat().st_size for p in (tmp_path / "data/media").rglob("*") if p.is_file()]
        assert sorted(sizes) == [MIB, 1024 * MIB]
