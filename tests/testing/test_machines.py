"""The kits for sessions and clients pass what is right, and show what is wrong in few steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from chatfsm import ChatClient, ChatSession, HttpRequest, Tick, commands, decode, effects
from chatfsm.api import RequestChat
from chatfsm.client_effects import ChatOpened
from chatfsm.inputs import History, SendFailed
from chatfsm.settings import ClientSettings
from chatfsm.testing import invariants
from chatfsm.testing.conformance import (
    Conformance,
    ConformanceError,
    check_client,
    check_session,
)
from chatfsm.testing.machines import CLIENT_SETTINGS, ENDPOINT, SETTINGS
from chatfsm.testing.watching import watched
from chatfsm.transport import HttpFailure, HttpReply

TYPING = {"event": "chat_session_typing", "party_id": "A"}


class OwnSession(ChatSession):
    """A session class of an app, which changes what is told."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        return self.told(item, super().receive(item, now=now))

    def told(self, item: Any, effects: list[Any]) -> list[Any]:
        return effects


class ForgetsTyping(OwnSession):
    def told(self, item: Any, told: list[Any]) -> list[Any]:
        return [e for e in told if not isinstance(e, effects.TypingStopped)]


class SendsTwice(OwnSession):
    def told(self, item: Any, told: list[Any]) -> list[Any]:
        is_doubtful = isinstance(item, SendFailed) and item.retryable
        return [*told, *self.again] if is_doubtful else self._keep(told)

    def _keep(self, told: list[Any]) -> list[Any]:
        type(self).again = [e for e in told if isinstance(e, effects.SendEvents)] or self.again
        return told

    again: list[Any] = []  # noqa: RUF012  # one run at a time


class SpeaksOn(OwnSession):
    def told(self, item: Any, told: list[Any]) -> list[Any]:
        return [*told, effects.WarningCleared()] if self.done else told


class ForgetsItsClock(OwnSession):
    @classmethod
    def restore(cls, data: Any, **named: Any) -> Any:
        return super().restore({**data, "memory": {**data["memory"], "own_typing": None}}, **named)


class Wrapper:
    """A session in a session, which no class restores."""

    def __init__(self, session: Any) -> None:
        self.session_within = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session_within, name)


def restored(snapshot: Any, now: float) -> Wrapper:
    return Wrapper(ChatSession.restore(snapshot, settings=SETTINGS, now=now))


class OwnClient(ChatClient):
    """A client class of an app, which changes what is told."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        return self.told(item, super().receive(item, now=now))

    def told(self, item: Any, effects: list[Any]) -> list[Any]:
        return effects


class PollsTwice(OwnClient):
    def told(self, item: Any, told: list[Any]) -> list[Any]:
        polls = [e for e in told if isinstance(e, HttpRequest) and e.purpose == "poll"]
        return [*told, *(evolve(poll, id=poll.id + 1_000_000) for poll in polls)]


class IgnoresHistories(OwnClient):
    """For it, histories are empty."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        pending = self._state.pending.get(getattr(item, "id", 0))
        if isinstance(item, HttpReply) and pending is not None and pending.purpose == "history":
            item = evolve(item, body=b'{"events": []}')
        return super().receive(item, now=now)


class OpensTwice(OwnClient):
    def told(self, item: Any, told: list[Any]) -> list[Any]:
        return [e for e in told for _ in range(1 + isinstance(e, ChatOpened))]


class NeverPosts(OwnClient):
    """It keeps what the customer says to itself."""

    def told(self, item: Any, told: list[Any]) -> list[Any]:
        return [e for e in told if not (isinstance(e, HttpRequest) and e.purpose == "post")]


FEW: dict[str, Any] = {"examples": 30, "steps": 20}


def shown(check: Callable[[int], object], case: str, sentence: str, steps: int) -> ConformanceError:
    """The error of the first seed by which a kit shows a rule in few steps."""
    for seed in range(20):
        try:
            check(seed)
        except ConformanceError as error:
            problem = error.failed.get(case, "")
            if sentence in problem and len(re.findall(r"(?m)^ *state\.", problem)) <= steps:
                return error
    pytest.fail("none of 20 seeds shows it")


@pytest.mark.parametrize("cls", [ChatSession, OwnSession])
def test_a_right_session_passes(cls: Any) -> None:
    """Chatfsm's own, and a subclass."""
    report = check_session(lambda: cls("chat-1", settings=SETTINGS), **FEW)
    assert report == Conformance(2, ())


def test_a_wrapper_is_restored_by_its_maker() -> None:
    """Where no class has `restore`."""
    made = [0]

    def restore(snapshot: Any, now: float) -> Wrapper:
        made[0] += 1
        return restored(snapshot, now)

    check_session(
        lambda: Wrapper(ChatSession("chat-1", settings=SETTINGS)), restore=restore, **FEW, seed=7
    )
    assert made[0] > 0


@pytest.mark.parametrize(
    ("cls", "case", "sentence", "steps"),
    [
        (ForgetsTyping, "any inputs", "nothing was due at the deadline", 3),
        (SendsTwice, "any inputs", "was sent again", 4),
        (SpeaksOn, "sessions of a server", "effect after Terminated", 2),
    ],
)
def test_a_broken_session_is_shown(cls: Any, case: str, sentence: str, steps: int) -> None:
    """The rule, and not many more steps than it takes."""
    error = shown(
        lambda seed: check_session(
            lambda: cls("chat-1", settings=SETTINGS), examples=60, steps=15, seed=seed
        ),
        *(case, sentence, steps),
    )
    assert error.failed[case] in str(error)


