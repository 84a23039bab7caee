"""What became of a chat, counted on both sides of it: what was lost, doubled, and left standing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TextIO

from attrs import define, evolve, field, frozen

from chatfsm._cli.chat_ui import EffectFormatter
from chatfsm._cli.terminal import STYLES, TimelinePrinter, style_for
from chatfsm._cli.timeline import Row, RowStyle, Timeline, harmless_text
from chatfsm.effects import TypingStarted, TypingStopped, WaitEstimated
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.simulator.faults import Faults, Subject
from chatfsm.simulator.network import BrokenExchange, Center, Network, subject_of
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "ChatResult",
    "DemoPrinter",
    "ObservedNetwork",
    "ReportLine",
    "RowLog",
    "printer_for",
    "report_lines",
]


def _as_tuple(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@frozen(kw_only=True)
class ChatResult:
    """One client's chat: what the customer's side made of it, and what the center knows."""

    fault_count: int
    """How many faults have struck."""
    customer_sent: tuple[str, ...] = field(converter=_as_tuple)
    """What the customer said."""
    center_received: tuple[str, ...] = field(converter=_as_tuple)
    """What the center has heard of the customer."""
    center_sent: tuple[str, ...] = field(converter=_as_tuple)
    """What the center said, by its own history."""
    customer_received: tuple[str, ...] = field(converter=_as_tuple)
    """What the customer was told of that."""
    typing: tuple[str, ...] = field(converter=_as_tuple)
    """The names of those who type still, when all is over."""
    forms: tuple[str, ...] = field(converter=_as_tuple)
    """The forms that wait still for an answer, when all is over."""
    late_polls: int
    """How often the center was polled after it had told that the chat is over."""
    was_stopped: bool
    """Whether somebody had to stop the client, which would have gone on."""

    @property
    def lost(self) -> tuple[str, ...]:
        """The texts that did not get through, whoever said them."""
        return (
            *_surplus(self.customer_sent, self.center_received),
            *_surplus(self.center_sent, self.customer_received),
        )

    @property
    def doubled(self) -> tuple[str, ...]:
        """The texts that got through more often than they were said, as often as that."""
        return (
            *_surplus(self.center_received, self.customer_sent),
            *_surplus(self.customer_received, self.center_sent),
        )

    @property
    def is_intact(self) -> bool:
        """Whether both sides have heard each other, in order, and the end was understood."""
        is_heard = (
            self.customer_sent == self.center_received
            and self.center_sent == self.customer_received
        )
        is_standing = self.typing or self.forms or self.late_polls or self.was_stopped
        return is_heard and not is_standing


@frozen
class ReportLine:
    """A line of the verdict: what is asked, and of each client the answer and its tone."""

    question: str
    answers: tuple[tuple[str, RowStyle], ...]


def _surplus(these: Iterable[str], those: Iterable[str]) -> tuple[str, ...]:
    """The texts that are more often among these than among those."""
    return tuple((Counter(these) - Counter(those)).elements())


_NOBODY: Final = "nobody"
_NONE: Final = "none"


def report_lines(outcomes: Iterable[ChatResult]) -> Iterator[ReportLine]:
    """The verdict over these clients, a line a question."""
    all_of_them = tuple(outcomes)
    for question, of in _REPORT_ROWS:
        yield ReportLine(question, tuple(of(outcome) for outcome in all_of_them))


def _plain_count(number: int) -> tuple[str, RowStyle]:
    return str(number), "plain"


def _bad_count(number: int, words: str = "") -> tuple[str, RowStyle]:
    return f"{number}{words}", "bad" if number else "good"


def _bad_names(names: tuple[str, ...], nothing: str) -> tuple[str, RowStyle]:
    return (", ".join(names), "bad") if names else (nothing, "good")


_REPORT_ROWS: Final[tuple[tuple[str, Callable[[ChatResult], tuple[str, RowStyle]]], ...]] = (
    ("faults met", lambda o: _plain_count(o.fault_count)),
    ("said by the customer", lambda o: _plain_count(len(o.customer_sent))),
    ("  arrived at the server", lambda o: _plain_count(len(o.center_received))),
    ("said by the center", lambda o: _plain_count(len(o.center_sent))),
    ("  told to the customer", lambda o: _plain_count(len(o.customer_received))),
    ("lost", lambda o: _bad_count(len(o.lost))),
    ("doubled", lambda o: _bad_count(len(o.doubled))),
    ("still typing at the end", lambda o: _bad_names(o.typing, _NOBODY)),
    ("form still open at the end", lambda o: _bad_names(o.forms, _NONE)),
    ("polls after the end", lambda o: _bad_count(o.late_polls, ", then stopped" * o.was_stopped)),
)


# What happens to one client, as rows for people, in the words of a replayed timeline.


@define
class RowLog:
    """Takes down what happens, from any thread; the rows are taken out by one."""

    now: Callable[[], float]
    """Seconds since the demo began."""
    formatter: EffectFormatter = field(factory=lambda: EffectFormatter(0.0))
    _rows: deque[Row] = field(factory=deque, init=False)

    def add(self, what: str, who: str, text: str, tone: RowStyle = "plain") -> None:
        """Something happened that is no effect."""
        self._append(Row("", what, harmless_text(who), harmless_text(text), tone))

    def add_effect(self, effect: object) -> None:
        """The chat has told something."""
        stats = self.formatter.stats
        match effect:
            case TypingStarted() | TypingStopped() if stats is not None:
                # At a keyboard that is shown while it lasts.
                timeline = Timeline(stats, None)
                timeline.add(ReplayStep(0, 0.0, (effect,)))
                rows = list(timeline.rows())
            case WaitEstimated(seconds=0):
                rows = []  # nobody waits
            case _:
                rows = self.formatter.rows_for(effect, 0.0)
        for row in rows:
            self._append(row)

    def take_rows(self) -> Iterator[Row]:
        """The rows that were not taken out yet, in order."""
        while self._rows:
            yield self._rows.popleft()

    def _append(self, row: Row) -> None:
        self._rows.append(evolve(row, at=f"+{self.now():.1f}"))


# The way to the center, watched: when a fault strikes, and who polls a chat that is over.

_NOT_FOUND: Final = 404
_SUBJECT_NAMES: Final[dict[Subject, str]] = {"poll": "poll", "post": "POST"}
_FAULT_TEXTS: Final = {
    "refused": "no connection",
    "reset": "arrived, but the connection breaks before the reply",
    "truncated": "answered, but the connection breaks within the reply",
    "garbage": "arrived, but what comes back is no HTTP",
    "lost": "nobody answers",
}


class ObservedNetwork(Network):
    """A network that tells of each fault in words, as it strikes, and of each late poll."""

    def __init__(
        self,
        center: Center,
        faults: Faults,
        on_fault: Callable[[str], object],
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(center, faults, seed=seed)
        self.fault_count = 0
        """How many faults have struck."""
        self.late_polls = 0
        """How many polls were answered that there is no such chat: it was over, and had told so."""
        self.on_late_poll: Callable[[int], object] | None = None
        """Told each time how many late polls there are now."""
        self._on_fault = on_fault
        self._requests: dict[int, tuple[Subject, str]] = {}
        self._counts: dict[Subject, int] = {}

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Bring a request on its way; a cache strikes at once."""
        subject = subject_of(request)
        number = self._counts[subject] = self._counts.get(subject, 0) + 1
        name = f"{_SUBJECT_NAMES.get(subject, subject)} {number}"
        self._requests[request.id] = subject, name
        repeated = self.fault_counts["duplicate"]
        super().send(request, now=now)
        if self.fault_counts["duplicate"] > repeated:
            self._count_fault(f"{name}: a cache repeats the reply before")

    def collect(self, *, now: float) -> list[HttpReply | BrokenExchange]:
        """What arrives at the clients by now; what is broken strikes here."""
        arrived = super().collect(now=now)
        for arrival in arrived:
            subject, name = self._requests.pop(arrival.id)
            if isinstance(arrival, BrokenExchange):
                self._count_fault(f"{name}: {_FAULT_TEXTS[arrival.kind]}")
            elif subject == "poll" and arrival.status == _NOT_FOUND:
                self.late_polls += 1
                if self.on_late_poll is not None:
                    self.on_late_poll(self.late_polls)
        return arrived

    def _count_fault(self, words: str) -> None:
        self.fault_count += 1
        self._on_fault(words)


