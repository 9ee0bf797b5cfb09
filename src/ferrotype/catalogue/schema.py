"""What a model may be asked, as JSON Schema: the machine's form of the reference.

A schema says what the catalogue checks, as far as JSON Schema can: areas, ratios and rules between
fields are told in words. `null` and absent mean the same on this wire, unknown keys are passed
over; neither is spelled out again for each field.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ferrotype.catalogue.fields import Choice, Flag, Integer, Number, Text
from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List, Object
from ferrotype.catalogue.limit import Limit
from ferrotype.catalogue.limit_schema import lay
from ferrotype.catalogue.model import Model
from ferrotype.catalogue.size import Size

Schema = dict[str, Any]
SIDES = r"^[1-9][0-9]{0,4}\*[1-9][0-9]{0,4}$"


def of_body(model: Model) -> Schema:
    """Return the schema of a create's body, without the name of the model."""
    forms = [_tables(model.input, model.parameters, model.limits)]
    forms += [
        _given(variant.when, _tables(variant.input, variant.parameters, model.limits))
        for variant in model.variants
    ]
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _tables(
    input: Mapping[str, Field], parameters: Mapping[str, Field], limits: Iterable[Limit]
) -> Schema:
    tables = {"input": _object(input)}
    lay(tables["input"], input, (limit for limit in limits if limit.place.table == "input"))
    required = ["input"]
    if parameters:
        tables["parameters"] = _object(parameters)
        these = (limit for limit in limits if limit.place.table == "parameters")
        lay(tables["parameters"], parameters, these)
        required += ["parameters"] * ("required" in tables["parameters"])
    return {"type": "object", "required": required, "properties": tables}


def _given(when: Mapping[str, Any], schema: Schema) -> Schema:
    """Narrow a schema to bodies whose parameters have the values of `when`."""
    parameters = schema["properties"]["parameters"]
    for name, value in when.items():
        parameters["properties"][name] = {"const": value}
    parameters["required"] = sorted({*parameters.get("required", ()), *when})
    return schema


def _object(fields: Mapping[str, Field]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {name: of_field(field) for name, field in fields.items()},
    }
    if required := [name for name, field in fields.items() if field.required]:
        schema["required"] = required
    return schema


def of_field(field: Field) -> Schema:
    """Return the schema of one field's values, with its default and what is odd about it."""
    schema, said = (
        _files(field) if isinstance(field, Media | MediaSet | Messages) else _plain(field)
    )
    if field.note:
        said.append(field.note)
    if field.late:
        said.append("A bad value is told at the task, not at create.")
    if field.aliases:
        said.append(f"Also known as {', '.join(field.aliases)}.")
    if said:
        schema["description"] = " ".join(said)
    if field.default is not None:
        schema["default"] = field.default
    return schema


def _plain(field: Field) -> tuple[Schema, list[str]]:
    """Return the schema of a field that names no file, and what a schema cannot say."""
    match field:
        case Text():
            return _text(field), [f"{field.max} {field.unit}; the rest is cut off."]
        case Integer() | Number():
            kind = "integer" if isinstance(field, Integer) else "number"
            schema: Schema = {"type": kind, "minimum": field.min, "maximum": field.max}
            if isinstance(field, Integer) and field.also:
                schema = {"anyOf": [schema, {"enum": list(field.also)}]}
            return schema, []
        case Flag():
            return {"type": "boolean"}, []
        case Choice():
            return {"enum": list(field.of)}, []
        case Size():
            return _size(field), [] if field.values else [field.limits()]
        case List():
            items = of_field(field.of)
            return {
                "type": "array",
                "items": items,
                "minItems": field.min,
                "maxItems": field.max,
            }, []
        case Object():
            return _object(field.fields), []
    raise TypeError(f"no schema for {type(field).__name__}")


def _files(field: Media | MediaSet | Messages) -> tuple[Schema, list[str]]:
    """Return the schema of a field that names files, and what a schema cannot say."""
    match field:
        case Media():
            return {"type": "string", "format": "uri"}, [_file(field)]
        case MediaSet():
            sets = "; ".join(" + ".join(sorted(types)) for types in field.sets)
            return _media_set(field), [f"Together only {sets}."] if sets else []
        case Messages():
            return _messages(field), [field.say()]


def _text(field: Text) -> Schema:
    if field.pattern:
        return {"type": "string", "pattern": f"^(?:{field.pattern})$"}
    return {"type": "string", "pattern": r"\S"} if field.required else {"type": "string"}


def _size(field: Size) -> Schema:
    if field.values:
        return {"enum": list(field.values)}
    free: Schema = {"type": "string", "pattern": SIDES}
    return {"anyOf": [{"enum": list(field.tiers)}, free]} if field.tiers else free


def _file(field: Media) -> str:
    return f"{', '.join(field.accepts)}; {field.limits()}."


def _media_set(field: MediaSet) -> Schema:
    items = [
        {
            "type": "object",
            "required": ["type", "url"],
            "properties": {
                "type": {"const": role},
                "url": of_field(media),
                **{key: of_field(other) for key, other in field.beside.items()},
            },
        }
        for role, media in field.types.items()
    ]
    return {
        "type": "array",
        "minItems": field.min,
        "maxItems": field.max,
        "items": {"anyOf": items},
    }


def _messages(field: Messages) -> Schema:
    parts: list[Schema] = [
        {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "pattern": r"\S"}},
        }
    ]
    if field.image:
        picture = of_field(field.image)
        parts.append({"type": "object", "required": ["image"], "properties": {"image": picture}})
    message = {
        "type": "object",
        "required": ["content"],
        "properties": {
            "role": {"const": "user"},
            "content": {
                "type": "array",
                "minItems": 1 + field.min_images,
                "maxItems": 1 + field.max_images,
                "items": {"anyOf": parts},
            },
        },
    }
    return {"type": "array", "minItems": 1, "maxItems": 1, "items": message}
