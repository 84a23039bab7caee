"""Snapshots: the state that survives a restart, and the first requests afterwards."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import LocalProtocolError, SnapshotError, effects
from chatfsm import commands as c
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest
from chatfsm.api import GetVersion, RequestChat, UploadFile
from chatfsm.client_effects import Undelivered
from chatfsm.replay.journal import verify
from chatfsm.settings import Settings
from tests.client.conftest import CHAT, ClientHarness, endpoint
from tests.client.test_posting import FORM, SECURE, own


def test_a_restored_client_requests_the_history_first(chat: ClientHarness) -> None:
    """A pending poll may have been answered to the old process, so the history is requested."""
    chat.reply_poll({"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}, at=5.0)
    chat.restart(at=1_000.0)
    assert chat.client.deadline == 1_000.0
    chat.tick()
    assert chat.pending == ["history"]
    reported = chat.reply_history(
        {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"},
        {"event": "message", "party_id": "ann", "msg_id": "4", "msg": "still there?"},
    )
    assert [effect.message.text for effect in reported] == ["still there?"]
    assert chat.pending == ["poll"]


def test_events_lost_with_an_old_poll_are_reported(chat: ClientHarness) -> None:
    """The server may hold the old poll and answer it later, so a second history is requested."""
    chat.restart(at=1_000.0)
    chat.tick()
    chat.reply_history()
    chat.reply("poll", {"error_code": "5509"}, status=400)
    assert chat.run_to_deadline() == ["poll"]
    chat.reply_poll(at=1_005.0)
    assert chat.pending == ["history"], "the old poll was answered or has timed out"
    chat.reply_history()
    assert chat.run_to_deadline() == ["history"]
    assert chat.now == 1_020.0
    reported = chat.reply_history(
        {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
    )
    assert [type(effect) for effect in reported] == [effects.MessageReceived]


def test_a_snapshot_does_not_depend_on_the_clock() -> None:
    """DESIGN L8: all times in a snapshot are relative, so the clock's zero has no effect."""
    first, second = (snapshot_of_a_chat_that_began(at) for at in (0.0, 1_024.0))
    assert first["client"]["poll_answered_at"] is not None
    assert first["client"]["history_recheck_at"] is not None
    assert [*first["client"]["queue"], *first["client"]["batch"]], "an event is queued"
    assert first == second


def snapshot_of_a_chat_that_began(at: float) -> dict[str, Any]:
    chat = ClientHarness(poll_every_busy=0.125)
    chat.now = at
    chat.open_chat()
    chat.tick()
    chat.reply_poll({"event": "typing", "party_id": "ann"}, at=at + 2.0)
    chat.tick(at=at + 3.0)
    chat.restart(at=at + 4.0)
    chat.tick()
    chat.receive(c.StartTyping(), at=at + 5.0)
    return chat.client.snapshot(now=at + 6.0)


def test_request_ids_are_not_reused(chat: ClientHarness) -> None:
    """Request ids continue, so that a late reply to the old process is recognized."""
    poll = chat.pending_request("poll")
    chat.restart(at=0.0)
    chat.tick()
    assert chat.pending_request("history").id == poll.id + 1


def test_a_post_in_flight_is_unconfirmed(chat: ClientHarness) -> None:
    """It is not sent again before the history is merged; known messages are not reported again."""
    chat.send_text("a")
    chat.send_text("b")
    chat.restart(at=1_000.0)
    assert [type(effect) for effect in chat.tick()] == [effects.MessageUnconfirmed]
    while "history" not in chat.pending:
        chat.run_to_deadline()
    chat.reply_history(own("a", "1"))
    assert chat.posted == [["a"], ["b"]]


def test_unconfirmed_and_waiting_messages_survive(chat: ClientHarness) -> None:
    """A second restart before the message is settled changes nothing."""
    chat.send_text("a")
    chat.restart(at=1_000.0)
    chat.tick()
    chat.restart(at=5.0)
    assert chat.client.deadline == 7.0, "the remaining time to settle is kept"
    chat.tick(at=7.0)
    chat.reply_history()
    assert chat.posted == [["a"], ["a"]]


