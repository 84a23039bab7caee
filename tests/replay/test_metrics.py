"""Metrics of five recorded chats, calculated by hand, and the edge cases of each metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatfsm.replay.metric_totals import MetricsReport
from chatfsm.replay.metrics import ChatMetrics, measure_logs, percentile, utc_text

LOGS = Path(__file__).resolve().parents[1] / "logs"
NAMES = ("inactivity", "transfer", "stuck_typing", "expired_form", "call_rejected")


def measured(name: str) -> ChatMetrics:
    """The metrics of the only chat of a recorded log."""
    (chat,) = measure_logs([str(LOGS / f"{name}.jsonl")])
    return chat


def report(threshold: float = 20.0) -> MetricsReport:
    """The metrics of all five chats."""
    found = MetricsReport(threshold)
    for name in NAMES:
        found.add(measured(name))
    return found


def test_a_chat_that_timed_out() -> None:
    """inactivity.jsonl; seconds after 1741348800."""
    chat = measured("inactivity")
    assert (utc_text(chat.started_at), utc_text(chat.ended_at)) == (
        "2025-03-07T12:00:00Z",  # line 2, since line 1 has no time
        "2025-03-07T12:10:53Z",  # line 15, at 653
    )
    assert (chat.duration_seconds, chat.outcome) == (653.0, "timed_out")
    assert (chat.answered, chat.abandoned) == (True, False)
    assert chat.queue_seconds == 11.0  # connecting at 0, line 3; connected at 11, line 5
    assert chat.first_response_seconds == 5.0  # Yusra from 11; her first message at 16, line 6
    assert chat.response_seconds == (13.0,)  # asked at 29, line 7; answered at 42, line 9
    assert chat.handle_seconds == 642.0  # from 11 to the end
    assert chat.state_seconds == {"ivr": 0.0, "connecting": 11.0, "connected": 642.0}
    assert chat.messages == {"customer": 1, "agent": 4, "scenario": 1}  # 7; 6 9 11 13; 2
    assert chat.agent_typing_seconds == 29.0  # 32 to 42, 62 to 76, 648 to the end
    assert (chat.warnings, chat.files, chat.transfers) == (1, 0, 0)


def test_a_chat_with_two_transfers() -> None:
    """transfer.jsonl; seconds after 1740992400."""
    chat = measured("transfer")
    assert (chat.duration_seconds, chat.outcome) == (506.0, "ended")
    assert chat.queue_seconds == 12.0  # queued at 26, line 6; connected at 38, line 8
    assert chat.first_response_seconds == 9.0  # Tove from 38; message at 47
    # Asked at 67, 426 and 495; answered at 80, 459 and 503.
    assert chat.response_seconds == (13.0, 33.0, 8.0)
    # Tove from 38 to 84; Idris from 99 to 464, and Pilar from 462 to 506.
    assert chat.handle_seconds == 46.0 + 407.0
    assert chat.transfers == 2
    # ivr 0 to 26; queued 26 to 38, and at 84 for a moment; connecting 84 to 99 and 459 to 462;
    # connected 38 to 84, 99 to 459 and 462 to 506.
    assert chat.state_seconds == {
        "ivr": 26.0,
        "queued": 12.0,
        "connected": 450.0,
        "connecting": 18.0,
    }
    assert chat.messages == {"customer": 3, "agent": 6, "scenario": 2}
    assert chat.files == 2  # lines 24 and 34
    assert chat.agent_typing_seconds == 27.0  # 40 to 47, 448 to 459, 468 to 477
    assert chat.forms == {"opened": 1, "submitted": 1, "cancelled": 0, "expired": 0}
    assert chat.form_answer_seconds == (25.0,)  # lines 4 and 5: 1 to 26
    assert [
        (agent.display_name, agent.messages, agent.handle_seconds, agent.first_response_seconds)
        for agent in chat.agents
    ] == [("Tove", 2, 46.0, 9.0), ("Idris", 2, 365.0, 6.0), ("Pilar", 2, 44.0, 15.0)]


def test_an_agent_whose_typing_never_stops() -> None:
    """stuck_typing.jsonl; seconds after 1744272000. No line has a chat_id, so no event is own."""
    chat = measured("stuck_typing")
    assert (chat.duration_seconds, chat.queue_seconds, chat.handle_seconds) == (473.0, 7.0, 466.0)
    assert chat.first_response_seconds == 3.0  # from 7; message at 10
    assert chat.response_seconds == ()
    assert chat.messages == {"customer": 0, "agent": 3, "scenario": 2}
    # 15 to 90, thirty seconds after the last sign; 195 to 207; 208 to 238; 273 to 303.
    assert chat.agent_typing_seconds == 75.0 + 12.0 + 30.0 + 30.0


def test_a_chat_without_an_agent() -> None:
    """expired_form.jsonl; seconds after 1744617600."""
    chat = measured("expired_form")
    assert (chat.answered, chat.abandoned, chat.queue_seconds) == (False, False, None)
    assert (chat.first_response_seconds, chat.handle_seconds, chat.agents) == (None, 0.0, ())
    assert chat.state_seconds == {"ivr": 338.0}
    assert chat.messages == {"customer": 2, "agent": 0, "scenario": 6}
    # Form 21 expires at 120, form 22 at 217, before the text of line 10; 23 is answered.
    assert chat.forms == {"opened": 3, "submitted": 1, "cancelled": 0, "expired": 2}
    assert chat.form_answer_seconds == (90.0,)  # 247 to 337


def test_a_chat_that_is_connected_at_once() -> None:
    """call_rejected.jsonl; seconds after 1743152404."""
    chat = measured("call_rejected")
    assert (chat.duration_seconds, chat.queue_seconds, chat.handle_seconds) == (68.0, 0.0, 68.0)
    assert chat.first_response_seconds == 3.0
    assert chat.response_seconds == (18.0, 14.0)  # 15 to 33, 48 to 62


def test_the_json_of_a_chat() -> None:
    """Names, order and rounding are those of the documentation."""
    assert measured("call_rejected").to_json() == {
        "chat_id": "2ec644a9-df04-480b-ba8e-1b694cf554ca",
        "started_at": "2025-03-28T09:00:04Z",
        "ended_at": "2025-03-28T09:01:12Z",
        "duration_seconds": 68.0,
        "outcome": "ended",
        "answered": True,
        "abandoned": False,
        "queue_seconds": 0.0,
        "first_response_seconds": 3.0,
        "responses": 2,
        "response_seconds_median": 16.0,
        "response_seconds_p90": pytest.approx(17.6),
        "handle_seconds": 68.0,
        "transfers": 0,
        "state_seconds": {"connecting": 0.0, "connected": 68.0},
        "messages": {"customer": 2, "agent": 3, "scenario": 0},
        "files": 0,
        "agent_typing_seconds": 0.0,
        "forms": {"opened": 0, "submitted": 0, "cancelled": 0, "expired": 0},
        "form_answer_seconds_median": None,
        "warnings": 0,
        "agents": ["C5D9A963-ECAC-4BB8-9934-2140CD0E3C53"],
        "duplicates": 0,
        "unknown": 0,
        "malformed": 0,
        "anomalies": 0,
        "late": 0,
    }


def test_the_totals() -> None:
    """Four of the five chats were answered, after 11, 12, 7 and 0 seconds."""
    assert report().totals() == {
        "chats": 5,
        "answered": 4,
        "abandoned": 0,
        "abandonment_rate": 0.0,
        "asa_seconds": 7.5,
        "aht_seconds": 407.25,  # 642, 453, 466 and 68
        "service_level": 1.0,
        "queue_seconds_median": 9.0,
        "queue_seconds_p90": pytest.approx(11.7),
        "first_response_seconds_median": 4.0,  # 3, 3, 5 and 9
        "first_response_seconds_p90": pytest.approx(7.8),
        "response_seconds_median": 13.5,  # 8, 13, 13, 14, 18 and 33
        "response_seconds_p90": 25.5,
    }
    assert report(10.0).totals()["service_level"] == 0.5


def test_the_agents() -> None:
    """Agents are sorted by party_id; each has the figures of all its chats."""
    agents = {agent["display_name"]: agent for agent in report().by_agent()}
    assert agents["Idris"] == {
        "party_id": "F1A9E6D3-28F2-4342-AB2C-A43C2CEF6CE2",
        "display_name": "Idris",
        "chats": 1,
        "messages": 2,
        "handle_seconds": 365.0,
        "first_response_seconds_median": 6.0,
    }
    assert [agent["party_id"] for agent in report().by_agent()] == sorted(
        agent["party_id"] for agent in agents.values()
    )


def test_the_days() -> None:
    """A chat belongs to the day on which it starts."""
    days = report().by_day()
    assert [(day["day"], day["chats"]) for day in days] == [
        ("2025-03-03", 1),
        ("2025-03-07", 1),
        ("2025-03-28", 1),
        ("2025-04-10", 1),
        ("2025-04-14", 1),
    ]


def test_the_metrics_of_no_chats_are_none() -> None:
    """Shares and means of no chats are None."""
    totals = MetricsReport().totals()
    assert totals.pop("chats") == totals.pop("answered") == totals.pop("abandoned") == 0
    assert set(totals.values()) == {None}
    assert MetricsReport().to_json() == {
        "chats": [],
        "agents": [],
        "totals": MetricsReport().totals(),
    }


AGENT = {"event": "chat_session_party_joined", "party_id": "A", "type": "internal"}
BEN = {**AGENT, "party_id": "B", "type": "msteams", "display_name": "Ben"}


def status(state: str, **more: Any) -> dict[str, Any]:
    """A status event."""
    return {"event": "chat_session_status", "state": state, **more}


def message(party_id: str, msg_id: int) -> dict[str, Any]:
    """A message."""
    return {
        "event": "chat_session_message",
        "party_id": party_id,
        "msg_id": str(msg_id),
        "msg": "x",
    }


def metrics_of(tmp_path: Path, *events: tuple[float | None, dict[str, Any]]) -> ChatMetrics:
    """The metrics of a chat whose events have these seconds after 1740000000."""
    path = tmp_path / "log.jsonl"
    lines = [
        json.dumps(
            {"chat_id": "C", **event}
            | ({} if at is None else {"timestamp": str(1740000000 + int(at))})
        )
        for at, event in events
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (chat,) = measure_logs([str(path)])
    return chat


def test_a_customer_who_leaves_the_queue(tmp_path: Path) -> None:
    """Abandoned: the chat waited and ended without an answer."""
    chat = metrics_of(tmp_path, (0, status("queued")), (45, {"event": "chat_session_ended"}))
    assert (chat.abandoned, chat.answered, chat.queue_seconds) == (True, False, 45.0)
    report = MetricsReport()
    report.add(chat)
    assert (report.totals()["abandonment_rate"], report.totals()["service_level"]) == (1.0, 0.0)
    assert report.totals()["asa_seconds"] is None


def test_a_customer_who_still_waits(tmp_path: Path) -> None:
    """Not abandoned; the wait so far counts."""
    chat = metrics_of(tmp_path, (0, status("queued")), (30, status("queued", ewt="9")))
    assert (chat.abandoned, chat.outcome, chat.queue_seconds) == (False, None, 30.0)


def test_connected_to_a_bot_is_not_answered(tmp_path: Path) -> None:
    """A scenario may connect a chat; an answer needs a human agent."""
    bot = {**AGENT, "type": "scenario"}
    chat = metrics_of(tmp_path, (0, status("queued")), (5, bot), (6, status("connected")))
    assert (chat.answered, chat.queue_seconds, chat.handle_seconds) == (False, 6.0, 0.0)


def test_an_agent_who_joins_before_the_chat_is_connected(tmp_path: Path) -> None:
    """The first response counts from the moment at which agent and connection exist."""
    chat = metrics_of(
        tmp_path,
        (0, status("connecting")),
        (2, AGENT),
        (3, message("A", 2)),
        (10, status("connected")),
        (14, message("A", 4)),
    )
    assert (chat.first_response_seconds, chat.handle_seconds) == (4.0, 12.0)


def test_a_party_that_becomes_an_agent_and_stops_being_one(tmp_path: Path) -> None:
    """The type of the party decides at each moment."""
    chat = metrics_of(
        tmp_path,
        (0, status("connected")),
        (1, {**AGENT, "type": "scenario"}),
        (5, AGENT),
        (9, {**AGENT, "type": "scenario"}),
        (20, {"event": "chat_session_party_left", "party_id": "A"}),
    )
    assert (chat.answered, chat.handle_seconds, chat.transfers) == (True, 4.0, 0)


def test_an_agent_who_returns_is_a_transfer_only_after_another(tmp_path: Path) -> None:
    """A leaves and returns: none. B joins: one. A returns after B: two."""
    left = {"event": "chat_session_party_left"}
    chat = metrics_of(
        tmp_path,
        (0, AGENT),
        (1, {**left, "party_id": "A"}),
        (2, AGENT),
        (3, BEN),
        (4, {**left, "party_id": "A"}),
        (5, AGENT),
        (6, {**left, "party_id": "B"}),
        (9, {"event": "chat_session_ended"}),
    )
    assert (chat.transfers, chat.handle_seconds) == (2, 8.0)
    assert [(agent.party_id, agent.handle_seconds) for agent in chat.agents] == [
        ("A", 1.0 + 2.0 + 4.0),
        ("B", 3.0),
    ]


def test_a_run_of_questions_counts_from_its_first(tmp_path: Path) -> None:
    """A scenario's answer ends no run, and a run without an answer does not count."""
    chat = metrics_of(
        tmp_path,
        (0, AGENT),
        (1, message("C", 1)),
        (4, message("c", 3)),
        (5, message("bot", 2)),
        (11, message("A", 4)),
        (12, message("A", 6)),
        (20, message("C", 5)),
    )
    assert chat.response_seconds == (10.0,)
    assert chat.messages == {"customer": 3, "agent": 2, "scenario": 1}


