"""Report of `chatfsm demo`: rows as they happen, and a table of what each client lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, Literal, TextIO

from attrs import define, evolve, field, frozen

from chatfsm._cli.chat_ui import EffectFormatter
from chatfsm._cli.terminal import STYLES, TimelinePrinter, style_for
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._cli.timeline import Row, RowStyle, Timeline
from chatfsm.client_effects import ChatEffect
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
    """Result of one client's chat, counted at the client and at the contact center."""

    fault_count: int
    """Number of faults injected."""
    customer_sent: tuple[str, ...] = field(converter=_as_tuple)
    """Texts that the customer sent."""
    center_received: tuple[str, ...] = field(converter=_as_tuple)
    """Texts of the customer that arrived at the center."""
    center_sent: tuple[str, ...] = field(converter=_as_tuple)
    """Texts that the center sent, by its own history."""
    customer_received: tuple[str, ...] = field(converter=_as_tuple)
    """Texts of the center that the client showed to the customer."""
    typing: tuple[str, ...] = field(converter=_as_tuple)
    """Names of the parties that the client shows as typing at the end."""
    forms: tuple[str, ...] = field(converter=_as_tuple)
    """Names of the forms that the client shows as open at the end."""
    late_polls: int
    """Number of polls after the center reported the end of the chat."""
    was_stopped: bool
    """Whether the demo stopped the client, which would have continued."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Texts of both sides that did not arrive."""
        return (
            *_surplus(self.customer_sent, self.center_received),
            *_surplus(self.center_sent, self.customer_received),
        )

    @property
    def duplicated(self) -> tuple[str, ...]:
        """Texts of both sides that arrived again, as often as they did."""
        return (
            *_surplus(self.center_received, self.customer_sent),
            *_surplus(self.customer_received, self.center_sent),
        )

    @property
    def is_intact(self) -> bool:
        """Whether all texts arrived once and in order, and the client noticed all that ended."""
        has_all = (
            self.customer_sent == self.center_received
            and self.center_sent == self.customer_received
        )
        is_unfinished = self.typing or self.forms or self.late_polls or self.was_stopped
        return has_all and not is_unfinished


@frozen
class ReportLine:
    """A line of the table: a label, and for each client a value and its style."""

    label: str
    values: tuple[tuple[str, RowStyle], ...]


