"""Log records: the fields of each, and what none of them holds."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import chatfsm
from chatfsm.drivers import _stored_chats
from tests.drivers.driven import APP_ID, CLIENT_ID, Driven

PACKAGE = Path(chatfsm.__file__).parent
SECRET = "words-of-a-customer"  # noqa: S105  # stands for what people write
NAMES = ("chat_id", "link", "purpose")


def logging_calls() -> list[tuple[str, ast.Call]]:
    """Each call of the logger in the package, with the path of its module."""
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
    """The logging calls that made the records."""
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
    """The records of one chat in which everything goes wrong that is logged."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    driven = Driven(observers=(raising,))
    opened = {"chat_id": "chat-1", "state": "queued", "is_new_chat": True}
    driven.replies("api", opened, at=0.1)
    hostile = [
        {"event": SECRET, "msg": SECRET},
        {"event": "chat_session_message", "msg": {"odd": SECRET}, "timestamp": SECRET},
        {"event": "chat_session_party_left", "party_id": "p-1", "reason": SECRET},
        {"event": "chat_session_typing", "msg": SECRET},
    ]
    driven.replies("poll", {"events": hostile}, at=1.0)
    driven.ticks(at=5.0)
    driven.fails("poll", at=6.0)
    driven.save_error = ValueError(SECRET)
    driven.ticks(at=8.0)
    driven.save_error = None
    driven.ticks(at=9.0)
    driven.replies("history", {"events": [{"msg": SECRET}]}, at=9.5)
    driven.ticks(at=12.0)
    driven.replies("poll", {"events": [{"event": "chat_session_ended"}]}, at=13.0)
    assert driven.core.client.done
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
    """No logging call of the package is missing here, but that of chats that cannot be resumed."""
    calls = {(path, node.lineno) for path, node in logging_calls()}
    assert {path for path, _ in calls - calls_of(records)} == {_stored_chats.__file__}
    assert calls_of(records) <= calls


def test_each_record_has_the_three_fields(records: list[logging.LogRecord]) -> None:
    """`chat_id`, `link` and `purpose` are in each record, whichever part of chatfsm made it."""
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
    """Without a client there is neither a link nor a purpose; a format may name them anyway."""
    caplog.set_level(logging.INFO, logger="chatfsm")
    session = chatfsm.ChatSession("chat-2")
    session.receive(chatfsm.events.Ended(), now=0.0)
    [record] = caplog.records
    text = logging.Formatter("%(chat_id)s %(link)s %(purpose)s").format(record)
    assert text == "chat-2 None None"


def test_no_record_above_debug_holds_texts_or_ids_of_people(
    records: list[logging.LogRecord],
) -> None:
    """Whatever a server or a store says, a record names kinds, and the id of the chat."""
    for record in records:
        held = repr({**vars(record), "pathname": "", "message": record.getMessage()})
        for secret in (SECRET, APP_ID, CLIENT_ID, "p-1"):
            assert record.levelno == logging.DEBUG or secret not in held, record.getMessage()
