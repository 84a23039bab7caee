"""The fate of a POST: accepted, refused or unconfirmed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.client_effects import Undelivered
from tests.client.conftest import CHAT, ClientHarness, kind_of
from tests.client.test_posting import FORM, PROMPT, names, own

DOUBTS: list[dict[str, Any]] = [
    {"how": "timeout"},
    {"how": "protocol"},
    {"how": "cancelled"},
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"status": 500, "body": {"error_code": "5000"}},
    {"status": 500, "body": {"error_code": "5004"}},
    {"status": 500, "body": {"error_code": "5500"}},
    {"status": 200, "body": b"<html>captive</html>"},
]


def lose_post(chat: ClientHarness, how: dict[str, Any]) -> list[Any]:
    """Let the POST end in a way that leaves it unconfirmed."""
    if "how" in how:
        return chat.fail("post", how["how"])
    return chat.reply("post", how.get("body", b""), status=how["status"])


@pytest.mark.parametrize("how", DOUBTS)
def test_an_unconfirmed_message_that_arrived_is_not_sent_again(
    chat: ClientHarness, how: dict[str, Any]
) -> None:
    """The history shows that it arrived, so it is not posted again."""
    chat.send_text("a")
    assert names(lose_post(chat, how)) == ["MessageUnconfirmed"]
    chat.send_text("b")
    assert chat.pending == ["poll"], "later texts wait"
    assert chat.run_to_deadline() == ["history"]
    assert chat.now == 2.0
    assert chat.reply_history(own("a", "1")) == [effects.MessageSent("1", replayed=True)]
    assert chat.posted == [["a"], ["b"]]


@pytest.mark.parametrize("how", DOUBTS)
def test_a_missing_message_is_sent_again_first(chat: ClientHarness, how: dict[str, Any]) -> None:
    """A message that the history lacks is posted again with its id, before all later ones."""
    chat.send_text("a")
    lose_post(chat, how)
    chat.send_text("b")
    chat.run_to_deadline()
    chat.reply_history()
    if "post" in chat.pending:
        chat.reply("post")
    if "post" in chat.pending:
        chat.reply("post")
    assert chat.posted[0] == ["a"]
    assert [text for post in chat.posted[1:] for text in post] == ["a", "b"]
    again = json.loads([r for r in chat.requests if kind_of(r) == "post"][1].body)
    assert again["events"][0]["msg_id"] == "1"


def test_an_earlier_history_does_not_settle_a_message(chat: ClientHarness) -> None:
    """A history requested before the POST may be too old, so another one is requested."""
    chat.fail("poll")
    assert chat.run_to_deadline() == ["history"]
    chat.send_text("a")
    chat.fail("post")
    assert names(chat.reply_history()) == []
    assert chat.posted == [["a"]]
    while "history" not in chat.pending:
        chat.run_to_deadline()
    assert chat.reply_history(own("a", "1")) == [effects.MessageSent("1", replayed=True)]
    assert chat.posted == [["a"]]


def test_an_echo_in_a_poll_confirms_a_message(chat: ClientHarness) -> None:
    """The echo confirms the message, even if the history lacks it."""
    chat.send_text("a")
    chat.fail("post")
    assert effects.MessageSent("1") in chat.reply_poll(own("a", "1"))
    assert chat.run_to_deadline() == ["history"]
    chat.reply_history()
    assert chat.posted == [["a"]]


def test_a_permanent_refusal_fails_the_message(chat: ClientHarness) -> None:
    """5003 for a single message fails it, and the next one is posted."""
    chat.send_text("a")
    reported = chat.reply("post", {"error_code": "5003", "error_message": "not a"}, status=400)
    assert reported == [
        effects.MessageFailed("1", "error 5003 (status 400): the request cannot be decoded")
    ]
    chat.send_text("b")
    assert chat.posted == [["a"], ["b"]]


@pytest.mark.parametrize("refusal", [{"status": 400}, {"status": 405}, {"status": 413}])
def test_a_bad_event_does_not_fail_its_batch(chat: ClientHarness, refusal: dict[str, int]) -> None:
    """A refused batch is posted one by one, so that only the refused event fails."""
    chat.send_text("first")
    for text in ("good", "bad", "also good"):
        chat.send_text(text)
    chat.reply("post")
    chat.reply("post", **refusal)
    assert chat.posted[2:] == [["good"]]
    assert chat.reply("post") == [effects.MessageSent("3")]
    assert names(chat.reply("post", **refusal)) == ["MessageFailed"]
    assert chat.reply("post") == [effects.MessageSent("7")]
    chat.send_text("x")
    chat.send_text("y")
    chat.send_text("z")
    chat.reply("post")
    assert chat.posted[5:] == [["x"], ["y", "z"]], "then in batches again"


def test_a_message_that_breaks_the_server_fails(make_client: type[ClientHarness]) -> None:
    """A single message that causes an internal error each time fails, and the rest goes on."""
    chat = make_client(max_attempts=3).open_chat()
    chat.send_text("poison")
    chat.send_text("fine")
    for _ in range(3):
        chat.reply("post", status=500)
        while "history" not in chat.pending:
            chat.run_to_deadline()
        chat.reply_history()
        while "post" not in chat.pending:
            chat.run_to_deadline()
    assert chat.posted == [["poison"], ["poison"], ["poison"], ["fine"]]
    assert chat.client.session.outbox == {"1": "failed", "3": "pending"}


def test_a_batch_that_breaks_the_server_is_posted_one_by_one(chat: ClientHarness) -> None:
    """After an internal error for a batch its events are posted one by one."""
    chat.send_text("first")
    chat.send_text("a")
    chat.send_text("b")
    chat.reply("post")
    chat.reply("post", status=500)
    chat.run_to_deadline()
    chat.reply_history(own("first", "1"))
    assert chat.posted == [["first"], ["a", "b"], ["a"]]


@pytest.mark.parametrize("status", [502, 503])
def test_a_gateway_error_does_not_split_a_batch(chat: ClientHarness, status: int) -> None:
    """502 and 503 come from proxies, so the batch is posted again unchanged."""
    send_three_texts(chat)
    chat.reply("post", status=status)
    chat.run_to_deadline()
    chat.reply_history(own("first", "1"))
    assert chat.posted[1:] == [["a", "b"], ["a", "b"]]


def test_as_many_are_posted_alone_as_were_in_the_batch(chat: ClientHarness) -> None:
    """After an internal error its two messages are posted alone, and later ones together."""
    send_three_texts(chat)
    chat.reply("post", status=500)
    for text in ("x", "y", "z"):
        chat.send_text(text)
    chat.run_to_deadline()
    chat.reply_history(own("first", "1"))
    for _ in range(3):
        chat.reply("post")
    assert chat.posted[2:] == [["a"], ["b"], ["x", "y", "z"]]


def test_a_confirmed_message_does_not_shorten_the_isolation(chat: ClientHarness) -> None:
    """If the history confirms one of two, the client still posts two messages alone."""
    send_three_texts(chat)
    chat.reply("post", status=500)
    for text in ("x", "y", "z"):
        chat.send_text(text)
    chat.run_to_deadline()
    chat.reply_history(own("first", "1"), own("a", "3"))
    for _ in range(3):
        chat.reply("post")
    assert chat.posted[2:] == [["b"], ["x"], ["y", "z"]]


def test_a_refused_batch_of_two_is_posted_alone_twice(chat: ClientHarness) -> None:
    """The message that is refused alone counts as one that was posted alone."""
    send_three_texts(chat)
    chat.reply("post", status=400)
    for text in ("x", "y"):
        chat.send_text(text)
    assert names(chat.reply("post", status=400)) == ["MessageFailed"]
    assert chat.reply("post") == [effects.MessageSent("5")]
    assert chat.posted[2:] == [["a"], ["b"], ["x", "y"]]


@pytest.mark.parametrize("code", ["5500", "5955"])
def test_an_internal_error_by_its_code_isolates_too(chat: ClientHarness, code: str) -> None:
    """The code of an internal error has the same effect with any status."""
    send_three_texts(chat)
    chat.reply("post", {"error_code": code}, status=503)
    while "history" not in chat.pending:
        chat.run_to_deadline()
    chat.reply_history(own("first", "1"))
    assert chat.posted[2:] == [["a"]]


def send_three_texts(chat: ClientHarness) -> None:
    """Send three texts: one is posted, and two wait for the next POST."""
    for text in ("first", "a", "b"):
        chat.send_text(text)
    chat.reply("post")


def test_unconfirmed_typing_is_not_sent_again(chat: ClientHarness) -> None:
    """Stale typing is dropped."""
    chat.receive(c.StartTyping())
    chat.fail("post")
    chat.run_to_deadline()
    chat.reply_history()
    assert chat.posted == [["typing"]]


def test_an_unconfirmed_answer_is_settled_by_the_history(chat: ClientHarness) -> None:
    """An answer to a form has arrived if the history has one for that form."""
    chat.reply_poll(FORM, at=1.0)
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.fail("post")
    chat.run_to_deadline()
    chat.reply_history({"event": "form_data", "form_request_id": 7, "data": {"age": "44"}})
    assert chat.posted == [["form_data"]]


def test_an_answer_that_is_missing_is_sent_again(chat: ClientHarness) -> None:
    """An answer that the history lacks is posted again."""
    chat.reply_poll(FORM, at=1.0)
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.fail("post")
    chat.run_to_deadline()
    chat.reply_history(FORM)
    assert chat.posted == [["form_data"], ["form_data"]]
    assert json.loads(chat.pending_request("post").body)["events"][0]["data"] == {"age": "44"}


def test_an_answer_to_a_prompt_stays_with_its_text(chat: ClientHarness) -> None:
    """The text and its answer are in one POST, also when repeated, and only once."""
    chat.reply_poll(PROMPT, at=1.0)
    chat.send_text("44")
    chat.fail("post")
    chat.run_to_deadline()
    chat.reply_history(PROMPT)
    assert chat.posted == [["form_data", "44"], ["form_data", "44"]]


def test_missing_signals_are_sent_again_with_their_id(chat: ClientHarness) -> None:
    """A signal is posted again under the same id, so that a copy can be recognized."""
    chat.receive(c.RequestPhoneCall("555"))
    chat.fail("post")
    chat.run_to_deadline()
    chat.reply_history()
    first, second = (r.body for r in chat.requests if kind_of(r) == "post")
    assert first == second
    chat.fail("post")
    chat.run_to_deadline()
    data = {"type": "REQUEST_PHONE_CALL", "number": "555"}
    chat.reply_history({"event": "signaling", "party_id": CHAT, "msg_id": "1", "data": data})
    assert len(chat.posted) == 2


def test_another_signal_in_the_history_is_not_the_lost_one(chat: ClientHarness) -> None:
    """A signal has arrived only if the history has one with its id."""
    chat.receive(c.RequestPhoneCall("555"))
    chat.fail("post")
    chat.run_to_deadline()
    data = {"type": "REQUEST_PHONE_CALL", "number": "555"}
    chat.reply_history({"event": "signaling", "party_id": CHAT, "msg_id": "2", "data": data})
    assert chat.posted == [["signaling"], ["signaling"]]


def test_a_refused_answer_is_reported(chat: ClientHarness) -> None:
    """The failure of an event other than a message has its name and its form id."""
    chat.reply_poll(FORM, at=1.0)
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    reported = chat.reply("post", status=400)
    assert reported == [Undelivered("chat_session_form_data", "7", "status 400: refused")]


def test_a_refused_end_is_reported(chat: ClientHarness) -> None:
    """The failure of an event without a form id has its name alone."""
    chat.receive(c.End())
    reported = chat.reply("post", status=400)
    assert reported == [Undelivered("chat_session_end", None, "status 400: refused")]


def test_an_end_that_arrived_without_a_reply(chat: ClientHarness) -> None:
    """If the chat is gone when `End` is posted again, the `End` arrived."""
    chat.receive(c.End())
    chat.fail("post")
    chat.run_to_deadline()
    assert chat.reply("history", status=404) == []
    reported = chat.reply("poll", status=404)
    assert reported[-1] == effects.Terminated("gone", "status 404")
    assert chat.posted == [["end"]]


def test_a_refused_history_stops_nothing(chat: ClientHarness) -> None:
    """The message stays unconfirmed if the history is refused permanently; the rest goes on."""
    chat.reply_poll(FORM, at=1.0)
    chat.send_text("a")
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.fail("post")
    chat.run_to_deadline()
    reported = chat.reply("history", status=400)
    assert reported == []
    assert chat.posted == [["a"], ["form_data"]]
    chat.fail("post")
    chat.send_text("b")
    while "history" not in chat.pending:
        chat.run_to_deadline()
    reported = chat.reply("history", status=400)
    why = "it is unknown whether it arrived"
    assert reported == [Undelivered("chat_session_form_data", "7", why)]
    assert chat.client.session.outbox["1"] == "unconfirmed"
    while "post" not in chat.pending:
        chat.run_to_deadline()
    assert chat.posted[-1] == ["b"]
