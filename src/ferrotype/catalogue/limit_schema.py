"""What a deployment serves of a field, as JSON Schema: laid over what the model allows."""

from collections.abc import Iterable, Mapping
from typing import Any

from ferrotype.catalogue.grammar import Field
from ferrotype.catalogue.limit import Between, Limit, Nothing, OneOf
from ferrotype.catalogue.plan import default_of

BOUNDS = {
    "": ("minimum", "maximum"),
    "character": ("minLength", "maxLength"),
    "file": ("minItems", "maxItems"),
    "value": ("minItems", "maxItems"),
}


def lay(schema: dict[str, Any], fields: Mapping[str, Field], limits: Iterable[Limit]) -> None:
    """Lay limits over the schema of an object with these fields.

    A field whose default is not served becomes required. What is said of some of a field's files
    is told in words.
    """
    for limit in limits:
        name = limit.place.names[0] if limit.place.names else ""
        if name not in fields:
            continue
        field, property = fields[name], schema["properties"][name]
        if limit.place.role:
            _tell(property, f"On this deployment {limit.place.name} is {limit.say()}.")
            continue
        if isinstance(limit, Nothing):
            schema["properties"][name] = {"not": {}, "description": "Not on this deployment."}
            continue
        _narrow(property, limit)
        default = default_of(field, name)
        if default is not None and not limit.allows(default):
            property.pop("default", None)
            schema["required"] = sorted({*schema.get("required", ()), name})


def _narrow(property: dict[str, Any], limit: Limit) -> None:
    if isinstance(limit, OneOf):
        property["enum"] = list(limit.shown)
    if isinstance(limit, Between):
        least, most = BOUNDS[limit.unit]
        if limit.min is not None:
            property[least] = max(limit.min, property.get(least, limit.min))
        if limit.max is not None:
            property[most] = min(limit.max, property.get(most, limit.max))
    _tell(property, f"On this deployment {limit.say()}.")


def _tell(property: dict[str, Any], said: str) -> None:
    property["description"] = f"{property.get('description', '')} {said}".lstrip()
