"""PgBouncer before a server: it gives a connection away after each transaction."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit, urlunsplit

from bench.servers import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
SETTINGS = """[databases]
* = host=127.0.0.1 port={there} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {here}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
"""


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """Run a pooler with three connections to the server of a URL; say the URL through it."""
    assert PROGRAM is not None
    parts, here = urlsplit(url), free_port()
    folder = Path(mkdtemp(prefix="ferrotype-pooler-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    settings = SETTINGS.format(there=parts.port, user=parts.username, here=here)
    (folder / "settings.ini").write_text(settings)
    pooler = subprocess.Popen(
        [PROGRAM, "-q", str(folder / "settings.ini")],
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_up(here)
        yield urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{here}"))
    finally:
        pooler.terminate()
        pooler.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
