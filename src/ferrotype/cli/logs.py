"""Logs: for eyes on a terminal, as JSON lines elsewhere, and never with a secret in them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

SECRETS = re.compile(r"(sk-|Bearer |Signature=)[A-Za-z0-9._~%+/=-]{4,}")


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out API keys and URL signatures: a backstop, for nobody should log them."""
    for name, value in event.items():
        if isinstance(value, str) and ("sk-" in value or "Bearer" in value or "Signa" in value):
            event[name] = SECRETS.sub(r"\1***", value)
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
    final: list[Processor] = [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(),
    ]
    if console:
        plain = structlog.dev.plain_traceback
        final = [redact, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
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
