"""The usual message, heard in one go: plain, short, new, and from who spoke before.

Nearly half of what a server says is messages. What is here says nothing that the row of listeners
does not say, which hears all others: a test compares the two. Messages take three quarters of the
time that their row takes, and all events of a chat 0.9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chatfsm.frozen import maker
from chatfsm.protocol import events
from chatfsm.session import forms, presence
from chatfsm.session.effects import MessageReceived
from chatfsm.session.identity import SHORT, content_of
from chatfsm.session.outbox import learn_number
from chatfsm.session.state import Turn
from chatfsm.session.values import ChatMessage

__all__ = ["or_else"]

_received: Final = maker(MessageReceived, message=ChatMessage)


def or_else(
    row: Callable[[Turn, Any], bool | None],
) -> Callable[[Turn, events.Message], bool | None]:
    """What hears the usual messages itself, and leaves the others to the row."""

    def hear(turn: Turn, event: events.Message) -> bool | None:
        memory, speaker = turn.memory, event.party_id
        msg_id, content = event.msg_id, event.msg
        own = speaker != memory.other_id and (speaker == memory.own_id or memory.is_own(speaker))
        if own:
            if memory.outbox or memory.forms or memory.warning is not None:
                return row(turn, event)
            speaker = memory.chat_id
        ids = memory.told.get(speaker)
        if (
            msg_id is None
            or content is None
            or event.msg_text is not None
            or event.attachments
            or memory.told_count >= turn.settings.max_ids
            or (ids is not None and msg_id in ids)
        ):
            return row(turn, event)
        if ids is None:
            ids = memory.told[speaker] = {}
        ids[msg_id] = content if len(content) <= SHORT else content_of(content)
        memory.told_count += 1
        if own:
            learn_number(memory, msg_id)
            forms.text_said(memory, event.timestamp)
        elif memory.typing is not None:
            presence.stopped(turn, event)
        for party in memory.parties:
            if party.party_id == speaker:
                break
        else:
            party = None
        turn.effects.append(_received(event, party, own))
        return None

    return hear
