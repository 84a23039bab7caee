"""Statistics of one chat and of many."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm._session.session import ChatSession
from chatfsm.replay import FINDINGS
from chatfsm.replay.stats import MAX_PARTIES, ChatStats, ChatTotals, Totals

Log = Callable[..., Path]
Replays = Callable[..., Any]
NONE = {"events": 0, "effects": 0, "duplicates": 0, "unknown": 0, "malformed": 0}
NOTHING = {**NONE, "anomalies": 0, "late": 0}


def counts(**numbers: int) -> dict[str, int]:
    """Counts, 0 if not given."""
    return {**NOTHING, **numbers}


def test_the_summary_of_an_open_chat(wire: Any, log: Log, replays: Replays) -> None:
    """The exact document of an open chat: keys, order, values and totals."""
    path = log(
        "chat-1.jsonl",
        wire.status("connected", at=10),
        wire.joins("bot", "Otto", type="scenario"),
        wire.joins("ann", "Ann"),
        wire.joins("bob", type="msteams"),
        wire.joins("ann", "Ann"),
        wire.says("ann", "hello", msg_id="1"),
        wire.says("ann", "hello", msg_id="1"),
        wire.says("ann", "hello again", msg_id="1"),
        wire.says("CHAT-1", "hi"),
        wire.shows("7"),
        wire.shows("8"),
        wire.types("bob"),
        wire.types("ann"),
        wire.event("timeout_warning", msg="Still there?"),
        wire.event("case_set", case_id="C-1"),
        wire.event("signaling", party_id="ann", data={"type": "OFFER_CALL", "sdp": "v=0"}),
        wire.unknown(),
        wire.broken(),
    )
    result = replays("--summary", path)
    assert (result.status, result.err) == (0, "")
    session = {
        "chat_id": "chat-1",
        "state": "connected",
        "outcome": None,
        "text": None,
        "parties": [
            {"party_id": "bot", "type": "scenario", "display_name": "Otto"},
            {"party_id": "ann", "type": "internal", "display_name": "Ann"},
            {"party_id": "bob", "type": "msteams", "display_name": None},
        ],
        "agent": "bob",
        "typing": ["bob", "ann"],
        "open_forms": ["7", "8"],
        "warning": "Still there?",
        "call": "offered",
        "case_id": "C-1",
        "messages": 3,
        "counts": {
            "events": 18,
            "effects": 18,
            "duplicates": 2,
            "unknown": 1,
            "malformed": 1,
            "anomalies": 2,
            "late": 0,
        },
    }
    totals = {
        "sessions": 1,
        "messages": 3,
        "outcomes": {"open": 1},
        "counts": session["counts"],
        "findings": {"unknown": 1, "malformed": 1, "anomalies": 2, "late": 0},
        "complete": True,
    }
    assert json.dumps(result.document) == json.dumps({"sessions": [session], "totals": totals})


def test_the_summary_of_an_ended_chat(wire: Any, log: Log, replays: Replays) -> None:
    """The exact document of an ended chat: the final state, with open items closed."""
    path = log(
        "a.jsonl",
        wire.joins("ann", "Ann", at=10),
        wire.types("ann", at=11),
        wire.shows("7", at=11),
        wire.event("inactivity_timeout", msg="Too late.", at=12),
        wire.ended(at=12),
    )
    assert replays("--summary", path).out == (
        '{"sessions": [\n'
        '{"chat_id": "a", "state": "timed_out", "outcome": "timed_out", "text": "Too late.", '
        '"parties": [{"party_id": "ann", "type": "internal", "display_name": "Ann"}], '
        '"agent": "ann", "typing": [], "open_forms": [], "warning": null, "call": "idle", '
        '"case_id": null, "messages": 0, "counts": {"events": 4, "effects": 7, "duplicates": 0, '
        '"unknown": 0, "malformed": 0, "anomalies": 0, "late": 1}}\n'
        "],\n"
        '"totals": {"sessions": 1, "messages": 0, "outcomes": {"timed_out": 1}, "counts": '
        '{"events": 4, "effects": 7, "duplicates": 0, "unknown": 0, "malformed": 0, '
        '"anomalies": 0, "late": 1}, "findings": {"unknown": 0, "malformed": 0, "anomalies": 0, '
        '"late": 0}, "complete": true}}\n'
    )


def test_the_summary_of_no_chat_is_a_document(log: Log, replays: Replays) -> None:
    """An empty log has no sessions, totals of 0 and exit code 0."""
    result = replays("--summary", log("empty.jsonl"))
    assert (result.status, result.err) == (0, "")
    assert result.document == {
        "sessions": [],
        "totals": {
            "sessions": 0,
            "messages": 0,
            "outcomes": {},
            "counts": NOTHING,
            "findings": dict.fromkeys(FINDINGS, 0),
            "complete": True,
        },
    }


def test_the_summary_of_many_chats_is_one_document(wire: Any, log: Log, replays: Replays) -> None:
    """Each chat is in it once, and the totals are the sums."""
    ends = {"a": wire.ended(), "b": wire.status("failed"), "c": wire.event("inactivity_timeout")}
    path = log(
        "many.jsonl",
        *[
            {**item, "chat_id": chat_id, "timestamp": 5}
            for chat_id, end in ends.items()
            for item in (wire.says("ann", "hello"), wire.unknown(), end, wire.ended())
        ],
        wire.says("ann", "hello"),
        wire.broken(),
    )
    result = replays("--summary", path)
    assert [each["chat_id"] for each in result.sessions] == ["a", "b", "c", "many"]
    assert result.totals == {
        "sessions": 4,
        "messages": 4,
        "outcomes": {"ended": 1, "failed": 1, "open": 1, "timed_out": 1},
        "counts": counts(events=11, effects=14, unknown=3, malformed=1, anomalies=1, late=3),
        "findings": {"unknown": 3, "malformed": 1, "anomalies": 1, "late": 0},
        "complete": True,
    }
    assert list(result.totals["outcomes"]) == ["ended", "failed", "open", "timed_out"]


def test_late_events_count_as_nothing_else(wire: Any, log: Log, replays: Replays) -> None:
    """After the end, duplicates, unknown and malformed events count as late only."""
    hello = wire.says("ann", "hello", msg_id="1")
    path = log(
        "a.jsonl", hello, wire.ended(), hello, wire.unknown(), wire.broken(), wire.ended(), "{\n"
    )
    session = replays("--summary", path).session
    assert session["counts"] == counts(events=2, effects=3, late=5)
    assert session["messages"] == 1


def test_duplicates_are_events_without_effects(wire: Any, log: Log, replays: Replays) -> None:
    """A duplicate is an event without effects, and no finding."""
    hello = wire.says("ann", "hello", msg_id="1")
    result = replays("--summary", "--fail-on", "any", log("a.jsonl", hello, hello, hello))
    assert result.session["counts"] == counts(events=3, effects=1, duplicates=2)
    assert result.status == 0


def test_an_own_client_event_is_not_a_finding(wire: Any, log: Log, replays: Replays) -> None:
    """Events of the customer's side come back in logs, and are only counted."""
    path = log(
        "a.jsonl",
        wire.event("end"),
        wire.event("disconnect"),
        wire.event("navigation", page="x"),
        wire.event("form_data", form_request_id="7", data="Form not found"),
    )
    result = replays("--summary", "--fail-on", "any", log("b.jsonl"), path)
    assert result.session["counts"] == counts(events=4)
    assert result.status == 0


