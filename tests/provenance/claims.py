"""Reads what is signed about a file."""

import io
import json
from typing import Any


def claims(data: bytes, type: str) -> dict[str, Any]:
    """Return a file's claims: state, the newest manifest's actions, manifests in all."""
    import c2pa  # it lies beside the tests; `authority` says where

    with c2pa.Reader(type, io.BytesIO(data)) as reader:
        told = json.loads(reader.json())
        state = reader.get_validation_state()
    newest = told["manifests"][told["active_manifest"]]
    (actions,) = (
        one["data"]["actions"]
        for one in newest["assertions"]
        if one["label"].startswith("c2pa.actions")
    )
    return {"state": state, "actions": actions, "manifests": len(told["manifests"]), "of": newest}
