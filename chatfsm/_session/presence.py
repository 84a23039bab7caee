"""Typing indicators: of the parties, with a timeout, and the customer's own."""

from __future__ import annotations

from typing import Final

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session import changes
from chatfsm._session.state import OwnTyping, SessionState, deadline_after, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import Effect, TypingStarted

_started: Final = fast_constructor(TypingStarted)


# DESIGN §3: typing → `TypingStarted` once, repeats renew the deadline (`Settings.typing_timeout`).
def typing(session: SessionState, event: events.Typing, effects: list[Effect]) -> None:
    """Start or renew a party's typing indicator; the customer's own typing is not reported."""
    party_id, typing = event.party_id, session.typing
    if typing is None or party_id not in typing:
        if party_id != session.last_other_id and session.is_own(party_id):
            return
        if typing is None:
            typing = session.typing = {}
        if len(typing) >= session.settings.max_typists:
            limit = session.settings.max_typists
            text = f"more than {limit} typing parties: {quoted(party_id)} is ignored"
            session.report_violation("too_many_typists", text)
            return
        effects.append(_started(party_id))
    deadline = typing[party_id] = deadline_after(session.now, session.settings.typing_timeout)
    if deadline < session.deadline_bound:  # noqa: PLR1730  # a third of the time of min()
        session.deadline_bound = deadline


# DESIGN §3: not_typing → `TypingStopped(party_id, "event")`.
def not_typing(session: SessionState, event: events.NotTyping, effects: list[Effect]) -> None:
    """Stop a party's typing indicator."""
    changes.stop_typing(session, event.party_id, "event", effects)


# The customer's own typing: the server is notified at the first key, then once in
# `Settings.typing_renew` seconds, and of the end at the latest `Settings.typing_idle` seconds
# after the last key.


def start_typing(session: SessionState, command: commands.StartTyping, _: list[Effect]) -> None:
    """Note a key that the customer pressed, and notify the server if it is time to."""
    now, settings, typing = session.now, session.settings, session.own_typing
    deadline = deadline_after(now, settings.typing_idle)
    if typing is None or now >= typing.sent_at + settings.typing_renew:
        session.queue_event(encode(command))
        session.own_typing = OwnTyping(now, deadline)
    else:
        typing.deadline = deadline
    session.deadline_bound = min(session.deadline_bound, deadline)


def stop_typing(session: SessionState, _command: commands.StopTyping, _: list[Effect]) -> None:
    """Notify the server that the customer stopped typing."""
    changes.stop_own_typing(session)
