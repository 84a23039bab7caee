from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, FileReceived, LocationReceived, MessageReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("end", {}),
        ("disconnect", {"party_id": "chat-1"}),
        ("navigation", {"msg_id": "3", "page": "https://shop.example/", "title": "Shop"}),
        ("typing", {"party_id": "chat-1", "msg": "half a sen"}),
        ("not_typing", {"party_id": "chat-1"}),
        ("message_delivered", {"party_id": "chat-1", "ref_msg_id": "2"}),
        ("message_read", {"party_id": "chat-1", "ref_msg_id": "2"}),
        ("form_data", {"form_request_id": "7", "data": "Form not found"}),
    ],
)
def test_what_the_client_said_is_only_counted(
    plays: type[Play], word: str, fields: dict[str, Any]
) -> None:
    """Client events that change nothing here are counted, in strict sessions without an error."""
    play = plays(strict=True)

    assert play.hears(word, **fields) == []
    assert play.session.counts.events == 1
    assert play.session.counts.unknown == 0
    assert play.session.counts.anomalies == 0
    assert play.session.counts.duplicates == 0


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("form_data", {"form_request_id": "7", "data": {"a": "b"}}),
        ("secure_form_data", {"form_request_id": "7", "data": {"a": "b"}}),
        ("chat_form_data_cancel", {"form_request_id": "7"}),
        ("secure_form_cancel", {"form_request_id": "7"}),
    ],
)
def test_an_answer_to_a_form_never_shown_is_no_violation(
    plays: type[Play], word: str, fields: dict[str, Any]
) -> None:
    """Not even strict sessions raise for it; the anomaly is counted, and nothing else."""
    play = plays(strict=True)

    assert [type(effect) for effect in play.hears(word, **fields)] == [Anomaly]
    assert play.anomalies == ["form_not_open"]
    assert play.session.counts.events == 1
    assert play.session.counts.duplicates == 0


def test_the_clients_own_end_does_not_end_the_session(play: Play) -> None:
    """That the customer asked for the end is not yet the end: the server says when it is."""
    play.hears("end")
    play.hears("disconnect")

    assert not play.session.done
    assert play.session.state == "establishing"


def test_what_the_customer_shared_is_told_as_own(play: Play) -> None:
    """Own messages, files and places in a log are told as the customer's own."""
    [message] = play.hears("message", party_id="CHAT-1", msg="hello", msg_id="1")
    [file] = play.hears("file", party_id="CHAT-1", file_id="f-1", msg_id="")
    [place] = play.hears("location", party_id="CHAT-1", latitude=1, longitude=2, msg_id="3")

    assert isinstance(message, MessageReceived)
    assert isinstance(file, FileReceived)
    assert isinstance(place, LocationReceived)
    assert message.message.own
    assert file.file.own
    assert place.location.own


def test_what_was_filled_in_is_kept_nowhere(play: Play) -> None:
    """The answers in a form met in a log reach neither the effects nor the memory."""
    play.shows("7")
    effects = play.hears("form_data", form_request_id="7", data={"card": "4000-secret"})

    assert "4000-secret" not in repr(effects)
    assert "4000-secret" not in repr(play.session._state)
