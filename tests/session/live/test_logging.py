from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import RemoteProtocolError
from chatfsm.effects import Anomaly, to_json

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

SECRET = "my-very-secret-words"  # noqa: S105 - stands for the text of a message

# Every field in which text of a party occurs.
ITEMS: list[dict[str, Any]] = [
    {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": SECRET},
    {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg_text": SECRET},
    {"event": "chat_session_message", "party_id": "chat-1", "msg_id": "1", "msg": SECRET},
    {"event": "chat_session_message", "msg": {"odd": SECRET}, "timestamp": SECRET},
    {"event": "chat_session_message", "attachments": [{"content": SECRET}]},
    {"event": "chat_session_party_joined", "party_id": "ann", "display_name": SECRET},
    {"event": "chat_session_party_joined", "party_id": "bob", "display_name": SECRET},
    {"event": "chat_session_typing", "party_id": "chat-1", "msg": SECRET},
    {"event": "chat_session_typing", "party_id": {"odd": SECRET}},
    {"event": "chat_session_typing", "msg": SECRET},
    {"event": "chat_session_form_show", "form_request_id": "7", "form_name": SECRET},
    {"event": "chat_session_form_show", "form_request_id": "8", "form_name": SECRET},
    {"event": "chat_session_form_data", "form_request_id": "7", "data": {"a": SECRET}},
    {"event": "chat_session_secure_form_data", "form_request_id": "8", "data": {"a": SECRET}},
    {"event": "chat_session_timeout_warning", "msg": SECRET},
    {"event": "chat_session_file", "file_id": "f-1", "file_name": SECRET, "msg_id": "4"},
    {"event": "chat_session_file", "file_id": "f-2", "file_name": SECRET, "msg_id": "4"},
    {"event": "chat_session_location", "url": SECRET},
    {"event": "chat_session_signaling", "data": SECRET},
    {"event": "chat_session_signaling", "data": {"type": "OFFER_CALL", "sdp": SECRET}},
    {"event": "chat_session_signaling", "data": {"type": "ICE_CANDIDATE", "candidate": SECRET}},
    {"event": "chat_session_signaling", "data": {"type": "ICE_CANDIDATE", "candidate": SECRET}},
    {"event": "chat_session_info", "service_name": SECRET},
    {"event": "chat_session_surprise", "msg": SECRET},
    {"event": "chat_session_status", "state": ["odd", SECRET]},
    {"event": 7, "msg": SECRET},
    {"msg": SECRET},
    {"event": "chat_session_party_left", "party_id": "zoe", "reason": SECRET},
    {"event": "chat_session_inactivity_timeout", "msg": SECRET},
    {"event": "chat_session_message", "msg": SECRET},
]
SMALL = {"max_parties": 1, "max_forms": 1, "max_candidates": 1, "max_ids": 1}


def test_there_is_one_logger_and_it_is_silent() -> None:
    """The library has one logger, with a NullHandler and without a level."""
    logger = logging.getLogger("chatfsm")

    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    assert logger.level == logging.NOTSET
    assert logger.propagate
    names = [
        name
        for name, known in logging.root.manager.loggerDict.items()
        if name.startswith("chatfsm") and isinstance(known, logging.Logger)
    ]
    assert names == ["chatfsm"]


def test_no_record_contains_text_of_a_party(
    make_harness: type[Harness], caplog: pytest.LogCaptureFixture
) -> None:
    """No log record of any level contains text of a party."""
    caplog.set_level(logging.NOTSET)
    harness = make_harness(**SMALL)

    harness.feed_batch(*ITEMS)

    assert harness.session.done
    assert len(caplog.records) > len(harness.anomalies) > 10
    for record in caplog.records:
        assert record.name == "chatfsm"
        assert SECRET not in record.getMessage()
        assert SECRET not in repr(record.args)
        assert record.exc_info is None


@pytest.mark.parametrize("item", ITEMS)
def test_no_error_contains_text_of_a_party(
    make_harness: type[Harness], item: dict[str, Any]
) -> None:
    """The errors of a strict session quote no text of a party."""
    harness = make_harness(strict=True, **SMALL)
    texts = []
    for wire_item in (*ITEMS[:1], item, item):
        try:
            harness.feed_batch(wire_item)
        except RemoteProtocolError as error:
            texts += [str(error), repr(error), repr(error.effects)]

    assert harness.session.counts.events + len(texts) // 3 + harness.session.counts.late == 3
    assert SECRET not in "".join(texts)


def test_no_text_of_an_anomaly_contains_text_of_a_party(make_harness: type[Harness]) -> None:
    """The text and the repr of an anomaly quote no text of a party; `raw` has it."""
    harness = make_harness(**SMALL)
    harness.feed_batch(*ITEMS)

    anomalies = [effect for effect in harness.effects if isinstance(effect, Anomaly)]
    assert SECRET not in "".join(repr(anomaly) for anomaly in anomalies)
    assert any(SECRET in str(to_json(anomaly)["raw"]) for anomaly in anomalies)


def test_unknown_events_anomalies_and_the_end_are_logged(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown event, an anomaly and the end are logged, each with the chat_id."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    harness.feed("surprise")
    harness.leave("ann")
    harness.end()

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "chat 'chat-1': unknown event"),
        (logging.WARNING, "chat 'chat-1': anomaly, unknown_party"),
        (logging.INFO, "chat 'chat-1': terminated, ended"),
    ]


def test_an_ordinary_chat_is_not_logged(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """An ordinary chat is not logged."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    harness.status("connected")
    harness.join("ann", type="internal")
    harness.message("ann", "hello", "2")
    harness.typing("ann")
    harness.show_form("7", form_timeout="5")
    harness.tick(at=100.0)

    assert caplog.records == []


def test_a_chat_id_is_escaped_in_records(
    make_harness: type[Harness], caplog: pytest.LogCaptureFixture
) -> None:
    """A chat_id with odd characters is escaped, so that a record stays one line of ASCII."""
    caplog.set_level(logging.INFO, logger="chatfsm")
    make_harness("chat\n1 é").end()

    assert [record.getMessage() for record in caplog.records] == [
        r"chat 'chat\n1 \xe9': terminated, ended",
    ]
    assert [vars(record)["chat_id"] for record in caplog.records] == [r"chat\n1 \xe9"]
