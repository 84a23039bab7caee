"""Many chats in one stream: each has its own session, and is let go once it is over."""

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


class Listener:
    """Feeds records of one file after the other, and keeps what was reported."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.chats = StreamReplay(settings, on_step=self.step, **options)
        self.told: list[tuple[ReplayedChat, ReplayStep | None]] = []
        self._taken = 0
        self._source = Source("first.jsonl")
        self._lines = count(1)

    def step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Something followed."""
        self.told.append((chat, step))

    def finished(self, chats: Iterable[ReplayedChat]) -> None:
        """Chats that were finished."""
        for chat in chats:
            self.told.append((chat, None))

    def opens(self, name: str) -> None:
        """The next records are of this file."""
        self._source = Source(name)
        self._lines = count(1)

    def hears(self, item: Input, chat_id: str | None = None) -> list[str]:
        """One record is heard; gives what it told, in short."""
        place = next(self._lines)
        event = decode_item(dict(item))
        run = RecordRun(chat_id, self._source, "line", [place], [event], None)
        self.finished(self.chats.feed(RecordBatch(self._source, [run])))
        return self._news()

    def ends(self) -> list[str]:
        """The file ends."""
        self.finished(self.chats.end_file(self._source))
        return self._news()

    def finishes(self) -> list[str]:
        """Everything ends."""
        self.finished(self.chats.finish())
        return self._news()

    @property
    def open(self) -> list[str]:
        """The chats that are kept, the least recently heard first."""
        return [chat.stats.session.chat_id for chat in self.chats._open.values()]

    def _news(self) -> list[str]:
        told, self._taken = self.told[self._taken :], len(self.told)
        return [
            f"{chat.stats.session.chat_id} is over"
            if step is None
            else f"{chat.stats.session.chat_id} {step.seq} at {step.at:g}"
            for chat, step in told
        ]


def listener(*, strict: bool = False, **options: Any) -> Listener:
    """A listener to chats with these options."""
    return Listener(Settings(strict=strict), **options)


def test_the_chats_of_a_file_do_not_mix(wire: Any) -> None:
    """Each chat has its own session, clock and numbers."""
    play = listener()
    assert play.hears(wire.status("queued", at=10), "a") == ["a 0 at 10"]
    assert play.hears(wire.status("queued", at=5), "b") == ["b 0 at 5"]
    assert play.hears(wire.status("connected"), "a") == ["a 1 at 10"]
    assert play.hears(wire.ended(at=7), "b") == ["b 1 at 7"]
    assert play.finishes() == ["a is over", "b is over"]
    states = [chat.stats.session.state for chat, step in play.told if step is None]
    assert states == ["connected", "ended"]


def test_a_chat_without_a_name_is_called_like_its_file(wire: Any) -> None:
    """Records that name no chat are of one chat a file."""
    play = listener()
    play.opens("here/plain.jsonl")
    assert play.hears(wire.status("queued", at=1)) == ["plain 0 at 1"]
    assert play.hears(wire.status("connected", at=2)) == ["plain 1 at 2"]
    assert play.ends() == ["plain is over"]


def test_files_of_the_same_name_in_two_folders_are_two_chats(wire: Any) -> None:
    """What they are called is the same; they are not."""
    play = listener()
    play.opens("here/plain.jsonl")
    play.hears(wire.status("queued", at=1))
    play.opens("there/plain.jsonl")
    assert play.hears(wire.status("queued", at=1)) == ["plain 0 at 1"]
    assert play.open == ["plain", "plain"]
    assert play.finishes() == ["plain is over", "plain is over"]


def test_a_chat_that_is_called_like_a_file_is_not_that_of_the_file(wire: Any) -> None:
    """A chat_id in the log and the stem of a file may be the same word."""
    play = listener()
    play.opens("a.jsonl")
    play.hears(wire.status("queued", at=1))
    assert play.hears(wire.status("queued", at=1), "a") == ["a 0 at 1"]
    assert play.open == ["a", "a"]


