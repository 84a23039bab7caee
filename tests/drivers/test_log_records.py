"""Log records: their fields, and the data that they never contain."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import chatfsm
from chatfsm.drivers import _stored_chats
from tests.drivers.core_harness import APP_ID, CLIENT_ID, CoreHarness

PACKAGE = Path(chatfsm.__file__).parent
SECRET = "words-of-a-customer"  # noqa: S105  # stands for texts of customers
NAMES = ("chat_id", "link", "purpose")


def logging_calls() -> list[tuple[str, ast.Call]]:
    """Return each call of the logger in the package, with the path of its module."""
    return [
        (str(path), node)
        for path in sorted(PACKAGE.glob("**/*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logger"
        and "simulator/server" not in path.as_posix()  # its logger belongs to aiohttp
        and node.func.attr != "addHandler"
    ]


def calls_of(records: list[logging.LogRecord]) -> set[tuple[str, int]]:
    """Return the logging calls that made the records."""
    return {
        (path, node.lineno)
        for path, node in logging_calls()
        for record in records
        if record.pathname == path and node.lineno <= record.lineno <= (node.end_lineno or 0)
    }


def raising(_observation: object) -> None:
    raise KeyError(SECRET)


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The records of one chat with every failure that is logged."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    harness = CoreHarness(observers=(raising,))
    opened = {"chat_id": "chat-1", "state": "queued", "is_new_chat": True}
    harness.reply("api", opened, at=0.1)
    hostile = [
        {"event": SECRET, "msg": SECRET},
        {"event": "chat_session_message", "msg": {"odd": SECRET}, "timestamp": SECRET},
        {"event": "chat_session_party_left", "party_id": "p-1", "reason": SECRET},
        {"event": "chat_session_typing", "msg": SECRET},
    ]
    harness.reply("poll", {"events": hostile}, at=1.0)
    harness.tick(at=5.0)
    harness.fail("poll", at=6.0)
    harness.save_error = ValueError(SECRET)
    harness.tick(at=8.0)
    harness.save_error = None
    harness.tick(at=9.0)
    harness.reply("history", {"events": [{"msg": SECRET}]}, at=9.5)
    harness.tick(at=12.0)
    harness.reply("poll", {"events": [{"event": "chat_session_ended"}]}, at=13.0)
    assert harness.core.client.done
    return caplog.records


def test_each_logging_call_gives_the_fields() -> None:
    """Each call of the logger has `extra=log_fields(…)`, and no text that is made in place."""
    calls = logging_calls()
    assert len(calls) >= 5
    for path, node in calls:
        [extra] = [keyword.value for keyword in node.keywords if keyword.arg == "extra"]
        assert ast.unparse(extra).startswith("log_fields("), (path, node.lineno)
        assert isinstance(node.args[0], ast.Constant), (path, node.lineno)


def test_the_chat_of_this_module_makes_each_record(records: list[logging.LogRecord]) -> None:
    """All logging calls of the package occur, except that for chats that cannot be resumed."""
    calls = {(path, node.lineno) for path, node in logging_calls()}
    assert {path for path, _ in calls - calls_of(records)} == {_stored_chats.__file__}
    assert calls_of(records) <= calls


def test_each_record_has_the_three_fields(records: list[logging.LogRecord]) -> None:
    """`chat_id`, `link` and `purpose` are in each record of any module."""
    fields = [
        (record.getMessage().rpartition(": ")[2], *(vars(record)[name] for name in NAMES))
        for record in records
        if record.levelno > logging.DEBUG
    ]
    assert fields == [
        ("an observer raised KeyError", None, "waiting", None),
        ("live", "chat-1", "live", "poll"),
        ("unknown event", "chat-1", "live", "poll"),
        ("anomaly, unknown_party", "chat-1", "live", "poll"),
        ("anomaly, malformed", "chat-1", "live", "poll"),
        ("retrying", "chat-1", "retrying", "poll"),
        ("ValueError", "chat-1", "retrying", None),
        ("anomaly, malformed", "chat-1", "retrying", "history"),
        ("live", "chat-1", "live", "poll"),
        ("terminated, ended", "chat-1", "live", "poll"),
        ("over", "chat-1", "over", "poll"),
    ]


def test_a_session_alone_knows_its_chat(caplog: pytest.LogCaptureFixture) -> None:
    """Without a client link and purpose are empty, so that a format can name them."""
    caplog.set_level(logging.INFO, logger="chatfsm")
    session = chatfsm.ChatSession("chat-2")
    session.receive(chatfsm.events.Ended(), now=0.0)
    [record] = caplog.records
    text = logging.Formatter("%(chat_id)s %(link)s %(purpose)s").format(record)
    assert text == "chat-2 None None"


def test_no_record_above_debug_holds_texts_or_ids_of_people(
    records: list[logging.LogRecord],
) -> None:
    """A record has kinds of errors and the chat id, whatever text a server or a store returns."""
    for record in records:
        held = repr({**vars(record), "pathname": "", "message": record.getMessage()})
        for secret in (SECRET, APP_ID, CLIENT_ID, "p-1"):
            assert record.levelno == logging.DEBUG or secret not in held, record.getMessage()
