"""The hot path of a replay: events of one chat, where nothing is out of the ordinary.

Nearly all that a log holds is heard here, and every call counts: what is said of a chat as a
whole is added up on the way, and put down once.
"""

from __future__ import annotations

from typing import Any

from chatfsm.recording.replay import ChatReplay
from chatfsm.recording.report import NOTED, Account
from chatfsm.session.effects import MessageReceived

__all__ = ["hear_on"]


def hear_on(replay: ChatReplay, account: Account, events: list[Any]) -> None:
    """Hear events of a chat that has begun, until it ends; `replay.heard` says how many they were.

    What follows is what `replay.hear` and `account.add` make of each, but for the time of what
    lapses between two of them, which no account holds. Raises what a strict session raises.
    """
    receive = replay.session.receive
    now = replay.now or 0.0
    heard = messages = 0
    try:
        for event in events:
            stamp = event.timestamp
            if stamp is not None and stamp > now:
                now = stamp
            for effect in receive(event, now=now):
                kind = effect.__class__
                if kind is MessageReceived:
                    messages += 1
                elif kind in NOTED:
                    account.note(effect, now)
            heard += 1
            if account.ended_at is not None:
                break
    finally:
        replay.now = now
        replay.heard += heard
        account.messages += messages
        if heard:
            account.heard_at(now)
