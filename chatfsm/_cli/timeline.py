"""Timeline: the effects of a chat as rows for people, and the verdict above them.

Nothing here prints. All texts are safe for a terminal: none can move its cursor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from attrs import define, field, frozen

from chatfsm import effects as f
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._plain import snake_case
from chatfsm.models import ChatMessage, Form, Party, SharedFile, SharedLocation
from chatfsm.replay.chat_replay import ReplayStep, is_finding
from chatfsm.replay.stats import ChatStats

__all__ = ["Row", "RowStyle", "TimeForm", "Timeline", "duration_text", "verdict"]

TimeForm = Literal["relative", "utc", "local"]
"""Times of rows: since the first event of the chat, or of day."""
RowStyle = Literal["plain", "quiet", "state", "own", "good", "bad"]
RowParts = tuple[str, str, str, RowStyle]
"""The kind of a row, the party, the text and the style."""


@frozen
class Row:
    """One row of a timeline; `at` is the time since the first event."""

    at: str
    what: str
    who: str
    text: str
    style: RowStyle


# Names and ids may be thousands of characters long.
_MAX_NAME: Final = 40
_MAX_ID: Final = 16
# Gaps in the numbers of a chat with more messages than this are not looked for.
_MAX_SERVER_IDS: Final = 10_000
_MAX_DIGITS: Final = 9
_MAX_MISSING: Final = 5
_MINUTE: Final = 60
# A time before 1973 is one of a clock that does not count from 1970; the last is in the year 5138.
_FIRST_WALL_TIME: Final = 1e8
_LAST_WALL_TIME: Final = 1e11
_HOUR: Final = 60 * _MINUTE

_OUTCOME_TEXTS: Final = {
    "ended": "ended",
    "timed_out": "timed out",
    "failed": "failed",
    "gone": "gone",
}


def duration_text(seconds: float) -> str:
    """A duration for people: `12 s`, `3 min 5 s`, `1 h 2 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def verdict(stats: ChatStats) -> Iterator[tuple[str, str, RowStyle]]:
    """The lines above a timeline: heading, text, style. The heading of the first is the chat_id."""
    session, counts = stats.session, stats.session.counts
    style: RowStyle = "state"
    ending = f"not over: {session.state} at the end of the log"
    if session.outcome is not None:
        style = "good" if session.outcome == "ended" else "bad"
        ending = _OUTCOME_TEXTS[session.outcome]
    yield harmless_text(session.chat_id), f"{ending}, after {duration_text(stats.duration)}", style
    if session.outcome_text:
        yield "text", harmless_text(session.outcome_text), "plain"
    more = [f"and {stats.parties_omitted} more"] if stats.parties_omitted else []
    parties = [*(_described(party) for party in stats.parties.values()), *more]
    yield "parties", ", ".join(parties) or "none", "plain"
    yield "effects", f"{counts.effects} from {counts.events} events", "plain"
    findings = _findings(stats)
    yield "findings", ", ".join(findings) or "none", "bad" if findings else "good"
    ignored = [
        f"{number} {what}"
        for number, what in (
            (counts.duplicates, "duplicate" if counts.duplicates == 1 else "duplicates"),
            (counts.late - stats.late_outside_batch, "late in the terminal batch"),
        )
        if number
    ]
    if ignored:
        yield "ignored", ", ".join(ignored), "quiet"


def _findings(stats: ChatStats) -> list[str]:
    met = {
        "unknown": stats.session.counts.unknown,
        **dict(stats.anomalies),
        "late": stats.late_outside_batch,
    }
    return [f"{number} {what}" for what, number in met.items() if number]


def _described(party: Party) -> str:
    kind = f" ({_short(party.type)})" if party.type else ""
    return f"{_short(party.name)}{kind}"


def _short_id(party_id: str) -> str:
    """The beginning of the id of a party that was never announced."""
    return party_id if len(party_id) <= _MAX_ID else f"{party_id[: _MAX_ID - 1]}…"


def _short(name: str) -> str:
    harmless = harmless_text(name)
    return harmless if len(harmless) <= _MAX_NAME else harmless[: _MAX_NAME - 1] + "…"


@define
class Timeline:
    """The rows of one chat, at most `limit` of them."""

    stats: ChatStats
    limit: int | None
    """Number of rows that are kept, half of them the first and half the last; None: all."""
    times: TimeForm = "relative"
    omitted: int = field(default=0, init=False)
    """Number of rows in the middle that were dropped."""
    _taken: int = field(default=0, init=False)
    """Number of rows that `take_rows` has returned."""
    _first: list[Row] = field(factory=list, init=False)
    _last: deque[Row] = field(factory=deque, init=False)
    _server_ids: set[int] = field(factory=set, init=False)
    """The even message numbers so far, at most `_MAX_SERVER_IDS`."""

    def add(self, step: ReplayStep) -> None:
        """Add a row per effect of a step; `stats` must contain the step already."""
        self._note_server_id(step.item)
        for effect in step.effects:
            what, who, text, style = _ROW_BUILDERS[type(effect)](self, effect)
            if step.where and is_finding(effect):
                text = f"{text}  ({step.where})"
            row = Row(self._since(step.at), what, _short(who), harmless_text(text), style)
            first = self._taken + len(self._first)
            if self.limit is None or first < self.limit - self.limit // 2:
                self._first.append(row)
                continue
            self._last.append(row)
            if len(self._last) > self.limit // 2:
                self._last.popleft()
                self.omitted += 1

    def cut(self, limit: int) -> None:
        """Keep at most `limit` rows, as if that had been the limit from the start."""
        if self.limit is not None and self.limit <= limit:
            return
        kept = [*self._first, *self._last]
        half = limit // 2
        self.limit = limit
        if len(kept) + self.omitted > limit:
            self.omitted += len(kept) - limit
            self._first, self._last = kept[: limit - half], deque(kept[len(kept) - half :])

    @property
    def is_begun(self) -> bool:
        """Whether rows were taken."""
        return self._taken > 0

    def take_rows(self) -> list[Row]:
        """Remove the rows that no later row can push out, and return them."""
        rows, self._first = self._first, []
        self._taken += len(rows)
        return rows

    def missing_ids(self) -> str | None:
        """The message numbers that the server left out, as a hint; None if there are none.

        Servers number what they send by even numbers, and others use other ids (PROTOCOL.md §2).
        """
        if not self._server_ids:
            return None
        first, last = min(self._server_ids), max(self._server_ids)
        if (last - first) // 2 >= 2 * len(self._server_ids):
            return None  # numbers of another kind
        missing = [number for number in range(first, last, 2) if number not in self._server_ids]
        named = ", ".join(map(str, missing[:_MAX_MISSING]))
        more = f" and {len(missing) - _MAX_MISSING} more" if len(missing) > _MAX_MISSING else ""
        return f"msg_id {named}{more} may be missing from the log" if missing else None

    def _note_server_id(self, item: object) -> None:
        raw = getattr(item, "raw", None)  # of an event that is unknown or malformed
        msg_id = raw.get("msg_id") if isinstance(raw, dict) else getattr(item, "msg_id", None)
        if not isinstance(msg_id, str) or len(msg_id) > _MAX_DIGITS or not msg_id.isdecimal():
            return
        if int(msg_id) % 2 == 0 and len(self._server_ids) < _MAX_SERVER_IDS:
            self._server_ids.add(int(msg_id))

    def rows(self) -> Iterator[Row]:
        """All rows that are kept, with one in place of those that were omitted."""
        yield from self._first
        if self.omitted:
            yield Row("", "…", "", f"{self.omitted} rows left out", "quiet")
        yield from self._last

    def name_of(self, party_id: str | None) -> str:
        """The name of a party in this chat; the beginning of its id if it was never announced."""
        if party_id is None:
            return ""
        party = self.stats.parties.get(party_id)
        return party.name if party is not None else _short_id(party_id)

    def span(self) -> str | None:
        """The time of day at which the chat began and ended; None for relative times."""
        first, last = self.stats.first_at, self.stats.last_at
        if first is None or last is None or not self._is_absolute(first):
            return None
        zone = "UTC" if self.times == "utc" else self._moment(first).strftime("%z")
        begin, end = self._moment(first), self._moment(last)
        until = f"{end:%H:%M:%S}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
        return f"{begin:%Y-%m-%d %H:%M:%S} to {until} {zone}"

    def _is_absolute(self, at: float) -> bool:
        """Whether rows have the time of day, which the clock of a journal does not tell."""
        return self.times != "relative" and _FIRST_WALL_TIME <= at < _LAST_WALL_TIME

    def _moment(self, at: float) -> datetime:
        moment = datetime.fromtimestamp(round(at), UTC)
        return moment if self.times == "utc" else moment.astimezone()

    def _since(self, at: float) -> str:
        first = self.stats.first_at or at
        if self._is_absolute(first) and self._is_absolute(at):
            moment = self._moment(at)
            is_first_day = moment.date() == self._moment(first).date()
            return f"{moment:%H:%M:%S}" if is_first_day else f"{moment:%m-%d %H:%M:%S}"
        whole = round(at - (self.stats.first_at or 0.0))
        hours, minutes, seconds = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
        return f"+{hours}:{minutes:02}:{seconds:02}" if hours else f"+{minutes}:{seconds:02}"


def _sender(timeline: Timeline, shared: ChatMessage | SharedFile | SharedLocation) -> str:
    return "customer" if shared.own else timeline.name_of(shared.party_id)


def _message(timeline: Timeline, effect: f.MessageReceived) -> RowParts:
    message = effect.message
    parts = [
        message.text or "(no text)",
        *(f"[attached: {part.name or part.id}]" for part in message.attachments),
    ]
    style: RowStyle = "own" if message.own else "plain"
    return "message", _sender(timeline, message), " ".join(parts).strip(), style


def _file(timeline: Timeline, effect: f.FileReceived) -> RowParts:
    file = effect.file
    text = f"{file.file_name or file.file_id or file.url} ({file.file_type or 'of no type'})"
    return "file", _sender(timeline, file), text, "own" if file.own else "plain"


def _location(timeline: Timeline, effect: f.LocationReceived) -> RowParts:
    place = effect.location
    degrees = (place.latitude, place.longitude)
    where = ", ".join("?" if degree is None else f"{degree:g}°" for degree in degrees)
    text = f"{where} {place.url or ''}".strip()
    return "location", _sender(timeline, place), text, "own" if place.own else "plain"


def _form(form: Form) -> str:
    kind = "secure form" if form.secure else "text prompt" if form.is_text_prompt else "form"
    return f"{kind} {form.name or ''}".strip() + f", request {form.request_id}"


def _state(_timeline: Timeline, effect: f.StateChanged | f.CallChanged) -> RowParts:
    what = "state" if isinstance(effect, f.StateChanged) else "call"
    return what, "", f"{effect.previous} → {effect.state}", "state"


def _sent_event(event: dict[str, Any]) -> str:
    """An event that is sent to the server, with its text."""
    text = event.get("msg")
    return str(event.get("event")) if text is None else f"{event.get('event')}: {text}"


def _terminated(_timeline: Timeline, effect: f.Terminated) -> RowParts:
    style: RowStyle = "good" if effect.outcome == "ended" else "bad"
    return "over", "", f"{_OUTCOME_TEXTS[effect.outcome]} {effect.text}".strip(), style


_ROW_BUILDERS: Final[dict[type, Callable[[Timeline, Any], RowParts]]] = {
    f.StateChanged: _state,
    f.WaitEstimated: lambda _, e: ("wait", "", f"about {duration_text(e.seconds)}", "quiet"),
    f.PartyAdded: lambda _, e: ("joined", e.party.name, e.party.type or "", "state"),
    f.PartyChanged: lambda _, e: ("changed", e.party.name, e.party.type or "", "state"),
    f.PartyRemoved: lambda _, e: ("left", e.party.name, e.party.type or "", "state"),
    f.MessageReceived: _message,
    f.MessageEdited: lambda t, e: ("edited", t.name_of(e.party_id), e.text, "plain"),
    f.MessageDeleted: lambda t, e: (
        "deleted",
        t.name_of(e.party_id),
        f"message {e.msg_id}",
        "plain",
    ),
    f.TypingStarted: lambda t, e: ("typing", t.name_of(e.party_id), "…", "quiet"),
    f.TypingStopped: lambda t, e: ("typing", t.name_of(e.party_id), "stopped", "quiet"),
    f.FormOpened: lambda _, e: ("form", "", f"shown: {_form(e.form)}", "state"),
    f.FormClosed: lambda _, e: ("form", "", f"{e.reason}: {_form(e.form)}", "state"),
    f.WarningRaised: lambda _, e: ("warning", "", e.text, "bad"),
    f.WarningCleared: lambda _, _e: ("warning", "", "cleared", "good"),
    f.SignalReceived: lambda t, e: (
        "signal",
        t.name_of(e.party_id),
        type(e.signal).__name__,
        "quiet",
    ),
    f.CallChanged: _state,
    f.FileReceived: _file,
    f.LocationReceived: _location,
    f.SendEvents: lambda _, e: ("send", "customer", ", ".join(map(_sent_event, e.events)), "own"),
    f.MessageSent: lambda _, e: ("sent", "customer", f"message {e.msg_id}", "quiet"),
    f.MessageFailed: lambda _, e: ("failed", "customer", f"message {e.msg_id}: {e.why}", "bad"),
    f.MessageUnconfirmed: lambda _, e: (
        "unconfirmed",
        "customer",
        f"message {e.msg_id}: {e.why}",
        "bad",
    ),
    f.DeliveryConfirmed: lambda t, e: (
        "delivered",
        t.name_of(e.party_id),
        f"message {e.msg_id}",
        "quiet",
    ),
    f.ReadConfirmed: lambda t, e: ("read", t.name_of(e.party_id), f"message {e.msg_id}", "quiet"),
    f.CaseChanged: lambda _, e: ("case", "", e.case_id or "none", "state"),
    f.ServiceNamed: lambda _, e: ("service", "", e.name, "state"),
    f.CobrowsingChanged: lambda _, e: ("cobrowsing", "", e.state, "state"),
    f.UnknownReceived: lambda _, e: ("unknown", "", e.name, "bad"),
    f.Anomaly: lambda _, e: ("anomaly", "", f"{e.kind}: {e.text}", "bad"),
    f.Ignored: lambda _, e: ("ignored", "", f"{e.reason}: {snake_case(type(e.event))}", "quiet"),
    f.Terminated: _terminated,
}
