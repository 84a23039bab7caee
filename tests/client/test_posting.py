"""Posting: events go out in order, one POST at a time, and are repeated only if that is safe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.client_effects import Undelivered
from chatfsm.settings import Settings
from tests.client.conftest import CHAT, Stage

FORM = {"event": "form_show", "form_request_id": "7", "form_name": "survey"}
SECURE = {"event": "secure_form_show", "form_request_id": "8", "form_id": "card"}
PROMPT = {"event": "form_show", "form_request_id": "9", "form_name": ""}


def own(text: str, msg_id: str) -> dict[str, Any]:
    """Return a message of the customer as the history has it."""
    return {"event": "message", "party_id": CHAT, "msg_id": msg_id, "msg": text}


def names(told: list[Any]) -> list[str]:
    """Return the names of the effects."""
    return [type(effect).__name__ for effect in told]


def test_a_message_is_posted_and_confirmed(chat: Stage) -> None:
    """A message is posted at once, as JSON, and `MessageSent` follows the success."""
    assert chat.says("hello") == []
    request = chat.asked("post")
    assert json.loads(request.body) == {
        "events": [{"event": "chat_session_message", "msg": "hello", "msg_id": "1"}]
    }
    assert ("Content-Type", "application/json; charset=UTF-8") in request.headers
    assert chat.replies("post") == [effects.MessageSent("1")]


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"events": []}'])
def test_a_success_may_have_no_body(chat: Stage, body: bytes) -> None:
    """Version 2 answers with an empty body."""
    chat.says()
    assert chat.replies("post", body) == [effects.MessageSent("1")]


def test_events_in_the_reply_are_handled(stages: type[Stage]) -> None:
    """Events in the reply of version 1 are handled like those of a poll."""
    chat = stages(version=1).opens()
    chat.says()
    reply = {"events": [{"event": "chat_session_message", "party_id": "ann", "msg": "hi"}]}
    assert names(chat.replies("post", reply)) == ["MessageSent", "MessageReceived"]


def test_one_post_at_a_time_in_order_and_in_batches(stages: type[Stage]) -> None:
    """Texts sent during a POST wait and go out together, up to the batch limit."""
    chat = stages(max_batch=3).opens()
    for text in ("a", "b", "c", "d", "e"):
        chat.says(text)
    assert chat.pending == ["poll", "post"]
    chat.replies("post")
    chat.replies("post")
    chat.replies("post")
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
def test_a_post_that_did_not_arrive_is_repeated(chat: Stage, how: dict[str, Any]) -> None:
    """No failure is reported and no history is requested; the same POST is repeated later."""
    chat.says("a")
    if "how" in how:
        assert chat.fails("post", "connect") == []
    else:
        assert chat.replies("post", how.get("body", b""), status=how["status"]) == []
    chat.says("b")
    assert chat.pending == ["poll"]
    assert chat.is_due() == ["post"]
    assert 0.5 <= chat.now <= 1.0
    assert chat.posted == [["a"], ["a", "b"]]
    assert chat.replies("post") == [effects.MessageSent("1"), effects.MessageSent("3")]


def test_stale_typing_is_dropped(chat: Stage) -> None:
    """Typing that waited longer than some seconds is not sent."""
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.replies("post", at=10.5)
    assert chat.posted == [["a"], ["not_typing"]]


def test_a_message_does_not_supersede_typing_that_waits(chat: Stage) -> None:
    """The end of typing with a text is part of the message, and stays with it."""
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.says("b")
    chat.replies("post")
    assert chat.posted == [["a"], ["typing", "not_typing", "b"]]


def test_typing_does_not_supersede_a_message(chat: Stage) -> None:
    """A message with an end of typing before it is not dropped when typing is."""
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.says("b")
    chat.receives(c.StartTyping())
    chat.replies("post")
    assert chat.posted == [["a"], ["not_typing", "b", "typing"]]


@pytest.mark.parametrize(("at", "posted"), [(9.75, ["typing"]), (10.0, [])])
def test_typing_is_stale_from_its_renewal_on(
    stages: type[Stage], at: float, posted: list[str]
) -> None:
    """Typing is stale from the time at which it would be renewed."""
    chat = stages(session=Settings(typing_idle=60.0, typing_renew=10.0)).opens()
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.replies("post", at=at)
    assert chat.posted[1:] == ([posted] if posted else [])


def test_typing_supersedes_typing_alone(chat: Stage) -> None:
    """A waiting receipt and a waiting answer are not dropped with earlier typing."""
    chat.polled(FORM, at=1.0)
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.receives(c.MarkRead("2"))
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.receives(c.StopTyping())
    chat.replies("post")
    assert chat.posted[1:] == [["message_read", "form_data", "not_typing"]]


def test_fresh_typing_is_sent_once(chat: Stage) -> None:
    """Of several waiting typing events only the last one is sent."""
    chat.says("a")
    for second in (1.0, 2.0, 3.0):
        chat.receives(c.StartTyping(), at=second)
        chat.receives(c.StopTyping())
    chat.receives(c.StartTyping(), at=4.0)
    chat.replies("post")
    assert chat.posted == [["a"], ["typing"]]


def test_an_end_is_posted_after_all_messages(chat: Stage) -> None:
    """`End` goes out last, and polling goes on until the server confirms it."""
    for text in ("a", "b"):
        chat.says(text)
    chat.receives(c.End())
    chat.receives(c.End())
    chat.replies("post")
    chat.replies("post")
    assert chat.posted == [["a"], ["b", "end"]]
    assert not chat.client.done
    chat.polled(at=10.0)
    assert chat.pending == ["poll"]
    assert isinstance(chat.polled({"event": "ended"}, at=12.0)[-1], effects.Terminated)


def test_a_disconnect_keeps_polling(chat: Stage) -> None:
    """After `Disconnect` the scenario may still show a survey, so polling goes on."""
    chat.polled({"event": "status", "state": "connected"}, at=1.0)
    chat.receives(c.Disconnect())
    chat.replies("post")
    assert names(chat.polled(FORM, at=9.0)) == ["FormOpened"]


def test_a_post_to_an_unknown_chat_ends_it(chat: Stage) -> None:
    """404 to a POST ends the chat, and undelivered answers to forms are reported."""
    chat.polled(FORM, at=1.0)
    chat.says("a")
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    told = chat.replies("post", status=404)
    assert names(told)[-2:] == ["LinkChanged", "Terminated"]
    assert "Undelivered" in names(told)
    why = "not posted: the chat is over"
    assert Undelivered("chat_session_form_data", "7", why) in told
    assert chat.client.session.outbox == {"1": "failed"}, "the server took nothing"


def test_the_queue_is_bounded(stages: type[Stage]) -> None:
    """The limit counts all events; typing and leaving are always accepted."""
    chat = stages(max_queued=3).opens()
    for number in range(3):
        chat.receives(c.MarkRead(str(number)))
    assert chat.refused(c.MarkRead("9")) == (
        "cannot mark read: 3 events wait to be sent, max_queued is 3"
    )
    chat.receives(c.StartTyping())
    chat.receives(c.End())


def test_a_receipt_waits_once(chat: Stage) -> None:
    """A repeated receipt waits once; different receipts are all sent."""
    chat.says("a")
    for msg_id in ("2", "4", "2"):
        chat.receives(c.MarkRead(msg_id))
    chat.replies("post")
    assert chat.posted[1] == ["message_read", "message_read"]


@pytest.mark.parametrize("answer", [{1, 2}, float("inf"), object()])
def test_answers_must_be_json(chat: Stage, answer: object) -> None:
    """A value that JSON lacks is refused at once, changes nothing, and is not quoted."""
    chat.polled(FORM, at=1.0)
    why = chat.refused(c.SubmitForm("7", {"age": answer, "name": "a secret"}))
    assert "must be JSON values" in why
    assert "a secret" not in why


def test_a_refused_command_changes_nothing(chat: Stage) -> None:
    """The client refuses with the reason of the session."""
    assert "has not shown it" in chat.refused(c.SubmitForm("7", {}))


def test_commands_are_refused_after_the_end(chat: Stage) -> None:
    """An ended chat refuses all commands."""
    chat.polled({"event": "ended"}, at=1.0)
    assert "over" in chat.refused(c.SendText("hello?"))


def test_several_messages_stay_whole(stages: type[Stage]) -> None:
    """The events of each message stay with it, also a file with an empty id."""
    chat = stages(session=Settings(empty_file_ids=True)).opens()
    chat.receives(c.StartTyping())
    chat.replies("post")
    chat.says("a")
    chat.receives(c.SendFile("F1", "image"))
    chat.polled(PROMPT, at=1.0)
    chat.says("b")
    sizes = [("1", 2), ("3", 1), ("5", 2)]
    assert message_sizes(chat) == sizes
    chat.fails("post", at=2.0)
    chat.is_due()
    chat.remembers()
    assert message_sizes(chat) == sizes


def message_sizes(chat: Stage) -> list[tuple[str | None, int]]:
    """Return the id and the number of events of each message that has not arrived."""
    state = chat.client._state
    return [(item.msg_id, len(item.events)) for item in (*state.batch, *state.queue)]
