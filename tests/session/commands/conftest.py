"""Talks: a session on a stage, and the words in which an app, a transport and a server speak."""

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


def prefixed(word: str) -> str:
    """The name of a wire event from its short form."""
    return word if word.startswith("chat_") else f"chat_session_{word}"


class Talk:
    """A session, the time on its clock, and everything that it has told.

    `at` moves the clock; without it the clock stands still.
    """

    def __init__(self, chat_id: str = CHAT, **settings: Any) -> None:
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

    def hears(self, word: str, /, *, at: float | None = None, **fields: Any) -> list[Effect]:
        """The session hears one wire event; `word` is its name without "chat_session_"."""
        (event,) = decode([{"event": prefixed(word), **fields}])
        return self.receives(event, at=at)

    def ticks(self, *, at: float | None = None) -> list[Effect]:
        """The time comes."""
        return self.receives(Tick(), at=at)

    def orders(self, command: commands.Command, *, at: float | None = None) -> list[dict[str, Any]]:
        """The app orders something; what then goes to the server."""
        return self.posted(self.receives(command, at=at))

    def posted(self, effects: list[Effect]) -> list[dict[str, Any]]:
        """The wire events among effects."""
        posts = [effect for effect in effects if isinstance(effect, SendEvents)]
        return [event for post in posts for event in post.events]

    def refused(self, command: commands.Command, *, at: float | None = None) -> str:
        """The app orders what it may not; the reason, and not a trace."""
        if at is not None:
            self.now = at
        before = self.recalls()
        with pytest.raises(LocalProtocolError) as caught:
            self.session.receive(command, now=self.now)
        assert self.recalls() == before
        return str(caught.value)

    def tried(self, command: commands.Command) -> str:
        """The app orders something; why it is refused, "" where it is obeyed."""
        try:
            self.receives(command)
        except LocalProtocolError as error:
            return str(error)
        return ""

    def says(self, text: str = "hello", *, at: float | None = None) -> str:
        """The customer says something; the id that it took."""
        effects = self.receives(commands.SendText(text), at=at)
        (msg_id,) = [i for e in effects if isinstance(e, SendEvents) for i in e.msg_ids]
        return msg_id

    def echoes(self, msg_id: str | None, msg: str = "hello", **fields: Any) -> list[Effect]:
        """The server sends a message of the customer's back."""
        return self.hears("message", **{"party_id": CHAT, "msg_id": msg_id, "msg": msg} | fields)

    def sent(self, *msg_ids: str) -> list[Effect]:
        """The transport has sent messages."""
        return self.receives(Sent(msg_ids))

    def doubts(self, *msg_ids: str, why: str = "no reply") -> list[Effect]:
        """The transport does not know whether messages arrived."""
        return self.receives(SendFailed(msg_ids, why, retryable=True))

    def fails(self, *msg_ids: str, why: str = "error 5003") -> list[Effect]:
        """The server refused messages for good."""
        return self.receives(SendFailed(msg_ids, why, retryable=False))

    def delivered(self, msg_id: str, party_id: str = "ann") -> list[Effect]:
        """Somebody has a message."""
        return self.hears("message_delivered", ref_msg_id=msg_id, party_id=party_id)

    def read(self, msg_id: str, party_id: str = "ann") -> list[Effect]:
        """Somebody has read a message."""
        return self.hears("message_read", ref_msg_id=msg_id, party_id=party_id)

    def recalls_history(self, *items: dict[str, Any], complete: bool = True) -> list[Effect]:
        """The session hears a page of the past."""
        past = [{**item, "event": prefixed(item["event"])} for item in items]
        return self.receives(History(tuple(decode(past)), complete=complete))

    def shows(self, request_id: str, form_name: str = "survey", **fields: Any) -> list[Effect]:
        """The server shows a form."""
        return self.hears("form_show", form_request_id=request_id, form_name=form_name, **fields)

    def signals(self, kind: str, *, party_id: str | None = "ann", **data: Any) -> list[Effect]:
        """Somebody sends a signal of a call."""
        return self.hears("signaling", party_id=party_id, data={"type": kind, **data})

    def connects(self) -> Talk:
        """Somebody is there."""
        self.hears("status", state="connected")
        return self

    def ends(self) -> list[Effect]:
        """The server ends the session."""
        return self.hears("ended")

    def is_lost(self, reason: str = "error 5005") -> list[Effect]:
        """The server knows no such session."""
        return self.receives(Lost(reason))

    @property
    def outbox(self) -> dict[str, str]:
        """What became of the messages, by id."""
        return self.session.outbox

    def recalls(self) -> tuple[SessionState, float]:
        """A copy of all that the session remembers, and the bound of its next deadline."""
        memory = self.session._state
        return deepcopy(memory), memory.deadline_bound


@pytest.fixture
def talk() -> Talk:
    """A new session with the usual settings, at time 0."""
    return Talk()


@pytest.fixture(scope="session")
def talks() -> type[Talk]:
    """A maker of talks, for those with other settings: `talks(max_unsent=2)`."""
    return Talk
