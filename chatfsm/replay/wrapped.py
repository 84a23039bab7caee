"""Wrapped events: an event inside of what a tool has written around it.

A line may be an object with the event in one of its fields, as an object or as its text, as Docker
and log collectors write it; or an event after a time, a level and other words. A row of a table is
an object too. The place of the event is a path: the names of fields, outermost first. A text on
the way stands for the JSON in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import define, field

from chatfsm._protocol import json_input
from chatfsm._protocol.codec import EVENTS
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay.items import (
    Items,
    TooManyEventsError,
    check_value_count,
    items_in,
    pop_chat_id,
    received_fields,
)
from chatfsm.replay.journal import JournalLineError
from chatfsm.replay.kinds import NotALogError
from chatfsm.replay.reader import RecordBatch
from chatfsm.replay.sources import MAX_LINE_BYTES, Block, Source
from chatfsm.replay.times import WRAPPER_FIELDS, leading_time, pop_time, read_time

__all__ = ["HEAD_LINES", "Path", "Unwrapper", "path_for", "path_to_event", "path_to_events"]

Path = tuple[str, ...]
"""Names of the fields around an event, outermost first; () for an event after other words."""

HEAD_LINES: Final = 100
"""As many lines or rows must agree before a log is taken for wrapped."""
_MAX_DEPTH: Final = 3
_MAX_BRACES: Final = 8
_START: Final = re.compile(r"\[?\s*\{")
_WORD: Final = re.compile(r"\w")
# Names for --unwrap; what Kubernetes writes is a text before the event.
_PATHS: Final[dict[str, Path]] = {"docker": ("log",), "kubectl": (), "text": ()}
# What the container runtime writes: a time, a stream, whether the line is whole, the line.
_CRI_LINE: Final = re.compile(r"(\S+) (stdout|stderr) ([FP])(?::\S*)? (.*)", re.DOTALL)
_MAX_STREAMS: Final = 8


def path_for(unwrap: str) -> Path:
    """The path that the argument of `--unwrap` names."""
    return _PATHS[unwrap] if unwrap in _PATHS else tuple(unwrap.split("."))


def path_to_event(value: object, depth: int = _MAX_DEPTH) -> Path | None:
    """The path to an event that the server or the client writes, in one value; None if none."""
    if isinstance(value, str):
        if "event" not in value:
            return None
        value = _json_in(value)[0]
    if _is_event(value):
        return ()
    if depth and isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, (dict, list, str)):
                path = path_to_event(inner, depth - 1)
                if path is not None:
                    return (name, *path)
    return None


def path_to_events(lines: Sequence[bytes]) -> Path | None:
    """The path to the events of lines that are wrapped; None if they are not, or do not agree.

    Lines of the same form with other things than events in them agree.
    """
    found: Path | None = None
    others: list[object] = []
    for line in lines[:HEAD_LINES]:
        text = line.decode("utf-8", "backslashreplace").strip("\ufeff\x1e \t\r\n,")
        if not text.strip("[]"):
            continue
        value: object = _whole_json(text)
        path = path_to_event(text if value is None else value)
        if path is None and value is None and text.startswith('{"'):
            continue  # a broken object says nothing about the others
        is_wrapped = value is not None or _WORD.search(_json_in(text)[1]) is not None
        if path is None or not (path or (value is None and is_wrapped)):
            if path is not None or not (isinstance(value, dict) or leading_time(text) is not None):
                return None
            others.append(value)
        elif found is not None and path != found:
            return None
        else:
            found = path
    if found is None or not all(_has_form_of(other, found) for other in others):
        return None
    return found


def _has_form_of(value: object, path: Path) -> bool:
    """Whether a line without an event is wrapped as the others are."""
    if not path:
        return value is None
    return isinstance(value, dict) and isinstance(value.get(path[0]), (str, dict, list))


def _is_event(value: object) -> bool:
    """Whether a value is an event that chatfsm knows, several, or a line of a journal."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and _is_event(value[0])
    if not isinstance(value, dict):
        return False
    name, events = value.get("event"), value.get("events", value.get("sessions"))
    if isinstance(name, str):
        return name in EVENTS
    if isinstance(events, list):
        return not events or isinstance(events[0], dict)
    return "v" in value and not {"journal", "in"}.isdisjoint(value)


def _whole_json(text: str) -> object:
    """The value of a text that is JSON as a whole; None if it is not."""
    try:
        return json_input.parse(text)
    except DecodeError:
        return None


def _json_in(text: str) -> tuple[object, str]:
    """The first object or list in a text, and the words before it; None without one."""
    for count, start in enumerate(_START.finditer(text)):
        if count == _MAX_BRACES:
            break
        at = start.start()
        parsed = json_input.parse_at(text, at) or json_input.parse_at(text, start.end() - 1)
        if parsed is not None:
            return parsed[0], text[:at]
    return None, text


