"""What is in doubt while a chat lives whose history is refused, and is given at last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import effects
from tests.client.conftest import Stage
from tests.client.test_posting import names, own

REFUSALS: list[tuple[int, Any]] = [
    (404, b""),
    (404, {"error_code": "5005"}),
    (404, {"error_code": "5601"}),
    (400, {"error_code": "5003"}),
    (403, {"error_code": "1000"}),
    (406, b""),
]
WHY = "it has not arrived, and a later message has, or may have"


def refused(chat: Stage, status: int = 404, body: Any = b"") -> Stage:
    """The history is refused, and a poll shows that the chat lives."""
    while "history" not in chat.pending:
        chat.is_due()
    chat.replies("history", body, status=status)
    chat.polled()
    return chat


def remembers_after_gap(chat: Stage, *events: dict[str, Any]) -> list[Any]:
    """A poll is lost, and the server gives the history that is asked for then."""
    while "poll" not in chat.pending:
        chat.is_due()
    chat.fails("poll")
    while "history" not in chat.pending:
        chat.is_due()
    return chat.remembers(*events)


@pytest.fixture(params=[1, 2])
def doubted(request: pytest.FixtureRequest) -> Stage:
    """A message is in doubt, and another one waits; in both versions of the API."""
    chat = Stage(version=request.param).opens(state="connected")
    chat.says("a")
    chat.says("b")
    chat.fails("post")
    return chat


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_missing_message_that_was_overtaken_fails(doubted: Stage, status: int, body: Any) -> None:
    """It is not sent again behind one that was said later; the app is told, once."""
    refused(doubted, status, body).replies("post")
    assert remembers_after_gap(doubted, own("b", "3")) == [effects.MessageFailed("1", WHY)]
    assert remembers_after_gap(doubted, own("b", "3")) == []
    assert doubted.posted == [["a"], ["b"]]


def test_one_that_was_overtaken_and_is_there_has_arrived(doubted: Stage) -> None:
    """The history shows it."""
    refused(doubted).replies("post")
    told = remembers_after_gap(doubted, own("a", "1"), own("b", "3"))
    assert told == [effects.MessageSent("1", replayed=True)]
    assert doubted.posted == [["a"], ["b"]]


def test_one_that_may_be_overtaken_fails(doubted: Stage) -> None:
    """The reply to the POST of the later one has not come yet."""
    refused(doubted)
    assert doubted.posted == [["a"], ["b"]]
    assert remembers_after_gap(doubted) == [effects.MessageFailed("1", WHY)]
    doubted.replies("post")
    assert doubted.posted == [["a"], ["b"]]


def test_those_that_nothing_has_overtaken_are_sent_again_in_order(doubted: Stage) -> None:
    """The later one is missing as well: first what was said first, and then what waits."""
    refused(doubted).fails("post")
    doubted.says("c")
    assert remembers_after_gap(doubted) == []
    assert doubted.posted == [["a"], ["b"], ["a", "b", "c"]]


def test_one_that_a_refused_message_followed_is_sent_again(doubted: Stage) -> None:
    """The server did not take the later one."""
    refused(doubted).replies("post", {"error_code": "5003"}, status=400)
    assert remembers_after_gap(doubted) == []
    assert doubted.posted == [["a"], ["b"], ["a"]]


def test_only_what_was_overtaken_fails(doubted: Stage) -> None:
    """What was said after the last message that arrived is sent again."""
    refused(doubted).replies("post")
    doubted.says("c")
    doubted.fails("post")
    refused(doubted)
    told = remembers_after_gap(doubted, own("b", "3"))
    assert told == [effects.MessageFailed("1", WHY)]
    assert doubted.posted == [["a"], ["b"], ["c"], ["c"]]


def test_the_last_history_fails_what_was_overtaken(doubted: Stage) -> None:
    """That after the end, in which nothing is sent any more."""
    refused(doubted).replies("post")
    doubted.polled({"event": "ended"})
    told = doubted.remembers(own("b", "3"))
    assert names(told) == ["MessageFailed", "StateChanged", "LinkChanged", "Terminated"]
    assert doubted.client.session is not None
    assert doubted.client.session.outbox == {"1": "failed", "3": "sent"}


def test_a_restart_forgets_no_order(doubted: Stage) -> None:
    """The client of a snapshot knows what was posted."""
    refused(doubted).replies("post")
    doubted.restarts(at=500.0).ticks()
    assert doubted.remembers(own("b", "3")) == [effects.MessageFailed("1", WHY)]
    assert doubted.posted == [["a"], ["b"]]


class Server:
    """A server that keeps the texts it gets, and answers as it is told."""

    def __init__(self, chat: Stage) -> None:
        self.chat = chat
        self.arrived: list[dict[str, Any]] = []

    def answers(self, post: str = "taken", history: str = "given", poll: str = "given") -> None:
        """Answer all that waits, one of each kind; if nothing waits, time passes."""
        chat = self.chat
        if not chat.pending:
            chat.is_due()
        if "post" in chat.pending:
            self.answers_post(post)
        if "history" in chat.pending:
            self.answers_history(history)
        if "poll" in chat.pending:
            chat.polled() if poll == "given" else chat.fails("poll", "protocol")

    def answers_post(self, how: str) -> None:
        if how == "later":
            return
        if how in {"taken", "lost after"}:
            self.arrived += json.loads(self.chat.asked("post").body)["events"]
        if how == "taken":
            self.chat.replies("post")
        elif how == "busy":
            self.chat.replies("post", status=429)
        else:
            self.chat.fails("post", "connect" if how == "connect" else "protocol")

    def answers_history(self, how: str) -> None:
        if how == "given":
            self.chat.remembers(*(own(event["msg"], event["msg_id"]) for event in self.arrived))
        else:
            status = {"refused": 400, "unknown": 404, "failed": 500}[how]
            body = {"error_code": "5003"} if how == "refused" else b""
            self.chat.replies("history", body, status=status)


POSTS = st.sampled_from(("taken", "lost after", "lost before", "busy", "connect", "later"))
HISTORIES = st.sampled_from(("given", "refused", "unknown", "failed"))
STEPS = st.tuples(st.booleans(), POSTS, HISTORIES, st.sampled_from(("given", "lost")))


@given(st.lists(STEPS, max_size=15), st.integers(1, 3))
def test_any_refusals_change_no_order(
    steps: list[tuple[bool, str, str, str]], max_batch: int
) -> None:
    """Texts arrive once and in order; in the end the app knows the fate of each."""
    chat = Stage(max_batch=max_batch).opens(state="connected")
    server = Server(chat)
    for number, (says, *answers) in enumerate(steps):
        if says:
            chat.says(str(number))
        server.answers(*answers)
    for poll in ("lost", "given"):
        for _ in range(20):
            server.answers(poll=poll)
    texts = [int(event["msg"]) for event in server.arrived]
    assert texts == sorted(set(texts))
    assert chat.client.session is not None
    fates = chat.client.session.outbox
    ids = [str(event["msg_id"]) for event in server.arrived]
    assert fates == {msg_id: "sent" if msg_id in ids else "failed" for msg_id in fates}
    failed = [effect for effect in chat.told if isinstance(effect, effects.MessageFailed)]
    assert sorted(effect.msg_id for effect in failed) == sorted({*fates} - {*ids})
