"""Snapshots of a session to plain JSON, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chatfsm import ChatSession
from tests.bench.measure import interleave, timed
from tests.bench.report import Row, absolute
from tests.bench.scale import Scale
from tests.bench.usage import decode_chat
from tests.bench.workloads import mid_conversation

__all__ = ["round_trip"]

GROUP: Final = "sessions"
TIMES: Final = 50


def round_trip(scale: Scale) -> Iterator[Row]:
    """Yield the row of a session with two parties and twenty messages."""
    chat = decode_chat(mid_conversation())
    session = ChatSession(chat.chat_id)
    for event, now in chat.timed:
        session.receive(event, now=now)

    def both() -> None:
        for _ in range(TIMES):
            ChatSession.restore(session.snapshot(now=now), now=0.0)

    times = interleave({"both": timed(both, TIMES)}, scale.rounds * 3)
    yield absolute(GROUP, "snapshot + restore, 20 messages", times, "both", 60.0)
