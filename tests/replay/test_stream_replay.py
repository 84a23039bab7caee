"""Replay of many chats in one stream: each has a session, and is released once it is over."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chatfsm import Settings
from chatfsm._cli import main
from chatfsm._protocol.codec import decode_item
from chatfsm.replay import sources as source_module
from chatfsm.replay import stream_replay as chats_module
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.reader import RecordBatch, RecordRun
from chatfsm.replay.sources import Source
from chatfsm.replay.stream_replay import ReplayedChat, StreamReplay, ViolationError

Log = Callable[..., Path]
Input = dict[str, Any]


class ChatFeeder:
    """Feeds the records of one file after the other, and keeps the reported steps."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.chats = StreamReplay(settings, on_step=self.step, **options)
        self.reported: list[tuple[ReplayedChat, ReplayStep | None]] = []
        self._taken = 0
        self._source = Source("first.jsonl")
        self._lines = count(1)

    def step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Record a step."""
        self.reported.append((chat, step))

    def finished(self, chats: Iterable[ReplayedChat]) -> None:
        """Record the end of chats."""
        for chat in chats:
            self.reported.append((chat, None))

    def open_file(self, name: str) -> None:
        """Begin a file, to which the next records belong."""
        self._source = Source(name)
        self._lines = count(1)

    def feed(self, item: Input, chat_id: str | None = None) -> list[str]:
        """Feed one record, and return its reports in short."""
        place = next(self._lines)
        event = decode_item(dict(item))
        run = RecordRun(chat_id, self._source, "line", [place], [event], None)
        self.finished(self.chats.feed(RecordBatch(self._source, [run])))
        return self._news()

    def end_file(self) -> list[str]:
        """End the file, and return its reports."""
        self.finished(self.chats.end_file(self._source))
        return self._news()

    def finish(self) -> list[str]:
        """End the input, and return its reports."""
        self.finished(self.chats.finish())
        return self._news()

    @property
    def open(self) -> list[str]:
        """The open chats, the least recently active first."""
        return [chat.stats.session.chat_id for chat in self.chats._open.values()]

    def _news(self) -> list[str]:
        reported, self._taken = self.reported[self._taken :], len(self.reported)
        return [
            f"{chat.stats.session.chat_id} is over"
            if step is None
            else f"{chat.stats.session.chat_id} {step.seq} at {step.at:g}"
            for chat, step in reported
        ]


def feeder(*, strict: bool = False, **options: Any) -> ChatFeeder:
    """A feeder with these options."""
    return ChatFeeder(Settings(strict=strict), **options)


def test_the_chats_of_a_file_do_not_mix(wire: Any) -> None:
    """Each chat has its own session, clock and seq."""
    replay = feeder()
    assert replay.feed(wire.status("queued", at=10), "a") == ["a 0 at 10"]
    assert replay.feed(wire.status("queued", at=5), "b") == ["b 0 at 5"]
    assert replay.feed(wire.status("connected"), "a") == ["a 1 at 10"]
    assert replay.feed(wire.ended(at=7), "b") == ["b 1 at 7"]
    assert replay.finish() == ["a is over", "b is over"]
    states = [chat.stats.session.state for chat, step in replay.reported if step is None]
    assert states == ["connected", "ended"]


def test_a_chat_without_a_name_is_called_like_its_file(wire: Any) -> None:
    """Records without a chat_id are one chat for each file."""
    replay = feeder()
    replay.open_file("here/plain.jsonl")
    assert replay.feed(wire.status("queued", at=1)) == ["plain 0 at 1"]
    assert replay.feed(wire.status("connected", at=2)) == ["plain 1 at 2"]
    assert replay.end_file() == ["plain is over"]


def test_files_of_the_same_name_in_two_folders_are_two_chats(wire: Any) -> None:
    """The chats have the same chat_id and stay separate."""
    replay = feeder()
    replay.open_file("here/plain.jsonl")
    replay.feed(wire.status("queued", at=1))
    replay.open_file("there/plain.jsonl")
    assert replay.feed(wire.status("queued", at=1)) == ["plain 0 at 1"]
    assert replay.open == ["plain", "plain"]
    assert replay.finish() == ["plain is over", "plain is over"]


def test_a_chat_that_is_called_like_a_file_is_not_that_of_the_file(wire: Any) -> None:
    """A chat_id in the log and the stem of a file may be equal."""
    replay = feeder()
    replay.open_file("a.jsonl")
    replay.feed(wire.status("queued", at=1))
    assert replay.feed(wire.status("queued", at=1), "a") == ["a 0 at 1"]
    assert replay.open == ["a", "a"]


def test_a_chat_continues_in_the_next_file(wire: Any) -> None:
    """A chat with a chat_id continues over files; unnamed ones end with their file."""
    replay = feeder()
    replay.feed(wire.status("queued", at=1), "a")
    replay.feed(wire.status("queued", at=1))
    assert replay.end_file() == ["first is over"]
    replay.open_file("second.jsonl")
    assert replay.feed(wire.status("connected", at=2), "a") == ["a 1 at 2"]
    assert replay.end_file() == []
    assert replay.finish() == ["a is over"]


def test_an_ended_chat_ends_with_the_file(wire: Any) -> None:
    """An ended chat is released at the end of its file."""
    replay = feeder()
    replay.feed(wire.ended(at=1), "a")
    replay.feed(wire.status("queued", at=1), "b")
    assert replay.end_file() == ["a is over"]
    assert replay.open == ["b"]
    assert len(replay.chats._over) == 0


def test_unnamed_records_are_of_the_default_chat(wire: Any) -> None:
    """With a default, unnamed records of all files are one chat, with those of its chat_id."""
    replay = feeder(default_chat_id="x")
    assert replay.feed(wire.status("queued", at=1)) == ["x 0 at 1"]
    assert replay.feed(wire.status("connected", at=2), "x") == ["x 1 at 2"]
    assert replay.feed(wire.status("queued", at=2), "y") == ["y 0 at 2"]
    assert replay.end_file() == []
    replay.open_file("second.jsonl")
    assert replay.feed(wire.ended(at=3)) == ["x 2 at 3"]
    assert replay.finish() == ["x is over", "y is over"]


def test_chats_are_released_in_the_order_of_their_first_events(wire: Any) -> None:
    """The order of release is that of the first events."""
    replay = feeder()
    for chat_id in "abcab":
        replay.feed(wire.status("queued", at=1), chat_id)
    assert replay.open == ["c", "a", "b"]
    assert replay.finish() == ["a is over", "b is over", "c is over"]


def test_events_that_wait_are_reported_when_their_chat_is_released(wire: Any) -> None:
    """A chat without timestamps is reported at 0 when it is released."""
    replay = feeder()
    assert replay.feed(wire.status("queued"), "a") == []
    assert replay.feed(wire.status("queued")) == []
    assert replay.end_file() == ["first 0 at 0", "first is over"]
    assert replay.finish() == ["a 0 at 0", "a is over"]


def test_a_silent_chat_is_released(wire: Any) -> None:
    """A chat is released after `close_after` seconds without an event, by the clock of the log."""
    replay = feeder(close_after=60.0)
    replay.feed(wire.status("queued", at=100), "a")
    assert replay.feed(wire.status("queued", at=160), "b") == ["b 0 at 160"]
    assert replay.feed(wire.status("connected", at=160.5), "b") == ["a is over", "b 1 at 160.5"]
    assert replay.open == ["b"]


def test_the_time_of_all_chats_is_one(wire: Any) -> None:
    """Events without a timestamp, or with an earlier one, have the time of the log."""
    replay = feeder(close_after=60.0)
    replay.feed(wire.status("queued", at=150), "a")
    replay.feed(wire.status("connected"), "a")
    replay.feed(wire.status("connecting", at=1), "b")
    assert replay.feed(wire.status("queued", at=210), "c") == ["c 0 at 210"]
    assert replay.feed(wire.status("queued", at=211), "c") == [
        "a is over",
        "b is over",
        "c 1 at 211",
    ]


def test_a_chat_that_continues_after_silence_is_a_new_one(wire: Any) -> None:
    """The same chat_id after a release is a new chat, with seq from 0."""
    replay = feeder(close_after=60.0)
    replay.feed(wire.status("queued", at=100), "a")
    assert replay.feed(wire.status("connected", at=200), "a") == ["a is over", "a 0 at 200"]
    assert replay.finish() == ["a is over"]
    assert len({chat for chat, step in replay.reported if step is None}) == 2


def test_a_silent_chat_that_waits_is_reported_first(wire: Any) -> None:
    """A chat without timestamps becomes silent too, counted from the first time of the log."""
    replay = feeder(close_after=60.0)
    replay.feed(wire.status("queued"), "a")
    assert replay.feed(wire.status("queued", at=500), "b") == ["b 0 at 500"]
    assert replay.feed(wire.status("queued", at=561), "b") == [
        "a 0 at 0",
        "a is over",
        "b is over",
        "b 0 at 561",
    ]


def test_a_chat_that_begins_without_a_time_is_not_split(wire: Any) -> None:
    """The first time of the log is no silence of a chat that began before it."""
    replay = feeder(close_after=60.0)
    replay.feed(wire.status("queued"), "a")
    assert replay.feed(wire.status("connected", at=500), "a") == ["a 0 at 500", "a 1 at 500"]
    assert replay.open == ["a"]


def test_without_a_limit_no_silence_is_too_long(wire: Any) -> None:
    """By default chats are kept until the end of the log."""
    replay = feeder()
    replay.feed(wire.status("queued", at=1), "a")
    assert replay.feed(wire.status("queued", at=10_000_000), "b") == ["b 0 at 1e+07"]
    assert replay.open == ["a", "b"]


def test_an_ended_chat_lingers_so_that_late_events_are_late(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ended chat is kept for a number of other records, and longer after each of its own."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    replay = feeder()
    replay.feed(wire.ended(at=1), "a")
    replay.feed(wire.status("queued", at=1), "b")
    assert replay.feed(wire.says("ann", "late", at=2), "a") == ["a 1 at 2"]
    assert replay.feed(wire.status("queued", at=1), "b") == ["b 1 at 1"]
    assert replay.feed(wire.status("queued", at=1), "b") == ["b 2 at 1"]
    assert replay.feed(wire.status("queued", at=1), "b") == ["a is over", "b 3 at 1"]
    (over,) = [chat for chat, step in replay.reported if step is None]
    assert (over.stats.session.counts.events, over.stats.session.counts.late) == (1, 1)
    assert replay.feed(wire.status("queued", at=9), "a") == ["a 0 at 9"]


def test_an_ended_chat_is_released_within_a_run(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of another chat's events is fed up to that record."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    replay = feeder()
    replay.feed(wire.ended(at=1), "a")
    replay.feed(wire.status("queued", at=1), "b")
    events = [decode_item(wire.says("ann", "hello", at=at)) for at in range(2, 9)]
    source = Source("first.jsonl")
    run = RecordRun("b", source, "line", range(7), events, None)
    chats = replay.chats.feed(RecordBatch(source, [run]))
    assert [replay.chats.output_key[0] for _chat in chats] == [4]
    assert replay.chats.records == 9


def test_an_ended_chat_falls_silent_only_once(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat that is over and silent at the same record is released and reported once."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 1)
    replay = feeder(close_after=60.0)
    replay.feed(wire.ended(at=1), "a")
    assert replay.feed(wire.status("queued", at=100), "b") == ["a is over", "b 0 at 100"]


def test_an_ended_chat_lingers_for_thousands_of_records() -> None:
    """The delay is long enough for late events after many events of other chats."""
    assert chats_module._LINGER_RECORDS >= 1_000


@pytest.mark.parametrize(
    ("first", "last", "alone"), [(10, 25, 0), (10, 25.5, 1), (10, None, 0), (10, 3, 0)]
)
def test_late_events_outside_the_terminal_batch_are_counted(
    wire: Any, first: float, last: float | None, alone: int
) -> None:
    """Events within 15 s of the end, or without a time, count as part of the terminal batch."""
    replay = feeder()
    replay.feed(wire.ended(at=first), "a")
    replay.feed(wire.says("ann", "late", at=last), "a")
    (chat,) = replay.chats._open.values()
    assert chat.stats.late_outside_batch == alone
    assert chat.stats.session.counts.late == 1


def test_a_violation_names_file_line_and_reason(wire: Any) -> None:
    """A strict replay stops at the first violation."""
    replay = feeder(strict=True)
    replay.feed(wire.status("queued", at=1), "a")
    with pytest.raises(ViolationError) as caught:
        replay.feed(wire.unknown(at=2), "a")
    assert str(caught.value) == (
        "first.jsonl: line 2: unknown: no event is called 'chat_session_weather'"
    )


def test_a_violation_names_the_line_of_the_event_that_waited(wire: Any) -> None:
    """An event that waited for a timestamp is named by its own line."""
    replay = feeder(strict=True)
    replay.feed(wire.status("queued"), "a")
    replay.feed(wire.status("queued", at=5), "b")
    replay.feed(wire.broken(), "a")
    replay.feed(wire.status("connecting"), "a")
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 3: malformed: "):
        replay.feed(wire.status("connected", at=5), "a")


def test_a_violation_after_events_that_waited_names_its_own_line(wire: Any) -> None:
    """The line is not counted from the events that waited."""
    replay = feeder(strict=True)
    replay.feed(wire.status("queued"), "a")
    replay.feed(wire.status("connecting", at=5), "a")
    replay.feed(wire.status("connected", at=5), "a")
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 4: unknown: "):
        replay.feed(wire.unknown(), "a")


def test_a_chat_without_timestamps_is_checked_at_the_end(wire: Any) -> None:
    """A chat without timestamps is checked when it is released."""
    replay = feeder(strict=True)
    replay.feed(wire.unknown())
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 1: unknown: "):
        replay.end_file()


def short_chats(wire: Any, number: int, *, ended: bool, apart: float) -> Iterator[Input]:
    """A log of many short chats, one after the other."""
    for index in range(number):
        about = {"chat_id": f"chat-{index}", "at": 1_000 + index * apart}
        yield wire.joins("ann", "Ann", **about)
        yield wire.says("ann", "hello", msg_id="1", **about)
        yield wire.ended(**about) if ended else wire.leaves("ann", **about)


def most_open(replay: ChatFeeder, items: Iterable[Input]) -> tuple[int, int]:
    """The largest number of open chats, and the number of released ones."""
    most = 0
    for item in items:
        replay.feed(item, item.pop("chat_id"))
        most = max(most, len(replay.chats._open), len(replay.chats._over))
    return most, sum(step is None for _, step in replay.reported)


def test_chats_that_have_ended_are_not_kept(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only chats that ended lately are kept, for any number of chats in a log."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 30)
    replay = feeder()
    most, over = most_open(replay, short_chats(wire, 1_000, ended=True, apart=1.0))
    assert 5 <= most <= 12
    assert over == 1_000 - len(replay.chats._open)


def test_chats_that_fell_silent_are_not_kept(wire: Any) -> None:
    """Chats that never end are released after the given silence."""
    replay = feeder(close_after=60.0)
    most, over = most_open(replay, short_chats(wire, 1_000, ended=False, apart=10.0))
    assert most == 7
    assert over == 1_000 - len(replay.chats._open)


def peak(words: list[str]) -> int:
    """The peak of memory of a run of the command, in bytes."""
    gc.collect()  # garbage of earlier runs does not count
    tracemalloc.start()
    try:
        assert main(["replay", *words]) == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("output", ["--quiet", "--summary", "--json", "--rows=9"])
@pytest.mark.parametrize("ended", [True, False])
def test_a_longer_log_needs_no_more_memory(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch, output: str, *, ended: bool
) -> None:
    """Four times as many finished chats need no more memory."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 30)
    monkeypatch.setattr(source_module, "_BLOCK_BYTES", 2_048)  # blocks are far smaller than the log
    files = {
        number: log(f"{number}.jsonl", *short_chats(wire, number, ended=ended, apart=10.0))
        for number in (50, 200)
    }
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        words = [output, "--close-after", "60"]
        main(["replay", *words, str(files[50])])  # imports and caches do not count
        less, more = (peak([*words, str(path)]) for path in files.values())
    assert more < less * 1.2 + 20_000


def test_a_log_may_come_through_a_pipe(
    wire: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each chat of a growing stream is reported once, when it is over."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    lines = map(json.dumps, short_chats(wire, 5, ended=True, apart=1.0))
    data = "\n".join(lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["replay", "--summary", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["chat_id"] for each in document["sessions"]] == [f"chat-{n}" for n in range(5)]
