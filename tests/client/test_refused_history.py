"""Unconfirmed messages of a live chat whose history is refused first and available later."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import effects
from tests.client.conftest import ClientHarness
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


def refused(chat: ClientHarness, status: int = 404, body: Any = b"") -> ClientHarness:
    """Let the history be refused, and a poll show that the chat is live."""
    while "history" not in chat.pending:
        chat.run_to_deadline()
    chat.reply("history", body, status=status)
    chat.reply_poll()
    return chat


def history_after_gap(chat: ClientHarness, *events: dict[str, Any]) -> list[Any]:
    """Let a poll fail, and answer the history that is requested then."""
    while "poll" not in chat.pending:
        chat.run_to_deadline()
    chat.fail("poll")
    while "history" not in chat.pending:
        chat.run_to_deadline()
    return chat.reply_history(*events)


@pytest.fixture(params=[1, 2])
def unconfirmed_chat(request: pytest.FixtureRequest) -> ClientHarness:
    """A chat with one unconfirmed message and one waiting, in both versions of the API."""
    chat = ClientHarness(version=request.param).open_chat(state="connected")
    chat.send_text("a")
    chat.send_text("b")
    chat.fail("post")
    return chat


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_missing_message_that_was_overtaken_fails(
    unconfirmed_chat: ClientHarness, status: int, body: Any
) -> None:
    """It is not sent again after a later message has arrived; the failure is reported once."""
    refused(unconfirmed_chat, status, body).reply("post")
    assert history_after_gap(unconfirmed_chat, own("b", "3")) == [effects.MessageFailed("1", WHY)]
    assert history_after_gap(unconfirmed_chat, own("b", "3")) == []
    assert unconfirmed_chat.posted == [["a"], ["b"]]


def test_an_overtaken_message_in_the_history_has_arrived(unconfirmed_chat: ClientHarness) -> None:
    """The history shows that it arrived."""
    refused(unconfirmed_chat).reply("post")
    reported = history_after_gap(unconfirmed_chat, own("a", "1"), own("b", "3"))
    assert reported == [effects.MessageSent("1", replayed=True)]
    assert unconfirmed_chat.posted == [["a"], ["b"]]


def test_a_message_that_may_be_overtaken_fails(unconfirmed_chat: ClientHarness) -> None:
    """The reply to the POST of the later message is still pending."""
    refused(unconfirmed_chat)
    assert unconfirmed_chat.posted == [["a"], ["b"]]
    assert history_after_gap(unconfirmed_chat) == [effects.MessageFailed("1", WHY)]
    unconfirmed_chat.reply("post")
    assert unconfirmed_chat.posted == [["a"], ["b"]]


def test_messages_that_are_not_overtaken_are_sent_again_in_order(
    unconfirmed_chat: ClientHarness,
) -> None:
    """Both are missing, so both are sent again in order, before waiting messages."""
    refused(unconfirmed_chat).fail("post")
    unconfirmed_chat.send_text("c")
    assert history_after_gap(unconfirmed_chat) == []
    assert unconfirmed_chat.posted == [["a"], ["b"], ["a", "b", "c"]]


def test_a_message_before_a_refused_one_is_sent_again(unconfirmed_chat: ClientHarness) -> None:
    """The server refused the later message, so the earlier one is sent again."""
    refused(unconfirmed_chat).reply("post", {"error_code": "5003"}, status=400)
    assert history_after_gap(unconfirmed_chat) == []
    assert unconfirmed_chat.posted == [["a"], ["b"], ["a"]]


def test_only_overtaken_messages_fail(unconfirmed_chat: ClientHarness) -> None:
    """Messages after the last one that arrived are sent again."""
    refused(unconfirmed_chat).reply("post")
    unconfirmed_chat.send_text("c")
    unconfirmed_chat.fail("post")
    refused(unconfirmed_chat)
    reported = history_after_gap(unconfirmed_chat, own("b", "3"))
    assert reported == [effects.MessageFailed("1", WHY)]
    assert unconfirmed_chat.posted == [["a"], ["b"], ["c"], ["c"]]


def test_the_last_history_fails_overtaken_messages(unconfirmed_chat: ClientHarness) -> None:
    """After the end nothing is sent again, so it fails."""
    refused(unconfirmed_chat).reply("post")
    unconfirmed_chat.reply_poll({"event": "ended"})
    reported = unconfirmed_chat.reply_history(own("b", "3"))
    assert names(reported) == ["MessageFailed", "StateChanged", "LinkChanged", "Terminated"]
    assert unconfirmed_chat.client.session is not None
    assert unconfirmed_chat.client.session.outbox == {"1": "failed", "3": "sent"}


def test_a_restart_keeps_the_order(unconfirmed_chat: ClientHarness) -> None:
    """A restored client knows the order of its POSTs."""
    refused(unconfirmed_chat).reply("post")
    unconfirmed_chat.restart(at=500.0).tick()
    assert unconfirmed_chat.reply_history(own("b", "3")) == [effects.MessageFailed("1", WHY)]
    assert unconfirmed_chat.posted == [["a"], ["b"]]


class Server:
    """A server that keeps the texts of POSTs, and answers as configured."""

    def __init__(self, chat: ClientHarness) -> None:
        self.chat = chat
        self.arrived: list[dict[str, Any]] = []

    def answer(self, post: str = "taken", history: str = "given", poll: str = "given") -> None:
        """Answer all pending requests, one of each kind; if there are none, advance the time."""
        chat = self.chat
        if not chat.pending:
            chat.run_to_deadline()
        if "post" in chat.pending:
            self.answer_post(post)
        if "history" in chat.pending:
            self.answer_history(history)
        if "poll" in chat.pending:
            chat.reply_poll() if poll == "given" else chat.fail("poll", "protocol")

    def answer_post(self, how: str) -> None:
        if how == "later":
            return
        if how in {"taken", "lost after"}:
            self.arrived += json.loads(self.chat.pending_request("post").body)["events"]
        if how == "taken":
            self.chat.reply("post")
        elif how == "busy":
            self.chat.reply("post", status=429)
        else:
            self.chat.fail("post", "connect" if how == "connect" else "protocol")

    def answer_history(self, how: str) -> None:
        if how == "given":
            self.chat.reply_history(*(own(event["msg"], event["msg_id"]) for event in self.arrived))
        else:
            status = {"refused": 400, "unknown": 404, "failed": 500}[how]
            body = {"error_code": "5003"} if how == "refused" else b""
            self.chat.reply("history", body, status=status)


POSTS = st.sampled_from(("taken", "lost after", "lost before", "busy", "connect", "later"))
HISTORIES = st.sampled_from(("given", "refused", "unknown", "failed"))
STEPS = st.tuples(st.booleans(), POSTS, HISTORIES, st.sampled_from(("given", "lost")))


@given(st.lists(STEPS, max_size=15), st.integers(1, 3))
def test_any_refusals_change_no_order(
    steps: list[tuple[bool, str, str, str]], max_batch: int
) -> None:
    """Texts arrive once and in order, and in the end each has a reported fate."""
    chat = ClientHarness(max_batch=max_batch).open_chat(state="connected")
    server = Server(chat)
    for number, (says, *answers) in enumerate(steps):
        if says:
            chat.send_text(str(number))
        server.answer(*answers)
    for poll in ("lost", "given"):
        for _ in range(20):
            server.answer(poll=poll)
    texts = [int(event["msg"]) for event in server.arrived]
    assert texts == sorted(set(texts))
    assert chat.client.session is not None
    fates = chat.client.session.outbox
    ids = [str(event["msg_id"]) for event in server.arrived]
    assert fates == {msg_id: "sent" if msg_id in ids else "failed" for msg_id in fates}
    failed = [effect for effect in chat.effects if isinstance(effect, effects.MessageFailed)]
    assert sorted(effect.msg_id for effect in failed) == sorted({*fates} - {*ids})
