from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, FileReceived, LocationReceived, MessageReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


@pytest.mark.parametrize(
    ("name", "fields"),
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
def test_client_events_without_an_effect_are_only_counted(
    make_harness: type[Harness], name: str, fields: dict[str, Any]
) -> None:
    """Client events without an effect are only counted, in strict sessions too."""
    harness = make_harness(strict=True)

    assert harness.feed(name, **fields) == []
    assert harness.session.counts.events == 1
    assert harness.session.counts.unknown == 0
    assert harness.session.counts.anomalies == 0
    assert harness.session.counts.duplicates == 0


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("form_data", {"form_request_id": "7", "data": {"a": "b"}}),
        ("secure_form_data", {"form_request_id": "7", "data": {"a": "b"}}),
        ("chat_form_data_cancel", {"form_request_id": "7"}),
        ("secure_form_cancel", {"form_request_id": "7"}),
    ],
)
def test_an_answer_to_a_form_never_shown_is_not_a_breach(
    make_harness: type[Harness], name: str, fields: dict[str, Any]
) -> None:
    """An answer to an unknown form is an anomaly that strict sessions do not raise."""
    harness = make_harness(strict=True)

    assert [type(effect) for effect in harness.feed(name, **fields)] == [Anomaly]
    assert harness.anomalies == ["form_not_open"]
    assert harness.session.counts.events == 1
    assert harness.session.counts.duplicates == 0


def test_the_clients_own_end_does_not_end_the_session(harness: Harness) -> None:
    """The customer's request to end does not end the session: the server does."""
    harness.feed("end")
    harness.feed("disconnect")

    assert not harness.session.done
    assert harness.session.state == "establishing"


def test_own_items_in_a_log_are_reported_as_own(harness: Harness) -> None:
    """The customer's messages, files and locations in a log are reported as own."""
    [message] = harness.feed("message", party_id="CHAT-1", msg="hello", msg_id="1")
    [file] = harness.feed("file", party_id="CHAT-1", file_id="f-1", msg_id="")
    [place] = harness.feed("location", party_id="CHAT-1", latitude=1, longitude=2, msg_id="3")

    assert isinstance(message, MessageReceived)
    assert isinstance(file, FileReceived)
    assert isinstance(place, LocationReceived)
    assert message.message.own
    assert file.file.own
    assert place.location.own


def test_the_answers_of_a_form_are_kept_nowhere(harness: Harness) -> None:
    """The answers of a form in a log are in no effect and not in the state."""
    harness.show_form("7")
    effects = harness.feed("form_data", form_request_id="7", data={"card": "4000-secret"})

    assert "4000-secret" not in repr(effects)
    assert "4000-secret" not in repr(harness.session._state)
