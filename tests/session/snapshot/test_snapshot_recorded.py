"""Snapshots of all versions, as files: the present version restores each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatfsm import ChatSession, SendFailed, Sent, commands, decode, effects
from chatfsm._session import snapshot
from chatfsm.models import Form, Party

FOLDER = Path(__file__).resolve().parent / "snapshots"

CHAT = "5f0c4a52-7c1e-4d0f-9b76-2f1d0c8e4a11"
SCENARIO = "B1A1F2C3-0001-4E4E-8D8D-AAAAAAAAAAAA"
AGENT = "B1A1F2C3-0002-4E4E-8D8D-BBBBBBBBBBBB"

BEFORE: list[dict[str, Any]] = [
    {"event": "chat_session_status", "state": "queued", "ewt": "20"},
    {
        "event": "chat_session_party_joined",
        "party_id": SCENARIO,
        "type": "scenario",
        "display_name": "Quillwick Garden Centre",
        "timestamp": "1742461200",
    },
    {
        "event": "chat_session_party_joined",
        "party_id": AGENT,
        "type": "internal",
        "display_name": "Odalys",
        "first_name": "Odalys",
        "last_name": "Fenn",
        "timestamp": "1742461210",
    },
    {"event": "chat_session_party_left", "party_id": SCENARIO, "timestamp": "1742461211"},
    {"event": "chat_session_status", "state": "connected"},
    {
        "event": "chat_session_message",
        "party_id": AGENT,
        "msg_id": "2",
        "msg": "Which tree is it?",
        "timestamp": "1742461215",
    },
    {"event": "chat_session_info", "service_name": "Trees"},
    {"event": "chat_session_case_set", "case_id": "case-77", "timestamp": "1742461216"},
    {"event": "chat_session_timeout_warning", "msg": "Are you still there?"},
]
AFTER: list[dict[str, Any]] = [
    {
        "event": "chat_session_form_show",
        "form_request_id": "31",
        "form_name": "address",
        "form_timeout": 120,
        "timestamp": "1742461230",
    },
    {"event": "chat_session_secure_form_show", "form_request_id": "32", "form_id": "card"},
    {"event": "chat_session_cobrowsing_requested", "msg_id": "4"},
    {
        "event": "chat_session_signaling",
        "party_id": AGENT,
        "msg_id": "6",
        "data": {"type": "OFFER_CALL", "sdp": "v=0"},
    },
    {
        "event": "chat_session_signaling",
        "party_id": AGENT,
        "msg_id": "8",
        "data": {"type": "ICE_CANDIDATE", "candidate": "candidate:1", "sdpMLineIndex": 0},
    },
    {"event": "chat_session_typing", "party_id": AGENT},
]


def in_mid_conversation() -> ChatSession:
    """The session of the recorded file of the present version, at 1020 on its clock."""
    session = ChatSession(CHAT)
    for event in decode(BEFORE):
        session.receive(event, now=1000.0)
    for number, text in enumerate(("A pear tree.", "Very old.", "<b>Help</b>", "Hello?")):
        session.receive(commands.SendText(text), now=1001.0 + number)
    session.receive(Sent(["1"]), now=1006.0)
    session.receive(SendFailed(["3"], "the reply was lost", retryable=True), now=1007.0)
    session.receive(SendFailed(["5"], "refused", retryable=False), now=1008.0)
    for event in decode(AFTER):
        session.receive(event, now=1010.0)
    session.receive(commands.SubmitForm("32", {"number": "0000"}), now=1015.0)
    session.receive(commands.StartTyping(), now=1018.0)
    return session


def recorded(version: int) -> dict[str, Any]:
    """The recorded snapshot of a version."""
    found: dict[str, Any] = json.loads((FOLDER / f"v{version}.json").read_text(encoding="utf-8"))
    return found


def test_there_is_a_file_of_every_version() -> None:
    """Each version from the first to the present one has a file."""
    versions = range(1, snapshot.VERSION + 1)
    assert {path.name for path in FOLDER.iterdir()} == {f"v{version}.json" for version in versions}
    assert [recorded(version)["version"] for version in versions] == list(versions)


def test_the_present_format_is_the_recorded_one() -> None:
    """Another format needs another version, with its file and its migration."""
    assert recorded(snapshot.VERSION) == in_mid_conversation().snapshot(now=1020.0)


@pytest.mark.parametrize("version", range(1, snapshot.VERSION + 1))
def test_a_recorded_snapshot_is_the_session_that_it_was(version: int) -> None:
    """All public attributes of the session are restored, the deadlines on the new clock."""
    session = ChatSession.restore(recorded(version), now=50.0)
    assert (session.chat_id, session.state, session.done) == (CHAT, "connected", False)
    assert session.parties == (Party(AGENT, "internal", "Odalys", "Odalys", "Fenn"),)
    assert session.agent == session.parties[0]
    assert session.typing == (AGENT,)
    assert session.forms == (Form("31", "address", deadline=160.0),)
    assert session.deadline == 53.0
    assert session.outbox == {"1": "sent", "3": "unconfirmed", "5": "failed", "7": "pending"}
    assert (session.case_id, session.service_name) == ("case-77", "Trees")
    assert (session.call, session.cobrowsing, session.warning) == ("offered", "requested", None)
    assert [candidate.candidate for candidate in session.early_candidates] == ["candidate:1"]
    assert (session.counts.events, session.counts.anomalies) == (len(BEFORE) + len(AFTER), 0)


@pytest.mark.parametrize("version", range(1, snapshot.VERSION + 1))
def test_a_recorded_session_continues(version: int) -> None:
    """The session recognizes duplicates and echoes, and continues its ids."""
    session = ChatSession.restore(recorded(version), now=50.0)
    (known,) = decode(BEFORE[5])
    assert session.receive(known, now=51.0) == []
    echo = {"event": "chat_session_message", "party_id": CHAT.upper(), "msg": "Hello?"}
    (echo_event,) = decode({**echo, "msg_id": "7"})
    assert session.receive(echo_event, now=51.0) == [effects.MessageSent("7")]
    sent_effects = session.receive(commands.SendText("Thanks."), now=52.0)
    (work,) = [effect for effect in sent_effects if isinstance(effect, effects.SendEvents)]
    assert work.msg_ids == ("9",)


def test_a_recorded_session_is_equal() -> None:
    """The complete state is equal, not only the public attributes."""
    assert ChatSession.restore(recorded(snapshot.VERSION), now=1020.0) == in_mid_conversation()


@pytest.mark.parametrize("version", range(1, snapshot.VERSION + 1))
def test_a_recorded_snapshot_holds_no_secret(version: int) -> None:
    """The answer of the secure form is not in the snapshot."""
    assert '"0000"' not in json.dumps(recorded(version))
