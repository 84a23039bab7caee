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
from tests.client.conftest import CHAT, Stage, endpoint
from tests.client.test_posting import FORM, SECURE, own


def test_a_restored_client_requests_the_history_first(chat: Stage) -> None:
    """A pending poll may have been answered to the old process, so the history is requested."""
    chat.polled({"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}, at=5.0)
    chat.restarts(at=1_000.0)
    assert chat.client.deadline == 1_000.0
    chat.ticks()
    assert chat.pending == ["history"]
    told = chat.remembers(
        {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"},
        {"event": "message", "party_id": "ann", "msg_id": "4", "msg": "still there?"},
    )
    assert [effect.message.text for effect in told] == ["still there?"]
    assert chat.pending == ["poll"]


def test_events_lost_with_an_old_poll_are_reported(chat: Stage) -> None:
    """The server may hold the old poll and answer it later, so a second history is requested."""
    chat.restarts(at=1_000.0)
    chat.ticks()
    chat.remembers()
    chat.replies("poll", {"error_code": "5509"}, status=400)
    assert chat.is_due() == ["poll"]
    chat.polled(at=1_005.0)
    assert chat.pending == ["history"], "the poll of the dead was answered, or let go"
    chat.remembers()
    assert chat.is_due() == ["history"]
    assert chat.now == 1_020.0
    told = chat.remembers({"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"})
    assert [type(effect) for effect in told] == [effects.MessageReceived]


def test_a_snapshot_does_not_depend_on_the_clock() -> None:
    """DESIGN L8: all times in a snapshot are relative, so the clock's zero has no effect."""
    first, second = (snapshot_of_a_chat_that_began(at) for at in (0.0, 1_024.0))
    assert first["client"]["poll_answered_at"] is not None
    assert first["client"]["history_recheck_at"] is not None
    assert [*first["client"]["queue"], *first["client"]["batch"]], "an event is queued"
    assert first == second


def snapshot_of_a_chat_that_began(at: float) -> dict[str, Any]:
    chat = Stage(poll_every_busy=0.125)
    chat.now = at
    chat.opens()
    chat.ticks()
    chat.polled({"event": "typing", "party_id": "ann"}, at=at + 2.0)
    chat.ticks(at=at + 3.0)
    chat.restarts(at=at + 4.0)
    chat.ticks()
    chat.receives(c.StartTyping(), at=at + 5.0)
    return chat.client.snapshot(now=at + 6.0)


def test_request_ids_are_not_reused(chat: Stage) -> None:
    """Request ids continue, so that a late reply to the old process is recognized."""
    poll = chat.asked("poll")
    chat.restarts(at=0.0)
    chat.ticks()
    assert chat.asked("history").id == poll.id + 1


def test_a_post_in_flight_is_unconfirmed(chat: Stage) -> None:
    """It is not sent again before the history is merged; known messages are not reported again."""
    chat.says("a")
    chat.says("b")
    chat.restarts(at=1_000.0)
    assert [type(effect) for effect in chat.ticks()] == [effects.MessageUnconfirmed]
    while "history" not in chat.pending:
        chat.is_due()
    chat.remembers(own("a", "1"))
    assert chat.posted == [["a"], ["b"]]


def test_unconfirmed_and_waiting_messages_survive(chat: Stage) -> None:
    """A second restart before the message is settled changes nothing."""
    chat.says("a")
    chat.restarts(at=1_000.0)
    chat.ticks()
    chat.restarts(at=5.0)
    assert chat.client.deadline == 7.0, "what was to settle still has its time"
    chat.ticks(at=7.0)
    chat.remembers()
    assert chat.posted == [["a"], ["a"]]


def test_the_remaining_backoff_survives(chat: Stage) -> None:
    """The remaining delay counts on the clock of the next process."""
    for kind in ("poll", "history", "history", "history"):
        chat.fails(kind, "connect")
        assert chat.is_due() == ["history"]
    chat.fails("history", "connect")
    left = chat.client.health(chat.now).next_in
    chat.restarts(at=77.0)
    assert chat.client.health(77.0).failures == 5
    assert chat.ticks() == []
    assert chat.pending == []
    assert chat.client.health(77.0).next_in == pytest.approx(left)
    assert chat.is_due() == ["history"], "the first thing, as after any restart, and once"
    chat.remembers()
    assert chat.pending == ["poll"]


@pytest.mark.parametrize(("passed", "posted"), [(6.5, ["a", "typing"]), (7.5, ["a"])])
@pytest.mark.parametrize("clock", [-5_000.0, 0.0, 5_000.0])
def test_waiting_typing_is_stale_after_as_long_on_any_clock(
    clock: float, passed: float, posted: list[str]
) -> None:
    """Typing that waited for 3 s before a restart is stale 7 s after it."""
    chat = Stage(session=Settings(typing_idle=60.0, typing_renew=10.0)).opens()
    chat.says("a")
    chat.receives(c.StartTyping())
    chat.replies("post", status=429, at=3.0)
    chat.restarts(at=clock)
    chat.ticks(at=clock + passed)
    assert chat.posted[1:] == [posted]


def test_api_requests_do_not_survive(chat: Stage) -> None:
    """A snapshot has no API request, and none is answered after a restart."""
    chat.receives(GetVersion())
    chat.receives(UploadFile("a", bytes(1_000_000)))
    assert len(json.dumps(chat.client.snapshot(now=0.0))) < 10_000
    chat.restarts(at=0.0)
    chat.ticks()
    assert chat.pending == ["history"]


def test_a_client_without_a_chat_survives(stage: Stage) -> None:
    """A pending request for a chat can be made again."""
    stage.receives(RequestChat())
    stage.restarts(at=50.0)
    assert stage.client.deadline is None
    stage.receives(RequestChat())
    stage.replies("chats", {"chat_id": CHAT, "state": "queued", "is_new_chat": False})
    assert stage.pending == ["history"]


def test_an_ended_chat_stays_ended(chat: Stage) -> None:
    """A restored client of an ended chat has no effects."""
    chat.polled({"event": "ended"}, at=1.0)
    chat.restarts(at=0.0)
    assert chat.client.done
    assert chat.client.deadline is None
    assert chat.ticks() == []


def test_an_end_before_the_reply_to_a_post_survives(chat: Stage) -> None:
    """The POST of `End` may be in flight when the poll reports the end."""
    chat.receives(c.End())
    chat.polled({"event": "ended"}, at=1.0)
    chat.restarts(at=0.0)
    assert chat.client.done
    assert chat.client.deadline is None


def test_new_credentials_come_with_the_endpoint(chat: Stage) -> None:
    """A snapshot has no credentials; a refused client tries again with the new endpoint."""
    chat.replies("poll", status=401)
    text = json.dumps(chat.client.snapshot(now=0.0))
    assert "the-app" not in text
    assert "the-client" not in text
    chat.restarts(at=0.0, endpoint=endpoint(client_id="another"))
    chat.ticks()
    assert "another" in dict(chat.asked("history").headers)["Authorization"]


def test_an_answer_to_a_secure_form_is_in_no_snapshot(chat: Stage) -> None:
    """An unsent answer to a secure form is reported as lost."""
    chat.polled(SECURE, at=1.0)
    chat.says("a")
    chat.receives(c.SubmitForm("8", {"card": "4111"}, secure=True))
    assert "4111" not in json.dumps(chat.client.snapshot(now=1.0))
    chat.restarts(at=0.0)
    chat.ticks()
    while "history" not in chat.pending:
        chat.is_due()
    told = chat.remembers(own("a", "1"))
    why = "the answer to a secure form is lost in a restart"
    assert Undelivered("chat_session_secure_form_data", "8", why) in told
    assert chat.posted == [["a"]]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_secure_answer_in_flight_is_reported_only_if_lost(chat: Stage, arrived: bool) -> None:
    """The history shows whether it arrived; an empty answer is never sent in its place."""
    chat.polled(SECURE, at=1.0)
    chat.receives(c.SubmitForm("8", {"card": "4111"}, secure=True))
    chat.restarts(at=0.0)
    chat.ticks()
    while "history" not in chat.pending:
        chat.is_due()
    past = [{"event": "secure_form_data", "form_request_id": "8"}] if arrived else []
    told = chat.remembers(*past)
    while chat.client._state.queue:
        chat.is_due()
        told = chat.told
    assert any(isinstance(effect, Undelivered) for effect in told) is not arrived
    assert len(chat.posted) == 1


def test_an_open_answer_survives(chat: Stage) -> None:
    """An answer to a form that is not secure is kept and sent."""
    chat.polled(FORM, at=1.0)
    chat.says("a")
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.replies("post", status=429)
    chat.restarts(at=0.0)
    chat.ticks()
    chat.is_due()
    assert chat.posted[-1] == ["a", "form_data"]
    assert json.loads(chat.asked("post").body)["events"][1]["data"] == {"age": "44"}


def test_a_restored_session_may_be_recorded(chat: Stage) -> None:
    """All inputs of the session are written to the journal from then on."""
    lines: list[str] = []
    snapshot = chat.client.snapshot(now=0.0)
    client = ChatClient.restore(snapshot, endpoint(), now=0.0, journal=lines.append)
    client.receive(c.SendText("hello"), now=1.0)
    assert any("hello" in line for line in lines)


def test_a_chat_that_comes_later_is_recorded_too(stage: Stage) -> None:
    """A client restored without a chat records its later session, as a new client does."""
    restored, fresh, known = [], [], []
    data = stage.client.snapshot(now=0.0)
    stage.client = ChatClient.restore(data, endpoint(), now=0.0, journal=restored.append)
    stage.opens()
    stage.says("hello")
    other = Stage()
    other.client = ChatClient(endpoint(), journal=fresh.append)
    other.opens()
    other.says("hello")
    client = ChatClient(endpoint(), chat_id=CHAT, journal=known.append)
    client.receive(c.SendText("hello"), now=0.0)
    for lines in (restored, fresh, known):
        assert "hello" in lines[-1]
        assert verify(lines) == len(lines) - 1


def changed(snapshot: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Return the snapshot with other fields and a matching digest."""
    client = {**deepcopy(snapshot["client"]), **body}
    return {**snapshot, "client": client, "digest": _digest(client)}


def test_an_invalid_snapshot_is_refused(chat: Stage) -> None:
    """Other formats, versions, fields and digests raise `SnapshotError` without content."""
    chat.says("a secret")
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
def test_time_must_be_finite(chat: Stage, now: float) -> None:
    """A time that is not finite is refused by `snapshot` and `restore`, also without a session."""
    good = chat.client.snapshot(now=0.0)
    for client in (chat.client, Stage().client):
        with pytest.raises(LocalProtocolError, match="finite"):
            client.snapshot(now=now)
    with pytest.raises(LocalProtocolError, match="finite"):
        ChatClient.restore(good, endpoint(), now=now)


@given(st.floats(-1e9, 1e9), st.integers(0, 3))
def test_a_snapshot_of_a_restored_client_is_equal(at: float, said: int) -> None:
    """A restored client without further input has an equal snapshot."""
    chat = Stage().opens()
    for number in range(said):
        chat.says(f"text {number}")
    chat.restarts(at=at)
    first = chat.client.snapshot(now=at)
    again = ChatClient.restore(json.loads(json.dumps(first)), endpoint(), now=at)
    assert again.snapshot(now=at) == first
