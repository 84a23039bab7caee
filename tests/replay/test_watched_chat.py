"""A watched chat: events in any order, with repetitions, give the effects of a sorted log."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chatfsm import ChatSession, Settings, SnapshotError
from chatfsm.effects import to_json
from chatfsm.replay import Source, records, replay_logs, watched_chat
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.watched_chat import CLOSE_AFTER, EFFECT_COLUMNS, WatchedChat, WatchedEvent

LOGS = Path(__file__).resolve().parents[1] / "logs"
NAMES = ("transfer", "survey", "stuck_typing", "call")
FORM = {"form_request_id": "f", "form_name": "survey", "form_timeout": "20"}

Row = dict[str, Any]


def event(at: float, name: str, seq: int = 0, **fields: Any) -> WatchedEvent:
    return at, seq, json.dumps({"event": f"chat_session_{name}", **fields})


def recorded_events(name: str) -> list[WatchedEvent]:
    """The events of a log with one chat, twelve seconds apart."""
    items = [record.raw for record in records(Source(str(LOGS / f"{name}.jsonl")))]
    return [(12.0 * seq, seq, json.dumps(item)) for seq, item in enumerate(items)]


def effect_names(chat: WatchedChat, until: float) -> list[str]:
    """The names of the effects up to a time."""
    return [row["effect"] for row in chat.advance(until)]


def replayed(events: list[WatchedEvent], path: Path) -> list[Row]:
    """The rows of the same events, written to a log and replayed."""
    lines = [json.dumps({**json.loads(text), "received_at": at}) for at, _, text in events]
    path.write_text("\n".join(lines))
    rows: list[Row] = []

    def add(chat: Any, step: ReplayStep) -> None:
        for effect in step.effects:
            fields = to_json(effect)
            rows.append(
                {
                    "chat_id": chat.session.chat_id,
                    "seq": step.seq,
                    "at": step.at,
                    "state": chat.session.state,
                    "effect": fields.pop("effect"),
                    "data": json.dumps(fields),
                }
            )

    list(replay_logs([path], on_step=add, prefers_received=True))
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_the_effects_are_those_of_a_replay(name: str, tmp_path: Path) -> None:
    """All events at once give the effects of a log, and then those of the last deadlines."""
    events = recorded_events(name)
    chat = WatchedChat.new("a")
    chat.receive(events)
    found, wanted = chat.advance(1e6), replayed(events, tmp_path / "a.jsonl")
    assert wanted
    assert found[: len(wanted)] == wanted
    assert all(row["at"] > events[-1][0] for row in found[len(wanted) :])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_order_repetition_and_batches_make_no_difference(name: str, seed: int) -> None:
    """Events may come up to 30 s late and twice; between batches the chat is JSON."""
    random, events = Random(seed), recorded_events(name)
    at_once = WatchedChat.new("a")
    at_once.receive(events)
    arrivals = sorted((each[0] + random.uniform(0, 30), each) for each in events for _ in range(2))
    chat, rows, watermark = WatchedChat.new("a"), [], -1.0
    while arrivals:
        count = random.randint(1, 7)
        batch, arrivals = arrivals[:count], arrivals[count:]
        # Spark drops events older than the watermark: here only repetitions.
        chat.receive(each for _, each in batch if each[0] > watermark)
        watermark = max(watermark, batch[-1][0] - 30)
        rows += chat.advance(watermark)
        chat = WatchedChat.from_json(chat.to_json())
    assert rows + chat.advance(1e6) == at_once.advance(1e6)


def test_events_wait_for_the_watermark() -> None:
    """Events after the watermark have no effects yet."""
    chat = WatchedChat.new("a")
    chat.receive([event(5.0, "ended", 2), event(3.0, "status", 1, state="queued", ewt="")])
    assert effect_names(chat, 2.9) == []
    assert effect_names(chat, 3.0) == ["state_changed"]
    assert effect_names(chat, 5.0) == ["state_changed", "terminated"]


def test_events_of_one_time_are_in_the_order_of_seq() -> None:
    """The order of arrival does not matter."""
    chat = WatchedChat.new("a")
    chat.receive([event(1.0, "ended", 2), event(1.0, "status", 1, state="queued", ewt="9")])
    assert effect_names(chat, 1.0) == [
        "state_changed",
        "wait_estimated",
        "state_changed",
        "terminated",
    ]


def test_a_deadline_fires_without_an_event() -> None:
    """The deadline passes at its own time, also after a round trip through JSON."""
    chat = WatchedChat.new("a")
    chat.receive([event(1.0, "form_show", **FORM)])
    assert effect_names(chat, 1.0) == ["form_opened"]
    assert chat.deadline() == 21.0
    chat = WatchedChat.from_json(chat.to_json())
    assert chat.advance(20.9) == []
    (row,) = chat.advance(40.0)
    assert (row["effect"], row["at"], json.loads(row["data"])["reason"]) == (
        "form_closed",
        21.0,
        "expired",
    )


def test_the_next_turn_is_at_an_event_a_deadline_or_the_end() -> None:
    """The next turn is at the earliest of them."""
    chat = WatchedChat.new("a")
    chat.receive([event(1.0, "form_show", **FORM), event(9.0, "status", state="ivr", ewt="")])
    assert chat.deadline() == 1.0
    chat.advance(1.0)
    assert chat.deadline() == 9.0
    chat.advance(9.0)
    assert chat.deadline() == 21.0
    chat.advance(21.0)
    assert chat.deadline() == 9.0 + CLOSE_AFTER
    assert chat.deadline(close_after=100.0) == 109.0
    assert not chat.is_silent(108.0, 100.0)
    assert chat.is_silent(109.0, 100.0)


def test_a_late_event_happens_now() -> None:
    """A late event has the time of the last event, since time never decreases."""
    chat = WatchedChat.new("a")
    chat.receive([event(8.0, "status", state="queued", ewt="")])
    chat.advance(8.0)
    chat.receive([event(2.0, "ended")])
    assert [row["at"] for row in chat.advance(8.0)] == [8.0, 8.0]


def test_of_too_many_events_the_earliest_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of a chat is bounded, and no event is lost."""
    monkeypatch.setattr(watched_chat, "MAX_WAITING", 2)
    chat = WatchedChat.new("a")
    chat.receive(event(float(at), "status", state=state) for at, state in enumerate(STATES))
    assert [json.loads(row["data"])["state"] for row in chat.advance(-1.0)] == ["ivr", "queued"]
    assert len(chat.waiting) == 2


