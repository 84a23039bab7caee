"""Plays: a session on a stage, and the words in which a test speaks to it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from chatfsm import ChatSession, Settings, Tick, decode
from chatfsm._session.state import SessionState
from chatfsm.effects import Anomaly, Effect, Terminated
from chatfsm.inputs import Input


class Play:
    """A session, the time on its clock, and everything that it has told.

    Each word speaks one wire event to the session and gives the effects of that step. `at` moves
    the clock; without it the clock stands still.
    """

    def __init__(self, chat_id: str = "chat-1", **settings: Any) -> None:
        self.session = ChatSession(chat_id, settings=Settings(**settings))
        self.now = 0.0
        self.told: list[Effect] = []

    def receives(self, item: Input, *, at: float | None = None) -> list[Effect]:
        """The session receives an input as it is."""
        if at is not None:
            self.now = at
        effects = self.session.receive(item, now=self.now)
        self.told += effects
        return effects

    def hears_batch(self, *items: object, at: float | None = None) -> list[Effect]:
        """The session hears the items of one envelope, decoded from the wire's own objects."""
        effects: list[Effect] = []
        for event in decode({"events": list(items)}):
            effects += self.receives(event, at=at)
        return effects

    def hears(self, word: str, /, *, at: float | None = None, **fields: Any) -> list[Effect]:
        """The session hears one wire event; `word` is its name without "chat_session_"."""
        name = word if word.startswith("chat_") else f"chat_session_{word}"
        return self.hears_batch({"event": name, **fields}, at=at)

    def ticks(self, *, at: float | None = None) -> list[Effect]:
        """The time comes."""
        return self.receives(Tick(), at=at)

    def status(self, state: str, **fields: Any) -> list[Effect]:
        """The server tells a state."""
        return self.hears("status", state=state, **fields)

    def ends(self) -> list[Effect]:
        """The server ends the session."""
        return self.hears("ended")

    def joins(self, party_id: str, **fields: Any) -> list[Effect]:
        """Somebody joins."""
        return self.hears("party_joined", party_id=party_id, **fields)

    def leaves(self, party_id: str, **fields: Any) -> list[Effect]:
        """Somebody leaves."""
        return self.hears("party_left", party_id=party_id, **fields)

    def says(self, party_id: str, msg: str, msg_id: str | None = None, **fields: Any) -> list[Any]:
        """Somebody says something."""
        return self.hears("message", party_id=party_id, msg=msg, msg_id=msg_id, **fields)

    def types(self, party_id: str, **fields: Any) -> list[Effect]:
        """Somebody types."""
        return self.hears("typing", party_id=party_id, **fields)

    def shows(self, request_id: str, form_name: str = "survey", **fields: Any) -> list[Effect]:
        """The server shows a form."""
        return self.hears("form_show", form_request_id=request_id, form_name=form_name, **fields)

    def signals(self, kind: str, *, msg_id: str | None = None, **data: Any) -> list[Effect]:
        """The agent ann sends a signal of a call."""
        fields = {"party_id": "ann", "msg_id": msg_id, "data": {"type": kind, **data}}
        return self.hears("signaling", **fields)

    @property
    def anomalies(self) -> list[str]:
        """The kinds of all anomalies so far, in order."""
        return [effect.kind for effect in self.told if isinstance(effect, Anomaly)]

    @property
    def endings(self) -> list[Terminated]:
        """Every termination so far."""
        return [effect for effect in self.told if isinstance(effect, Terminated)]

    def recalls(self) -> tuple[SessionState, float]:
        """A copy of all that the session remembers, and the bound of its next deadline."""
        memory = self.session._state
        return deepcopy(memory), memory.deadline_bound


@pytest.fixture
def play() -> Play:
    """A new session with the usual settings, at time 0."""
    return Play()


@pytest.fixture
def strict() -> Play:
    """A new strict session, at time 0."""
    return Play(strict=True)


@pytest.fixture(scope="session")
def plays() -> type[Play]:
    """A maker of plays, for those with other settings: `plays(max_ids=8)`."""
    return Play
