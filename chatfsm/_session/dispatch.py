"""Who listens to what: the table of contents of the session room.

A row has its listeners in the order in which they hear an input.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final, get_args

from attrs import evolve

from chatfsm import commands as c
from chatfsm import events
from chatfsm._session import (
    calls,
    forms,
    lifecycle,
    messages,
    outbox,
    presence,
    roster,
    service,
    state,
)
from chatfsm._session.duplicates import SHORT, content_of
from chatfsm._session.outbox import learn_number
from chatfsm._session.state import Turn
from chatfsm._session.tables import LIFECYCLE, OUTCOMES
from chatfsm._values import fast_constructor
from chatfsm.effects import MessageReceived
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import History, Lost, SendFailed, Sent, Tick
from chatfsm.models import ChatMessage

__all__ = [
    "EVENTS_IN",
    "MESSAGE",
    "ORDERED",
    "TAKEN_IN",
    "Check",
    "Listener",
    "catch_up",
    "or_else",
]

# The usual message, heard in one go: plain, short, new, and from who spoke before.
#
# Nearly half of what a server says is messages. What is here says nothing that the row of listeners
# does not say, which hears all others: a test compares the two. Messages take three quarters of the
# time that their row takes, and all events of a chat 0.9.

_received: Final = fast_constructor(MessageReceived, message=ChatMessage)


def or_else(
    row: Callable[[Turn, Any], bool | None],
) -> Callable[[Turn, events.Message], bool | None]:
    """What hears the usual messages itself, and leaves the others to the row."""

    def hear(turn: Turn, event: events.Message) -> bool | None:
        memory, speaker = turn.memory, event.party_id
        msg_id, content = event.msg_id, event.msg
        own = speaker != memory.last_other_id and (
            speaker == memory.last_own_id or memory.is_own(speaker)
        )
        if own:
            if memory.outbox or memory.forms or memory.warning is not None:
                return row(turn, event)
            speaker = memory.chat_id
        ids = memory.seen_ids.get(speaker)
        if (
            msg_id is None
            or content is None
            or event.msg_text is not None
            or event.attachments
            or memory.seen_count >= turn.settings.max_ids
            or (ids is not None and msg_id in ids)
        ):
            return row(turn, event)
        if ids is None:
            ids = memory.seen_ids[speaker] = {}
        ids[msg_id] = content if len(content) <= SHORT else content_of(content)
        memory.seen_count += 1
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


Listener = Callable[[Turn, Any], bool | None]
"""Hears an input; True: it is dealt with, those further down the row need not hear it."""

Check = Callable[[Turn, Any], None]
"""Looks at an order before anything is changed; raises `LocalProtocolError` to refuse it."""


def _each(first: Listener, *others: Listener) -> Listener:
    """One listener made of several; the first decides whether the others hear the input."""

    def hear(turn: Turn, item: Any) -> None:
        if not first(turn, item):
            for listener in others:
                listener(turn, item)

    return hear


def _by_side(own: tuple[Listener, ...], other: tuple[Listener, ...]) -> Listener:
    """Who listens to what the customer's side said, and who to what anybody else did."""

    def hear(turn: Turn, event: Any) -> None:
        memory = turn.memory
        is_own = event.party_id != memory.last_other_id and memory.is_own(event.party_id)
        for listener in own if is_own else other:
            if listener(turn, event):
                return

    return hear


def _allowed(_turn: Turn, _order: object) -> None:
    """Nothing but the state of the session decides."""


# What follows from being in a state.
_CONSEQUENCES: Final[dict[str, tuple[Listener, ...]]] = {
    **dict.fromkeys(LIFECYCLE.states, ()),
    "completed": (presence.all_stopped,),
    **dict.fromkeys(
        OUTCOMES,
        (
            presence.all_stopped,
            forms.all_closed,
            calls.cut,
            presence.forgotten,
            messages.abandoned,
            lifecycle.terminate,
        ),
    ),
}


def _moving(listener: Listener) -> Listener:
    """What may move the session to another state, and then what follows from that."""

    def hear(turn: Turn, item: Any) -> None:
        if not listener(turn, item):
            for consequence in _CONSEQUENCES[turn.memory.state]:
                consequence(turn, item)

    return hear


# Who listens to events of the past, which are merged by identity, in whatever order they come.
# What is passing (states, typing, warnings, calls) is past, and what ended then has not ended now.
PAST: Final[dict[type, Listener]] = {
    **dict.fromkeys(get_args(events.Event), lifecycle.only_counted),
    events.PartyJoined: roster.had_joined,
    events.PartyLeft: _each(roster.leaving_was_no_news, presence.stopped, roster.had_left),
    events.Message: _by_side(
        own=(
            forms.prompts_had_been_answered,
            messages.came_back,
            messages.own_repeated,
            messages.own_message,
        ),
        other=(messages.message_repeated, messages.message),
    ),
    events.ClientEvent: messages.said,
    events.File: _each(messages.file_repeated, messages.file),
    events.Location: _each(messages.location_repeated, messages.location),
    events.MessageDelivered: messages.delivered,
    events.MessageRead: messages.read,
    events.FormShow: forms.had_shown,
    events.SecureFormShow: forms.had_shown,
    events.SecureFormCancel: forms.had_answered,
    events.FormData: forms.had_answered,
    events.FormDataCancel: forms.had_answered,
    events.Signaling: outbox.count_on,
    events.Cobrowsing: outbox.count_on,
    events.CaseSet: service.case_was_set,
    events.Info: service.was_named,
    events.Unknown: lifecycle.unknown,
    events.Malformed: lifecycle.malformed,
}


