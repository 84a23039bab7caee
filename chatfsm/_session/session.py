"""ChatSession: the public face of `_session`."""

from __future__ import annotations

from math import inf
from operator import attrgetter
from typing import Any, Final, Self

from attrs import fields

from chatfsm._session import snapshot
from chatfsm._session.dispatch import COMMANDS, HANDLERS, expire
from chatfsm._session.state import (
    DEFAULT_SETTINGS,
    Counts,
    SessionState,
    checked_token,
    next_deadline,
    quoted,
)
from chatfsm._session.tables import OUTCOMES
from chatfsm.effects import Effect
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import Input
from chatfsm.models import Form, Outcome, Party
from chatfsm.settings import Settings
from chatfsm.signaling import IceCandidate

__all__ = ["ChatSession", "SessionView"]

_counts: Final = attrgetter(*(known.name for known in fields(Counts)))


class SessionView:
    """The read side of a session: properties that change nothing."""

    __slots__ = ("_chat_id", "_settings", "_started")

    _chat_id: str
    _settings: Settings
    _started: SessionState | None
    """The state from the first input on; None before, so that an unused session stays small."""

    @property
    def _state(self) -> SessionState:
        if self._started is None:
            return SessionState(chat_id=self._chat_id, settings=self._settings)
        return self._started

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {quoted(self.chat_id)}, {self.state}>"

    @property
    def deadline(self) -> float | None:
        """When to call `receive` with a `Tick`, on the clock of `now`; None if not needed."""
        deadline = next_deadline(self._state)
        return None if deadline == inf else deadline

    @property
    def done(self) -> bool:
        """Whether the session is over: no input has effects any more."""
        return self._state.state in OUTCOMES

    @property
    def chat_id(self) -> str:
        """The id that the server gave the session."""
        return self._state.chat_id

    @property
    def token(self) -> str:
        """The text before the number in the ids of own messages; "" if there is none."""
        return self._state.token

    @property
    def state(self) -> str:
        """A state of the lifecycle; `"establishing"` at first."""
        return self._state.state

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the session: ended, timed_out, failed or gone; None before the end."""
        return OUTCOMES.get(self._state.state)

    @property
    def outcome_text(self) -> str | None:
        """The server's text about the end, "" if it gave none; None before the end."""
        return self._state.outcome_text

    @property
    def parties(self) -> tuple[Party, ...]:
        """The parties in the chat, in the order of joining; after the end, those at the end."""
        return self._state.parties

    @property
    def agent(self) -> Party | None:
        """The human agent who joined last and is still in the chat; None if there is none."""
        for party in reversed(self._state.parties):
            if party.is_human:
                return party
        return None

    @property
    def human_present(self) -> bool:
        """Whether a human agent is in the chat."""
        return self.agent is not None

    @property
    def typing(self) -> tuple[str, ...]:
        """The party ids of those who type."""
        return tuple(self._state.typing or ())

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that await an answer, in the order of opening."""
        return tuple(waiting.form for waiting in (self._state.forms or {}).values())

    @property
    def warning(self) -> str | None:
        """The server's last inactivity warning; None after the customer was active."""
        return self._state.warning

    @property
    def call(self) -> str:
        """A state of the call: idle (at first), requested, offered, active, ended or rejected."""
        return self._state.call.state

    @property
    def early_candidates(self) -> tuple[IceCandidate, ...]:
        """The ICE candidates that arrived before the answer: use them when you answer."""
        return self._state.call.candidates

    @property
    def case_id(self) -> str | None:
        """The case that the conversation belongs to; None if there is none."""
        return self._state.service.case_id

    @property
    def service_name(self) -> str | None:
        """The name of the service; None if the server gave none."""
        return self._state.service.name

    @property
    def cobrowsing(self) -> str | None:
        """The last step of co-browsing: requested, rejected, started or ended; None if none."""
        return self._state.service.cobrowsing

    @property
    def outbox(self) -> dict[str, str]:
        """msg_id → delivery state of the app's last messages, in the order of sending.

        The states: pending, unconfirmed, sent, delivered, read and failed.
        """
        outbox = self._state.outbox or {}
        return {msg_id: outgoing.state for msg_id, outgoing in outbox.items()}

    @property
    def last_msg_id(self) -> str | None:
        """The msg_id of the app's last message in `outbox`; None if there is none."""
        return next(reversed(self._state.outbox or {}), None)

    @property
    def counts(self) -> Counts:
        """Numbers of events and effects so far; a copy."""
        return Counts(*_counts(self._state))


