"""The read side of a session: what it knows, for whoever embeds it."""

from __future__ import annotations

from math import inf
from operator import attrgetter
from typing import Final

from attrs import fields

from chatfsm.protocol.signaling import IceCandidate
from chatfsm.session import deadlines
from chatfsm.session.law import OUTCOMES, Outcome
from chatfsm.session.state import Counts, Memory, Turn, quoted
from chatfsm.session.values import Form, Party

__all__ = ["View"]

_counted: Final = attrgetter(*(known.name for known in fields(Counts)))


class View:
    """What can be asked of a session; nothing here changes it."""

    __slots__ = ("_chat_id", "_turn")

    _chat_id: str
    _turn: Turn | None
    """None before the first input: most sessions wait, and do without."""

    @property
    def _memory(self) -> Memory:
        return Memory(chat_id=self._chat_id) if self._turn is None else self._turn.memory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {quoted(self.chat_id)}, {self.state}>"

    @property
    def deadline(self) -> float | None:
        """When to come back with a `Tick`, on the clock of `now`; None: no need to."""
        deadline = deadlines.earliest(self._memory)
        return None if deadline == inf else deadline

    @property
    def done(self) -> bool:
        """Whether the session is over: nothing will follow from anything."""
        return self._memory.state in OUTCOMES

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
        return OUTCOMES.get(self._memory.state)

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
        return self._memory.call.state

    @property
    def early_candidates(self) -> tuple[IceCandidate, ...]:
        """The ICE candidates that came before the call's answer: use them when you answer."""
        return self._memory.call.candidates

    @property
    def case_id(self) -> str | None:
        """The case that the conversation belongs to."""
        return self._memory.service.case_id

    @property
    def service_name(self) -> str | None:
        """What the service calls itself."""
        return self._memory.service.name

    @property
    def cobrowsing(self) -> str | None:
        """The last step of co-browsing: requested, rejected, started or ended."""
        return self._memory.service.cobrowsing

    @property
    def outbox(self) -> dict[str, str]:
        """What became of the last messages that were said, by msg_id, in the order of saying.

        A state of the delivery's law: pending, unconfirmed, sent, delivered, read or failed.
        """
        outbox = self._memory.outbox or {}
        return {msg_id: outgoing.state for msg_id, outgoing in outbox.items()}

    @property
    def counts(self) -> Counts:
        """What the session has met so far; a copy."""
        return Counts(*_counted(self._memory))