def test_a_malformed_event_is_an_anomaly_too(wire: Any, log: Log, replays: Replays) -> None:
    """Anomalies are of all kinds, malformed events included."""
    path = log("a.jsonl", wire.broken(), wire.status("parked"), wire.leaves("nobody"))
    session = replays("--summary", path).session
    assert session["counts"] == counts(events=3, effects=3, malformed=1, anomalies=3)


def test_the_text_of_an_outcome_may_be_empty(wire: Any, log: Log, replays: Replays) -> None:
    """The text is "" once the chat is over, and null before."""
    over = replays("--summary", log("a.jsonl", wire.ended())).session
    assert (over["outcome"], over["text"]) == ("ended", "")
    going = replays("--summary", log("b.jsonl", wire.status("ivr"))).session
    assert (going["outcome"], going["text"]) == (None, None)


def test_without_agents_the_agent_is_null(wire: Any, log: Log, replays: Replays) -> None:
    """A scenario is no agent, and neither is a party that has left."""
    path = log(
        "a.jsonl",
        wire.joins("bot", "Otto", type="scenario"),
        wire.joins("ann", "Ann"),
        wire.leaves("ann"),
    )
    session = replays("--summary", path).session
    assert session["agent"] is None
    assert [party["party_id"] for party in session["parties"]] == ["bot"]


