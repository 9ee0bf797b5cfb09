"""OpenStack Swift as an S3 server of the tests' own: it verifies signatures and their end."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import httpx
import obstore
from bench.servers import free_port, wait_until_up
from obstore.store import S3Store

USER, SECRET, REGION = "test:tester", "testing", "us-east-1"
CONF = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = {folder}
devices = {folder}/disk
mount_check = false
log_level = WARNING
log_address = {folder}/no-syslog
"""
PROXY = """[pipeline:main]
pipeline = healthcheck cache s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 1048576
allow_multipart_uploads = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
BACK = """[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""


class Swift:
    """One server in a folder of its own."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="ferrotype-s3-"))
        (self.folder / "disk" / "d1").mkdir(parents=True)
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        (self.folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
            "[storage-policy:0]\nname = one\ndefault = yes\n"
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything, and wait until it answers."""
        memcached = free_port()
        self._run("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(memcached))
        for kind in ("object", "container", "account"):
            port = free_port()
            self._make_ring(kind, port)
            conf = CONF.format(port=port, folder=self.folder) + BACK.format(kind=kind)
            self._serve(kind, conf)
        conf = CONF.format(port=self.port, folder=self.folder)
        self._serve("proxy", conf + PROXY.format(memcached=memcached))
        wait_until_up(f"{self.url}/healthcheck")

    def make_bucket(self, name: str) -> None:
        """Make a bucket, as an operator does."""
        store = S3Store(
            name,
            endpoint=self.url,
            access_key_id=USER,
            secret_access_key=SECRET,
            region=REGION,
            client_options={"allow_http": True},
            virtual_hosted_style_request=False,
        )
        url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
        for _ in range(100):  # the proxy answers before those behind it do
            answer = httpx.put(url, trust_env=False)
            if answer.status_code != 503:
                break
            time.sleep(0.1)
        answer.raise_for_status()

    def variables(self, endpoint: str | None = None, **more: str) -> dict[str, str]:
        """Return the vendor's own variables for a client."""
        return {
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT": endpoint or self.url,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
            **more,
        }

    def remove(self) -> None:
        """Stop everything, and leave nothing."""
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_ring(self, kind: str, port: int) -> None:
        builder = str(self.folder / f"{kind}.builder")
        for args in (
            ("create", "4", "1", "0"),
            ("add", f"r1z1-127.0.0.1:{port}/d1", "100"),
            ("rebalance",),
        ):
            subprocess.run(
                ["swift-ring-builder", builder, *args],
                check=True,
                capture_output=True,
                env=self._environ(),
            )

    def _serve(self, kind: str, conf: str) -> None:
        path = self.folder / f"{kind}.conf"
        path.write_text(conf)
        self._run(f"swift-{kind}-server", str(path))

    def _run(self, *argv: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(argv, stdout=log, stderr=log, env=self._environ())
            )

    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}


@contextmanager
def serving() -> Iterator[Swift]:
    """Run a server for a while."""
    swift = Swift()
    try:
        swift.start()
        yield swift
    finally:
        swift.remove()
