"""Harness: a session with its clock, and methods for the app, the transport and the server."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    Lost,
    SendFailed,
    Sent,
    Settings,
    Tick,
    commands,
    decode,
)
from chatfsm._session.state import SessionState
from chatfsm.effects import Effect, SendEvents
from chatfsm.inputs import Input

CHAT = "chat-1"


def prefixed(name: str) -> str:
    """The name of a wire event from its short form."""
    return name if name.startswith("chat_") else f"chat_session_{name}"


class Harness:
    """A session, the time on its clock, and all effects so far.

    `at` moves the clock; without it the clock stands still.
    """

    def __init__(self, chat_id: str = CHAT, **settings: Any) -> None:
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

    def feed(self, name: str, /, *, at: float | None = None, **fields: Any) -> list[Effect]:
        """Feed one event of the server; `name` is its wire name without "chat_session_"."""
        (event,) = decode([{"event": prefixed(name), **fields}])
        return self.receive(event, at=at)

    def tick(self, *, at: float | None = None) -> list[Effect]:
        """Feed a `Tick`."""
        return self.receive(Tick(), at=at)

    def send(self, command: commands.Command, *, at: float | None = None) -> list[dict[str, Any]]:
        """Feed a command; return the wire events that it posts."""
        return self.posted(self.receive(command, at=at))

    def posted(self, effects: list[Effect]) -> list[dict[str, Any]]:
        """The wire events among effects."""
        posts = [effect for effect in effects if isinstance(effect, SendEvents)]
        return [event for post in posts for event in post.events]

    def refused(self, command: commands.Command, *, at: float | None = None) -> str:
        """Feed a command that must be refused without a change of state; return the error text."""
        if at is not None:
            self.now = at
        before = self.copy_state()
        with pytest.raises(LocalProtocolError) as caught:
            self.session.receive(command, now=self.now)
        assert self.copy_state() == before
        return str(caught.value)

    def try_command(self, command: commands.Command) -> str:
        """Feed a command; return the error text if it is refused, else ""."""
        try:
            self.receive(command)
        except LocalProtocolError as error:
            return str(error)
        return ""

    def send_text(self, text: str = "hello", *, at: float | None = None) -> str:
        """Feed a `SendText`; return the id that it took."""
        effects = self.receive(commands.SendText(text), at=at)
        (msg_id,) = [i for e in effects if isinstance(e, SendEvents) for i in e.msg_ids]
        return msg_id

    def echo(self, msg_id: str | None, msg: str = "hello", **fields: Any) -> list[Effect]:
        """Feed a message of the customer as the server sends it back."""
        return self.feed("message", **{"party_id": CHAT, "msg_id": msg_id, "msg": msg} | fields)

    def sent(self, *msg_ids: str) -> list[Effect]:
        """Feed the confirmation that messages were sent."""
        return self.receive(Sent(msg_ids))

    def unconfirmed(self, *msg_ids: str, why: str = "no reply") -> list[Effect]:
        """Feed a retryable failure: the transport does not know if the messages arrived."""
        return self.receive(SendFailed(msg_ids, why, retryable=True))

    def failed(self, *msg_ids: str, why: str = "error 5003") -> list[Effect]:
        """Feed a failure that is not retryable: the server refused the messages."""
        return self.receive(SendFailed(msg_ids, why, retryable=False))

    def delivered(self, msg_id: str, party_id: str = "ann") -> list[Effect]:
        """Feed a delivery receipt."""
        return self.feed("message_delivered", ref_msg_id=msg_id, party_id=party_id)

    def read(self, msg_id: str, party_id: str = "ann") -> list[Effect]:
        """Feed a read receipt."""
        return self.feed("message_read", ref_msg_id=msg_id, party_id=party_id)

    def history(self, *items: dict[str, Any], complete: bool = True) -> list[Effect]:
        """Feed a page of the history."""
        past = [{**item, "event": prefixed(item["event"])} for item in items]
        return self.receive(History(tuple(decode(past)), complete=complete))

    def show_form(self, request_id: str, form_name: str = "survey", **fields: Any) -> list[Effect]:
        """Feed a form."""
        return self.feed("form_show", form_request_id=request_id, form_name=form_name, **fields)

    def signal(self, kind: str, *, party_id: str | None = "ann", **data: Any) -> list[Effect]:
        """Feed a signal of a call."""
        return self.feed("signaling", party_id=party_id, data={"type": kind, **data})

    def connect(self) -> Harness:
        """Feed the state connected."""
        self.feed("status", state="connected")
        return self

    def end(self) -> list[Effect]:
        """Feed the end of the session."""
        return self.feed("ended")

    def lose(self, reason: str = "error 5005") -> list[Effect]:
        """Feed the loss of the session: the server does not know it."""
        return self.receive(Lost(reason))

    @property
    def outbox(self) -> dict[str, str]:
        """The delivery state of the messages, by id."""
        return self.session.outbox

    def copy_state(self) -> tuple[SessionState, float]:
        """A copy of the state of the session, and the bound of its next deadline."""
        memory = self.session._state
        return deepcopy(memory), memory.deadline_bound


@pytest.fixture
def harness() -> Harness:
    """A new session with the default settings, at time 0."""
    return Harness()


@pytest.fixture(scope="session")
def make_harness() -> type[Harness]:
    """A maker of harnesses with other settings: `make_harness(max_unsent=2)`."""
    return Harness
