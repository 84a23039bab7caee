"""DESIGN §3: ids unique across devices and runs, and no POST before the history is merged."""

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
    """Return the event that an agent has read a message."""
    return {"event": "message_read", "ref_msg_id": msg_id, "party_id": "ann"}


@pytest.mark.parametrize("is_new", [False, None])
def test_nothing_is_posted_before_the_history_is_merged(stage: Stage, is_new: bool | None) -> None:
    """In a chat that exists, or may exist, the history comes before the first POST."""
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


def test_a_client_with_a_chat_id_reads_the_history_first(stages: type[Stage]) -> None:
    """A client that is given a chat id reads the history first."""
    chat = stages(chat_id=CHAT)
    chat.ticks()
    chat.says("a")
    assert chat.posted == []
    chat.remembers()
    assert chat.posted == [["a"]]


def test_a_refused_history_holds_nothing_back(stages: type[Stage]) -> None:
    """A refused history does not hold back the POSTs."""
    chat = stages(chat_id=CHAT)
    chat.ticks()
    chat.says("a")
    chat.replies("history", {"error_code": "5603"}, status=400)
    assert chat.posted == [["a"]]


def test_a_new_chat_is_posted_to_at_once(chat: Stage) -> None:
    """A new chat has no history to read."""
    chat.says("a")
    assert chat.posted == [["a"]]


def test_joining_survives_a_restart(stages: type[Stage]) -> None:
    """A restored client waits for the history as well."""
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
    """Receipts for the first device confirm nothing of the second; its text arrives once."""
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
    """Both survive in a snapshot, also before there is a chat."""
    stage = stages(token="abc")
    stage.restarts(at=5.0)
    stage.opens()
    stage.says("a")
    stage.restarts(at=50.0)
    stage.says("b")
    assert stage.client.session is not None
    assert list(stage.client.session.outbox) == ["abc:1", "abc:3"]


def test_the_documented_form_has_a_token_as_well() -> None:
    """The id is `chatId:messageNumber`, with the token before the number."""
    session = ChatSession("chat-1", settings=Settings(msg_id_format="chat_id:n"), token="abc")
    (sent,) = session.receive(commands.SendText("a"), now=0.0)
    assert isinstance(sent, effects.SendEvents)
    assert sent.messages[0].msg_id == "chat-1:abc:1"


def test_the_counter_skips_own_ids_of_an_earlier_run() -> None:
    """With the same token and a lost snapshot no id of the history is used again."""
    chat = Stage(chat_id=CHAT, token="device-7")
    chat.ticks()
    chat.remembers(own("before the crash", "device-7:5"))
    chat.says("after it")
    assert chat.client.session is not None
    assert list(chat.client.session.outbox) == ["device-7:7"]


@pytest.mark.parametrize("token", ["a:b", "a b", "ä", "x" * 65, "\n", None, 7, b"a"], ids=repr)
def test_a_token_is_a_word(token: Any) -> None:
    """It is part of ids, which appear in JSON, in journals and on terminals."""
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatSession("chat-1", token=token)
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatClient(endpoint(), token=token)


def test_a_forged_token_is_refused(stages: type[Stage]) -> None:
    """A forged token is refused, even with a matching digest."""
    data = json.loads(json.dumps(stages(token="abc").client.snapshot(now=0.0)))
    data["client"]["token"] = "a:b"
    data["digest"] = _digest(data["client"])
    with pytest.raises(SnapshotError):
        ChatClient.restore(data, endpoint(), now=0.0)


def test_a_snapshot_without_a_token_has_an_empty_one() -> None:
    """The default makes ids that begin with the counter."""
    data = json.loads(json.dumps(Stage().client.snapshot(now=0.0)))
    del data["client"]["token"]
    data["digest"] = _digest(data["client"])
    stage = Stage()
    stage.client = ChatClient.restore(data, endpoint(), now=0.0)
    stage.opens().says("a")
    assert stage.client.session is not None
    assert list(stage.client.session.outbox) == ["1"]
