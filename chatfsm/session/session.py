"""The session: one door in, and who listens to what behind it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final, get_args

from attrs import evolve, frozen

from chatfsm.errors import RemoteProtocolError
from chatfsm.protocol import events
from chatfsm.protocol.signaling import IceCandidate
from chatfsm.session import (
    calls,
    deadlines,
    forms,
    inactivity,
    lifecycle,
    messages,
    oddities,
    presence,
    roster,
    service,
)
from chatfsm.session.effects import Effect
from chatfsm.session.law import LIFECYCLE, OUTCOMES, Outcome
from chatfsm.session.settings import Settings
from chatfsm.session.state import Counts, Memory, Turn, quoted
from chatfsm.session.values import Form, Party

__all__ = ["ChatSession", "Tick"]

Listener = Callable[[Turn, Any], bool | None]
"""Hears an input; True: it is dealt with, those further down the row need not hear it."""


@frozen
class Tick:
    """The time has come, or may have: whatever is due happens."""


Item = events.Event | Tick


def _each(*listeners: Listener) -> Listener:
    """One listener made of several, which hear the input in this order."""

    def hear(turn: Turn, item: Any) -> None:
        for listener in listeners:
            if listener(turn, item):
                return

    return hear


_CONSEQUENCES: Final = (
    presence.all_stopped,
    forms.all_closed,
    calls.cut,
    lifecycle.terminate,
)

_LISTENERS: Final[dict[type, Listener]] = {
    Tick: oddities.only_counted,
    events.Status: _each(lifecycle.status, *_CONSEQUENCES),
    events.Ended: _each(lifecycle.ended, *_CONSEQUENCES),
    events.InactivityTimeout: _each(lifecycle.timed_out, *_CONSEQUENCES),
    events.PartyJoined: roster.joined,
    events.PartyLeft: _each(presence.stopped, roster.left),
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
    events.SecureFormShow: forms.secure_shown,
    events.SecureFormCancel: _each(forms.cancelled, inactivity.somebody_acted),
    events.FormData: _each(forms.submitted, inactivity.customer_acted),
    events.FormDataCancel: _each(forms.cancelled, inactivity.customer_acted),
    events.TimeoutWarning: inactivity.warned,
    events.Signaling: _each(calls.repeated, calls.signalled),
    events.CaseSet: service.case_set,
    events.Info: service.named,
    events.Cobrowsing: _each(service.cobrowsing_repeated, service.cobrowsing),
    events.ClientEvent: oddities.only_counted,
    events.Unknown: oddities.unknown,
    events.Malformed: oddities.malformed,
}

# A final state has a table too: it absorbs everything (law L4).
_LATE: Final[dict[type, Listener]] = {
    Tick: oddities.only_counted,
    **dict.fromkeys(get_args(events.Event), oddities.late),
}

_USUAL: Final = Settings()

_LISTENERS_IN: Final = {
    state: _LATE if state in OUTCOMES else _LISTENERS for state in LIFECYCLE.states
}


class ChatSession:
    """One chat with a contact center, as far as its events have told.

    It does no IO and reads no clock: `receive` takes what happened and the time of it, and
    returns what follows. Use one session from one thread at a time.
    """

    __slots__ = ("_memory", "settings")

    def __init__(self, chat_id: str, *, settings: Settings = _USUAL) -> None:
        if not isinstance(chat_id, str) or not chat_id:
            raise ValueError("chat_id must be a text that is not empty")
        self._memory = Memory(chat_id)
        self.settings = settings

    def __repr__(self) -> str:
        return f"<ChatSession {quoted(self.chat_id)}, {self.state}>"

    def receive(self, item: Item, *, now: float) -> list[Effect]:
        """Hear one input, and return what follows from it, in order.

        `now`: seconds on a clock of the caller's, always the same one. What was due by then is
        told before what the input brings. Early, late and repeated ticks do no harm.

        Raises `LocalProtocolError` for a `now` that is not finite, TypeError for what is neither
        an event nor a `Tick`, and, in a strict session, `RemoteProtocolError` where the server
        broke the protocol: its `effects` are those that were due before.
        """
        memory = self._memory
        listener = _LISTENERS_IN[memory.state].get(item.__class__)
        if listener is None:
            raise TypeError(f"{type(item).__name__} is no input of a session: decode it first")
        effects: list[Effect] = []
        turn = Turn(memory, self.settings, now, effects)
        if not -inf < now < memory.wake:
            deadlines.lapse(turn, (*presence.due(turn), *forms.due(turn)))
        try:
            listener(turn, item)
        except RemoteProtocolError as error:
            memory.counts.effects += len(effects)
            error.effects = tuple(effects)
            raise
        if item.__class__ is not Tick and listener is not oddities.late:
            memory.counts.events += 1
        if turn.anomalies is not None:
            effects += turn.anomalies
        memory.counts.effects += len(effects)
        return effects

    @property
    def deadline(self) -> float | None:
        """When to come back with a `Tick`, on the clock of `now`; None: no need to."""
        deadline = deadlines.earliest(self._memory)
        return None if deadline == inf else deadline

    @property
    def done(self) -> bool:
        """Whether the session is over: nothing will follow from anything."""
        return self._memory.outcome is not None

    @property
    def chat_id(self) -> str:
        """The id that the server gave the session."""
        return self._memory.chat_id

    @property
    def state(self) -> str:
        """One of the states of the lifecycle's law; establishing at first."""
        return self._memory.state

    @property
    def outcome(self) -> Outcome | None:
        """How the session ended; None while it has not."""
        return self._memory.outcome

    @property
    def outcome_text(self) -> str | None:
        """What the server said about the end, "" where nothing; None before it."""
        return self._memory.outcome_text

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who is here, in the order of joining; after the end, who was."""
        return self._memory.parties

    @property
    def agent(self) -> Party | None:
        """The person of the contact center who joined last and is still here."""
        for party in reversed(self._memory.parties):
            if party.is_human:
                return party
        return None

    @property
    def human_present(self) -> bool:
        """Whether a person of the contact center is here."""
        return self.agent is not None

    @property
    def typing(self) -> tuple[str, ...]:
        """The ids of the parties that type."""
        return tuple(self._memory.typing or ())

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that wait for an answer, in the order of opening."""
        return tuple(waiting.form for waiting in (self._memory.forms or {}).values())

    @property
    def warning(self) -> str | None:
        """The server's last warning of inactivity, until the customer does something."""
        return self._memory.warning

    @property
    def call(self) -> str:
        """One of the states of the call's law; idle at first."""
        return self._memory.call

    @property
    def early_candidates(self) -> tuple[IceCandidate, ...]:
        """The ICE candidates that came before the call's answer: use them when you answer."""
        return tuple(self._memory.candidates or ())

    @property
    def case_id(self) -> str | None:
        """The case that the conversation belongs to."""
        return self._memory.case_id

    @property
    def service_name(self) -> str | None:
        """What the service calls itself."""
        return self._memory.service_name

    @property
    def cobrowsing(self) -> str | None:
        """The last step of co-browsing: requested, rejected, started or ended."""
        return self._memory.cobrowsing

    @property
    def counts(self) -> Counts:
        """What the session has met so far; a copy."""
        return evolve(self._memory.counts)