@pytest.mark.parametrize("make", [ChatClient, OwnClient])
def test_a_right_client_passes(make: Callable[..., Any]) -> None:
    """Chatfsm's own with its usual settings, and a subclass, by a seed."""
    assert check_client(lambda: make(ENDPOINT), **FEW, seed=11) == Conformance(2, ())


def test_a_client_that_gives_up_may_lose_what_it_reports() -> None:
    """A text that was refused need not arrive."""
    settings = ClientSettings(max_attempts=1, max_queued=2)
    assert check_client(lambda: ChatClient(ENDPOINT, settings=settings), **FEW).passed == 2


@pytest.mark.parametrize(
    ("cls", "case", "sentence"),
    [
        (PollsTwice, "chat", "a second poll while one is in flight"),
        (IgnoresHistories, "chat", "texts of the customer: "),
        (NeverPosts, "chat", "the chat does not settle without faults"),
        (OpensTwice, "opening", "ChatOpened was reported twice"),
    ],
)
def test_a_broken_client_is_shown(cls: Any, case: str, sentence: str) -> None:
    """The rule, and few steps."""

    def restore(snapshot: Any, now: float) -> Any:
        return cls.restore(snapshot, ENDPOINT, settings=CLIENT_SETTINGS, now=now)

    shown(
        lambda seed: check_client(
            lambda: cls(ENDPOINT, settings=CLIENT_SETTINGS),
            restore=restore,
            examples=60,
            steps=15,
            seed=seed,
        ),
        *(case, sentence, 8),
    )


@pytest.mark.parametrize("named", [{"examples": 0}, {"steps": 0}])
def test_a_kit_runs_at_least_once(named: dict[str, int]) -> None:
    """Numbers are checked as those of settings are."""
    with pytest.raises(ValueError, match=f"{next(iter(named))} must be"):
        check_session(lambda: ChatSession("chat-1"), **named)


def events(*items: dict[str, Any]) -> list[Any]:
    return decode([*items])


def test_a_watched_session_raises_at_the_first_wrong_step() -> None:
    """The stand-in has all members; the step that breaks a rule raises."""
    with watched(ForgetsTyping("chat-1")) as session:
        assert session.receive(events(TYPING)[0], now=0.0) == [effects.TypingStarted("A")]
        assert session.typing == ("A",)
        assert "watched" in repr(session)
        message = {"event": "chat_session_message", "party_id": "A", "msg": "hi", "msg_id": "2"}
        with pytest.raises(AssertionError, match="typists differ"):
            session.receive(events(message)[0], now=1.0)


def test_a_watched_client_raises_at_the_first_wrong_step() -> None:
    """By the rules of clients."""
    opened = b'{"chat_id": "chat-1", "state": "queued", "is_new_chat": true}'
    with watched(PollsTwice(ENDPOINT)) as client:
        [request] = client.receive(RequestChat(), now=0.0)
        assert isinstance(request, HttpRequest)
        with pytest.raises(AssertionError, match="a second poll"):
            client.receive(HttpReply(request.id, 200, {}, opened), now=0.1)


def test_a_watched_session_survives_a_restart() -> None:
    """At the end of the block its snapshot is restored; one that received nothing is left alone."""
    with watched(ChatSession("chat-1")) as session:
        session.receive(commands.SendText("hello"), now=1.0)
    with watched(ChatClient(ENDPOINT)) as client:
        client.receive(Tick(), now=0.0)
        client.receive(RequestChat(), now=0.0)
        client.receive(HttpFailure(1, "connect"), now=0.0)
    with watched(ChatSession("chat-1")):
        pass
    session = ForgetsItsClock("chat-1")
    with pytest.raises(AssertionError, match="snapshot"), watched(session) as stand_in:
        stand_in.receive(commands.StartTyping(), now=1.0)


MESSAGE = {"event": "chat_session_message", "party_id": "A", "msg": "hi", "msg_id": "2"}
STORY = [
    {"event": "chat_session_status", "state": "connected"},
    {"event": "chat_session_party_joined", "party_id": "A", "type": "internal"},
    TYPING,
    MESSAGE,
    {"event": "chat_session_form_show", "form_request_id": "7", "form_name": "survey"},
    {"event": "chat_session_signaling", "party_id": "A", "data": {"type": "OFFER_CALL"}},
    {"event": "chat_session_party_left", "party_id": "A"},
    {"event": "chat_session_ended"},
]
RULES: list[Callable[[Any], None]] = [
    invariants.terminated_is_last,
    invariants.nothing_received_twice,
    invariants.states_follow_each_other,
    invariants.calls_follow_their_states,
    invariants.parties_come_and_go,
    invariants.typing_stops_once,
    invariants.forms_close_once,
    invariants.messages_settle_once,
]


def all_effects() -> list[Any]:
    session, told = ChatSession("chat-1"), []
    own = {"event": "chat_session_message", "party_id": "chat-1", "msg": "hello", "msg_id": "1"}
    told += session.receive(commands.SendText("hello"), now=0.0)
    told += session.receive(History(events(own)), now=0.0)
    for event in events(*STORY):
        told += session.receive(event, now=1.0)
    return told


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_is_usable_alone(rule: Callable[[Any], None]) -> None:
    """It accepts the effects of a session, and not the same effects backwards after them."""
    told = all_effects()
    rule(told)
    with pytest.raises(AssertionError):
        rule([*told, *reversed(told)])


def test_repetitions_are_allowed_after_ids_were_forgotten() -> None:
    """The session says so by an anomaly."""
    [told] = [
        e for e in all_effects() if isinstance(e, effects.MessageReceived) if not e.message.own
    ]
    invariants.nothing_received_twice([told, told, effects.Anomaly("too_many_ids", "")])
