"""Who listens to what: the table of contents of the session room.

A row has its listeners in the order in which they hear an input.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final, get_args

from attrs import evolve

from chatfsm.errors import RemoteProtocolError
from chatfsm.protocol import commands as c
from chatfsm.protocol import events
from chatfsm.session import (
    calls,
    deadlines,
    forms,
    inactivity,
    keys,
    lifecycle,
    messages,
    oddities,
    outbox,
    presence,
    roster,
    saying,
    service,
    usual,
)
from chatfsm.session.inputs import History, Lost, SendFailed, Sent, Tick
from chatfsm.session.law import LIFECYCLE, OUTCOMES
from chatfsm.session.state import Turn

__all__ = ["EVENTS_IN", "MESSAGE", "ORDERED", "TAKEN_IN", "Check", "Listener", "catch_up"]

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
        is_own = event.party_id != memory.other_id and memory.is_own(event.party_id)
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
            keys.forgotten,
            saying.abandoned,
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
    **dict.fromkeys(get_args(events.Event), oddities.only_counted),
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
    events.Unknown: oddities.unknown,
    events.Malformed: oddities.malformed,
}


def _merged(turn: Turn, history: History) -> None:
    """What a history tells that was not told, then what has to be said again after it.

    The first violation that a strict session meets is raised when all that is no violation was
    heard: a page is one input, and nothing of it may be lost.
    """
    lapsed, violation = len(turn.effects), None
    turn.replaying = True
    for event in history.events:
        try:
            PAST[event.__class__](turn, event)
            turn.memory.events += 1
        except RemoteProtocolError as error:
            violation = violation or error
    turn.replaying = False
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
        inactivity.customer_acted,
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
    events.Message: usual.or_else(MESSAGE),
    events.File: _each(messages.file_repeated, inactivity.somebody_acted, messages.file),
    events.Location: _each(
        messages.location_repeated, inactivity.somebody_acted, messages.location
    ),
    events.MessageDelivered: messages.delivered,
    events.MessageRead: messages.read,
    events.Typing: presence.typing,
    events.NotTyping: presence.stopped,
    events.FormShow: forms.shown,
    events.SecureFormShow: forms.shown,
    events.SecureFormCancel: _each(forms.cancelled, inactivity.somebody_acted),
    events.FormData: _each(forms.submitted, inactivity.customer_acted),
    events.FormDataCancel: _each(forms.cancelled, inactivity.customer_acted),
    events.TimeoutWarning: inactivity.warned,
    events.Signaling: _each(calls.repeated, calls.signalled),
    events.CaseSet: service.case_set,
    events.Info: service.named,
    events.Cobrowsing: _each(service.cobrowsing_repeated, service.cobrowsing),
    events.ClientEvent: messages.said,
    events.Unknown: oddities.unknown,
    events.Malformed: oddities.malformed,
}

# What the app may order: how it is checked, and what comes of it.
ORDERED: Final[dict[type, tuple[Check, Listener]]] = {
    c.SendText: (
        saying.check,
        _each(keys.released, forms.answer_prompt, inactivity.customer_acted, saying.text),
    ),
    c.SendFile: (
        saying.check,
        _each(keys.released, inactivity.customer_acted, saying.file),
    ),
    c.SendLocation: (
        saying.check,
        _each(keys.released, inactivity.customer_acted, saying.location),
    ),
    c.SendNavigation: (saying.check, saying.navigation),
    c.StartTyping: (_allowed, keys.pressed),
    c.StopTyping: (_allowed, keys.released),
    c.SubmitForm: (forms.check_open, _each(forms.submit, inactivity.customer_acted)),
    c.CancelForm: (forms.check_open, _each(forms.cancel, inactivity.customer_acted)),
    c.MarkDelivered: (_allowed, saying.marked_delivered),
    c.MarkRead: (_allowed, saying.marked_read),
    c.Disconnect: (_allowed, saying.leave),
    c.End: (_allowed, saying.leave),
    c.RequestCall: (calls.check, calls.order),
    c.AnswerCall: (calls.check, calls.order),
    c.RejectCall: (calls.check, calls.order),
    c.SendCandidate: (calls.check, calls.order),
    c.EndCall: (calls.check, calls.order),
    c.RequestPhoneCall: (_allowed, calls.ask),
    c.RequestSms: (_allowed, calls.ask),
    c.CobrowsingReply: (service.check_reply, service.reply),
}

# What else happens: the time, and what the transport knows.
_TAKEN: Final[dict[type, Listener]] = {
    Tick: oddities.only_counted,
    Sent: saying.sent,
    SendFailed: saying.failed,
    Lost: _moving(lifecycle.lost),
    History: _merged,
}

# A final state has a table too: it absorbs everything (law L4).
_LATE: Final[dict[type, Listener]] = {
    **dict.fromkeys((Tick, Sent, SendFailed, Lost), oddities.only_counted),
    History: oddities.late_history,
    **dict.fromkeys(get_args(events.Event), oddities.late),
}

# One look-up finds the listener and asks the law: what is in no row of a state is not heard there.
EVENTS_IN: Final = {state: {} if state in OUTCOMES else _EVENTS for state in LIFECYCLE.states}
TAKEN_IN: Final = {state: _LATE if state in OUTCOMES else _TAKEN for state in LIFECYCLE.states}


def catch_up(turn: Turn) -> None:
    """Let happen what is due by now; mostly, whoever typed has long stopped, and nothing is."""
    earliest = deadlines.earliest(turn.memory)
    if -inf < turn.now < earliest:
        turn.memory.wake = earliest
        return
    deadlines.lapse(turn, (*presence.due(turn), *forms.due(turn), *keys.due(turn)))