def test_a_chat_goes_on_in_the_next_file(wire: Any) -> None:
    """What has a chat_id is one chat over many files; only unnamed chats end with theirs."""
    play = listener()
    play.hears(wire.status("queued", at=1), "a")
    play.hears(wire.status("queued", at=1))
    assert play.ends() == ["first is over"]
    play.opens("second.jsonl")
    assert play.hears(wire.status("connected", at=2), "a") == ["a 1 at 2"]
    assert play.ends() == []
    assert play.finishes() == ["a is over"]


def test_an_ended_chat_ends_with_the_file(wire: Any) -> None:
    """A chat that is over needs no next file."""
    play = listener()
    play.hears(wire.ended(at=1), "a")
    play.hears(wire.status("queued", at=1), "b")
    assert play.ends() == ["a is over"]
    assert play.open == ["b"]
    assert len(play.chats._over) == 0


def test_unnamed_records_are_of_the_default_chat(wire: Any) -> None:
    """With a default, unnamed records of all files are one chat, also where one is named so."""
    play = listener(default_chat_id="x")
    assert play.hears(wire.status("queued", at=1)) == ["x 0 at 1"]
    assert play.hears(wire.status("connected", at=2), "x") == ["x 1 at 2"]
    assert play.hears(wire.status("queued", at=2), "y") == ["y 0 at 2"]
    assert play.ends() == []
    play.opens("second.jsonl")
    assert play.hears(wire.ended(at=3)) == ["x 2 at 3"]
    assert play.finishes() == ["x is over", "y is over"]


def test_chats_are_released_in_the_order_in_which_they_were_met(wire: Any) -> None:
    """However they were heard later."""
    play = listener()
    for chat_id in "abcab":
        play.hears(wire.status("queued", at=1), chat_id)
    assert play.open == ["c", "a", "b"]
    assert play.finishes() == ["a is over", "b is over", "c is over"]


def test_events_that_wait_are_reported_when_their_chat_is_released(wire: Any) -> None:
    """A chat without any timestamp happens at 0, before it is over."""
    play = listener()
    assert play.hears(wire.status("queued"), "a") == []
    assert play.hears(wire.status("queued")) == []
    assert play.ends() == ["first 0 at 0", "first is over"]
    assert play.finishes() == ["a 0 at 0", "a is over"]


def test_a_silent_chat_is_released(wire: Any) -> None:
    """After so many seconds without an event, on the clock of the log; not before."""
    play = listener(close_after=60.0)
    play.hears(wire.status("queued", at=100), "a")
    assert play.hears(wire.status("queued", at=160), "b") == ["b 0 at 160"]
    assert play.hears(wire.status("connected", at=160.5), "b") == ["a is over", "b 1 at 160.5"]
    assert play.open == ["b"]


def test_the_time_of_all_chats_is_one(wire: Any) -> None:
    """Events without a timestamp, and events of the past, are heard at the time of the log."""
    play = listener(close_after=60.0)
    play.hears(wire.status("queued", at=150), "a")
    play.hears(wire.status("connected"), "a")
    play.hears(wire.status("connecting", at=1), "b")
    assert play.hears(wire.status("queued", at=210), "c") == ["c 0 at 210"]
    assert play.hears(wire.status("queued", at=211), "c") == [
        "a is over",
        "b is over",
        "c 1 at 211",
    ]


def test_a_chat_met_again_after_silence_is_a_new_one(wire: Any) -> None:
    """What was let go is forgotten; the same id is reported anew, from 0 on."""
    play = listener(close_after=60.0)
    play.hears(wire.status("queued", at=100), "a")
    assert play.hears(wire.status("connected", at=200), "a") == ["a is over", "a 0 at 200"]
    assert play.finishes() == ["a is over"]
    assert len({chat for chat, step in play.told if step is None}) == 2


