"""The conformance kits accept correct sessions and clients, and show errors in few steps."""

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
    """A session class of an app, which changes the effects."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        return self.change(item, super().receive(item, now=now))

    def change(self, item: Any, effects: list[Any]) -> list[Any]:
        return effects


class ForgetsTyping(OwnSession):
    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        return [e for e in reported if not isinstance(e, effects.TypingStopped)]


class SendsTwice(OwnSession):
    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        is_doubtful = isinstance(item, SendFailed) and item.retryable
        return [*reported, *self.again] if is_doubtful else self._keep(reported)

    def _keep(self, reported: list[Any]) -> list[Any]:
        type(self).again = [e for e in reported if isinstance(e, effects.SendEvents)] or self.again
        return reported

    again: list[Any] = []  # noqa: RUF012  # one run at a time


class AddsEffectAfterEnd(OwnSession):
    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        return [*reported, effects.WarningCleared()] if self.done else reported


class ForgetsItsClock(OwnSession):
    @classmethod
    def restore(cls, data: Any, **named: Any) -> Any:
        return super().restore({**data, "memory": {**data["memory"], "own_typing": None}}, **named)


class Wrapper:
    """A session wrapped in another object, without a class method `restore`."""

    def __init__(self, session: Any) -> None:
        self.session_within = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session_within, name)


def restored(snapshot: Any, now: float) -> Wrapper:
    return Wrapper(ChatSession.restore(snapshot, settings=SETTINGS, now=now))


class OwnClient(ChatClient):
    """A client class of an app, which changes the effects."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        return self.change(item, super().receive(item, now=now))

    def change(self, item: Any, effects: list[Any]) -> list[Any]:
        return effects


class PollsTwice(OwnClient):
    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        polls = [e for e in reported if isinstance(e, HttpRequest) and e.purpose == "poll"]
        return [*reported, *(evolve(poll, id=poll.id + 1_000_000) for poll in polls)]


class IgnoresHistories(OwnClient):
    """A client that replaces histories by empty ones."""

    def receive(self, item: Any, *, now: float) -> list[Any]:
        pending = self._state.pending.get(getattr(item, "id", 0))
        if isinstance(item, HttpReply) and pending is not None and pending.purpose == "history":
            item = evolve(item, body=b'{"events": []}')
        return super().receive(item, now=now)


class OpensTwice(OwnClient):
    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        return [e for e in reported for _ in range(1 + isinstance(e, ChatOpened))]


class NeverPosts(OwnClient):
    """A client that drops the POSTs of the customer."""

    def change(self, item: Any, reported: list[Any]) -> list[Any]:
        return [e for e in reported if not (isinstance(e, HttpRequest) and e.purpose == "post")]


FEW: dict[str, Any] = {"examples": 30, "steps": 20}


def first_error(
    check: Callable[[int], object], case: str, sentence: str, steps: int
) -> ConformanceError:
    """Return the error of the first seed for which a kit reports the rule in few steps."""
    for seed in range(20):
        try:
            check(seed)
        except ConformanceError as error:
            problem = error.failed.get(case, "")
            if sentence in problem and len(re.findall(r"(?m)^ *state\.", problem)) <= steps:
                return error
    pytest.fail("none of 20 seeds shows it")


@pytest.mark.parametrize("cls", [ChatSession, OwnSession])
def test_a_correct_session_passes(cls: Any) -> None:
    """The class of chatfsm passes, and a subclass."""
    report = check_session(lambda: cls("chat-1", settings=SETTINGS), **FEW)
    assert report == Conformance(2, ())


def test_a_wrapper_is_restored_by_its_function() -> None:
    """The function `restore` is used for classes without that method."""
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
        (AddsEffectAfterEnd, "sessions of a server", "effect after Terminated", 2),
    ],
)
def test_a_wrong_session_is_reported(cls: Any, case: str, sentence: str, steps: int) -> None:
    """The error has the rule, and few more steps than necessary."""
    error = first_error(
        lambda seed: check_session(
            lambda: cls("chat-1", settings=SETTINGS), examples=60, steps=15, seed=seed
        ),
        *(case, sentence, steps),
    )
    assert error.failed[case] in str(error)


@pytest.mark.parametrize("make", [ChatClient, OwnClient])
def test_a_correct_client_passes(make: Callable[..., Any]) -> None:
    """The class of chatfsm passes with its default settings, and a subclass does, for one seed."""
    assert check_client(lambda: make(ENDPOINT), **FEW, seed=11) == Conformance(2, ())


def test_a_text_that_is_reported_as_failed_may_be_lost() -> None:
    """A text that is reported as failed need not arrive."""
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
def test_a_wrong_client_is_reported(cls: Any, case: str, sentence: str) -> None:
    """The error has the rule, and few steps."""

    def restore(snapshot: Any, now: float) -> Any:
        return cls.restore(snapshot, ENDPOINT, settings=CLIENT_SETTINGS, now=now)

    first_error(
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
    """The numbers are checked like those of settings."""
    with pytest.raises(ValueError, match=f"{next(iter(named))} must be"):
        check_session(lambda: ChatSession("chat-1"), **named)


def events(*items: dict[str, Any]) -> list[Any]:
    return decode([*items])


def test_a_watched_session_raises_at_the_first_wrong_step() -> None:
    """The wrapper has all members, and raises at the step that breaks a rule."""
    with watched(ForgetsTyping("chat-1")) as session:
        assert session.receive(events(TYPING)[0], now=0.0) == [effects.TypingStarted("A")]
        assert session.typing == ("A",)
        assert "watched" in repr(session)
        message = {"event": "chat_session_message", "party_id": "A", "msg": "hi", "msg_id": "2"}
        with pytest.raises(AssertionError, match="typists differ"):
            session.receive(events(message)[0], now=1.0)


def test_a_watched_client_raises_at_the_first_wrong_step() -> None:
    """The rules of clients are checked."""
    opened = b'{"chat_id": "chat-1", "state": "queued", "is_new_chat": true}'
    with watched(PollsTwice(ENDPOINT)) as client:
        [request] = client.receive(RequestChat(), now=0.0)
        assert isinstance(request, HttpRequest)
        with pytest.raises(AssertionError, match="a second poll"):
            client.receive(HttpReply(request.id, 200, {}, opened), now=0.1)


def test_a_watched_session_survives_a_restart() -> None:
    """At the end of the block its snapshot is restored, unless it received no input."""
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
    session, reported = ChatSession("chat-1"), []
    own = {"event": "chat_session_message", "party_id": "chat-1", "msg": "hello", "msg_id": "1"}
    reported += session.receive(commands.SendText("hello"), now=0.0)
    reported += session.receive(History(events(own)), now=0.0)
    for event in events(*STORY):
        reported += session.receive(event, now=1.0)
    return reported


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_can_be_used_alone(rule: Callable[[Any], None]) -> None:
    """It accepts the effects of a session, and refuses them repeated in reverse order."""
    reported = all_effects()
    rule(reported)
    with pytest.raises(AssertionError):
        rule([*reported, *reversed(reported)])


def test_repetitions_are_allowed_after_ids_were_forgotten() -> None:
    """An anomaly of the session reports that."""
    [reported] = [
        e for e in all_effects() if isinstance(e, effects.MessageReceived) if not e.message.own
    ]
    invariants.nothing_received_twice([reported, reported, effects.Anomaly("too_many_ids", "")])
