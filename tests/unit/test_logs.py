"""Logs: JSON for machines, and no secret in them, whoever logged it."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ferrotype.cli import logs

KEY = "sk-FuinrAMRz3lB8lTkbaGbKUXN"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_secrets_are_blotted_out_in_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    url = f"http://x/files/a.png?Expires=1&Signature={KEY}&x=1"
    structlog.get_logger().info(f"a key: {KEY}", header=f"Bearer {KEY}", url=url, n=3)
    [line] = said(capsys)
    assert KEY not in str(line)
    assert line["event"] == "a key: sk-***"
    assert line["header"] == "Bearer ***"
    assert line["url"] == "http://x/files/a.png?Expires=1&Signature=***&x=1"
    assert (line["n"], line["level"]) == (3, "info")


def test_secrets_in_tracebacks_are_blotted_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    try:
        raise ValueError(f"no such key {KEY}")
    except ValueError:
        structlog.get_logger().exception("failed")
    [line] = said(capsys)
    assert "ValueError: no such key sk-***" in str(line["exception"])


def test_secrets_in_lists_are_blotted_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger().info("ended", said=["its last words:", f"key {KEY}", 7])
    [line] = said(capsys)
    assert line["said"] == ["its last words:", "key sk-***", 7]


def test_no_text_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    evil = f"\x1b[2J\x9b31m\x07\r{KEY}"
    log = structlog.get_logger()
    log.warning(f"an event{evil}\nforged", why=evil)
    try:
        raise ValueError(evil)
    except ValueError:
        log.exception("failed")
    logging.getLogger("some.library").warning("odd %s", evil)
    text = capsys.readouterr().err
    assert not [part for part in ("\x1b[2J", "\x9b", "\x07", "\r", KEY) if part in text]
    assert "an event\\x1b[2J\\x9b31m\\x07\\x0dsk-***\\x0aforged" in text
    assert "ValueError: \\x1b[2J" in text
    assert "Traceback" in text


def test_what_libraries_log_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json")
    logging.getLogger("some.library").warning("odd header %s", f"Bearer {KEY}")
    logging.getLogger("some.library").info("chatter")
    [line] = said(capsys)
    assert line["event"] == "odd header Bearer ***"


def test_less_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "json")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in said(capsys)] == ["loud"]


def test_a_console_is_for_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    structlog.get_logger().info("started", key=KEY)
    text = capsys.readouterr().err
    assert "started" in text
    assert KEY not in text
