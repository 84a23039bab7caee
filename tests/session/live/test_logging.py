from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import RemoteProtocolError
from chatfsm.effects import Anomaly, to_json

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

SECRET = "my-very-secret-words"  # noqa: S105 - stands for what people write

# Every place in which somebody's words travel.
SPOKEN: list[dict[str, Any]] = [
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
    """The library has one logger, with a handler that does nothing, and sets no level."""
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


def test_no_record_holds_what_somebody_wrote(
    plays: type[Play], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is said, no record of any level holds a word of it."""
    caplog.set_level(logging.NOTSET)
    play = plays(**SMALL)

    play.hears_batch(*SPOKEN)

    assert play.session.done
    assert len(caplog.records) > len(play.anomalies) > 10
    for record in caplog.records:
        assert record.name == "chatfsm"
        assert SECRET not in record.getMessage()
        assert SECRET not in repr(record.args)
        assert record.exc_info is None


@pytest.mark.parametrize("item", SPOKEN)
def test_no_error_holds_what_somebody_wrote(plays: type[Play], item: dict[str, Any]) -> None:
    """The errors of a strict session quote nothing that somebody wrote."""
    play = plays(strict=True, **SMALL)
    texts = []
    for heard in (*SPOKEN[:1], item, item):
        try:
            play.hears_batch(heard)
        except RemoteProtocolError as error:
            texts += [str(error), repr(error), repr(error.effects)]

    assert play.session.counts.events + len(texts) // 3 + play.session.counts.late == 3
    assert SECRET not in "".join(texts)


def test_no_anomaly_explains_itself_by_what_somebody_wrote(plays: type[Play]) -> None:
    """The text of an anomaly, and its repr, quote nothing that somebody wrote; raw keeps it."""
    play = plays(**SMALL)
    play.hears_batch(*SPOKEN)

    anomalies = [effect for effect in play.told if isinstance(effect, Anomaly)]
    assert SECRET not in "".join(repr(anomaly) for anomaly in anomalies)
    assert any(SECRET in str(to_json(anomaly)["raw"]) for anomaly in anomalies)


def test_the_records_say_what_happened(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown event, an anomaly and the end are recorded, each with the id of the chat."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    play.hears("surprise")
    play.leaves("ann")
    play.ends()

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "chat 'chat-1': unknown event"),
        (logging.WARNING, "chat 'chat-1': anomaly, unknown_party"),
        (logging.INFO, "chat 'chat-1': terminated, ended"),
    ]


def test_an_ordinary_chat_is_not_recorded(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """What is as it should be leaves no record."""
    caplog.set_level(logging.DEBUG, logger="chatfsm")
    play.status("connected")
    play.joins("ann", type="internal")
    play.says("ann", "hello", "2")
    play.types("ann")
    play.shows("7", form_timeout="5")
    play.ticks(at=100.0)

    assert caplog.records == []


def test_an_id_breaks_no_line(plays: type[Play], caplog: pytest.LogCaptureFixture) -> None:
    """An odd id of a chat is escaped, so that a record stays one line of plain text."""
    caplog.set_level(logging.INFO, logger="chatfsm")
    plays("chat\n1 é").ends()

    assert [record.getMessage() for record in caplog.records] == [
        r"chat 'chat\n1 \xe9': terminated, ended",
    ]
    assert [vars(record)["chat_id"] for record in caplog.records] == [r"chat\n1 \xe9"]
