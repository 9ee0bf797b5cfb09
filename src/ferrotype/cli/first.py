"""What the first start on a data folder does: the folder, the ledger, one account, one key."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ferrotype.errors import Conflict
from ferrotype.keyring import DEFAULT_ACCOUNT, new_key
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger


async def prepare(settings: Settings) -> None:
    """Make or upgrade the ledger, and see that it knows the key in the key file.

    The file is written first and the ledger second, so a kill between the two is mended by the
    next start. A folder that has keys but no key file was left so by its operator.
    """
    async with open_ledger(settings, migrate=True) as ledger:
        if not settings.key_path.exists() and await ledger.keys():
            return
        key = first_key(settings.key_path)
        account = await ledger.make_account(DEFAULT_ACCOUNT)
        with suppress(Conflict):  # known already, or revoked: either is how it should stay
            await ledger.add_key(account, "first", key)


def first_key(path: Path) -> str:
    """Return the key in the file, making both, whole or not at all, when there is none."""
    if not path.exists():
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w") as file:
                file.write(new_key() + "\n")
                file.flush()
                os.fsync(fd)
            with suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink()
    return path.read_text().strip()