def test_a_silent_chat_that_waits_is_reported_first(wire: Any) -> None:
    """A chat without timestamps falls silent too, from the log's first time on."""
    play = listener(close_after=60.0)
    play.hears(wire.status("queued"), "a")
    assert play.hears(wire.status("queued", at=500), "b") == ["b 0 at 500"]
    assert play.hears(wire.status("queued", at=561), "b") == [
        "a 0 at 0",
        "a is over",
        "b is over",
        "b 0 at 561",
    ]


def test_a_chat_that_begins_without_a_time_is_not_split(wire: Any) -> None:
    """The log's first time is no silence of the chat that began before it."""
    play = listener(close_after=60.0)
    play.hears(wire.status("queued"), "a")
    assert play.hears(wire.status("connected", at=500), "a") == ["a 0 at 500", "a 1 at 500"]
    assert play.open == ["a"]


def test_without_a_limit_no_silence_is_too_long(wire: Any) -> None:
    """By default chats are kept until the log ends."""
    play = listener()
    play.hears(wire.status("queued", at=1), "a")
    assert play.hears(wire.status("queued", at=10_000_000), "b") == ["b 0 at 1e+07"]
    assert play.open == ["a", "b"]


def test_an_ended_chat_lingers_so_that_late_events_are_late(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept for so many records of other chats, and each of its own keeps it longer."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    play = listener()
    play.hears(wire.ended(at=1), "a")
    play.hears(wire.status("queued", at=1), "b")
    assert play.hears(wire.says("ann", "late", at=2), "a") == ["a 1 at 2"]
    assert play.hears(wire.status("queued", at=1), "b") == ["b 1 at 1"]
    assert play.hears(wire.status("queued", at=1), "b") == ["b 2 at 1"]
    assert play.hears(wire.status("queued", at=1), "b") == ["a is over", "b 3 at 1"]
    (over,) = [chat for chat, step in play.told if step is None]
    assert (over.stats.session.counts.events, over.stats.session.counts.late) == (1, 1)
    assert play.hears(wire.status("queued", at=9), "a") == ["a 0 at 9"]


def test_an_ended_chat_is_released_within_a_run(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of another chat's events is fed up to that record."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    play = listener()
    play.hears(wire.ended(at=1), "a")
    play.hears(wire.status("queued", at=1), "b")
    events = [decode_item(wire.says("ann", "hello", at=at)) for at in range(2, 9)]
    source = Source("first.jsonl")
    run = RecordRun("b", source, "line", range(7), events, None)
    chats = play.chats.feed(RecordBatch(source, [run]))
    assert [play.chats.output_key[0] for _chat in chats] == [4]
    assert play.chats.records == 9


def test_an_ended_chat_falls_silent_only_once(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat that is over and silent at the same record is let go, and told, once."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 1)
    play = listener(close_after=60.0)
    play.hears(wire.ended(at=1), "a")
    assert play.hears(wire.status("queued", at=100), "b") == ["a is over", "b 0 at 100"]


def test_an_ended_chat_lingers_for_thousands_of_records() -> None:
    """So that what other chats say between its end and its late events does not matter."""
    assert chats_module._LINGER_RECORDS >= 1_000


@pytest.mark.parametrize(
    ("first", "last", "alone"), [(10, 25, 0), (10, 25.5, 1), (10, None, 0), (10, 3, 0)]
)
def test_what_is_late_beyond_the_terminal_batch_is_counted(
    wire: Any, first: float, last: float | None, alone: int
) -> None:
    """What is stamped within 15 s of the end came in its batch; what has no time did as well."""
    play = listener()
    play.hears(wire.ended(at=first), "a")
    play.hears(wire.says("ann", "late", at=last), "a")
    (chat,) = play.chats._open.values()
    assert chat.stats.late_outside_batch == alone
    assert chat.stats.session.counts.late == 1


def test_a_violation_names_file_line_and_reason(wire: Any) -> None:
    """A strict log stops where it breaks the protocol."""
    play = listener(strict=True)
    play.hears(wire.status("queued", at=1), "a")
    with pytest.raises(ViolationError) as caught:
        play.hears(wire.unknown(at=2), "a")
    assert str(caught.value) == (
        "first.jsonl: line 2: unknown: no event is called 'chat_session_weather'"
    )


def test_a_violation_names_the_line_of_the_event_that_waited(wire: Any) -> None:
    """What was heard only at the first timestamp, lines later, is named by its own line."""
    play = listener(strict=True)
    play.hears(wire.status("queued"), "a")
    play.hears(wire.status("queued", at=5), "b")
    play.hears(wire.broken(), "a")
    play.hears(wire.status("connecting"), "a")
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 3: malformed: "):
        play.hears(wire.status("connected", at=5), "a")


def test_a_violation_after_events_that_waited_names_its_own_line(wire: Any) -> None:
    """Lines are not counted from those that waited, nor from those before them."""
    play = listener(strict=True)
    play.hears(wire.status("queued"), "a")
    play.hears(wire.status("connecting", at=5), "a")
    play.hears(wire.status("connected", at=5), "a")
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 4: unknown: "):
        play.hears(wire.unknown(), "a")


def test_what_waits_forever_breaks_the_protocol_at_the_end(wire: Any) -> None:
    """A chat without any timestamp is judged when it is let go."""
    play = listener(strict=True)
    play.hears(wire.unknown())
    with pytest.raises(ViolationError, match=r"^first\.jsonl: line 1: unknown: "):
        play.ends()


def short_chats(wire: Any, number: int, *, ended: bool, apart: float) -> Iterator[Input]:
    """A log of many short chats, one after the other."""
    for index in range(number):
        about = {"chat_id": f"chat-{index}", "at": 1_000 + index * apart}
        yield wire.joins("ann", "Ann", **about)
        yield wire.says("ann", "hello", msg_id="1", **about)
        yield wire.ended(**about) if ended else wire.leaves("ann", **about)


def most_open(play: Listener, items: Iterable[Input]) -> tuple[int, int]:
    """How many chats were kept at most, and how many were let go."""
    most = 0
    for item in items:
        play.hears(item, item.pop("chat_id"))
        most = max(most, len(play.chats._open), len(play.chats._over))
    return most, sum(step is None for _, step in play.told)


def test_chats_that_have_ended_are_not_kept(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many chats a log holds, only those are kept that ended lately."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 30)
    play = listener()
    most, over = most_open(play, short_chats(wire, 1_000, ended=True, apart=1.0))
    assert 5 <= most <= 12
    assert over == 1_000 - len(play.chats._open)


def test_chats_that_fell_silent_are_not_kept(wire: Any) -> None:
    """Chats that never end are let go after the silence that was asked for."""
    play = listener(close_after=60.0)
    most, over = most_open(play, short_chats(wire, 1_000, ended=False, apart=10.0))
    assert most == 7
    assert over == 1_000 - len(play.chats._open)


def peak(words: list[str]) -> int:
    """The most bytes that a run of the command held at once."""
    gc.collect()  # what was let go of before is not this run's
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
    """Four times as many chats that are over need the memory of those that are not."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 30)
    monkeypatch.setattr(source_module, "_BLOCK_BYTES", 2_048)  # what is read at once is far less
    files = {
        number: log(f"{number}.jsonl", *short_chats(wire, number, ended=ended, apart=10.0))
        for number in (50, 200)
    }
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        words = [output, "--close-after", "60"]
        main(["replay", *words, str(files[50])])  # what is imported and cached once counts not
        less, more = (peak([*words, str(path)]) for path in files.values())
    assert more < less * 1.2 + 20_000


def test_a_log_in_a_pipe_is_no_different(
    wire: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream that is made while it is read gives one report a chat, as soon as it is over."""
    monkeypatch.setattr(chats_module, "_LINGER_RECORDS", 3)
    lines = map(json.dumps, short_chats(wire, 5, ended=True, apart=1.0))
    data = "\n".join(lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["replay", "--summary", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["chat_id"] for each in document["sessions"]] == [f"chat-{n}" for n in range(5)]