@define
class Unwrapper:
    """Reads the events of wrapped lines, or of the rows of a table."""

    source: Source
    """The file that the lines or rows are read from."""
    path: Path
    """Names of the fields that lead from a line to its event, outermost first; (): the line
    itself."""
    chat_id: str | None = field(default=None, init=False)
    """The chat of the last event; broken lines are of the chat of the line before."""
    without_event: int = field(default=0, init=False)
    """Number of lines with other things than an event in them."""
    _begun: dict[str, str] = field(factory=dict, init=False)
    """The beginning of a line that was cut, by its stream."""

    def batches(self, blocks: Iterable[Block]) -> Iterator[RecordBatch]:
        """The records of the lines. Raises `UnreadableLogError` if no line has an event."""
        has_events = False
        place = 1
        for places, lines in blocks:
            check_value_count(self.source, places[0], lines[0])
            batch = RecordBatch(self.source)
            for place, line in zip(places, lines, strict=True):
                has_events |= self.add_line(batch, line, place)
            yield batch
        batch = RecordBatch(self.source)
        for text in self._begun.values():
            self._add_broken(batch, text, place, "line", "the rest of the line is missing")
        yield batch
        self.note(has_events=has_events, unit="line")

    def note(self, *, has_events: bool, unit: str) -> None:
        """Note how many lines or rows had no event; raise `NotALogError` if none had one."""
        if self.without_event and not has_events:
            raise NotALogError(f"not a log of chat events: no {unit} has an event in it")
        if self.without_event:
            plural = "" if self.without_event == 1 else "s"
            self.source.notes.append(f"{self.without_event:,} {unit}{plural} without an event")

    def add_line(self, batch: RecordBatch, line: bytes, place: int) -> bool:
        """Add the events of a line; return whether it had any."""
        text = line.decode("utf-8", "backslashreplace").removeprefix("\ufeff").rstrip("\r\n")
        return (
            self._add_object(batch, text, place)
            if self.path
            else self._add_text(batch, text, place)
        )

    def _add_text(self, batch: RecordBatch, text: str, place: int) -> bool:
        """Add the event after other words."""
        cri = _CRI_LINE.fullmatch(text)
        if cri is not None:
            whole = self._joined(cri[2], cri[4], is_whole=cri[3] == "F")
            received_at = None if self.source.received_at else read_time(cri[1])
            return bool(whole) and self.add(batch, whole, place, "line", received_at)
        text = text.strip("\x1e \t,")
        received_at = None if self.source.received_at else leading_time(_json_in(text)[1])
        return bool(text) and self.add(batch, text, place, "line", received_at)

    def _add_object(self, batch: RecordBatch, text: str, place: int) -> bool:
        """Add the event in a field."""
        text = text.strip("\x1e \t,")
        if not text.strip("[]"):
            return False
        try:
            value = json_input.parse(text)
        except DecodeError as error:
            value, before = _json_in(text)  # the first or the last object of a list
            if value is None or before.strip("[ "):
                self._add_broken(batch, text, place, "line", str(error))
                return False
        if isinstance(value, dict) and self.path[0] == "log" and "stream" in value:
            log = value.get("log")  # Docker cuts lines of more than 16 KiB
            if isinstance(log, str):
                whole = self._joined(str(value["stream"]), log, is_whole=log.endswith("\n"))
                if not whole:
                    return False
                value["log"] = whole
        return self.add(batch, value, place, "line")

    def add(
        self,
        batch: RecordBatch,
        value: object,
        place: int,
        unit: str,
        received_at: float | None = None,
    ) -> bool:
        """Add the events of a value that is wrapped; return whether it had any."""
        chat_id: str | None = None
        outer = (self.source.received_at,) if self.source.received_at else WRAPPER_FIELDS
        rest = self.path
        while True:
            text, value = value, _unpacked(value)
            rest = rest or path_to_event(value) or ()  # it may be wrapped once more
            if not rest or not isinstance(value, dict):
                break
            whole = ".".join(rest)
            name, rest = (whole, ()) if whole in value else (rest[0], rest[1:])
            if name not in value:
                self._add_broken(batch, value, place, unit, f"without the field {name!a}")
                return False
            inner = value.pop(name)
            chat_id = pop_chat_id(value) or chat_id
            own = pop_time(value, outer)
            received_at = received_at if own is None else own
            value = inner
        if value is None and isinstance(text, str) and _looks_broken(text):
            self._add_broken(batch, text, place, unit, "not JSON")
            return False
        return self._add_items(batch, value, place, unit, chat_id, received_at)

    def _add_items(  # noqa: PLR0913, PLR0917  # the columns of a record
        self,
        batch: RecordBatch,
        value: object,
        place: int,
        unit: str,
        chat_id: str | None,
        received_at: float | None,
    ) -> bool:
        items = self._items(value, place, unit, chat_id, received_at)
        if items is None:
            self.without_event += 1
            return False
        for self.chat_id, item, at in items:
            batch.add(self.chat_id, item, unit, place, at)
        return True

    def _items(
        self,
        value: object,
        place: int,
        unit: str,
        chat_id: str | None,
        received_at: float | None,
    ) -> Items | None:
        if not value:
            return None
        try:
            return items_in(value, received_fields(self.source), chat_id, received_at)
        except (JournalLineError, TooManyEventsError) as error:
            raise UnreadableLogError(f"{self.source.name}: {unit} {place}: {error}") from None

    def _joined(self, stream: str, text: str, *, is_whole: bool) -> str:
        """A line with the parts of it that were cut off before; "" if its end has not come yet."""
        whole = self._begun.pop(stream, "") + text
        if is_whole:
            return whole
        if len(whole) > MAX_LINE_BYTES or len(self._begun) > _MAX_STREAMS:
            raise UnreadableLogError(f"{self.source.name}: a line in parts is too long")
        self._begun[stream] = whole
        return ""

    def _add_broken(
        self, batch: RecordBatch, value: object, place: int, unit: str, why: str
    ) -> None:
        batch.add(self.chat_id, Malformed(None, value, why), unit, place, is_read=False)


def _unpacked(value: object) -> object:
    """The JSON in a value that is a text; any other value as it is."""
    return _json_in(value)[0] if isinstance(value, str) else value


def _looks_broken(text: str) -> bool:
    """Whether a text without JSON is an event that was cut off or damaged."""
    return '{"' in text and '"event"' in text


def value_of_cell(value: Any) -> Any:
    """The JSON in a cell of a table; the cell itself if it holds none."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        found = _whole_json(value)
        return value if found is None else found
    return value