def test_the_remaining_backoff_survives(chat: ClientHarness) -> None:
    """The remaining delay counts on the clock of the next process."""
    for kind in ("poll", "history", "history", "history"):
        chat.fail(kind, "connect")
        assert chat.run_to_deadline() == ["history"]
    chat.fail("history", "connect")
    left = chat.client.health(chat.now).next_in
    chat.restart(at=77.0)
    assert chat.client.health(77.0).failures == 5
    assert chat.tick() == []
    assert chat.pending == []
    assert chat.client.health(77.0).next_in == pytest.approx(left)
    assert chat.run_to_deadline() == ["history"], "first after a restart, and once"
    chat.reply_history()
    assert chat.pending == ["poll"]


@pytest.mark.parametrize(("passed", "posted"), [(6.5, ["a", "typing"]), (7.5, ["a"])])
@pytest.mark.parametrize("clock", [-5_000.0, 0.0, 5_000.0])
def test_waiting_typing_is_stale_after_as_long_on_any_clock(
    clock: float, passed: float, posted: list[str]
) -> None:
    """Typing that waited for 3 s before a restart is stale 7 s after it."""
    chat = ClientHarness(session=Settings(typing_idle=60.0, typing_renew=10.0)).open_chat()
    chat.send_text("a")
    chat.receive(c.StartTyping())
    chat.reply("post", status=429, at=3.0)
    chat.restart(at=clock)
    chat.tick(at=clock + passed)
    assert chat.posted[1:] == [posted]


def test_api_requests_do_not_survive(chat: ClientHarness) -> None:
    """A snapshot has no API request, and none is answered after a restart."""
    chat.receive(GetVersion())
    chat.receive(UploadFile("a", bytes(1_000_000)))
    assert len(json.dumps(chat.client.snapshot(now=0.0))) < 10_000
    chat.restart(at=0.0)
    chat.tick()
    assert chat.pending == ["history"]


def test_a_client_without_a_chat_survives(harness: ClientHarness) -> None:
    """A pending request for a chat can be made again."""
    harness.receive(RequestChat())
    harness.restart(at=50.0)
    assert harness.client.deadline is None
    harness.receive(RequestChat())
    harness.reply("chats", {"chat_id": CHAT, "state": "queued", "is_new_chat": False})
    assert harness.pending == ["history"]


def test_an_ended_chat_stays_ended(chat: ClientHarness) -> None:
    """A restored client of an ended chat has no effects."""
    chat.reply_poll({"event": "ended"}, at=1.0)
    chat.restart(at=0.0)
    assert chat.client.done
    assert chat.client.deadline is None
    assert chat.tick() == []


def test_an_end_before_the_reply_to_a_post_survives(chat: ClientHarness) -> None:
    """The POST of `End` may be in flight when the poll reports the end."""
    chat.receive(c.End())
    chat.reply_poll({"event": "ended"}, at=1.0)
    chat.restart(at=0.0)
    assert chat.client.done
    assert chat.client.deadline is None


def test_new_credentials_come_with_the_endpoint(chat: ClientHarness) -> None:
    """A snapshot has no credentials; a refused client tries again with the new endpoint."""
    chat.reply("poll", status=401)
    text = json.dumps(chat.client.snapshot(now=0.0))
    assert "the-app" not in text
    assert "the-client" not in text
    chat.restart(at=0.0, endpoint=endpoint(client_id="another"))
    chat.tick()
    assert "another" in dict(chat.pending_request("history").headers)["Authorization"]


def test_an_answer_to_a_secure_form_is_in_no_snapshot(chat: ClientHarness) -> None:
    """An unsent answer to a secure form is reported as lost."""
    chat.reply_poll(SECURE, at=1.0)
    chat.send_text("a")
    chat.receive(c.SubmitForm("8", {"card": "4111"}, secure=True))
    assert "4111" not in json.dumps(chat.client.snapshot(now=1.0))
    chat.restart(at=0.0)
    chat.tick()
    while "history" not in chat.pending:
        chat.run_to_deadline()
    reported = chat.reply_history(own("a", "1"))
    why = "the answer to a secure form is lost in a restart"
    assert Undelivered("chat_session_secure_form_data", "8", why) in reported
    assert chat.posted == [["a"]]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_secure_answer_in_flight_is_reported_only_if_lost(
    chat: ClientHarness, arrived: bool
) -> None:
    """The history shows whether it arrived; an empty answer is never sent in its place."""
    chat.reply_poll(SECURE, at=1.0)
    chat.receive(c.SubmitForm("8", {"card": "4111"}, secure=True))
    chat.restart(at=0.0)
    chat.tick()
    while "history" not in chat.pending:
        chat.run_to_deadline()
    past = [{"event": "secure_form_data", "form_request_id": "8"}] if arrived else []
    reported = chat.reply_history(*past)
    while chat.client._state.queue:
        chat.run_to_deadline()
        reported = chat.effects
    assert any(isinstance(effect, Undelivered) for effect in reported) is not arrived
    assert len(chat.posted) == 1