def _surplus(texts: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that are in `texts` more often than in `others`."""
    return tuple((Counter(texts) - Counter(others)).elements())


def report_lines(results: Iterable[ChatResult]) -> Iterator[ReportLine]:
    """Return the lines of the table, with a value for each client."""
    results = tuple(results)
    for label, value_of in _REPORT_ROWS:
        yield ReportLine(label, tuple(value_of(result) for result in results))


def _plain_count(number: int) -> tuple[str, RowStyle]:
    return str(number), "plain"


def _bad_count(number: int, words: str = "") -> tuple[str, RowStyle]:
    return f"{number}{words}", "bad" if number else "good"


def _bad_names(names: tuple[str, ...]) -> tuple[str, RowStyle]:
    return (", ".join(names), "bad") if names else ("none", "good")


_REPORT_ROWS: Final[tuple[tuple[str, Callable[[ChatResult], tuple[str, RowStyle]]], ...]] = (
    ("faults", lambda o: _plain_count(o.fault_count)),
    ("sent by the customer", lambda o: _plain_count(len(o.customer_sent))),
    ("  received by the center", lambda o: _plain_count(len(o.center_received))),
    ("sent by the center", lambda o: _plain_count(len(o.center_sent))),
    ("  received by the customer", lambda o: _plain_count(len(o.customer_received))),
    ("lost", lambda o: _bad_count(len(o.lost))),
    ("duplicated", lambda o: _bad_count(len(o.duplicated))),
    ("still typing at the end", lambda o: _bad_names(o.typing)),
    ("form still open at the end", lambda o: _bad_names(o.forms)),
    ("polls after the end", lambda o: _bad_count(o.late_polls, ", then stopped" * o.was_stopped)),
)


# Rows of what happens to one client.


@define
class RowLog:
    """Queue of rows about one client: any thread adds, one thread takes."""

    now: Callable[[], float]
    """Seconds since the demo began."""
    formatter: EffectFormatter = field(factory=lambda: EffectFormatter(0.0))
    _rows: deque[Row] = field(factory=deque, init=False)

    def add(self, what: str, who: str, text: str, style: RowStyle = "plain") -> None:
        """Add a row about something other than an effect."""
        self._append(Row("", what, harmless_text(who), harmless_text(text), style))

    def add_effect(self, effect: ChatEffect) -> None:
        """Add the rows of an effect."""
        stats = self.formatter.stats
        match effect:
            case TypingStarted() | TypingStopped() if stats is not None:
                # `chatfsm chat` shows typing in its status instead.
                timeline = Timeline(stats, None)
                timeline.add(ReplayStep(0, 0.0, (effect,)))
                rows = list(timeline.rows())
            case WaitEstimated(seconds=0):
                rows = []  # no wait to report
            case _:
                rows = self.formatter.rows_for(effect, 0.0)
        for row in rows:
            self._append(row)

    def take_rows(self) -> Iterator[Row]:
        """Take the rows out, in order."""
        while self._rows:
            yield self._rows.popleft()

    def _append(self, row: Row) -> None:
        self._rows.append(evolve(row, at=f"+{self.now():.1f}"))


# The network between a client and its center.

_SUBJECT_NAMES: Final[dict[Subject, str]] = {"poll": "poll", "post": "POST"}
_FAULT_TEXTS: Final = {
    "refused": "no connection",
    "reset": "arrived, but the connection breaks before the reply",
    "truncated": "answered, but the connection breaks within the reply",
    "garbage": "arrived, but the reply is not HTTP",
    "lost": "arrived, but there is no reply",
}


class ObservedNetwork(Network):
    """Network that reports each fault as it happens, and each poll of a chat that is over.

    `on_fault` is given a text about the fault.
    """

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
        """Number of faults so far."""
        self.late_polls = 0
        """Number of polls answered with 404, because the chat was over."""
        self.on_late_poll: Callable[[int], object] | None = None
        """Called after each late poll with the number of them."""
        self._on_fault = on_fault
        self._requests: dict[int, tuple[Subject, str]] = {}
        self._counts: dict[Subject, int] = {}

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Send a request; the fault of a cache happens here."""
        subject = subject_of(request)
        number = self._counts[subject] = self._counts.get(subject, 0) + 1
        name = f"{_SUBJECT_NAMES.get(subject, subject)} {number}"
        self._requests[request.id] = subject, name
        repeated = self.fault_counts["duplicate"]
        super().send(request, now=now)
        if self.fault_counts["duplicate"] > repeated:
            self._count_fault(f"{name}: a cache repeats the reply before")

    def collect(self, *, now: float) -> list[HttpReply | BrokenExchange]:
        """Return what has arrived at the clients; faults of connections happen here."""
        arrived = super().collect(now=now)
        for arrival in arrived:
            subject, name = self._requests.pop(arrival.id)
            if isinstance(arrival, BrokenExchange):
                self._count_fault(f"{name}: {_FAULT_TEXTS[arrival.kind]}")
            elif subject == "poll" and arrival.status == HTTPStatus.NOT_FOUND:
                self.late_polls += 1
                if self.on_late_poll is not None:
                    self.on_late_poll(self.late_polls)
        return arrived

    def _count_fault(self, words: str) -> None:
        self.fault_count += 1
        self._on_fault(words)


# Output.

_PIPE_WIDTH: Final = 80  # columns, unless a terminal has another width
_LABEL_WIDTH: Final = 28
_VALUE_WIDTH: Final = 18


def printer_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> DemoPrinter:
    """Return the printer for an output: with colours on a terminal, without in a pipe.

    Raises `ChatError`, which names the extra, if colours are required and rich is missing.
    """
    look = style_for(out, colour)
    width = look.width or _PIPE_WIDTH
    return DemoPrinter(out, width, look.console(out, width))


class DemoPrinter(TimelinePrinter):
    """Prints the demo, each line at once."""

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
        """Print rows."""
        for row in rows:
            style = STYLES[row.style]
            start = [(f"{row.at:>6}  ", "dim"), (f"{row.what:<9}  ", style)]
            if row.who:
                start.append((f"{row.who}{': ' if row.text else ''}", "bold"))
            self._text(start, row.text, style)
        self._out.flush()

    def table(self, clients: Sequence[str], lines: Iterable[ReportLine]) -> None:
        """Print the table, with a column for each client."""
        heads = [(f"{client:<{_VALUE_WIDTH}}", "bold") for client in clients]
        self._line([(" " * (2 + _LABEL_WIDTH), ""), *heads])
        for line in lines:
            answers = [(f"{words:<{_VALUE_WIDTH}}", STYLES[tone]) for words, tone in line.values]
            self._line([(f"  {line.label:<{_LABEL_WIDTH}}", "dim"), *answers])
        self._line([])