_LONG_AGO: Final = -inf


class ChatSession(SessionView):  # noqa: PLW1641  # mutable: no hash
    """The state machine of one chat with a contact center.

    It does no IO and reads no clock: `receive` takes one input and the time, and returns the
    effects. Use a session from one thread at a time. Sessions are equal if their states and their
    settings are.

    `chat_id`: the id that the server gave the chat, not empty. `settings`: bounds and choices;
    they are not part of a snapshot. `token`: begins the ids of own messages, so that no other
    device of the customer and no earlier run has the same ids: a random text of up to 64 letters,
    digits, `-`, `.` and `_`, as the drivers make it. It is part of a snapshot. Without one, ids are
    unique within one run on one device.
    """

    __slots__ = ()

    def __init__(
        self, chat_id: str, *, settings: Settings = DEFAULT_SETTINGS, token: str = ""
    ) -> None:
        if not isinstance(chat_id, str) or not chat_id:
            raise ValueError(f"chat_id must be a text of 1 character or more, not {chat_id!r:.40}")
        self._chat_id = chat_id
        self._settings = settings
        self._started = None
        if token != "":
            self._begin().token = checked_token(token)

    @property
    def settings(self) -> Settings:
        """The settings that the session was created with."""
        return self._settings

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Process one input and return its effects, in order.

        `item`: an event, a command, or one of `Tick`, `Sent`, `SendFailed`, `Lost`, `History`.
        `now`: seconds on a clock of the caller, finite, and always on the same clock. Effects of
        deadlines that have passed come first. Early, late and repeated ticks are harmless.

        Raises `LocalProtocolError` if the command is not allowed now, which then changes nothing,
        or if `now` is not finite; `TypeError` if `item` is no input; and, in a strict session,
        `RemoteProtocolError` if the server violates the protocol: its `effects` are those of the
        deadlines that have passed and of the rest of a history.
        """
        session = self._started
        if session is None:
            session = self._begin()
        try:
            handler, is_event = HANDLERS[session.state][type(item)]
        except KeyError:
            raise TypeError(
                "ChatSession.receive() takes events, commands and inputs, "
                f"not {type(item).__name__}; decode() it first"
            ) from None
        session.now = now
        effects: list[Effect] = []
        try:
            if not _LONG_AGO < now < session.deadline_bound and item.__class__ not in COMMANDS:
                expire(session, effects)
            handler(session, item, effects)
        except RemoteProtocolError as error:
            error.effects = tuple(_completed(session, effects))
            raise
        if is_event:
            session.events += 1
        if session.anomalies_found is not None:
            return _completed(session, effects)
        if effects:
            session.effects += len(effects)
        return effects

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """Return the state of the session as plain JSON with a version; `now` as in `receive`.

        It holds the texts of messages that may have to be sent again, but no secure form data.
        """
        return snapshot.write_snapshot(self._state, now)

    @classmethod
    def restore(cls, data: object, *, settings: Settings = DEFAULT_SETTINGS, now: float) -> Self:
        """Return the session of a snapshot; `now` may be on another clock than before.

        Raises `SnapshotError` if `data` is no snapshot, was changed, or is of a newer version.
        """
        session = cls.__new__(cls)
        state = snapshot.read_snapshot(data, now)
        state.settings = settings
        session._chat_id = state.chat_id
        session._settings = settings
        session._started = state
        return session

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChatSession):
            return NotImplemented
        return self._state == other._state and self._settings == other._settings

    def _begin(self) -> SessionState:
        self._started = SessionState(chat_id=self._chat_id, settings=self._settings)
        return self._started


def _completed(session: SessionState, effects: list[Effect]) -> list[Effect]:
    """Add the anomalies of the present input, and count the effects."""
    if session.anomalies_found is not None:
        effects += session.anomalies_found
        session.anomalies_found = None
    session.effects += len(effects)
    return effects