def test_an_open_answer_survives(chat: ClientHarness) -> None:
    """An answer to a form that is not secure is kept and sent."""
    chat.reply_poll(FORM, at=1.0)
    chat.send_text("a")
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.reply("post", status=429)
    chat.restart(at=0.0)
    chat.tick()
    chat.run_to_deadline()
    assert chat.posted[-1] == ["a", "form_data"]
    assert json.loads(chat.pending_request("post").body)["events"][1]["data"] == {"age": "44"}


def test_a_restored_session_may_be_recorded(chat: ClientHarness) -> None:
    """All inputs of the session are written to the journal from then on."""
    lines: list[str] = []
    snapshot = chat.client.snapshot(now=0.0)
    client = ChatClient.restore(snapshot, endpoint(), now=0.0, journal=lines.append)
    client.receive(c.SendText("hello"), now=1.0)
    assert any("hello" in line for line in lines)


def test_a_chat_that_comes_later_is_recorded_too(harness: ClientHarness) -> None:
    """A client restored without a chat records its later session, as a new client does."""
    restored, fresh, known = [], [], []
    data = harness.client.snapshot(now=0.0)
    harness.client = ChatClient.restore(data, endpoint(), now=0.0, journal=restored.append)
    harness.open_chat()
    harness.send_text("hello")
    other = ClientHarness()
    other.client = ChatClient(endpoint(), journal=fresh.append)
    other.open_chat()
    other.send_text("hello")
    client = ChatClient(endpoint(), chat_id=CHAT, journal=known.append)
    client.receive(c.SendText("hello"), now=0.0)
    for lines in (restored, fresh, known):
        assert "hello" in lines[-1]
        assert verify(lines) == len(lines) - 1


def changed(snapshot: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Return the snapshot with other fields and a matching digest."""
    client = {**deepcopy(snapshot["client"]), **body}
    return {**snapshot, "client": client, "digest": _digest(client)}


def test_an_invalid_snapshot_is_refused(chat: ClientHarness) -> None:
    """Other formats, versions, fields and digests raise `SnapshotError` without content."""
    chat.send_text("a secret")
    good = chat.client.snapshot(now=0.0)
    session = chat.client.session
    assert session is not None
    bad: list[object] = [
        *(None, [], "x", {}, session.snapshot(now=0.0)),
        {**good, "version": 2},
        {**good, "version": True},
        {**good, "version": "x" * 9_999},
        {**good, "more": 1},
        {**good, "client": []},
        {**good, "digest": "0"},
        {**good, "client": {**good["client"], "next_request_id": 1}},
        {**good, "client": {**good["client"], "next_request_id": {1, 2}}},
        changed(good, link="lively"),
        changed(good, poll="over"),
        changed(good, pending=5),
        changed(good, pending=[]),
        changed(good, next_request_id="x"),
        changed(good, more=1),
        changed(good, queue=[{"queued_at": 0.0}]),
        changed(good, poll_timer={"at": "soon"}),
        changed(good, session={"format": "other"}),
    ]
    for data in bad:
        with pytest.raises(SnapshotError) as caught:
            ChatClient.restore(data, endpoint(), now=0.0)
        assert "a secret" not in str(caught.value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("now", [float("nan"), float("inf")])
def test_time_must_be_finite(chat: ClientHarness, now: float) -> None:
    """A time that is not finite is refused by `snapshot` and `restore`, also without a session."""
    good = chat.client.snapshot(now=0.0)
    for client in (chat.client, ClientHarness().client):
        with pytest.raises(LocalProtocolError, match="finite"):
            client.snapshot(now=now)
    with pytest.raises(LocalProtocolError, match="finite"):
        ChatClient.restore(good, endpoint(), now=now)


@given(st.floats(-1e9, 1e9), st.integers(0, 3))
def test_a_snapshot_of_a_restored_client_is_equal(at: float, said: int) -> None:
    """A restored client without further input has an equal snapshot."""
    chat = ClientHarness().open_chat()
    for number in range(said):
        chat.send_text(f"text {number}")
    chat.restart(at=at)
    first = chat.client.snapshot(now=at)
    again = ChatClient.restore(json.loads(json.dumps(first)), endpoint(), now=at)
    assert again.snapshot(now=at) == first
