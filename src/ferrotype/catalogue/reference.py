"""Writes the documentation that follows from the catalogue. Same data, same text."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ferrotype.catalogue.answers import ANSWERS, create_errors, task_errors
from ferrotype.catalogue.check import Catalogue
from ferrotype.catalogue.fields import Choice, Text
from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List
from ferrotype.catalogue.model import Model, Variant
from ferrotype.catalogue.reader import unserved
from ferrotype.catalogue.size import Size

MARK = "<!-- Written by `python -m ferrotype.catalogue docs docs`. Do not edit. -->\n"
DIFFERENCES = Path(__file__).parent / "compatibility.toml"
CREATE = "/api/v1/services/aigc/"


def pages(catalogue: Catalogue) -> dict[str, str]:
    """Return all pages by their path under the documentation's folder."""
    families: dict[str, list[Model]] = {}
    for model in catalogue.entries:
        families.setdefault(model.family, []).append(model)
    reference = {f"reference/{name}.md": _family(name, of) for name, of in families.items()}
    return {**reference, "compatibility.md": _compatibility(families)}


def _family(name: str, models: Sequence[Model]) -> str:
    routes = sorted({route for model in models for route in model.routes})
    served = _served(*(modes for model in models for modes in model.routes.values()))
    shared = _shared(models)
    sections = _sections(models, shared)
    parts = [
        MARK,
        f"# {name.replace('-', ' ').capitalize()}",
        f"{len(models)} models. {_INTRODUCTION[served]}",
        "## Request",
        "\n".join(f"    POST {CREATE}{route}" for route in routes),
        _table(("header", "value"), _HEADERS),
        _table(
            ("field", "what", "default", "note"),
            [("`model`", "text, required", "", "one of the models below")]
            + [_row(where, field) for where, field in shared.items()],
        ),
        "These fields are what most models take; each model below names where it differs. Unknown "
        "fields are passed over, `null` is the same as absent.",
        "## Models",
        _table(
            ("model", "prompt", "makes", "served", "vendor's limits", "confidence"),
            [_line(model, _title(of)) for of in sections.values() for model in of],
        ),
        *(f"### {_title(of)}\n\n{text}" for text, of in sections.items()),
        "## Answer",
        "To create: `output.task_id` and `output.task_status`, which is `PENDING`, beside "
        "`request_id`. To `GET /api/v1/tasks/{task_id}`, under `output`:",
        _table(
            ("field", "when", "what"),
            [(f"`{f}`" if "(" not in f else f, w, t) for f, w, t in ANSWERS[models[0].dialect]],
        ),
        "## Errors",
        "A refused request is `{code, message, request_id}`:",
        _table(("status", "code", "message", "when"), create_errors()),
        "A task that FAILED says `code` and `message` in `output`; besides those above:",
        _table(("code", "message", "when"), task_errors()),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


_INTRODUCTION = {
    "as a task": "A request creates a task; ask for the task until it has ended; the answer then "
    "holds the URL of each file.",
    "at once": "A request is answered with the URL of each file, once they are made.",
    "as a task or at once": "A request creates a task; ask for the task until it has ended; the "
    "answer then holds the URL of each file. Where it says so below, a request may also wait for "
    "its answer.",
}
_HEADERS = (
    ("`Authorization`", "`Bearer <key>`"),
    ("`Content-Type`", "`application/json`"),
    ("`X-DashScope-Async`", "`enable`; without it only a model that can answer at once serves"),
)


def _body(of: Model | Variant) -> dict[str, Field]:
    """Return the fields of a body by where they stand; files within a field stand by themselves."""
    tables = {"input": of.input, "parameters": of.parameters}
    body: dict[str, Field] = {}
    for table, fields in tables.items():
        for name, field in fields.items():
            where = f"{table}.{name}"
            body[where] = field
            match field:
                case Messages(image=Media() as picture):
                    body[f"{where}[].content[].image"] = picture
                case MediaSet(types=types, beside=beside):
                    body |= {f"{where}[].url, {role}": media for role, media in types.items()}
                    body |= {f"{where}[].{key}": media for key, media in beside.items()}
    return body


def _shared(models: Sequence[Model]) -> dict[str, Field]:
    """Return the fields that most of the models known best take, in their most common form."""
    best = min((model.confidence for model in models), key=("high", "medium", "low").index)
    known = [model for model in models if model.confidence == best]
    forms: dict[str, Counter[str]] = {}
    fields: dict[str, Field] = {}
    for model in known:
        for where, field in _body(model).items():
            forms.setdefault(where, Counter())[repr(field)] += 1
            fields[repr(field)] = field
    return {
        where: fields[counts.most_common(1)[0][0]]
        for where, counts in forms.items()
        if counts.total() * 2 > len(known)
    }


def _sections(models: Sequence[Model], shared: Mapping[str, Field]) -> dict[str, list[Model]]:
    """Return the text on each model, and the models of which it is true word for word."""
    sections: dict[str, list[Model]] = {}
    for model in models:
        sections.setdefault(_section(model, shared), []).append(model)
    return sections


def _section(model: Model, shared: Mapping[str, Field]) -> str:
    own = _body(model)
    rows = [_row(where, field) for where, field in own.items() if shared.get(where) != field]
    gone = [f"`{where}`" for where in shared if where not in own]
    parts = [
        " ".join(model.notes),
        _table(("field", "what", "default", "note"), rows) if rows else "",
        f"Does not take {', '.join(gone)}." if gone else "",
        " ".join(rule.say() for rule in model.rules),
        *(_given(variant, own) for variant in model.variants),
        f"{_result(model)}; `usage` holds {', '.join(f'`{key}`' for key in model.measures)}. "
        f"Confidence {model.confidence}: {model.source}.",
    ]
    return "\n\n".join(part for part in parts if part)


def _given(variant: Variant, usual: Mapping[str, Field]) -> str:
    """Return what is different in a variant."""
    when = " and ".join(f"`{name}` is `{_json(value)}`" for name, value in variant.when.items())
    rows = [_row(w, field) for w, field in _body(variant).items() if usual.get(w) != field]
    told = " (a call that waits is answered with server-sent events)" if variant.streams else ""
    return f"Where {when}{told}:\n\n{_table(('field', 'what', 'default', 'note'), rows)}"


def _result(model: Model) -> str:
    prompts = [f"`{prompt}`" for prompt in model.repeats]
    traits = [_TRAITS[trait] for trait in model.traits]
    if traits and model.dialect == "results":
        return f"The output holds {', '.join(['`results`', *prompts, *traits])}"
    if model.dialect == "results":
        return f"Each result holds {', '.join([*prompts, '`url`'])}"
    if model.dialect == "video":
        return f"The output holds {', '.join([*prompts, '`video_url`'])}"
    return ", ".join(["The output holds `choices`", *traits])


_TRAITS = {
    "finished": "`finished`",
    "typed": "pictures with a `type`",
    "metric": "`task_metric`",
    "rewrite_status": "`rewrite_status`",
    "repainted": "`start_time`, `error_code` and `error_message`",
    "lettered": "`text_results`",
    "reasoning": "the prompt and a `reasoning_content` beside the picture",
}


def _title(models: Sequence[Model]) -> str:
    return ", ".join(model.name for model in models)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _line(model: Model, title: str) -> tuple[str, ...]:
    return (
        f"[{model.name}](#{_anchor(title)})",
        _prompt(model),
        _makes(model),
        _served(*model.routes.values()),
        _rate(model),
        model.confidence,
    )


def _prompt(model: Model) -> str:
    prompt, messages = model.input.get("prompt"), model.input.get("messages")
    if isinstance(messages, Messages):
        return f"{messages.text_max} characters"
    return f"{prompt.max} {prompt.unit}" if isinstance(prompt, Text) else ""


def _makes(model: Model) -> str:
    if model.media == "video":
        seconds = model.parameters.get("duration")
        return f"{_number(seconds)} seconds" if seconds else "1 film"
    return _number(model.parameters.get("n"))


def _number(field: Field | None) -> str:
    if field is None:
        return "1"
    said = field.say().removeprefix("an integer from ").removeprefix("one of ")
    return said if said == str(field.default) else f"{said}, default {field.default}"


def _rate(model: Model) -> str:
    rate = model.rate
    if rate is None:
        return "not known"
    once = "" if rate.concurrent is None else f", {rate.concurrent} at once"
    return f"{rate.submit} a {rate.per}{once}"


def _served(*routes: Sequence[str]) -> str:
    modes = sorted({mode for modes in routes for mode in modes})
    return " or ".join({"async": "as a task", "sync": "at once"}[mode] for mode in modes)


def _row(where: str, field: Field) -> tuple[str, ...]:
    what = _what(field) + (", **required**" if field.required else "")
    default = "" if field.default is None else f"`{_json(field.default)}`"
    if where.endswith(".seed") and field.default is None:
        default = "drawn"
    notes = [
        field.note,
        "Told at the task, not at create." if field.late else "",
        f"Also known as {', '.join(f'`{name}`' for name in field.aliases)}."
        if field.aliases
        else "",
    ]
    return f"`{where}`", what, default, " ".join(note for note in notes if note)


def _what(field: Field) -> str:
    match field:
        case Text():
            return f"text; {field.max} {field.unit}, the rest is cut off"
        case Choice():
            return "one of " + ", ".join(f"`{choice}`" for choice in field.of)
        case Size(values=values) if values:
            return "one of " + ", ".join(f"`{value}`" for value in values)
        case Size():
            return field.limits().strip("[]")
        case Media():
            return f"{field.say()}; {field.limits()}"
        case List(of=Media() as media):
            return f"{field.say()}; {media.limits()}"
    return field.say()


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compatibility(families: Mapping[str, Sequence[Model]]) -> str:
    open_points = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))
    parts = [
        MARK,
        "# Compatibility",
        "Paths, bodies and codes are those of the vendor's API, as far as public documentation, "
        "recorded answers and the official SDK show them. *Confidence* says how well a model's "
        "limits are known: high, read on a vendor page; medium, partly inferred; low, mostly from "
        "memory. **Which engine draws is for the deployment to say**: `ferrotype models` "
        "shows it, and so do the headers `X-Ferrotype-Engine` and `X-Ferrotype-Served-By` of "
        "every answer.",
        "## Models",
        f"Create paths, after `POST {CREATE}`:",
        _table(("path", "model", "served", "confidence", "vendor's rate known"), _paths(families)),
        "## Models known by name only",
        'A request for one, or for any on a path where no model is served, is told "The model is '
        'not served here.":',
        _table(("path", "models", "why"), _unserved()),
        "## Other paths",
        "After `/api/v1`; a slash at the end is accepted everywhere:",
        _table(("path", "served"), [(row["path"], row["served"]) for row in open_points["path"]]),
        "## Decided where the evidence is open, and known differences",
        _table(
            ("about", "what happens here"),
            [(row["about"], row["here"]) for row in open_points["difference"]],
        ),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _paths(families: Mapping[str, Sequence[Model]]) -> list[tuple[str, ...]]:
    rows = [
        (
            f"`{route}`",
            f"[{model.name}](reference/{family}.md#models)",
            _served(modes),
            model.confidence,
            "no" if model.rate is None else "yes",
        )
        for family, models in families.items()
        for model in models
        for route, modes in model.routes.items()
    ]
    return sorted(rows, key=lambda row: row[0])


def _unserved() -> list[tuple[str, ...]]:
    return [
        (f"`{known.path}`", ", ".join(known.models) or "any", known.reason) for known in unserved()
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
