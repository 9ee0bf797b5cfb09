"""The body for an upstream: what the caller posted, with files in the upstream's own keeping."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ferrotype.engines.dashscope.line import NotSent, Unclear
from ferrotype.engines.dashscope.luggage import packed
from ferrotype.engines.dashscope.region import Region
from ferrotype.engines.dashscope.told import Error, error_of
from ferrotype.errors import InputDownloadFailed
from ferrotype.media import File
from ferrotype.ports.engine import MARK, EngineRefusal, Job, Posted, mark

UPSTREAM = "InternalError.Upstream"
TRIES = 3
_POLICY = {
    "OSSAccessKeyId": "oss_access_key_id",
    "Signature": "signature",
    "policy": "policy",
    "x-oss-object-acl": "x_oss_object_acl",
    "x-oss-forbid-overwrite": "x_oss_forbid_overwrite",
}


class Denied(Exception):
    """The upstream gave no leave to upload."""

    def __init__(self, error: Error) -> None:
        super().__init__(str(error))
        self.error = error


async def fill(job: Job, posted: Posted, region: Region, model: str) -> tuple[dict[str, Any], bool]:
    """Return the body, and whether it names files that were uploaded for it.

    Raises `Denied`, `NotSent`, `Unclear` (nothing but files was sent) or `EngineRefusal`.
    """
    body = {**posted.body, "model": model}
    wanted = _marks(body)
    files = {
        mark(role, i): file
        for role, files in job.inputs.items()
        for i, file in enumerate(files)
        if mark(role, i) in wanted
    }
    if job.memo is not None and any(map(MARK.fullmatch, wanted - files.keys())):
        raise EngineRefusal(InputDownloadFailed.code, InputDownloadFailed().message)
    if not files:
        return body, False
    urls = {}
    for name, file in files.items():
        urls[name] = await _upload(region, model, file, name.replace(":", "-"))
    return _replaced(body, urls), True


async def _upload(region: Region, model: str, file: File, name: str) -> str:
    """Upload a file and return its `oss://` address."""
    path, type = await asyncio.to_thread(packed, file)
    for left in reversed(range(TRIES)):
        reply = await region.line.policy(model)
        if error := error_of(reply):
            raise Denied(error)
        leave = reply.said.get("data")
        if reply.status != 200 or not isinstance(leave, dict) or "upload_host" not in leave:
            raise Unclear(f"asked for leave to upload it answers {reply.status}")
        key = f"{leave.get('upload_dir')}/{name}{path.suffix}"
        fields = {field: str(leave.get(source, "")) for field, source in _POLICY.items()}
        fields |= {"key": key, "success_action_status": "200", "x-oss-content-type": type}
        try:
            reply = await region.line.upload(str(leave["upload_host"]), fields, path, type)
        except (NotSent, Unclear):
            if not left:
                raise
            continue
        if reply.status // 100 == 2:
            return f"oss://{key}"
        if reply.status < 500 and not left:
            why = reply.body[:200].decode("utf-8", "replace")
            raise EngineRefusal(
                UPSTREAM, f"The upstream did not take an input file: {reply.status} {why}"
            )
    raise Unclear(f"a file was answered {reply.status}")


def _marks(value: Any) -> set[str]:
    """Return every string in a body that may be a mark."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*(_marks(item) for item in value))
    return set()


def _replaced(value: Any, urls: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return urls.get(value, value)
    if isinstance(value, Mapping):
        return {name: _replaced(item, urls) for name, item in value.items()}
    return [_replaced(item, urls) for item in value] if isinstance(value, list) else value
