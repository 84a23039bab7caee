"""DESIGN §3: ids unique across devices and runs, and no POST before the history is merged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import ChatSession, Settings, SnapshotError, commands, effects
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest
from chatfsm.api import RequestChat
from tests.client.conftest import CHAT, ClientHarness, endpoint
from tests.client.test_posting import own


def read(msg_id: str) -> dict[str, Any]:
    """Return the event that an agent has read a message."""
    return {"event": "message_read", "ref_msg_id": msg_id, "party_id": "ann"}


@pytest.mark.parametrize("is_new", [False, None])
def test_nothing_is_posted_before_the_history_is_merged(
    harness: ClientHarness, is_new: bool | None
) -> None:
    """In a chat that exists, or may exist, the history comes before the first POST."""
    harness.receive(RequestChat())
    harness.reply("chats", {"chat_id": CHAT, "state": "connected", "is_new_chat": is_new})
    harness.send_text("a")
    for _ in range(9):
        for kind in harness.pending:
            if kind == "history":
                harness.reply(kind, status=503)
            else:
                harness.reply_poll()
        harness.run_to_deadline()
    assert harness.posted == []
    while "history" not in harness.pending:
        for _ in harness.pending:
            harness.reply_poll()
        harness.run_to_deadline()
    harness.reply_history()
    assert harness.posted == [["a"]]


def test_a_client_with_a_chat_id_reads_the_history_first(make_client: type[ClientHarness]) -> None:
    """A client that is given a chat id reads the history first."""
    chat = make_client(chat_id=CHAT)
    chat.tick()
    chat.send_text("a")
    assert chat.posted == []
    chat.reply_history()
    assert chat.posted == [["a"]]


def test_a_refused_history_holds_nothing_back(make_client: type[ClientHarness]) -> None:
    """A refused history does not hold back the POSTs."""
    chat = make_client(chat_id=CHAT)
    chat.tick()
    chat.send_text("a")
    chat.reply("history", {"error_code": "5603"}, status=400)
    assert chat.posted == [["a"]]


def test_a_new_chat_is_posted_to_at_once(chat: ClientHarness) -> None:
    """A new chat has no history to read."""
    chat.send_text("a")
    assert chat.posted == [["a"]]


def test_joining_survives_a_restart(make_client: type[ClientHarness]) -> None:
    """A restored client waits for the history as well."""
    chat = make_client(chat_id=CHAT)
    chat.tick()
    chat.send_text("a")
    chat.restart(at=50.0)
    chat.tick()
    assert chat.pending == ["history"]
    chat.reply("history", status=503)
    assert chat.pending == ["poll"], "a server that answers is polled meanwhile"
    assert chat.posted == []


def test_a_second_device_whose_post_is_dropped(make_client: type[ClientHarness]) -> None:
    """Receipts for the first device confirm nothing of the second; its text arrives once."""
    first = make_client(token="first").open_chat(state="connected")
    first.send_text("hello")
    first.reply("post")
    past = own("hello", "first:1")
    second = make_client(token="second").open_chat(is_new=False, state="connected")
    second.send_text("my card was stolen")
    assert second.posted == []
    reported = second.reply_history(past)
    assert [effect.message.text for effect in reported] == ["hello"]
    second.fail("post", "protocol")
    assert second.client.session is not None
    assert second.client.session.outbox == {"second:1": "unconfirmed"}
    reported = second.reply_poll(read("first:1"))
    assert second.client.session.outbox == {"second:1": "unconfirmed"}, (
        "the receipt is for another message"
    )
    assert not [effect for effect in reported if isinstance(effect, effects.MessageSent)]
    while "history" not in second.pending:
        second.run_to_deadline()
    second.reply_history(past)
    assert second.posted == [["my card was stolen"], ["my card was stolen"]]
    second.reply("post")
    while "poll" not in second.pending:
        second.run_to_deadline()
    second.reply_poll(read("second:1"))
    assert second.client.session.outbox == {"second:1": "read"}


def test_a_token_and_its_counter_survive(make_client: type[ClientHarness]) -> None:
    """Both survive in a snapshot, also before there is a chat."""
    harness = make_client(token="abc")
    harness.restart(at=5.0)
    harness.open_chat()
    harness.send_text("a")
    harness.restart(at=50.0)
    harness.send_text("b")
    assert harness.client.session is not None
    assert list(harness.client.session.outbox) == ["abc:1", "abc:3"]


def test_the_documented_form_has_a_token_as_well() -> None:
    """The id is `chatId:messageNumber`, with the token before the number."""
    session = ChatSession("chat-1", settings=Settings(msg_id_format="chat_id:n"), token="abc")
    (sent,) = session.receive(commands.SendText("a"), now=0.0)
    assert isinstance(sent, effects.SendEvents)
    assert sent.messages[0].msg_id == "chat-1:abc:1"


def test_the_counter_skips_own_ids_of_an_earlier_run() -> None:
    """No id of the history is used again, even with the same token and a lost snapshot."""
    chat = ClientHarness(chat_id=CHAT, token="device-7")
    chat.tick()
    chat.reply_history(own("before the crash", "device-7:5"))
    chat.send_text("after it")
    assert chat.client.session is not None
    assert list(chat.client.session.outbox) == ["device-7:7"]


@pytest.mark.parametrize("token", ["a:b", "a b", "ä", "x" * 65, "\n", None, 7, b"a"], ids=repr)
def test_a_token_is_a_word(token: Any) -> None:
    """It is part of ids, which appear in JSON, in journals and on terminals."""
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatSession("chat-1", token=token)
    with pytest.raises(ValueError, match="token must be a text of at most 64 letters"):
        ChatClient(endpoint(), token=token)


def test_a_forged_token_is_refused(make_client: type[ClientHarness]) -> None:
    """A forged token is refused, even with a matching digest."""
    data = json.loads(json.dumps(make_client(token="abc").client.snapshot(now=0.0)))
    data["client"]["token"] = "a:b"
    data["digest"] = _digest(data["client"])
    with pytest.raises(SnapshotError):
        ChatClient.restore(data, endpoint(), now=0.0)


def test_a_snapshot_without_a_token_has_an_empty_one() -> None:
    """The default makes ids that begin with the counter."""
    data = json.loads(json.dumps(ClientHarness().client.snapshot(now=0.0)))
    del data["client"]["token"]
    data["digest"] = _digest(data["client"])
    harness = ClientHarness()
    harness.client = ChatClient.restore(data, endpoint(), now=0.0)
    harness.open_chat().send_text("a")
    assert harness.client.session is not None
    assert list(harness.client.session.outbox) == ["1"]
