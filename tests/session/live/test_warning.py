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
    from tests.session.live.conftest import Play


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"msg": "Still there?"}, "Still there?"),
        ({"msg": "<b>Still</b>", "msg_text": "Still"}, "Still"),
        ({"msg": "Still", "msg_text": ""}, ""),
        ({}, ""),
    ],
)
def test_a_warning_is_told(play: Play, fields: dict[str, str], text: str) -> None:
    """A warning carries the server's text, the plain one where there is one."""
    assert play.session.warning is None

    assert play.hears("timeout_warning", **fields) == [WarningRaised(text)]
    assert play.session.warning == text


def test_a_warning_is_told_each_time(play: Play) -> None:
    """The same warning again is told again."""
    for _each in range(3):
        assert play.hears("timeout_warning", msg="Still there?") == [
            WarningRaised("Still there?"),
        ]
    assert play.session.counts.duplicates == 0


@pytest.mark.parametrize("text", ["Still there?", ""])
@pytest.mark.parametrize(
    ("word", "fields", "told"),
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
def test_what_the_customer_does_clears_the_warning(
    play: Play, text: str, word: str, fields: dict[str, Any], told: list[type]
) -> None:
    """Own activity of each kind clears the warning once, an empty one too, before it is told."""
    play.shows("7")
    play.hears("timeout_warning", msg=text)

    assert [type(effect) for effect in play.hears(word, **fields)] == told
    assert play.session.warning is None
    assert WarningCleared() not in play.hears(word, **fields)


@pytest.mark.parametrize(
    ("word", "fields"),
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
def test_what_others_do_clears_no_warning(play: Play, word: str, fields: dict[str, Any]) -> None:
    """What anybody else does leaves the warning as it is."""
    play.hears("timeout_warning", msg="Still there?")

    assert WarningCleared() not in play.hears(word, **fields)
    assert play.session.warning == "Still there?"


def test_without_a_warning_nothing_is_cleared(play: Play) -> None:
    """Own activity tells of no clearing where there was no warning."""
    assert [type(effect) for effect in play.says("chat-1", "hello", "1")] == [MessageReceived]
    play.shows("7")
    assert [type(effect) for effect in play.hears("form_data", form_request_id="7")] == [FormClosed]


def test_a_repeated_own_message_clears_no_warning(play: Play) -> None:
    """An own message of before, brought again by a cached poll, is no activity."""
    play.says("chat-1", "hello", "1")
    play.hears("timeout_warning", msg="Still there?")

    assert play.says("chat-1", "hello", "1") == []
    assert play.session.warning == "Still there?"


def test_an_answer_closes_its_form_before_the_warning_is_cleared(play: Play) -> None:
    """An answer tells the form, then the warning; an own text also itself, last."""
    play.shows("6", "")
    play.shows("7")
    play.hears("timeout_warning", msg="Still there?")

    assert play.hears("form_data", form_request_id="7") == [
        FormClosed(Form("7", "survey"), "submitted"),
        WarningCleared(),
    ]
    play.hears("timeout_warning", msg="Still there?")
    effects = play.says("chat-1", "blue", "1")
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
def test_a_history_clears_no_warning(play: Play, fields: dict[str, Any]) -> None:
    """What the customer did in the past leaves the warning as it is."""
    play.hears("timeout_warning", msg="Still there?")

    play.receives(History(tuple(decode([{**fields, "party_id": "chat-1", "timestamp": 5}]))))

    assert play.session.warning == "Still there?"
