from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import History, decode
from chatfsm.effects import (
    FileReceived,
    FormClosed,
    LocationReceived,
    MessageReceived,
    WarningCleared,
    WarningRaised,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"msg": "Still there?"}, "Still there?"),
        ({"msg": "<b>Still</b>", "msg_text": "Still"}, "Still"),
        ({"msg": "Still", "msg_text": ""}, ""),
        ({}, ""),
    ],
)
def test_a_warning_is_reported(harness: Harness, fields: dict[str, str], text: str) -> None:
    """A warning has the server's text, the plain one if present."""
    assert harness.session.warning is None

    assert harness.feed("timeout_warning", **fields) == [WarningRaised(text)]
    assert harness.session.warning == text


def test_a_warning_is_reported_each_time(harness: Harness) -> None:
    """A repeated warning is reported again."""
    for _each in range(3):
        assert harness.feed("timeout_warning", msg="Still there?") == [
            WarningRaised("Still there?"),
        ]
    assert harness.session.counts.duplicates == 0


@pytest.mark.parametrize("text", ["Still there?", ""])
@pytest.mark.parametrize(
    ("name", "fields", "reported"),
    [
        ("message", {"party_id": "chat-1", "msg": "yes"}, [WarningCleared, MessageReceived]),
        ("message", {"party_id": "CHAT-1", "msg": "yes"}, [WarningCleared, MessageReceived]),
        ("file", {"party_id": "chat-1", "file_id": "f-1"}, [WarningCleared, FileReceived]),
        ("file", {"file_id": "f-1"}, [WarningCleared, FileReceived]),
        ("location", {"party_id": "chat-1"}, [WarningCleared, LocationReceived]),
        ("message", {"msg": "yes"}, [WarningCleared, MessageReceived]),
        ("file_url", {"file_url": "https://files.example/1"}, [WarningCleared, FileReceived]),
        ("form_data", {"form_request_id": "7"}, [FormClosed, WarningCleared]),
        ("secure_form_data", {"form_request_id": "7"}, [FormClosed, WarningCleared]),
        ("chat_form_data_cancel", {"form_request_id": "7"}, [FormClosed, WarningCleared]),
        (
            "secure_form_cancel",
            {"form_request_id": "7", "party_id": "chat-1"},
            [FormClosed, WarningCleared],
        ),
    ],
)
def test_own_activity_clears_the_warning(
    harness: Harness, text: str, name: str, fields: dict[str, Any], reported: list[type]
) -> None:
    """Own activity of each kind clears the warning once, also an empty one, then is reported."""
    harness.show_form("7")
    harness.feed("timeout_warning", msg=text)

    assert [type(effect) for effect in harness.feed(name, **fields)] == reported
    assert harness.session.warning is None
    assert WarningCleared() not in harness.feed(name, **fields)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("message", {"party_id": "ann", "msg": "hello"}),
        ("form_data", {"form_request_id": "7", "data": "Form not found"}),
        ("message_edit", {"ref_msg_id": "2", "msg": "hello"}),
        ("file", {"party_id": "ann", "file_id": "f-1"}),
        ("location", {"party_id": "ann"}),
        ("location", {}),
        ("secure_form_cancel", {"form_request_id": "7"}),
        ("secure_form_cancel", {"form_request_id": "7", "party_id": "ann"}),
        ("typing", {"party_id": "ann"}),
        ("status", {"state": "connected"}),
    ],
)
def test_activity_of_other_parties_clears_no_warning(
    harness: Harness, name: str, fields: dict[str, Any]
) -> None:
    """Activity of other parties leaves the warning as it is."""
    harness.feed("timeout_warning", msg="Still there?")

    assert WarningCleared() not in harness.feed(name, **fields)
    assert harness.session.warning == "Still there?"


def test_without_a_warning_nothing_is_cleared(harness: Harness) -> None:
    """Without a warning, own activity clears nothing."""
    assert [type(effect) for effect in harness.message("chat-1", "hello", "1")] == [MessageReceived]
    harness.show_form("7")
    assert [type(effect) for effect in harness.feed("form_data", form_request_id="7")] == [
        FormClosed
    ]


def test_a_repeated_own_message_clears_no_warning(harness: Harness) -> None:
    """A duplicate of an own message is not activity."""
    harness.message("chat-1", "hello", "1")
    harness.feed("timeout_warning", msg="Still there?")

    assert harness.message("chat-1", "hello", "1") == []
    assert harness.session.warning == "Still there?"


def test_an_answer_closes_its_form_before_the_warning_is_cleared(harness: Harness) -> None:
    """An answer closes its form, then clears the warning; an own text is reported after both."""
    harness.show_form("6", "")
    harness.show_form("7")
    harness.feed("timeout_warning", msg="Still there?")

    assert harness.feed("form_data", form_request_id="7") == [
        FormClosed(Form("7", "survey"), "submitted"),
        WarningCleared(),
    ]
    harness.feed("timeout_warning", msg="Still there?")
    effects = harness.message("chat-1", "blue", "1")
    assert effects[:2] == [FormClosed(Form("6", ""), "submitted"), WarningCleared()]
    assert [type(effect) for effect in effects[2:]] == [MessageReceived]


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "chat_session_message", "msg": "hello", "msg_id": "1"},
        {"event": "chat_session_file", "file_id": "f-1", "msg_id": "1"},
        {"event": "chat_session_location", "latitude": 1, "longitude": 2, "msg_id": "1"},
        {"event": "chat_session_form_data", "form_request_id": "7", "data": {"a": "b"}},
    ],
    ids=lambda fields: fields["event"],
)
def test_a_history_clears_no_warning(harness: Harness, fields: dict[str, Any]) -> None:
    """Own events of a history leave the warning as it is."""
    harness.feed("timeout_warning", msg="Still there?")

    harness.receive(History(tuple(decode([{**fields, "party_id": "chat-1", "timestamp": 5}]))))

    assert harness.session.warning == "Still there?"
