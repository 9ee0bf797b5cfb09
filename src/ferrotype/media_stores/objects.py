"""Result files in a bucket, by obstore: S3 and what speaks its language, GCS, Azure.

A put that has returned is durable. Files are handed out by the bucket itself: our own signed link
leads there by a redirect to a presigned one that lives for minutes.
"""

import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import obstore
import structlog
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from ferrotype.errors import Unavailable, UploadFailed
from ferrotype.media_stores.keys import (
    DAY,
    TASK,
    check_day,
    check_prefix,
    check_result,
    type_of,
)
from ferrotype.ports.media_store import Stored

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

Bucket: TypeAlias = AzureStore | GCSStore | S3Store

LONGEST_WORD = 500  # characters of what a bucket says that are worth a line
REDIRECT = timedelta(minutes=5)  # for which a link lives that we redirect to
GONE = (FileNotFoundError, NotFoundError)
LONGEST = timedelta(days=7)  # of a presigned link, by the vendors' rules
ENDPOINTS = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_ENDPOINT")
CLIENT: "ClientConfig" = {"connect_timeout": "5s", "timeout": "30s"}
_log = structlog.get_logger(__name__)
RETRY: "RetryConfig" = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
}


def open_bucket(url: str, endpoint: str | None = None) -> Bucket:
    """Open the bucket of an `s3://`, `gs://` or `az://` URL; what follows its name is a prefix.

    Keys, region and endpoint come from the vendor's own variables (`AWS_*`, `GOOGLE_*`,
    `AZURE_*`), from the machine's or the pod's role where there are none; temporary ones are
    renewed. `endpoint` takes the place of the variables'. Raises `ValueError` for what cannot be
    used.
    """
    given = [endpoint] if endpoint else [os.environ.get(name, "") for name in ENDPOINTS]
    plain = any(one.startswith("http://") for one in given)
    client: ClientConfig = {**CLIENT, "allow_http": plain}  # only where its operator wrote so
    options: dict[str, Any] = {"client_options": client, "retry_config": RETRY}
    if endpoint:
        options["endpoint"] = endpoint
    try:
        bucket = from_url(url, **options)
    except (BaseError, ValueError) as error:
        raise ValueError(_short(error)) from error
    if not isinstance(bucket, Bucket):
        raise ValueError("only s3, gs and az buckets are supported")
    return bucket


class ObjectFiles:
    """A media store in a bucket. `direct`: its own links are handed to callers.

    `outside`: the bucket as callers reach it, where its server has another address for them.
    """

    def __init__(
        self, bucket: Bucket, *, direct: bool = False, outside: Bucket | None = None
    ) -> None:
        self._bucket = bucket
        self._outside = outside or bucket
        self._direct = direct

    async def put(self, key: str, file: Path, type: str) -> None:
        """Keep a copy of the file under the key, durably, before returning.

        Raises `UploadFailed`, or `ValueError` for a key or a type that no part of ours makes.
        """
        check_result(key, type)
        shown = {"Content-Type": type, "Content-Disposition": "inline"}
        try:
            await obstore.put_async(self._bucket, key, file, attributes=shown)
        except (BaseError, OSError) as error:
            tell(error)
            raise UploadFailed from error

    async def find(self, key: str) -> Stored | None:
        """Return the file under the key with a link to it, or None."""
        type = type_of(key)
        if type is None:
            return None
        async with asking():
            try:
                about = await obstore.head_async(self._bucket, key)
            except GONE:
                return None
            return Stored(
                bytes=about["size"],
                etag=about["e_tag"] or "",
                type=type,
                modified_at=about["last_modified"],
                url=await obstore.sign_async(self._outside, "GET", key, REDIRECT),
            )

    async def link(self, key: str, until: datetime) -> str | None:
        """Return a link of the bucket's own, where callers are to be handed such."""
        if not self._direct:
            return None
        left = min(LONGEST, max(timedelta(seconds=1), until - datetime.now(UTC)))
        async with asking():
            return await obstore.sign_async(self._outside, "GET", key, left)

    async def drop(self, prefix: str) -> int:
        """Remove all under `{yyyymmdd}/{task}` or one attempt of it; return how many files went."""
        check_prefix(prefix)
        async with asking():
            return await drop_all(self._bucket, f"{prefix}/")

    async def days(self) -> Sequence[str]:
        """Return the day prefixes that exist, the oldest first."""
        return sorted(await self._below(None, DAY))

    async def tasks(self, day: str) -> Collection[str]:
        """Return the task ids that have files under a day prefix."""
        check_day(day)
        return await self._below(f"{day}/", TASK)

    async def free_fraction(self) -> float | None:
        """Return None: a bucket has no end."""
        return None

    async def _below(self, prefix: str | None, shape: Any) -> list[str]:
        async with asking():
            found = await obstore.list_with_delimiter_async(self._bucket, prefix)
        names = (one.rstrip("/").rpartition("/")[2] for one in found["common_prefixes"])
        return [name for name in names if shape.fullmatch(name)]


async def drop_all(bucket: Bucket, prefix: str) -> int:
    """Remove everything under a prefix; return how many files went."""
    gone = 0
    async for page in obstore.list(bucket, prefix, chunk_size=500):
        paths = [one["path"] for one in page]
        await obstore.delete_async(bucket, paths)
        gone += len(paths)
    return gone


@asynccontextmanager
async def asking() -> AsyncIterator[None]:
    """Ask a bucket something; what it refuses is `Unavailable`."""
    try:
        yield
    except BaseError as error:
        tell(error)
        raise Unavailable from error


def tell(error: Exception) -> None:
    """Write a bucket's own words into the log: callers do not see them."""
    _log.warning("the bucket refuses", action="media.bucket", error=str(error)[:LONGEST_WORD])


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
