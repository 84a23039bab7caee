"""Posting: events go out in order, one POST at a time, and are repeated only if that is safe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.client_effects import Undelivered
from chatfsm.settings import Settings
from tests.client.conftest import CHAT, ClientHarness

FORM = {"event": "form_show", "form_request_id": "7", "form_name": "survey"}
SECURE = {"event": "secure_form_show", "form_request_id": "8", "form_id": "card"}
PROMPT = {"event": "form_show", "form_request_id": "9", "form_name": ""}


def own(text: str, msg_id: str) -> dict[str, Any]:
    """Return a message of the customer as the history has it."""
    return {"event": "message", "party_id": CHAT, "msg_id": msg_id, "msg": text}


def names(reported: list[Any]) -> list[str]:
    """Return the names of the effects."""
    return [type(effect).__name__ for effect in reported]


def test_a_message_is_posted_and_confirmed(chat: ClientHarness) -> None:
    """A message is posted at once, as JSON, and `MessageSent` follows the success."""
    assert chat.send_text("hello") == []
    request = chat.pending_request("post")
    assert json.loads(request.body) == {
        "events": [{"event": "chat_session_message", "msg": "hello", "msg_id": "1"}]
    }
    assert ("Content-Type", "application/json; charset=UTF-8") in request.headers
    assert chat.reply("post") == [effects.MessageSent("1")]


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"events": []}'])
def test_a_success_may_have_no_body(chat: ClientHarness, body: bytes) -> None:
    """Version 2 answers with an empty body."""
    chat.send_text()
    assert chat.reply("post", body) == [effects.MessageSent("1")]


def test_events_in_the_reply_are_handled(make_client: type[ClientHarness]) -> None:
    """Events in the reply of version 1 are handled like those of a poll."""
    chat = make_client(version=1).open_chat()
    chat.send_text()
    reply = {"events": [{"event": "chat_session_message", "party_id": "ann", "msg": "hi"}]}
    assert names(chat.reply("post", reply)) == ["MessageSent", "MessageReceived"]


def test_one_post_at_a_time_in_order_and_in_batches(make_client: type[ClientHarness]) -> None:
    """Texts sent during a POST wait and go out together, up to the batch limit."""
    chat = make_client(max_batch=3).open_chat()
    for text in ("a", "b", "c", "d", "e"):
        chat.send_text(text)
    assert chat.pending == ["poll", "post"]
    chat.reply("post")
    chat.reply("post")
    chat.reply("post")
    assert chat.posted == [["a"], ["b", "c", "d"], ["e"]]
    assert list(chat.client.session.outbox.values()) == ["sent"] * 5


@pytest.mark.parametrize(
    "how",
    [
        {"how": "connect"},
        {"status": 429},
        {"status": 503, "body": {"error_code": "5001"}},
        {"status": 400, "body": {"error_code": "5509"}},
    ],
)
def test_a_post_that_did_not_arrive_is_repeated(chat: ClientHarness, how: dict[str, Any]) -> None:
    """No failure is reported and no history is requested; the same POST is repeated later."""
    chat.send_text("a")
    if "how" in how:
        assert chat.fail("post", "connect") == []
    else:
        assert chat.reply("post", how.get("body", b""), status=how["status"]) == []
    chat.send_text("b")
    assert chat.pending == ["poll"]
    assert chat.run_to_deadline() == ["post"]
    assert 0.5 <= chat.now <= 1.0
    assert chat.posted == [["a"], ["a", "b"]]
    assert chat.reply("post") == [effects.MessageSent("1"), effects.MessageSent("3")]


def test_stale_typing_is_dropped(chat: ClientHarness) -> None:
    """Typing that waited longer than some seconds is not sent."""
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.reply("post", at=10.5)
    assert chat.posted == [["a"], ["not_typing"]]


def test_a_message_does_not_supersede_typing_that_waits(chat: ClientHarness) -> None:
    """The end of typing with a text is part of the message, and stays with it."""
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.send_text("b")
    chat.reply("post")
    assert chat.posted == [["a"], ["typing", "not_typing", "b"]]


def test_typing_does_not_supersede_a_message(chat: ClientHarness) -> None:
    """A message with an end of typing before it is not dropped when typing is."""
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.send_text("b")
    chat.receive(c.StartTyping())
    chat.reply("post")
    assert chat.posted == [["a"], ["not_typing", "b", "typing"]]


@pytest.mark.parametrize(("at", "posted"), [(9.75, ["typing"]), (10.0, [])])
def test_typing_is_stale_from_its_renewal_on(
    make_client: type[ClientHarness], at: float, posted: list[str]
) -> None:
    """Typing is stale from the time at which it would be renewed."""
    chat = make_client(session=Settings(typing_idle=60.0, typing_renew=10.0)).open_chat()
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.reply("post", at=at)
    assert chat.posted[1:] == ([posted] if posted else [])


def test_typing_supersedes_typing_alone(chat: ClientHarness) -> None:
    """A waiting receipt and a waiting answer are not dropped with earlier typing."""
    chat.reply_poll(FORM, at=1.0)
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.receive(c.MarkRead("2"))
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.receive(c.StopTyping())
    chat.reply("post")
    assert chat.posted[1:] == [["message_read", "form_data", "not_typing"]]


def test_fresh_typing_is_sent_once(chat: ClientHarness) -> None:
    """Of several waiting typing events only the last one is sent."""
    chat.send_text("a")
    for second in (1.0, 2.0, 3.0):
        chat.receive(c.StartTyping(), at=second)
        chat.receive(c.StopTyping())
    chat.receive(c.StartTyping(), at=4.0)
    chat.reply("post")
    assert chat.posted == [["a"], ["typing"]]


def test_an_end_is_posted_after_all_messages(chat: ClientHarness) -> None:
    """`End` goes out last, and polling goes on until the server confirms it."""
    for text in ("a", "b"):
        chat.send_text(text)
    chat.receive(c.End())
    chat.receive(c.End())
    chat.reply("post")
    chat.reply("post")
    assert chat.posted == [["a"], ["b", "end"]]
    assert not chat.client.done
    chat.reply_poll(at=10.0)
    assert chat.pending == ["poll"]
    assert isinstance(chat.reply_poll({"event": "ended"}, at=12.0)[-1], effects.Terminated)


def test_a_disconnect_keeps_polling(chat: ClientHarness) -> None:
    """After `Disconnect` the scenario may still show a survey, so polling goes on."""
    chat.reply_poll({"event": "status", "state": "connected"}, at=1.0)
    chat.receive(c.Disconnect())
    chat.reply("post")
    assert names(chat.reply_poll(FORM, at=9.0)) == ["FormOpened"]


def test_a_post_to_an_unknown_chat_ends_it(chat: ClientHarness) -> None:
    """404 to a POST ends the chat, and undelivered answers to forms are reported."""
    chat.reply_poll(FORM, at=1.0)
    chat.send_text("a")
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    reported = chat.reply("post", status=404)
    assert names(reported)[-2:] == ["LinkChanged", "Terminated"]
    assert "Undelivered" in names(reported)
    why = "not posted: the chat is over"
    assert Undelivered("chat_session_form_data", "7", why) in reported
    assert chat.client.session.outbox == {"1": "failed"}, "the server accepted nothing"


def test_the_queue_is_bounded(make_client: type[ClientHarness]) -> None:
    """The limit counts all events; typing and leaving are always accepted."""
    chat = make_client(max_queued=3).open_chat()
    for number in range(3):
        chat.receive(c.MarkRead(str(number)))
    assert chat.refused(c.MarkRead("9")) == (
        "cannot mark read: 3 events wait to be sent, max_queued is 3"
    )
    chat.receive(c.StartTyping())
    chat.receive(c.End())


def test_a_receipt_waits_once(chat: ClientHarness) -> None:
    """A repeated receipt waits once; different receipts are all sent."""
    chat.send_text("a")
    for msg_id in ("2", "4", "2"):
        chat.receive(c.MarkRead(msg_id))
    chat.reply("post")
    assert chat.posted[1] == ["message_read", "message_read"]


@pytest.mark.parametrize("answer", [{1, 2}, float("inf"), object()])
def test_answers_must_be_json(chat: ClientHarness, answer: object) -> None:
    """A value that JSON lacks is refused at once, changes nothing, and is not quoted."""
    chat.reply_poll(FORM, at=1.0)
    why = chat.refused(c.SubmitForm("7", {"age": answer, "name": "a secret"}))
    assert "must be JSON values" in why
    assert "a secret" not in why


def test_a_refused_command_changes_nothing(chat: ClientHarness) -> None:
    """The client refuses with the reason of the session."""
    assert "has not shown it" in chat.refused(c.SubmitForm("7", {}))


def test_commands_are_refused_after_the_end(chat: ClientHarness) -> None:
    """An ended chat refuses all commands."""
    chat.reply_poll({"event": "ended"}, at=1.0)
    assert "over" in chat.refused(c.SendText("hello?"))


def test_several_messages_stay_whole(make_client: type[ClientHarness]) -> None:
    """The events of each message stay with it, also a file with an empty id."""
    chat = make_client(session=Settings(empty_file_ids=True)).open_chat()
    chat.receive(c.StartTyping())
    chat.reply("post")
    chat.send_text("a")
    chat.receive(c.SendFile("F1", "image"))
    chat.reply_poll(PROMPT, at=1.0)
    chat.send_text("b")
    sizes = [("1", 2), ("3", 1), ("5", 2)]
    assert message_sizes(chat) == sizes
    chat.fail("post", at=2.0)
    chat.run_to_deadline()
    chat.reply_history()
    assert message_sizes(chat) == sizes


def message_sizes(chat: ClientHarness) -> list[tuple[str | None, int]]:
    """Return the id and the number of events of each message that has not arrived."""
    state = chat.client._state
    return [(item.msg_id, len(item.events)) for item in (*state.batch, *state.queue)]