def test_a_summary_is_ascii(wire: Any, log: Log, replays: Replays) -> None:
    """Emoji and controls are escaped, and lone surrogates replaced, for any JSON reader."""
    path = log("a.jsonl", {**wire.joins("ann", "\x1b[31m🐧\ud800"), "chat_id": "é\u202e"})
    result = replays("--summary", path)
    assert result.out.isascii()
    assert result.session["chat_id"] == "é\u202e"
    assert result.session["parties"][0]["display_name"] == "\x1b[31m🐧\ufffd"


def test_names_are_remembered_up_to_a_bound(wire: Any, log: Log, replays: Replays) -> None:
    """The first parties are named; beyond the bound only the number of parties is given."""
    people = [f"p{index}" for index in range(MAX_PARTIES + 3)]
    path = log("a.jsonl", *[item for who in people for item in (wire.joins(who), wire.leaves(who))])
    there = replays(path).lines[1]
    assert there.endswith(f"p{MAX_PARTIES - 1} (internal), and 3 more")
    assert there.count("(internal)") == MAX_PARTIES


def test_a_party_that_returns_is_counted_once(wire: Any, log: Log, replays: Replays) -> None:
    """A party that leaves and joins again is one party, with its last name."""
    path = log("a.jsonl", wire.joins("ann", "Ann"), wire.leaves("ann"), wire.joins("ann", "Ann B."))
    assert replays(path).lines[1] == "  parties   Ann B. (internal)"


def test_a_chat_without_events_has_no_duration() -> None:
    """A chat without events has a duration of 0 and no findings."""
    stats = ChatStats(ChatSession("a"))
    assert stats.duration == 0.0
    assert stats.findings() == {}
    assert stats.summary()["counts"] == NOTHING


@pytest.mark.parametrize(("end", "lasted"), [("ended", 30.0), ("status", 500.0)])
def test_a_chat_lasts_until_its_end_or_that_of_its_log(
    wire: Any, log: Log, replays: Replays, end: str, lasted: float
) -> None:
    """Late events do not extend a chat."""
    path = log(
        "a.jsonl",
        wire.status("queued", at=10),
        wire.event(end, state="connected", at=40),
        wire.says("ann", "hello", at=510),
    )
    expected = {30.0: "ended, after 30 s", 500.0: "not over: connected at the end of the log, "}
    assert expected[lasted] in replays(path).lines[0]
    assert ("after 8 min 20 s" in replays(path).lines[0]) == (lasted == 500.0)


def test_totals_add_up_findings(wire: Any) -> None:
    """Findings of several chats are added, kind by kind; absent kinds are 0."""
    totals = Totals()
    for number in (1, 2):
        session = ChatSession(f"chat-{number}")
        for event in wire.decoded(*[wire.unknown()] * number, wire.broken()):
            session.receive(event, now=0.0)
        totals.add(ChatTotals.of(ChatStats(session)))
    assert totals.summary()["findings"] == {
        "unknown": 3,
        "malformed": 2,
        "anomalies": 2,
        "late": 0,
    }


def test_totals_of_parts_add_up_to_those_of_all(wire: Any) -> None:
    """Adding chats one by one and merging two parts give the same totals."""
    all_chats, parts = Totals(), (Totals(), Totals())
    for number in range(1, 8):
        session = ChatSession(f"chat-{number}")
        items = [wire.unknown()] * number + [wire.broken(), wire.ended()][: number % 3]
        for event in wire.decoded(*items):
            session.receive(event, now=0.0)
        stats = ChatStats(session, messages=number)
        for totals in (all_chats, parts[number % 2]):
            totals.add(ChatTotals.of(stats))
    first, second = parts
    first.merge(second)
    assert first == all_chats
    assert first.summary()["counts"]["unknown"] == 28
    first.merge(Totals(complete=False))
    assert first.summary() == {**all_chats.summary(), "complete": False}
