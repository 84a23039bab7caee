"""The fate of a POST: accepted, refused or unconfirmed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.client_effects import Undelivered
from tests.client.conftest import CHAT, Stage, kind_of
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


def lose_post(chat: Stage, how: dict[str, Any]) -> list[Any]:
    """Let the POST end in a way that leaves it unconfirmed."""
    if "how" in how:
        return chat.fails("post", how["how"])
    return chat.replies("post", how.get("body", b""), status=how["status"])


@pytest.mark.parametrize("how", DOUBTS)
def test_an_unconfirmed_message_that_arrived_is_not_sent_again(
    chat: Stage, how: dict[str, Any]
) -> None:
    """The history shows that it arrived, so it is not posted again."""
    chat.says("a")
    assert names(lose_post(chat, how)) == ["MessageUnconfirmed"]
    chat.says("b")
    assert chat.pending == ["poll"], "what is said later waits for its turn"
    assert chat.is_due() == ["history"]
    assert chat.now == 2.0
    assert chat.remembers(own("a", "1")) == [effects.MessageSent("1", replayed=True)]
    assert chat.posted == [["a"], ["b"]]


@pytest.mark.parametrize("how", DOUBTS)
def test_a_missing_message_is_sent_again_first(chat: Stage, how: dict[str, Any]) -> None:
    """A message that the history lacks is posted again with its id, before all later ones."""
    chat.says("a")
    lose_post(chat, how)
    chat.says("b")
    chat.is_due()
    chat.remembers()
    if "post" in chat.pending:
        chat.replies("post")
    if "post" in chat.pending:
        chat.replies("post")
    assert chat.posted[0] == ["a"]
    assert [text for post in chat.posted[1:] for text in post] == ["a", "b"]
    again = json.loads([r for r in chat.requests if kind_of(r) == "post"][1].body)
    assert again["events"][0]["msg_id"] == "1"


def test_an_earlier_history_does_not_settle_a_message(chat: Stage) -> None:
    """A history requested before the POST may be too old, so another one is requested."""
    chat.fails("poll")
    assert chat.is_due() == ["history"]
    chat.says("a")
    chat.fails("post")
    assert names(chat.remembers()) == []
    assert chat.posted == [["a"]]
    while "history" not in chat.pending:
        chat.is_due()
    assert chat.remembers(own("a", "1")) == [effects.MessageSent("1", replayed=True)]
    assert chat.posted == [["a"]]


def test_an_echo_in_a_poll_confirms_a_message(chat: Stage) -> None:
    """The echo confirms the message, even if the history lacks it."""
    chat.says("a")
    chat.fails("post")
    assert effects.MessageSent("1") in chat.polled(own("a", "1"))
    assert chat.is_due() == ["history"]
    chat.remembers()
    assert chat.posted == [["a"]]


def test_a_permanent_refusal_fails_the_message(chat: Stage) -> None:
    """5003 for a single message fails it, and the next one is posted."""
    chat.says("a")
    told = chat.replies("post", {"error_code": "5003", "error_message": "not a"}, status=400)
    assert told == [
        effects.MessageFailed("1", "error 5003 (status 400): the request cannot be decoded")
    ]
    chat.says("b")
    assert chat.posted == [["a"], ["b"]]


@pytest.mark.parametrize("refusal", [{"status": 400}, {"status": 405}, {"status": 413}])
def test_a_bad_event_does_not_fail_its_batch(chat: Stage, refusal: dict[str, int]) -> None:
    """A refused batch is posted one by one, so that only the refused event fails."""
    chat.says("first")
    for text in ("good", "bad", "also good"):
        chat.says(text)
    chat.replies("post")
    chat.replies("post", **refusal)
    assert chat.posted[2:] == [["good"]]
    assert chat.replies("post") == [effects.MessageSent("3")]
    assert names(chat.replies("post", **refusal)) == ["MessageFailed"]
    assert chat.replies("post") == [effects.MessageSent("7")]
    chat.says("x")
    chat.says("y")
    chat.says("z")
    chat.replies("post")
    assert chat.posted[5:] == [["x"], ["y", "z"]], "then in batches again"


def test_a_message_that_breaks_the_server_fails(stages: type[Stage]) -> None:
    """A single message that causes an internal error each time fails, and the rest goes on."""
    chat = stages(max_attempts=3).opens()
    chat.says("poison")
    chat.says("fine")
    for _ in range(3):
        chat.replies("post", status=500)
        while "history" not in chat.pending:
            chat.is_due()
        chat.remembers()
        while "post" not in chat.pending:
            chat.is_due()
    assert chat.posted == [["poison"], ["poison"], ["poison"], ["fine"]]
    assert chat.client.session.outbox == {"1": "failed", "3": "pending"}


def test_a_batch_that_breaks_the_server_is_posted_one_by_one(chat: Stage) -> None:
    """After an internal error for a batch its events are posted one by one."""
    chat.says("first")
    chat.says("a")
    chat.says("b")
    chat.replies("post")
    chat.replies("post", status=500)
    chat.is_due()
    chat.remembers(own("first", "1"))
    assert chat.posted == [["first"], ["a", "b"], ["a"]]


@pytest.mark.parametrize("status", [502, 503])
def test_a_gateway_error_does_not_split_a_batch(chat: Stage, status: int) -> None:
    """502 and 503 come from proxies, so the batch is posted again unchanged."""
    send_three_texts(chat)
    chat.replies("post", status=status)
    chat.is_due()
    chat.remembers(own("first", "1"))
    assert chat.posted[1:] == [["a", "b"], ["a", "b"]]


def test_as_many_are_posted_alone_as_were_in_the_batch(chat: Stage) -> None:
    """After an internal error its two messages are posted alone, and later ones together."""
    send_three_texts(chat)
    chat.replies("post", status=500)
    for text in ("x", "y", "z"):
        chat.says(text)
    chat.is_due()
    chat.remembers(own("first", "1"))
    for _ in range(3):
        chat.replies("post")
    assert chat.posted[2:] == [["a"], ["b"], ["x", "y", "z"]]


def test_a_confirmed_message_does_not_shorten_the_isolation(chat: Stage) -> None:
    """If the history confirms one of two, the client still posts two messages alone."""
    send_three_texts(chat)
    chat.replies("post", status=500)
    for text in ("x", "y", "z"):
        chat.says(text)
    chat.is_due()
    chat.remembers(own("first", "1"), own("a", "3"))
    for _ in range(3):
        chat.replies("post")
    assert chat.posted[2:] == [["b"], ["x"], ["y", "z"]]


def test_a_refused_batch_of_two_is_posted_alone_twice(chat: Stage) -> None:
    """The message that is refused alone counts as one that was posted alone."""
    send_three_texts(chat)
    chat.replies("post", status=400)
    for text in ("x", "y"):
        chat.says(text)
    assert names(chat.replies("post", status=400)) == ["MessageFailed"]
    assert chat.replies("post") == [effects.MessageSent("5")]
    assert chat.posted[2:] == [["a"], ["b"], ["x", "y"]]


@pytest.mark.parametrize("code", ["5500", "5955"])
def test_an_internal_error_by_its_code_isolates_too(chat: Stage, code: str) -> None:
    """The code of an internal error has the same effect with any status."""
    send_three_texts(chat)
    chat.replies("post", {"error_code": code}, status=503)
    while "history" not in chat.pending:
        chat.is_due()
    chat.remembers(own("first", "1"))
    assert chat.posted[2:] == [["a"]]


def send_three_texts(chat: Stage) -> None:
    """Send three texts: one is posted, and two wait for the next POST."""
    for text in ("first", "a", "b"):
        chat.says(text)
    chat.replies("post")


def test_unconfirmed_typing_is_not_sent_again(chat: Stage) -> None:
    """Stale typing is dropped."""
    chat.receives(c.StartTyping())
    chat.fails("post")
    chat.is_due()
    chat.remembers()
    assert chat.posted == [["typing"]]


def test_an_unconfirmed_answer_is_settled_by_the_history(chat: Stage) -> None:
    """An answer to a form has arrived if the history has one for that form."""
    chat.polled(FORM, at=1.0)
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.fails("post")
    chat.is_due()
    chat.remembers({"event": "form_data", "form_request_id": 7, "data": {"age": "44"}})
    assert chat.posted == [["form_data"]]


def test_an_answer_that_is_missing_is_sent_again(chat: Stage) -> None:
    """An answer that the history lacks is posted again."""
    chat.polled(FORM, at=1.0)
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.fails("post")
    chat.is_due()
    chat.remembers(FORM)
    assert chat.posted == [["form_data"], ["form_data"]]
    assert json.loads(chat.asked("post").body)["events"][0]["data"] == {"age": "44"}


def test_an_answer_to_a_prompt_stays_with_its_text(chat: Stage) -> None:
    """The text and its answer are in one POST, also when repeated, and only once."""
    chat.polled(PROMPT, at=1.0)
    chat.says("44")
    chat.fails("post")
    chat.is_due()
    chat.remembers(PROMPT)
    assert chat.posted == [["form_data", "44"], ["form_data", "44"]]


def test_missing_signals_are_sent_again_with_their_id(chat: Stage) -> None:
    """A signal is posted again under the same id, so that a copy can be recognized."""
    chat.receives(c.RequestPhoneCall("555"))
    chat.fails("post")
    chat.is_due()
    chat.remembers()
    first, second = (r.body for r in chat.requests if kind_of(r) == "post")
    assert first == second
    chat.fails("post")
    chat.is_due()
    data = {"type": "REQUEST_PHONE_CALL", "number": "555"}
    chat.remembers({"event": "signaling", "party_id": CHAT, "msg_id": "1", "data": data})
    assert len(chat.posted) == 2


def test_another_signal_in_the_history_is_not_the_lost_one(chat: Stage) -> None:
    """A signal has arrived only if the history has one with its id."""
    chat.receives(c.RequestPhoneCall("555"))
    chat.fails("post")
    chat.is_due()
    data = {"type": "REQUEST_PHONE_CALL", "number": "555"}
    chat.remembers({"event": "signaling", "party_id": CHAT, "msg_id": "2", "data": data})
    assert chat.posted == [["signaling"], ["signaling"]]


def test_a_refused_answer_is_reported(chat: Stage) -> None:
    """The failure of an event other than a message has its name and its form id."""
    chat.polled(FORM, at=1.0)
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    told = chat.replies("post", status=400)
    assert told == [Undelivered("chat_session_form_data", "7", "status 400: refused")]


def test_a_refused_end_is_reported(chat: Stage) -> None:
    """The failure of an event without a form id has its name alone."""
    chat.receives(c.End())
    told = chat.replies("post", status=400)
    assert told == [Undelivered("chat_session_end", None, "status 400: refused")]


def test_an_end_that_arrived_without_a_reply(chat: Stage) -> None:
    """If the chat is gone when `End` is posted again, the `End` arrived."""
    chat.receives(c.End())
    chat.fails("post")
    chat.is_due()
    assert chat.replies("history", status=404) == []
    told = chat.replies("poll", status=404)
    assert told[-1] == effects.Terminated("gone", "status 404")
    assert chat.posted == [["end"]]


def test_a_refused_history_stops_nothing(chat: Stage) -> None:
    """With a permanently refused history the message stays unconfirmed, and the rest goes on."""
    chat.polled(FORM, at=1.0)
    chat.says("a")
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.fails("post")
    chat.is_due()
    told = chat.replies("history", status=400)
    assert told == []
    assert chat.posted == [["a"], ["form_data"]]
    chat.fails("post")
    chat.says("b")
    while "history" not in chat.pending:
        chat.is_due()
    told = chat.replies("history", status=400)
    why = "it is unknown whether it arrived"
    assert told == [Undelivered("chat_session_form_data", "7", why)]
    assert chat.client.session.outbox["1"] == "unconfirmed"
    while "post" not in chat.pending:
        chat.is_due()
    assert chat.posted[-1] == ["b"]
