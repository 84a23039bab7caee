"""Errors that long runs have found, as minimal tests."""

from __future__ import annotations

import json

from chatfsm import ChatSession, decode


def test_an_empty_list_of_departures_survives() -> None:
    """An empty list of departures, after all parties have rejoined, survives a snapshot."""
    session = ChatSession("chat-1")
    for kind, stamp in (("joined", "1"), ("left", "2"), ("joined", "3")):
        event = {"event": f"chat_session_party_{kind}", "party_id": "A", "timestamp": stamp}
        for item in decode([event]):
            session.receive(item, now=1.0)
    kept = json.loads(json.dumps(session.snapshot(now=2.0)))
    assert ChatSession.restore(kept, now=2.0) == session
