"""Logs: for eyes on a terminal, as JSON lines elsewhere, and never with a secret in them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

SECRETS = re.compile(r"(sk-|Bearer |Signature=)[A-Za-z0-9._~%+/=-]{4,}")


CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
WITHIN_LINES = {code: text for code, text in CONTROLS.items() if code not in b"\t\n"}


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out API keys and URL signatures: a backstop, for nobody should log them."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _without_secrets(value)
        elif isinstance(value, list):
            event[name] = [_without_secrets(one) if isinstance(one, str) else one for one in value]
    return event


def _without_secrets(text: str) -> str:
    if "sk-" in text or "Bearer" in text or "Signa" in text:
        return SECRETS.sub(r"\1***", text)
    return text


def escape(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Show control characters instead of letting a stranger's text command the terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = value.translate(WITHIN_LINES if name == "exception" else CONTROLS)
    return event


def configure(level: str, style: str) -> None:
    """Send all logs, those of libraries too, to standard error.

    `level` is debug, info, warning or error; `style` is console, json, or auto.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    least = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[Processor] = [structlog.processors.format_exc_info, redact]
    if console:
        plain = structlog.dev.plain_traceback
        final += [escape, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        final += [structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[remove, *final], foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING), force=True)
