"""Ids of messages of the app: each counts for its own kind of message, also after the reply."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import ChatSession, Sent, commands, decode
from chatfsm.effects import Anomaly, Effect

CHAT = "chat-1"
SENT = {
    "text": (commands.SendText("hello", msg_id="7"), {"msg": "hello"}, {"msg": "other"}),
    "file": (commands.SendFile("F1", "image", msg_id="7"), {"file_id": "F1"}, {"file_id": "F2"}),
    "location": (
        commands.SendLocation(1.0, 2.0, msg_id="7"),
        {"latitude": 1.0, "longitude": 2.0},
        {"latitude": 1.0, "longitude": 3.0},
    ),
}


def receive(kind: str, content: dict[str, Any]) -> tuple[list[Effect], ChatSession]:
    """Return the effects of an own event that has the id of a message that was sent."""
    command, _, _ = SENT[kind]
    session = ChatSession(CHAT)
    session.receive(command, now=0.0)
    session.receive(Sent(["7"]), now=0.0)
    name = "message" if kind == "text" else kind
    item = {"event": f"chat_session_{name}", "msg_id": "7", "party_id": CHAT, **content}
    if kind == "file":
        item["file_type"] = "image"
    return session.receive(decode(item)[0], now=0.0), session


@pytest.mark.parametrize("kind", SENT)
def test_an_echo_is_a_duplicate(kind: str) -> None:
    """The server sends the same content back with the id of the message."""
    effects, session = receive(kind, SENT[kind][1])
    assert effects == []
    assert session.counts.duplicates == 1


@pytest.mark.parametrize("kind", SENT)
def test_another_content_with_the_id_of_a_sent_message_is_reported(kind: str) -> None:
    """DESIGN §2, L5: the same id with other content is `id_reused`."""
    effects, session = receive(kind, SENT[kind][2])
    assert [effect.kind for effect in effects if isinstance(effect, Anomaly)] == ["id_reused"]
    assert len(effects) == 2
    assert session.counts.duplicates == 0
