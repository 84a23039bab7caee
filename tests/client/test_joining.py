"""DESIGN §3: ids that meet on no device and in no run, and no POST before the past is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import ChatSession, Settings, SnapshotError, commands, effects
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest
from chatfsm.api import RequestChat
from tests.client.conftest import CHAT, Stage, endpoint
from tests.client.test_posting import own


def read(msg_id: str) -> dict[str, Any]:
    """An agent has read a message."""
    return {"event": "message_read", "ref_msg_id": msg_id, "party_id": "ann"}


@pytest.mark.parametrize("is_new", [False, None])
def test_nothing_is_posted_before_the_past_is_merged(stage: Stage, is_new: bool | None) -> None:
    """In a chat that existed before, or may have: the history comes first, whenever it comes."""
    stage.receives(RequestChat())
    stage.replies("chats", {"chat_id": CHAT, "state": "connected", "is_new_chat": is_new})
    stage.says("a")
    for _ in range(9):
        for kind in stage.pending:
            if kind == "history":
                stage.replies(kind, status=503)
            else:
                stage.polled()
        stage.is_due()
    assert stage.posted == []
    while "history" not in stage.pending:
        for _ in stage.pending:
            stage.polled()
        stage.is_due()
    stage.remembers()
    assert stage.posted == [["a"]]


def test_a_chat_by_its_id_has_a_past(stages: type[Stage]) -> None:
    """The app gives the id of a chat that exists already."""
    chat = stages(chat_id=CHAT)
    chat.ticks()
    chat.says("a")
    assert chat.posted == []
    chat.remembers()
    assert chat.posted == [["a"]]


def test_a_past_that_is_refused_holds_nothing_back(stages: type[Stage]) -> None:
    """There will be no history, and what is said goes out."""
    chat = stages(chat_id=CHAT)
    chat.ticks()
    chat.says("a")
    chat.replies("history", {"error_code": "5603"}, status=400)
    assert chat.posted == [["a"]]


def test_a_new_chat_is_posted_to_at_once(chat: Stage) -> None:
    """It has no past."""
    chat.says("a")
    assert chat.posted == [["a"]]


def test_joining_survives_the_process(stages: type[Stage]) -> None:
    """The next one waits for the history as well."""
    chat = stages(chat_id=CHAT)
    chat.ticks()
    chat.says("a")
    chat.restarts(at=50.0)
    chat.ticks()
    assert chat.pending == ["history"]
    chat.replies("history", status=503)
    assert chat.pending == ["poll"], "a server that is there is polled meanwhile"
    assert chat.posted == []


def test_a_second_device_whose_post_is_dropped(stages: type[Stage]) -> None:
    """The first one's receipts confirm nothing of the second: its text arrives, once, as itself."""
    first = stages(token="first").opens(state="connected")
    first.says("hello")
    first.replies("post")
    past = own("hello", "first:1")
    second = stages(token="second").opens(is_new=False, state="connected")
    second.says("my card was stolen")
    assert second.posted == []
    told = second.remembers(past)
    assert [effect.message.text for effect in told] == ["hello"]
    second.fails("post", "protocol")
    assert second.client.session is not None
    assert second.client.session.outbox == {"second:1": "unconfirmed"}
    told = second.polled(read("first:1"))
    assert second.client.session.outbox == {"second:1": "unconfirmed"}, "what was read is another"
    assert not [effect for effect in told if isinstance(effect, effects.MessageSent)]
    while "history" not in second.pending:
        second.is_due()
    second.remembers(past)
    assert second.posted == [["my card was stolen"], ["my card was stolen"]]
    second.replies("post")
    while "poll" not in second.pending:
        second.is_due()
    second.polled(read("second:1"))
    assert second.client.session.outbox == {"second:1": "read"}


def test_a_token_and_its_counter_survive(stages: type[Stage]) -> None:
    """Also where there was no chat yet."""
    stage = stages(token="abc")
    stage.restarts(at=5.0)
    stage.opens()
    stage.says("a")
    stage.restarts(at=50.0)
    stage.says("b")
    assert stage.client.session is not None
    assert list(stage.client.session.outbox) == ["abc:1", "abc:3"]


def test_the_documented_form_has_a_token_as_well() -> None:
    """`chatId:messageNumber`, with the token before the number."""
    session = ChatSession("chat-1", settings=Settings(msg_id_format="chat_id:n"), token="abc")
    (sent,) = session.receive(commands.SendText("a"), now=0.0)
    assert isinstance(sent, effects.SendEvents)
    assert sent.messages[0].msg_id == "chat-1:abc:1"


def test_a_counter_goes_past_its_own_ids_of_an_earlier_run() -> None:
    """A caller whose token stays the same, and whose snapshot is lost, repeats no id either."""
    chat = Stage(chat_id=CHAT, token="device-7")
    chat.ticks()
    chat.remembers(own("before the crash", "device-7:5"))
    chat.says("after it")
    assert chat.client.session is not None
    assert list(chat.client.session.outbox) == ["device-7:7"]


@pytest.mark.parametrize("token", ["a:b", "a b", "ä", "x" * 65, "\n", None, 7, b"a"], ids=repr)
def test_a_token_is_a_word(token: Any) -> None:
    """It is part of ids, which stand in JSON, in journals and on terminals."""
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatSession("chat-1", token=token)
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatClient(endpoint(), token=token)


def test_a_forged_token_is_refused(stages: type[Stage]) -> None:
    """Whoever forges its digest."""
    data = json.loads(json.dumps(stages(token="abc").client.snapshot(now=0.0)))
    data["client"]["token"] = "a:b"
    data["digest"] = _digest(data["client"])
    with pytest.raises(SnapshotError):
        ChatClient.restore(data, endpoint(), now=0.0)


def test_a_snapshot_without_a_token_has_an_empty_one() -> None:
    """A field that is missing has its default, so that ids begin with the counter."""
    data = json.loads(json.dumps(Stage().client.snapshot(now=0.0)))
    del data["client"]["token"]
    data["digest"] = _digest(data["client"])
    stage = Stage()
    stage.client = ChatClient.restore(data, endpoint(), now=0.0)
    stage.opens().says("a")
    assert stage.client.session is not None
    assert list(stage.client.session.outbox) == ["1"]
