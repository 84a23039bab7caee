"""Harness: a session with its clock, and short methods that feed it events."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from chatfsm import ChatSession, Settings, Tick, decode
from chatfsm._session.state import SessionState
from chatfsm.effects import Anomaly, Effect, Terminated
from chatfsm.inputs import Input


class Harness:
    """A session, the time on its clock, and all effects so far.

    Each method feeds one input to the session and returns the effects of that step. `at` moves the
    clock; without it the clock stands still.
    """

    def __init__(self, chat_id: str = "chat-1", **settings: Any) -> None:
        self.session = ChatSession(chat_id, settings=Settings(**settings))
        self.now = 0.0
        self.effects: list[Effect] = []

    def receive(self, item: Input, *, at: float | None = None) -> list[Effect]:
        """Feed an input as it is."""
        if at is not None:
            self.now = at
        effects = self.session.receive(item, now=self.now)
        self.effects += effects
        return effects

    def feed_batch(self, *items: object, at: float | None = None) -> list[Effect]:
        """Feed the items of one envelope, decoded from the objects of the wire."""
        effects: list[Effect] = []
        for event in decode({"events": list(items)}):
            effects += self.receive(event, at=at)
        return effects

    def feed(self, name: str, /, *, at: float | None = None, **fields: Any) -> list[Effect]:
        """Feed one event of the server; `name` is its wire name without "chat_session_"."""
        wire_name = name if name.startswith("chat_") else f"chat_session_{name}"
        return self.feed_batch({"event": wire_name, **fields}, at=at)

    def tick(self, *, at: float | None = None) -> list[Effect]:
        """Feed a `Tick`."""
        return self.receive(Tick(), at=at)

    def status(self, state: str, **fields: Any) -> list[Effect]:
        """Feed a status with a state."""
        return self.feed("status", state=state, **fields)

    def end(self) -> list[Effect]:
        """Feed the end of the session."""
        return self.feed("ended")

    def join(self, party_id: str, **fields: Any) -> list[Effect]:
        """Feed a join of a party."""
        return self.feed("party_joined", party_id=party_id, **fields)

    def leave(self, party_id: str, **fields: Any) -> list[Effect]:
        """Feed a leave of a party."""
        return self.feed("party_left", party_id=party_id, **fields)

    def message(
        self, party_id: str, msg: str, msg_id: str | None = None, **fields: Any
    ) -> list[Any]:
        """Feed a message of a party."""
        return self.feed("message", party_id=party_id, msg=msg, msg_id=msg_id, **fields)

    def typing(self, party_id: str, **fields: Any) -> list[Effect]:
        """Feed typing of a party."""
        return self.feed("typing", party_id=party_id, **fields)

    def show_form(self, request_id: str, form_name: str = "survey", **fields: Any) -> list[Effect]:
        """Feed a form."""
        return self.feed("form_show", form_request_id=request_id, form_name=form_name, **fields)

    def signal(self, kind: str, *, msg_id: str | None = None, **data: Any) -> list[Effect]:
        """Feed a signal of a call, from the agent ann."""
        fields = {"party_id": "ann", "msg_id": msg_id, "data": {"type": kind, **data}}
        return self.feed("signaling", **fields)

    @property
    def anomalies(self) -> list[str]:
        """The kinds of all anomalies so far, in order."""
        return [effect.kind for effect in self.effects if isinstance(effect, Anomaly)]

    @property
    def endings(self) -> list[Terminated]:
        """All terminations so far."""
        return [effect for effect in self.effects if isinstance(effect, Terminated)]

    def copy_state(self) -> tuple[SessionState, float]:
        """A copy of the state of the session, and the bound of its next deadline."""
        memory = self.session._state
        return deepcopy(memory), memory.deadline_bound


@pytest.fixture
def harness() -> Harness:
    """A new session with the default settings, at time 0."""
    return Harness()


@pytest.fixture
def strict() -> Harness:
    """A new strict session, at time 0."""
    return Harness(strict=True)


@pytest.fixture(scope="session")
def make_harness() -> type[Harness]:
    """A maker of harnesses with other settings: `make_harness(max_ids=8)`."""
    return Harness
