"""Timelines in pipes and on terminals, and the progress bar."""

from __future__ import annotations

import io
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import progress, terminal
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay_outputs import Printer
from chatfsm._cli.replay_timelines import StreamedTimelines, Timelines
from chatfsm._cli.terminal import TimelinePrinter, printer_for, style_for
from chatfsm._cli.timeline import Timeline
from chatfsm._protocol.codec import decode_item
from chatfsm._session.session import ChatSession
from chatfsm.errors import ChatError
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatStats, ChatTotals, Totals
from chatfsm.replay.stream_replay import ReplayedChat

MakeBar = Callable[..., ProgressBar]
ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[([0-9]+;)*3[0-9](;[0-9]+)*m")


def drawn(text: str) -> str:
    """The text that a terminal shows, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def cells(text: str) -> int:
    """The number of columns that a text takes."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def timeline_of(wire: Any, *items: dict[str, Any], chat_id: str = "chat") -> Timeline:
    """The timeline of a chat."""
    chat = ChatReplay(ChatSession(chat_id))
    stats = ChatStats(chat.session)
    timeline = Timeline(stats, None)
    chat.feed(wire.decoded(*items), stats, timeline.add)
    chat.finish(stats, timeline.add)
    return timeline


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `cli` is not installed."""
    for module in (terminal, progress):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "rich", None)


def test_a_pipe_gets_plain_text_in_aligned_columns(wire: Any, neutral_environment: None) -> None:
    """The verdict comes first, then rows in aligned columns; exactly this text."""
    out = io.StringIO()
    printer_for(out, "auto").print(
        timeline_of(
            wire,
            wire.says("ann", "hello"),
            wire.says("a longer name", "hi"),
            wire.unknown(),
            wire.ended(),
        )
    )
    assert out.getvalue() == (
        "chat  ended, after 0 s\n"
        "  parties   none\n"
        "  effects   5 from 4 events\n"
        "  findings  1 unknown\n"
        "\n"
        "  +0:00  message  ann            hello\n"
        "  +0:00  message  a longer name  hi\n"
        "  +0:00  unknown                 chat_session_weather\n"
        "  +0:00  state                   establishing → ended\n"
        "  +0:00  over                    ended\n"
    )


def test_without_names_there_is_no_column_for_them(wire: Any, neutral_environment: None) -> None:
    """An empty column is omitted."""
    out = io.StringIO()
    printer_for(out, "auto").print(timeline_of(wire, wire.status("queued")))
    assert out.getvalue().endswith("\n  +0:00  state  establishing → queued\n")


def test_a_chat_without_effects_is_its_verdict(wire: Any, neutral_environment: None) -> None:
    """A chat without effects has no rows and no empty line."""
    out = io.StringIO()
    printer_for(out, "auto").print(timeline_of(wire, wire.event("navigation")))
    assert out.getvalue().endswith("  findings  none\n")


def test_chats_are_separated_by_an_empty_line(wire: Any, neutral_environment: None) -> None:
    """Empty lines separate chats, and the totals from the chats."""
    out = io.StringIO()
    timelines = Timelines(style_for(out, "never"), None)
    printer, totals = Printer(out, timelines), Totals()
    for chat_id in "ab":
        replay = ChatReplay(ChatSession(chat_id))
        chat = ReplayedChat(("", chat_id), 1, replay, ChatStats(replay.session))
        steps: list[ReplayStep] = []
        replay.feed([decode_item(wire.ended(at=1))], chat.stats, steps.append)
        for step in steps:
            printer.write(timelines.step_text(chat, step))
        totals.add(ChatTotals.of(chat.stats))
        printer.write_chats([timelines.chat_text(chat)])
    printer.write(timelines.totals_text(totals))
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("a  ")
    assert lines[lines.index("b  ended, after 0 s") - 1] == ""
    assert lines[-2:] == ["", "2 chats, 0 messages"]


def test_wide_characters_take_two_columns(wire: Any, neutral_environment: None) -> None:
    """Wide and combining characters keep the columns aligned."""
    out = io.StringIO()
    printer_for(out, "auto").print(
        timeline_of(
            wire, *[wire.says(who, "|") for who in ("你好", "\uff57", "e\u0301", "ann", "🐧")]
        )
    )
    rows = [line for line in out.getvalue().splitlines() if line.endswith("|")]
    widths = {cells(line) - line.count("\u0301") for line in rows}
    assert len(rows) == 5
    assert len(widths) == 1


def test_a_pipe_gets_a_row_in_one_line(wire: Any, neutral_environment: None) -> None:
    """A row is one line for any length of text, so that readers of a pipe can count lines."""
    out = io.StringIO()
    printer_for(out, "auto").print(timeline_of(wire, wire.says("ann", "word " * 500)))
    assert out.getvalue().splitlines()[-1].count("word") == 500


def test_a_terminal_gets_colours(wire: Any, terminal: Any) -> None:
    """Names are bold, and good and bad results coloured; the text is that of a pipe."""
    printer_for(terminal, "auto").print(timeline_of(wire, wire.says("ann", "hello"), wire.ended()))
    assert COLOUR.search(terminal.getvalue())
    pipe = io.StringIO()
    printer_for(pipe, "auto").print(timeline_of(wire, wire.says("ann", "hello"), wire.ended()))
    shown = [line.rstrip() for line in drawn(terminal.getvalue()).splitlines()]
    assert shown == pipe.getvalue().splitlines()


def test_a_terminal_may_want_no_colours(
    wire: Any, terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR turns colours off; the text is still wrapped."""
    monkeypatch.setenv("NO_COLOR", "1")
    printer_for(terminal, "auto").print(timeline_of(wire, wire.says("ann", "word " * 50)))
    assert ESCAPE not in terminal.getvalue()
    assert max(map(len, terminal.getvalue().splitlines())) <= 80


def test_never_means_no_colours_on_a_terminal(wire: Any, terminal: Any) -> None:
    """The option takes precedence over the terminal."""
    printer_for(terminal, "never").print(timeline_of(wire, wire.ended()))
    assert ESCAPE not in terminal.getvalue()


@pytest.mark.parametrize("no_color", [None, "1"])
def test_always_means_colours_in_a_pipe(
    wire: Any, neutral_environment: None, monkeypatch: pytest.MonkeyPatch, no_color: str | None
) -> None:
    """The option takes precedence over the pipe and over NO_COLOR."""
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    out = io.StringIO()
    printer_for(out, "always").print(timeline_of(wire, wire.ended()))
    assert COLOUR.search(out.getvalue())


def test_always_in_a_pipe_does_not_wrap(wire: Any, neutral_environment: None) -> None:
    """A pipe has no width, with colours neither."""
    out = io.StringIO()
    printer_for(out, "always").print(timeline_of(wire, wire.says("ann", "word " * 500)))
    assert out.getvalue().splitlines()[-1].count("word") == 500


@pytest.mark.parametrize("colour", ["auto", "never"])
def test_a_terminal_gets_wrapped_text(wire: Any, terminal: Any, colour: Any) -> None:
    """No line is wider than the terminal; continued lines are indented to the text."""
    words = " ".join(f"word{number}" for number in range(60))
    printer_for(terminal, colour).print(timeline_of(wire, wire.says("ann", words)))
    lines = [line.rstrip() for line in drawn(terminal.getvalue()).splitlines()]
    assert max(map(len, lines)) <= 80
    rows = lines[lines.index("") + 1 :]
    indent = rows[0].index("word0")
    assert len(rows) > 5
    assert [row[:indent].strip() for row in rows[1:]] == [""] * (len(rows) - 1)
    assert " ".join(row[indent:] for row in rows) == words


def test_wide_text_is_wrapped_by_its_width(wire: Any, terminal: Any) -> None:
    """A line holds half as many wide characters."""
    text = " ".join(["你好世界"] * 60)
    printer_for(terminal, "never").print(timeline_of(wire, wire.says("ann", text)))
    lines = terminal.getvalue().splitlines()
    assert sum(line.count("你好世界") for line in lines) == 60
    assert max(map(cells, lines)) <= 80


def test_the_verdict_is_wrapped_too(wire: Any, terminal: Any) -> None:
    """A long list of parties continues below its first item."""
    people = [wire.joins(f"p{n}", f"Person {n}") for n in range(20)]
    printer_for(terminal, "never").print(timeline_of(wire, *people))
    lines = terminal.getvalue().splitlines()
    there = lines[1 : lines.index("  effects   20 from 20 events")]
    assert len(there) > 3
    assert {line[:12] for line in there[1:]} == {" " * 12}
    assert max(map(len, there)) <= 80


def test_a_narrow_terminal_wraps_by_itself(
    wire: Any, terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the columns leave no space for the text, it is not wrapped."""
    monkeypatch.setenv("COLUMNS", "30")
    printer_for(terminal, "auto").print(timeline_of(wire, wire.says("ann", "word " * 50)))
    assert drawn(terminal.getvalue()).splitlines()[-1].count("word") == 50


@pytest.mark.parametrize("colour", ["auto", "never"])
def test_a_row_may_have_an_empty_text(wire: Any, terminal: Any, colour: Any) -> None:
    """A row with an empty text is not wrapped."""
    printer_for(terminal, colour).print(timeline_of(wire, wire.joins("ann", "Ann", type=None)))
    assert drawn(terminal.getvalue()).splitlines()[-1].rstrip() == "  +0:00  joined  Ann"


@pytest.mark.parametrize("colour", ["never", "always"])
def test_control_characters_are_escaped(wire: Any, terminal: Any, colour: Any) -> None:
    """Control sequences, bidirectional marks and lone surrogates are escaped."""
    bad = "\x1b[2J\x1b]0;title\x07\u202edrawkcab\ud800\r\n\x9b1m"
    chat = timeline_of(wire, wire.joins("ann", bad), wire.says("ann", bad), chat_id=bad)
    printer_for(terminal, colour).print(chat)
    shown = drawn(terminal.getvalue())
    assert {c for c in shown if not c.isprintable()} == {"\n"}
    assert "\\x1b[2J" in shown


def test_markup_in_a_text_is_text(wire: Any, terminal: Any) -> None:
    """Markup of rich, emoji codes and links are shown unchanged."""
    text = "[bold red]no[/] [link=https://joke.example]x[/link] :smile: [/] \\[x]"
    chat = timeline_of(wire, wire.joins("[b]ann", "[red]Ann[/]"), wire.says("[b]ann", text))
    printer_for(terminal, "always").print(chat)
    shown = " ".join(drawn(terminal.getvalue()).split())
    assert text in shown
    assert "[red]Ann[/] (internal)" in shown


def test_numbers_and_words_are_not_highlighted(wire: Any, neutral_environment: None) -> None:
    """Numbers and constants in messages get no colour."""
    out = io.StringIO()
    printer_for(out, "always").print(timeline_of(wire, wire.says("ann", "42 True None 'x' /a/b")))
    assert out.getvalue().rstrip().endswith("42 True None 'x' /a/b")


@pytest.mark.usefixtures("no_rich")
def test_without_rich_a_terminal_gets_plain_text(wire: Any, terminal: Any) -> None:
    """Only the colours are missing."""
    printer_for(terminal, "auto").print(timeline_of(wire, wire.says("ann", "word " * 50)))
    assert ESCAPE not in terminal.getvalue()
    assert max(map(len, terminal.getvalue().splitlines())) <= 80


@pytest.mark.usefixtures("no_rich")
def test_colours_need_rich() -> None:
    """The error names the missing extra."""
    with pytest.raises(ChatError, match=re.escape("pip install 'chatfsm[cli]'")):
        printer_for(io.StringIO(), "always")


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time of the clock."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the progress bar."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def make_bar(
    terminal: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ProgressBar]:
    """Create a progress bar, with a terminal at standard error."""

    def make(*, wanted: bool = True) -> ProgressBar:
        monkeypatch.setattr(sys, "stderr", terminal)
        return ProgressBar(wanted=wanted)

    return make


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Source]:
    """A source called `[red]long` that is read to its half."""
    path = tmp_path / "[red]long.jsonl"
    path.write_bytes(b'{"event":"chat_session_ended"}\n' * 10_000)
    source = Source(str(path))
    lines = source.lines()
    for _ in range(5_000):
        next(lines)
    yield source
    lines.close()


def test_a_short_reading_shows_no_bar(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """Nothing is drawn within the first second."""
    progress = make_bar()
    for now in (100.0, 100.5, 100.999):
        clock.now = now
        progress.show(reading, 1_024)
    progress.hide()
    assert terminal.getvalue() == ""


def test_a_long_reading_shows_a_bar(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """After a second the bar shows the file, the number of events and the progress."""
    progress = make_bar()
    clock.now = 101.0
    progress.show(reading, 5_000)
    shown = drawn(terminal.getvalue())
    assert "[red]long: 5,000 events" in shown
    assert re.search(r"\b[56][0-9]%", shown)
    progress.hide()


def test_the_bar_is_drawn_five_times_a_second_at_most(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """The bar is drawn again after a fifth of a second, not before."""
    progress = make_bar()
    clock.now = 101.0
    progress.show(reading, 5_000)
    once = len(terminal.getvalue())
    clock.now = 101.1
    progress.show(reading, 6_000)
    assert len(terminal.getvalue()) == once
    clock.now = 101.3
    progress.show(reading, 7_000)
    assert "7,000 events" in terminal.getvalue()
    progress.hide()


def test_the_bar_is_hidden_and_shown_again(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """The bar is removed before other output; hiding it twice has no effect."""
    progress = make_bar()
    clock.now = 101.0
    progress.show(reading, 5_000)
    progress.hide()
    gone = terminal.getvalue()
    assert gone.endswith("\x1b[2K")
    progress.hide()
    assert terminal.getvalue() == gone
    clock.now = 102.0
    progress.show(reading, 6_000)
    assert "6,000 events" in terminal.getvalue()
    progress.hide()


def test_no_bar_in_a_pipe(
    clock: Clock, neutral_environment: None, reading: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standard error that is not a terminal gets no bar."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    progress = ProgressBar(wanted=True)
    clock.now = 999.0
    progress.show(reading, 5_000)
    progress.hide()
    assert pipe.getvalue() == ""


def test_a_bar_that_is_not_wanted_is_not_drawn(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """`--quiet` suppresses the bar."""
    progress = make_bar(wanted=False)
    clock.now = 999.0
    progress.show(reading, 5_000)
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("no_rich")
def test_without_rich_there_is_no_bar(
    make_bar: MakeBar, clock: Clock, terminal: Any, reading: Source
) -> None:
    """The bar is optional: without rich there is no error."""
    progress = make_bar()
    clock.now = 999.0
    progress.show(reading, 5_000)
    progress.hide()
    assert terminal.getvalue() == ""


def test_a_bar_of_unknown_length_is_drawn(make_bar: MakeBar, clock: Clock, terminal: Any) -> None:
    """Standard input has no size, so that only the events are counted."""
    progress = make_bar()
    clock.now = 101.0
    progress.show(Source("-"), 2_048)
    assert "stdin: 2,048 events" in drawn(terminal.getvalue())
    progress.hide()


def test_a_printer_needs_no_console() -> None:
    """A printer writes to any text stream."""
    out = io.StringIO()
    TimelinePrinter(out, None, None).note("words  ")
    assert out.getvalue() == "\nwords\n"


class Shown:
    """Timelines of chats on a terminal, step by step, with the output so far."""

    def __init__(self, rows: int | None = None, **options: Any) -> None:
        self._out = io.StringIO()
        self.timelines = StreamedTimelines(style_for(self._out, "never"), rows, **options)
        self._printer = Printer(self._out, self.timelines)
        self._chats: dict[str, ReplayedChat] = {}

    def feed(self, chat_id: str, item: dict[str, Any]) -> None:
        """Feed an event of a chat."""
        if chat_id not in self._chats:
            replay = ChatReplay(ChatSession(chat_id))
            chat = ReplayedChat(("", chat_id), 1, replay, ChatStats(replay.session))
            self._chats[chat_id] = chat
        chat = self._chats[chat_id]
        chat.replay.feed(
            [decode_item(item)],
            chat.stats,
            lambda step: self._printer.write(self.timelines.step_text(chat, step)),
        )

    def finish(self, chat_id: str) -> None:
        """End a chat."""
        self._printer.write_chats([self.timelines.chat_text(self._chats.pop(chat_id))])

    def lines(self) -> list[str]:
        """The lines so far; of each verdict only the first."""
        beside = ("  parties", "  effects", "  findings", "  ignored")
        lines = self._out.getvalue().splitlines()
        return [line for line in lines if not line.startswith(beside)]


def test_a_chat_is_printed_as_it_goes(wire: Any, neutral_environment: None) -> None:
    """Each row is printed at once, below the chat_id, and the verdict at the end."""
    shown = Shown()
    shown.feed("a", wire.says("ann", "one", at=1))
    rows = ["a", "   +0:00  message   ann       one"]
    assert shown.lines() == rows
    shown.feed("a", wire.says("ann", "two", at=3))
    rows.append("   +0:02  message   ann       two")
    assert shown.lines() == rows
    shown.finish("a")
    verdict = "a  not over: establishing at the end of the log, after 2 s"
    assert shown.lines() == [*rows, "", verdict]


def test_a_chat_that_ends_during_another_is_printed_between_its_rows(
    wire: Any, neutral_environment: None
) -> None:
    """The second chat is printed as a whole; then the first continues, below its chat_id."""
    shown = Shown()
    shown.feed("a", wire.says("ann", "one", at=1))
    shown.feed("b", wire.says("bob", "hello", at=1))
    shown.feed("b", wire.ended(at=2))
    assert shown.lines() == ["a", "   +0:00  message   ann       one"]
    shown.finish("b")
    shown.feed("a", wire.says("ann", "two", at=3))
    assert shown.lines()[2:] == [
        "",
        "b",
        "  +0:00  message  bob  hello",
        "  +0:01  state         establishing → ended",
        "  +0:01  over          ended",
        "",
        "b  ended, after 1 s",
        "",
        "a  continued",
        "   +0:02  message   ann       two",
    ]


def test_rows_that_may_be_left_out_wait_for_the_end(wire: Any, neutral_environment: None) -> None:
    """The first half is printed at once, the last one after the number of omitted rows."""
    shown = Shown(4)
    for number in range(7):
        shown.feed("a", wire.says("ann", f"message {number}", at=1))
    words = [line.split()[-1] for line in shown.lines()]
    assert words == ["a", "0", "1"]
    shown.finish("a")
    words = [line.split()[-1] if line else "" for line in shown.lines()]
    assert words[:8] == ["a", "0", "1", "out", "5", "6", "", "s"]


def test_only_chats_with_findings_are_shown_as_they_go(
    wire: Any, neutral_environment: None
) -> None:
    """A chat without findings does not delay other chats, and is not printed."""
    shown = Shown(only_findings=True)
    shown.feed("a", wire.says("ann", "one", at=1))
    shown.feed("b", wire.unknown(at=1))
    assert shown.lines()[0] == "b"
    shown.finish("a")
    shown.finish("b")
    assert [line.split()[0] for line in shown.lines() if line] == ["b", "+0:00", "b"]


def test_few_rows_are_printed_after_an_interrupt(wire: Any, neutral_environment: None) -> None:
    """After an interrupt few rows of each open chat are printed."""
    shown = Shown()
    for number in range(50):
        shown.feed("a", wire.says("ann", f"message {number}", at=1))
        shown.feed("b", wire.says("bob", f"message {number}", at=1))
    shown.timelines.limit_rows(1000)
    before = len(shown.lines())
    shown.finish("a")
    shown.finish("b")
    assert len(shown.lines()) - before < 20