def test_forms_that_are_cancelled_and_replaced(tmp_path: Path) -> None:
    """A replaced form counts as opened only."""
    form = {"event": "chat_session_form_show", "form_request_id": "1", "form_name": "a"}
    chat = metrics_of(
        tmp_path,
        (0, form),
        (1, {**form, "form_name": "b"}),
        (5, {"event": "chat_form_data_cancel", "form_request_id": "1", "party_id": "C"}),
    )
    assert chat.forms == {"opened": 2, "submitted": 0, "cancelled": 1, "expired": 0}
    assert chat.form_answer_seconds == ()


def test_a_chat_without_any_time(tmp_path: Path) -> None:
    """A chat without timestamps has no dates and a duration of 0."""
    chat = metrics_of(tmp_path, (None, status("queued")), (None, {"event": "chat_session_ended"}))
    found = chat.to_json()
    assert (found["started_at"], found["ended_at"], found["duration_seconds"]) == (None, None, 0.0)
    report = MetricsReport()
    report.add(chat)
    assert [day["day"] for day in report.by_day()] == [None]


def test_times_that_no_calendar_has() -> None:
    """Times outside the calendar are None, not an error."""
    assert utc_text(1e300) is None
    assert utc_text(float("inf")) is None
    assert utc_text(None) is None
    assert utc_text(5.0) is None
    assert utc_text(1740000000.25) == "2025-02-19T21:20:00.250000Z"


def test_percentiles_interpolate_between_the_sorted_values() -> None:
    """Inclusive: the ends are the smallest and the largest value."""
    assert percentile([], 50) is None
    assert percentile([4.0], 90) == 4.0
    assert percentile([3.0, 1.0, 2.0], 0) == 1.0
    assert percentile([3.0, 1.0, 2.0], 100) == 3.0
    assert percentile([1.0, 2.0, 4.0, 8.0], 50) == 3.0
    assert percentile([1.0, 2.0, 4.0, 8.0], 90) == pytest.approx(6.8)