def _merged(turn: Turn, history: History) -> None:
    """What a history tells that was not told, then what has to be said again after it.

    The first violation that a strict session meets is raised when all that is no violation was
    heard: a page is one input, and nothing of it may be lost.
    """
    lapsed, violation = len(turn.effects), None
    turn.in_history = True
    for event in history.events:
        try:
            PAST[event.__class__](turn, event)
            turn.memory.events += 1
        except RemoteProtocolError as error:
            violation = violation or error
    turn.in_history = False
    turn.effects[lapsed:] = [evolve(told, replayed=True) for told in turn.effects[lapsed:]]
    if history.complete:
        outbox.send_missing(turn)
    if violation is not None:
        raise violation


# Who listens to a message, where it is not a usual one.
MESSAGE: Final = _by_side(
    own=(
        messages.came_back,
        messages.own_repeated,
        forms.prompt_answered,
        lifecycle.customer_acted,
        messages.own_message,
    ),
    other=(messages.message_repeated, presence.stopped, messages.message),
)

# Who listens to what happens now.
_EVENTS: Final[dict[type, Listener]] = {
    events.Status: _moving(lifecycle.status),
    events.Ended: _moving(lifecycle.ended),
    events.InactivityTimeout: _moving(lifecycle.timed_out),
    events.PartyJoined: roster.joined,
    events.PartyLeft: _each(roster.stranger_left, presence.stopped, roster.left),
    events.Message: or_else(MESSAGE),
    events.File: _each(messages.file_repeated, lifecycle.somebody_acted, messages.file),
    events.Location: _each(messages.location_repeated, lifecycle.somebody_acted, messages.location),
    events.MessageDelivered: messages.delivered,
    events.MessageRead: messages.read,
    events.Typing: presence.typing,
    events.NotTyping: presence.stopped,
    events.FormShow: forms.shown,
    events.SecureFormShow: forms.shown,
    events.SecureFormCancel: _each(forms.cancelled, lifecycle.somebody_acted),
    events.FormData: _each(forms.submitted, lifecycle.customer_acted),
    events.FormDataCancel: _each(forms.cancelled, lifecycle.customer_acted),
    events.TimeoutWarning: lifecycle.warned,
    events.Signaling: _each(calls.repeated, calls.signalled),
    events.CaseSet: service.case_set,
    events.Info: service.named,
    events.Cobrowsing: _each(service.cobrowsing_repeated, service.cobrowsing),
    events.ClientEvent: messages.said,
    events.Unknown: lifecycle.unknown,
    events.Malformed: lifecycle.malformed,
}

# What the app may order: how it is checked, and what comes of it.
ORDERED: Final[dict[type, tuple[Check, Listener]]] = {
    c.SendText: (
        messages.check,
        _each(presence.released, forms.answer_prompt, lifecycle.customer_acted, messages.text),
    ),
    c.SendFile: (
        messages.check,
        _each(presence.released, lifecycle.customer_acted, messages.send_file),
    ),
    c.SendLocation: (
        messages.check,
        _each(presence.released, lifecycle.customer_acted, messages.send_location),
    ),
    c.SendNavigation: (messages.check, messages.navigation),
    c.StartTyping: (_allowed, presence.pressed),
    c.StopTyping: (_allowed, presence.released),
    c.SubmitForm: (forms.check_open, _each(forms.submit, lifecycle.customer_acted)),
    c.CancelForm: (forms.check_open, _each(forms.cancel, lifecycle.customer_acted)),
    c.MarkDelivered: (_allowed, messages.marked_delivered),
    c.MarkRead: (_allowed, messages.marked_read),
    c.Disconnect: (_allowed, messages.leave),
    c.End: (_allowed, messages.leave),
    c.RequestCall: (calls.check, calls.order),
    c.AnswerCall: (calls.check, calls.order),
    c.RejectCall: (calls.check, calls.order),
    c.SendCandidate: (calls.check, calls.order),
    c.EndCall: (calls.check, calls.order),
    c.RequestPhoneCall: (outbox.check_msg_id, calls.ask),
    c.RequestSms: (outbox.check_msg_id, calls.ask),
    c.CobrowsingReply: (service.check_reply, service.reply),
}

# What else happens: the time, and what the transport knows.
_TAKEN: Final[dict[type, Listener]] = {
    Tick: lifecycle.only_counted,
    Sent: messages.sent,
    SendFailed: messages.failed,
    Lost: _moving(lifecycle.lost),
    History: _merged,
}

# A final state has a table too: it absorbs everything (law L4).
_LATE: Final[dict[type, Listener]] = {
    **dict.fromkeys((Tick, Sent, SendFailed, Lost), lifecycle.only_counted),
    History: lifecycle.late_history,
    **dict.fromkeys(get_args(events.Event), lifecycle.late),
}

# One look-up finds the listener and asks the law: what is in no row of a state is not heard there.
EVENTS_IN: Final = {state: {} if state in OUTCOMES else _EVENTS for state in LIFECYCLE.states}
TAKEN_IN: Final = {state: _LATE if state in OUTCOMES else _TAKEN for state in LIFECYCLE.states}


def catch_up(turn: Turn) -> None:
    """Let happen what is due by now; mostly, whoever typed has long stopped, and nothing is."""
    earliest = state.earliest(turn.memory)
    if -inf < turn.now < earliest:
        turn.memory.deadline_bound = earliest
        return
    state.lapse(turn, (*presence.due(turn), *forms.due(turn), *presence.own_due(turn)))
