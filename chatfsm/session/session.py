"""The session: one door in, and who listens to what behind it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Final, Self, get_args

from chatfsm.errors import LocalProtocolError, RemoteProtocolError
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
    snapshot,
)
from chatfsm.session.effects import Effect
from chatfsm.session.inputs import History, Input, Lost, SendFailed, Sent, Tick
from chatfsm.session.law import LIFECYCLE, ORDERS, OUTCOMES, why_not
from chatfsm.session.plain import snake
from chatfsm.session.settings import Settings
from chatfsm.session.state import Memory, Turn
from chatfsm.session.view import View

__all__ = ["ChatSession"]

Listener = Callable[[Turn, Any], bool | None]
"""Hears an input; True: it is dealt with, those further down the row need not hear it."""


Check = Callable[[Turn, Any], None]
"""Looks at an order before anything is changed; raises `LocalProtocolError` to refuse it."""


def _each(*listeners: Listener) -> Listener:
    """One listener made of several, which hear the input in this order."""

    def hear(turn: Turn, item: Any) -> None:
        for listener in listeners:
            if listener(turn, item):
                return

    return hear


def _allowed(_turn: Turn, _order: object) -> None:
    """Nothing but the state of the session decides."""


# What follows once the state is another; each looks at the state by itself.
_CONSEQUENCES: Final = (
    presence.all_stopped,
    forms.all_closed,
    calls.cut,
    keys.forgotten,
    saying.abandoned,
    lifecycle.terminate,
)

# Who listens to events of the past, which are merged by identity, in whatever order they come.
# What is passing (states, typing, warnings, calls) is past, and what ended then has not ended now.
_PAST: Final[dict[type, Listener]] = {
    **dict.fromkeys(get_args(events.Event), oddities.only_counted),
    events.PartyJoined: roster.had_joined,
    events.PartyLeft: _each(roster.had_left, presence.stopped),
    events.Message: _each(
        forms.prompts_had_been_answered, messages.message_repeated, messages.message
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
    events.Unknown: oddities.was_unknown,
    events.Malformed: oddities.was_malformed,
}


def _merged(turn: Turn, history: History) -> None:
    """What a history tells that was not told, then what has to be said again after it."""
    turn.replaying = True
    for event in history.events:
        _PAST[event.__class__](turn, event)
        turn.memory.counts.events += 1
    turn.replaying = False
    if history.complete:
        outbox.send_missing(turn)


# Who listens to what happens now.
_LISTENERS: Final[dict[type, Listener]] = {
    Tick: oddities.only_counted,
    Sent: saying.sent,
    SendFailed: saying.failed,
    Lost: _each(lifecycle.lost, *_CONSEQUENCES),
    History: _merged,
    events.Status: _each(lifecycle.status, *_CONSEQUENCES),
    events.Ended: _each(lifecycle.ended, *_CONSEQUENCES),
    events.InactivityTimeout: _each(lifecycle.timed_out, *_CONSEQUENCES),
    events.PartyJoined: roster.joined,
    events.PartyLeft: _each(roster.stranger_left, presence.stopped, roster.left),
    events.Message: _each(
        messages.message_repeated,
        presence.stopped,
        forms.prompt_answered,
        inactivity.somebody_acted,
        messages.message,
    ),
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
_ORDERS: Final[dict[type, tuple[Check, Listener]]] = {
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

# A final state has a table too: it absorbs everything (law L4).
_LATE: Final[dict[type, Listener]] = {
    **dict.fromkeys((Tick, Sent, SendFailed, Lost), oddities.only_counted),
    History: oddities.late_history,
    **dict.fromkeys(get_args(events.Event), oddities.late),
}

# Inputs that are no event; a history counts those that it holds.
_NO_EVENTS: Final = {Tick, Sent, SendFailed, Lost, History}

_USUAL: Final = Settings()

_LISTENERS_IN: Final = {
    state: _LATE if state in OUTCOMES else _LISTENERS for state in LIFECYCLE.states
}


class ChatSession(View):  # noqa: PLW1641  # equal while they know the same: no hash
    """One chat with a contact center, as far as its events have told.

    It does no IO and reads no clock: `receive` takes what happened and the time of it, and
    returns what follows. Use one session from one thread at a time.
    """

    __slots__ = ("settings",)

    def __init__(self, chat_id: str, *, settings: Settings = _USUAL) -> None:
        if not isinstance(chat_id, str) or not chat_id:
            raise ValueError("chat_id must be a text that is not empty")
        self._memory = Memory(chat_id)
        self.settings = settings

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Hear one input, and return what follows from it, in order.

        `now`: seconds on a clock of the caller's, always the same one. What was due by then is
        told before what the input brings. Early, late and repeated ticks do no harm.

        Raises `LocalProtocolError` for a command that is not allowed now, which then changes
        nothing, and for a `now` that is not finite; TypeError for what is no input; and, in a
        strict session, `RemoteProtocolError` where the server broke the protocol: its `effects`
        are those that were due before.
        """
        memory = self._memory
        listener = _LISTENERS_IN[memory.state].get(item.__class__)
        if listener is None:
            return self._obey(item, now)
        turn = Turn(memory, self.settings, now, [])
        if not -inf < now < memory.wake:
            _catch_up(turn)
        try:
            listener(turn, item)
        except RemoteProtocolError as error:
            memory.counts.effects += len(turn.effects)
            error.effects = tuple(turn.effects)
            raise
        if listener is not oddities.late and item.__class__ not in _NO_EVENTS:
            memory.counts.events += 1
        return _told(turn)

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that the session knows, as plain JSON with a version; `now` as in `receive`.

        It holds what people wrote where that may have to be sent again, and no secure form data.
        """
        return snapshot.taken(self._memory, now)

    @classmethod
    def restore(cls, data: object, *, settings: Settings = _USUAL, now: float) -> Self:
        """The session that a snapshot was taken of, on whatever clock `now` is read from.

        Raises `SnapshotError` for what is no snapshot, is newer than this library, or was changed.
        """
        session = cls.__new__(cls)
        session._memory = snapshot.restored(data, now)
        session.settings = settings
        return session

    def __eq__(self, other: object) -> bool:  # no hash: what it knows changes
        if not isinstance(other, ChatSession):
            return NotImplemented
        return self._memory == other._memory and self.settings == other.settings

    def _obey(self, order: object, now: float) -> list[Effect]:
        """Check an order, then let happen what is due, then carry it out."""
        if order.__class__ not in _ORDERS:
            raise TypeError(f"{type(order).__name__} is no input of a session: decode it first")
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        check, listener = _ORDERS[order.__class__]
        turn = Turn(self._memory, self.settings, now, [])
        name = snake(order.__class__)
        if name not in ORDERS.moves[self.state]:
            raise LocalProtocolError(f"cannot {name.replace('_', ' ')}: {why_not(self.state)}")
        check(turn, order)
        if not -inf < now < self._memory.wake:
            _catch_up(turn)
        listener(turn, order)
        turn.post()
        return _told(turn)


def _catch_up(turn: Turn) -> None:
    deadlines.lapse(turn, (*presence.due(turn), *forms.due(turn), *keys.due(turn)))


def _told(turn: Turn) -> list[Effect]:
    if turn.anomalies is not None:
        turn.effects += turn.anomalies
    turn.memory.counts.effects += len(turn.effects)
    return turn.effects