# The demo on paper and on terminals: rows as they come, and the verdict as a table.

_PIPE_WIDTH: Final = 80  # columns, where no terminal says how many it has
_LABEL_WIDTH: Final = 28
_VALUE_WIDTH: Final = 18


def printer_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> DemoPrinter:
    """Where the demo is told: in colours on a terminal, plain in a pipe, wrapped in both.

    Raises `ChatError`, naming the extra, where colours are wanted always and rich is missing.
    """
    look = style_for(out, colour)
    width = look.width or _PIPE_WIDTH
    console: Any = None
    if look.is_coloured:
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only

        console = Console(file=out, force_terminal=True, no_color=False, width=width)
    return DemoPrinter(out, width, console)


class DemoPrinter(TimelinePrinter):
    """Prints what the demo has to say, each line at once."""

    def paragraph(self, words: str) -> None:
        """Print a paragraph, and an empty line after it."""
        self._text([], words, "")
        self._line([])
        self._out.flush()

    def heading(self, words: str) -> None:
        """Print a heading."""
        self._line([(words, "bold")])
        self._out.flush()

    def rows(self, rows: Iterable[Row]) -> None:
        """Print what has happened."""
        for row in rows:
            style = STYLES[row.style]
            start = [(f"{row.at:>6}  ", "dim"), (f"{row.what:<9}  ", style)]
            if row.who:
                start.append((f"{row.who}{': ' if row.text else ''}", "bold"))
            self._text(start, row.text, style)
        self._out.flush()

    def table(self, clients: Sequence[str], lines: Iterable[ReportLine]) -> None:
        """Print the verdict: a line a question, a column a client."""
        heads = [(f"{client:<{_VALUE_WIDTH}}", "bold") for client in clients]
        self._line([(" " * (2 + _LABEL_WIDTH), ""), *heads])
        for line in lines:
            answers = [(f"{words:<{_VALUE_WIDTH}}", STYLES[tone]) for words, tone in line.answers]
            self._line([(f"  {line.question:<{_LABEL_WIDTH}}", "dim"), *answers])
        self._line([])
