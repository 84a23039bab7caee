"""The clock of a replay is that of the log."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import ChatSession, RemoteProtocolError, Settings
from chatfsm import effects as f
from chatfsm.events import Event
from chatfsm.replay.chat_replay import MAX_UNSTAMPED, ChatReplay, ReplayStep, replay_chat
from chatfsm.replay.stats import ChatStats


def steps_of(wire: Any, *items: dict[str, Any], **settings: Any) -> list[ReplayStep]:
    """The steps of a chat."""
    return list(replay_chat(wire.decoded(*items), "chat", Settings(**settings)))


def feed(chat: ChatReplay, *events: Event) -> list[ReplayStep]:
    """The steps of these events, which one call feeds."""
    steps: list[ReplayStep] = []
    chat.feed(events, ChatStats(chat.session), steps.append)
    return steps


def finish(chat: ChatReplay) -> list[ReplayStep]:
    """The steps of events that waited until the end."""
    steps: list[ReplayStep] = []
    chat.finish(ChatStats(chat.session), steps.append)
    return steps


def seqs_and_times(steps: list[ReplayStep]) -> list[tuple[int, float]]:
    """The seq and the time of each step."""
    return [(step.seq, step.at) for step in steps]


def kinds(step: ReplayStep) -> list[str]:
    """The names of the effects of a step."""
    return [type(effect).__name__ for effect in step.effects]


def test_the_time_of_an_event_is_its_timestamp(wire: Any) -> None:
    """The time of each event is its timestamp."""
    steps = steps_of(wire, wire.status("queued", at=10), wire.status("connected", at="12.5"))
    assert seqs_and_times(steps) == [(0, 10.0), (1, 12.5)]


def test_milliseconds_are_read_as_seconds(wire: Any) -> None:
    """Timestamps in milliseconds use the same clock."""
    steps = steps_of(
        wire,
        wire.status("queued", at=1_700_000_000_250),
        wire.status("connected", at="1700000001"),
        wire.ended(at="1700000001500"),
    )
    assert [at for _, at in seqs_and_times(steps)] == [
        1_700_000_000.25,
        1_700_000_001,
        1_700_000_001.5,
    ]


def test_an_event_without_a_timestamp_happens_with_the_one_before(wire: Any) -> None:
    """An event without a timestamp has the time of the one before."""
    steps = steps_of(
        wire,
        wire.status("queued", at=10),
        wire.status("connected"),
        wire.ended(at=11),
        wire.ended(),
    )
    assert seqs_and_times(steps) == [(0, 10.0), (1, 10.0), (2, 11.0), (3, 11.0)]


@pytest.mark.parametrize("stamp", ["soon", -5, True, 1e15, {"s": 1}, "NaN"])
def test_an_invalid_timestamp_does_not_move_the_clock(wire: Any, stamp: object) -> None:
    """An invalid timestamp does not move the clock."""
    steps = steps_of(wire, wire.status("queued", at=10), wire.status("connected", at=stamp))
    assert seqs_and_times(steps) == [(0, 10.0), (1, 10.0)]


def test_time_never_runs_backwards(wire: Any) -> None:
    """An event with an earlier timestamp has the time of the one before."""
    steps = steps_of(
        wire,
        wire.status("queued", at=20),
        wire.status("connecting", at=10),
        wire.status("connected"),
        wire.ended(at=21),
    )
    assert seqs_and_times(steps) == [(0, 20.0), (1, 20.0), (2, 20.0), (3, 21.0)]


def test_events_before_the_first_timestamp_happen_at_it(wire: Any) -> None:
    """Events before the first timestamp wait for it."""
    chat = ChatReplay(ChatSession("chat"))
    first, second, third = wire.decoded(
        wire.status("queued"), wire.status("connecting"), wire.status("connected", at=50)
    )
    assert feed(chat, first, second) == []
    assert (chat.now, chat.event_count) == (None, 0)
    steps = feed(chat, third)
    assert seqs_and_times(steps) == [(0, 50.0), (1, 50.0), (2, 50.0)]
    assert [step.effects for step in steps] == [
        (f.StateChanged("establishing", "queued"),),
        (f.StateChanged("queued", "connecting"),),
        (f.StateChanged("connecting", "connected"),),
    ]
    assert finish(chat) == []


def test_a_timestamp_of_zero_is_one(wire: Any) -> None:
    """The first timestamp may be 0, as in hand-written logs."""
    steps = steps_of(wire, wire.status("queued", at=0), wire.status("connected", at=7))
    assert seqs_and_times(steps) == [(0, 0.0), (1, 7.0)]


def test_a_chat_without_any_timestamp_happens_at_zero(wire: Any) -> None:
    """The events are reported at the end of the log, all at 0."""
    chat = ChatReplay(ChatSession("chat"))
    events = wire.decoded(wire.status("queued"), wire.ended())
    assert feed(chat, *events) == []
    steps = finish(chat)
    assert seqs_and_times(steps) == [(0, 0.0), (1, 0.0)]
    assert kinds(steps[1]) == ["StateChanged", "Terminated"]
    assert finish(chat) == []


def test_a_log_of_nothing_reports_nothing() -> None:
    """No event gives no step."""
    assert list(replay_chat([], "chat")) == []


def test_a_thousand_events_wait_for_the_first_timestamp(wire: Any) -> None:
    """The thousandth event still waits."""
    assert MAX_UNSTAMPED == 1_000
    items = [wire.status("queued")] * 1_000 + [wire.status("connected", at=50)]
    assert seqs_and_times(steps_of(wire, *items)) == [(seq, 50.0) for seq in range(1_001)]


def test_no_more_than_a_thousand_events_wait(wire: Any) -> None:
    """The next event starts the chat at 0, so that memory is bounded; later times count."""
    chat = ChatReplay(ChatSession("chat"))
    (event, stamped) = wire.decoded(wire.status("queued"), wire.status("connected", at=50))
    assert feed(chat, *[event] * 1_000) == []
    assert seqs_and_times(feed(chat, event)) == [(seq, 0.0) for seq in range(1_001)]
    assert seqs_and_times(feed(chat, stamped)) == [(1_001, 50.0)]


def test_deadlines_between_two_events_come_first_in_order(wire: Any) -> None:
    """Each deadline has its own time and the seq of the next event."""
    steps = steps_of(
        wire,
        wire.status("connected", at=0),
        wire.shows("late", at=10, form_timeout=60),
        wire.shows("soon", at=11, form_timeout=5),
        wire.types("ann", at=12),
        wire.ended(at=100),
    )
    assert seqs_and_times(steps[4:]) == [(4, 16.0), (4, 42.0), (4, 70.0), (4, 100.0)]
    assert [kinds(step) for step in steps[4:7]] == [
        ["FormClosed"],
        ["TypingStopped"],
        ["FormClosed"],
    ]
    closed = [e for step in steps for e in step.effects if isinstance(e, f.FormClosed)]
    assert [(e.form.request_id, e.reason) for e in closed] == [
        ("soon", "expired"),
        ("late", "expired"),
    ]
    assert kinds(steps[7]) == ["StateChanged", "Terminated"]


def test_a_deadline_at_the_time_of_an_event_passes_first(wire: Any) -> None:
    """A deadline at the time of an event passes before the event."""
    steps = steps_of(wire, wire.types("ann", at=10), wire.types("ann", at=40))
    assert seqs_and_times(steps) == [(0, 10.0), (1, 40.0), (1, 40.0)]
    assert [kinds(step) for step in steps] == [
        ["TypingStarted"],
        ["TypingStopped"],
        ["TypingStarted"],
    ]


def test_a_deadline_after_an_event_waits(wire: Any) -> None:
    """An event just before a deadline postpones it, or comes before it."""
    steps = steps_of(wire, wire.types("ann", at=10), wire.types("ann", at=39.5), wire.ended(at=69))
    assert seqs_and_times(steps) == [(0, 10.0), (1, 39.5), (2, 69.0)]
    assert kinds(steps[2]) == ["StateChanged", "TypingStopped", "Terminated"]


def test_deadlines_at_the_same_time_are_one_step(wire: Any) -> None:
    """Deadlines at one time give one step."""
    steps = steps_of(wire, wire.types("ann", at=10), wire.types("bob", at=10), wire.ended(at=99))
    assert seqs_and_times(steps)[2:] == [(2, 40.0), (2, 99.0)]
    assert steps[2].effects == (
        f.TypingStopped("ann", "timeout"),
        f.TypingStopped("bob", "timeout"),
    )


def test_events_that_waited_start_their_deadlines_at_the_first_timestamp(wire: Any) -> None:
    """The timeout of a typing indicator starts at the first timestamp."""
    steps = steps_of(wire, wire.types("ann"), wire.status("connected", at=50), wire.ended(at=99))
    assert seqs_and_times(steps) == [(0, 50.0), (1, 50.0), (2, 80.0), (2, 99.0)]


def test_without_time_nothing_is_due(wire: Any) -> None:
    """Events that do not move the clock let no deadline pass."""
    steps = steps_of(wire, wire.types("ann", at=10), *[wire.status("queued")] * 100)
    assert [step for step in steps if "TypingStopped" in kinds(step)] == []


def test_no_deadline_passes_after_the_last_event(wire: Any) -> None:
    """No deadline passes after the last event of the log."""
    chat = ChatReplay(ChatSession("chat"))
    for event in wire.decoded(wire.types("ann", at=10), wire.shows("7", at=10, form_timeout=1)):
        assert len(feed(chat, event)) == 1
    assert finish(chat) == []
    assert chat.session.typing == ("ann",)
    assert [form.request_id for form in chat.session.forms] == ["7"]
    assert chat.session.deadline == 11.0


def test_late_events_have_empty_steps(wire: Any) -> None:
    """Late events have empty steps, and no deadline is left."""
    steps = steps_of(
        wire,
        wire.types("ann", at=10),
        wire.ended(at=11),
        wire.types("ann", at=12),
        wire.says("ann", "hello", at=500),
    )
    assert seqs_and_times(steps)[2:] == [(2, 12.0), (3, 500.0)]
    assert [step.effects for step in steps[2:]] == [(), ()]


def test_the_settings_are_those_of_the_session(wire: Any) -> None:
    """The session of a replay has the given settings."""
    steps = steps_of(
        wire, wire.types("ann", at=10), wire.status("queued", at=99), typing_timeout=7.0
    )
    assert seqs_and_times(steps) == [(0, 10.0), (1, 17.0), (1, 99.0)]


def test_a_strict_replay_stops_at_the_event_that_breaks_the_protocol(wire: Any) -> None:
    """Deadlines before it are reported, and `event_count` is the index of the event."""
    chat = ChatReplay(ChatSession("chat", settings=Settings(strict=True)))
    typing, unknown = wire.decoded(wire.types("ann", at=10), wire.unknown(at=99))
    assert seqs_and_times(feed(chat, typing)) == [(0, 10.0)]
    steps: list[ReplayStep] = []
    with pytest.raises(RemoteProtocolError):
        chat.feed([unknown], ChatStats(chat.session), steps.append)
    [lapse] = steps
    assert (lapse.seq, lapse.at, lapse.effects) == (1, 40.0, (f.TypingStopped("ann", "timeout"),))
    assert chat.event_count == 1


def test_a_strict_replay_names_the_event_that_waited(wire: Any) -> None:
    """A violation before the first timestamp is found when the event is replayed."""
    chat = ChatReplay(ChatSession("chat", settings=Settings(strict=True)))
    events = wire.decoded(
        wire.status("queued"), wire.unknown(), wire.ended(), wire.status("connected", at=5)
    )
    assert feed(chat, *events[:3]) == []
    steps: list[ReplayStep] = []
    with pytest.raises(RemoteProtocolError):
        chat.feed([events[3]], ChatStats(chat.session), steps.append)
    assert [step.seq for step in steps] == [0]
    assert chat.event_count == 1
