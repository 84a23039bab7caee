"""What soaks have found, as small as it is."""

from __future__ import annotations

import json

from chatfsm import ChatSession, decode


def test_whoever_came_back_is_no_harm_to_a_snapshot() -> None:
    """All who had left are here again: an empty list of those who left is a list."""
    session = ChatSession("chat-1")
    for kind, stamp in (("joined", "1"), ("left", "2"), ("joined", "3")):
        event = {"event": f"chat_session_party_{kind}", "party_id": "A", "timestamp": stamp}
        for item in decode([event]):
            session.receive(item, now=1.0)
    kept = json.loads(json.dumps(session.snapshot(now=2.0)))
    assert ChatSession.restore(kept, now=2.0) == session