STATES = ("ivr", "queued", "connecting", "connected")


def test_settings_are_those_of_the_stream() -> None:
    """Settings are not part of the state."""
    chat = WatchedChat.new("a", Settings(explain=True))
    chat.receive([event(1.0, "ended"), event(2.0, "ended", 1)])
    assert effect_names(chat, 9.0)[-1] == "ignored"
    restored = WatchedChat.from_json(chat.to_json())
    assert restored.replay.session.settings == Settings()


def test_a_row_has_the_published_columns() -> None:
    """The columns are in order, with their types."""
    chat = WatchedChat.new("a")
    chat.receive([event(1.0, "ended")])
    for row in chat.advance(1.0):
        assert {name: type(value) for name, value in row.items()} == {
            column.name: column.type for column in EFFECT_COLUMNS
        }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"session": {}, "now": 0, "events": 0, "latest": 0, "waiting": []}',
        json.dumps(
            {
                "session": ChatSession("a").snapshot(now=0.0),
                "now": 0,
                "events": 0,
                "latest": 0,
                "waiting": [7],
            }
        ),
    ],
)
def test_another_text_is_not_a_chat(text: str) -> None:
    """A state that `to_json` did not write is refused."""
    with pytest.raises(SnapshotError):
        WatchedChat.from_json(text)


def test_the_examples_of_the_module_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctests run in the root of the project."""
    monkeypatch.chdir(LOGS.parents[1])
    results = doctest.testmod(watched_chat)
    assert (results.failed, results.attempted > 3) == (0, True)
