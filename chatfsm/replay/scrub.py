"""Scrubbing: recorded logs without personal data, with pseudonyms in place of ids and names.

The same id always gets the same pseudonym under the same key; without the key a pseudonym cannot
be traced back. The caller makes the key and keeps it; this module reads and writes no files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from hashlib import blake2b
from typing import Any, ClassVar, Final

from chatfsm._client.journal import stamp
from chatfsm._plain import json_safe
from chatfsm._protocol import codec, structuring
from chatfsm._session.outbox import html_to_text
from chatfsm._session.session import ChatSession
from chatfsm._session.tables import STATUS_STATES
from chatfsm.errors import LocalProtocolError, RemoteProtocolError, UnreadableLogError
from chatfsm.events import Attachment
from chatfsm.replay.formats import Record, records
from chatfsm.replay.journal import (
    JournalEntry,
    JournalHeader,
    Recorded,
    input_from_json,
    input_to_json,
)
from chatfsm.replay.sources import Source
from chatfsm.replay.times import UNREADABLE

__all__ = ["Pseudonyms", "scrubbed_lines"]

# Words of the protocol, which are kept.
_PROTOCOL_WORDS: Final = {
    *STATUS_STATES,
    *("scenario", "internal", "external", "msteams"),
    *("image", "attachment"),
    *("requested", "rejected", "started", "ended"),
    *(name for name in codec.SIGNALS if name),
}
# Message and form counters are kept; longer numbers may be personal data.
_MAX_COUNTER_DIGITS: Final = 15
# Fields of a journal's inputs that name their class.
_TAGS: Final = {"input", "signal"}
# Every parser of a field that refuses any value refuses one of these.
_UNREADABLE: Final[tuple[Any, ...]] = ("(unreadable)", "(unreadable) " * 1_000, {}, [])
# Number of possible marks: 12 hexadecimal digits.
_MARK_COUNT: Final = 2**48
_TOO_DEEP: Final[list[Any]] = reduce(lambda inner, _: [inner], range(structuring.MAX_DEPTH + 1), [])


Rule = Callable[["Pseudonyms", Any, str], Any]


class Pseudonyms:
    """Scrubs events of one chat or many under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32).digest()

    def event(self, item: object, chat_id: str) -> dict[str, Any]:
        """Return a raw item of a log as a scrubbed event with the same meaning to a session.

        States and times are kept, and equal ids stay equal. Ids and names become pseudonyms, a text
        becomes its length and a mark. Form data and unknown fields are removed.
        """
        if not isinstance(item, dict):
            return {"event": None}  # it stays malformed
        name = item.get("event")
        if not isinstance(name, str):
            return {"event": None, **self._time(item)}
        cls = codec.EVENTS.get(name)
        if cls is None:
            return {"event": f"unknown_{self._mark(name)}", **self._time(item)}
        fields = self._fields(item, codec.SCHEMAS.get(cls, ()), chat_id, tag="event")
        return {"event": name, **self._time(item), **fields}

    def input(self, value: Mapping[str, Any], chat_id: str) -> dict[str, Any]:
        """Return a scrubbed input of a journal, in the form of `input_to_json`."""
        return {name: self._input_field(name, field, chat_id) for name, field in value.items()}

    def _input_field(self, name: str, value: Any, chat_id: str) -> Any:
        """Scrub one field of an input, or of a value in it."""
        is_kept = isinstance(value, str) and (name in _TAGS or value in codec.EVENTS or not value)
        if value is None or isinstance(value, bool) or is_kept:
            return value
        if name in {"raw", "extra", "data"}:
            return {"scrubbed": self._mark(json.dumps(value, sort_keys=True))} if value else value
        if isinstance(value, list):
            return [self._input_field(name.removesuffix("s"), one, chat_id) for one in value]
        if isinstance(value, dict):
            return self.input(value, chat_id)
        if name in self._rules:
            return self._rules[name](self, value, chat_id)
        # As plain text, so that an echo with HTML escapes gets the mark of the original.
        return self._text(html_to_text(value), chat_id) if isinstance(value, str) else value

    def chat_id(self, chat_id: str) -> str:
        """Return the pseudonym of a chat, which is also that of its customer."""
        return f"chat-{self._mark(chat_id)}"

    def token(self, token: str) -> str:
        """Return the pseudonym of the token of a session's message ids."""
        return f"id-{self._mark(token)}" if token else ""

    def _time(self, item: Mapping[str, Any]) -> dict[str, Any]:
        try:
            known = structuring.timestamp(item.get("timestamp")) is not None
        except ValueError:
            known = False
        return {"timestamp": item["timestamp"]} if known else {}

    def _fields(
        self, item: Mapping[str, Any], schema: tuple[Any, ...], chat_id: str, *, tag: str | None
    ) -> dict[str, Any]:
        """Scrub the known fields, and replace all unknown ones by one mark of their content."""
        scrubbed: dict[str, Any] = {}
        known = {tag}
        for _, parse, names in schema:
            for name in names:
                known.add(name)
                if name in item and name != tag:
                    scrubbed[name] = self._value(name, parse, item[name], chat_id)
        rest = {key: value for key, value in item.items() if key not in known}
        if rest:
            scrubbed["scrubbed"] = self._unknown_fields(rest)
        return scrubbed

    def _unknown_fields(self, rest: dict[Any, Any]) -> Any:
        """Return a mark of unknown fields; values that are nested too deep stay so."""
        if any(structuring.deeper_than(structuring.MAX_DEPTH, value) for value in rest.values()):
            return _TOO_DEEP
        return self._mark(json.dumps(json_safe(rest), sort_keys=True))

    def _value(self, name: str, parse: Callable[[object], Any], value: Any, chat_id: str) -> Any:
        try:
            parsed = parse(value)
        except ValueError:
            too_deep = structuring.deeper_than(structuring.MAX_DEPTH, value)
            return _TOO_DEEP if too_deep else _unreadable_for(parse)
        if parse is structuring.is_not_text:  # only whether it is a text counts
            return None if parsed else "(a text)"
        if parsed is None or value == "":
            return value if value == "" else None
        if name in self._rules:
            return self._rules[name](self, value, chat_id)
        if parse in {
            structuring.number,
            structuring.seconds,
            structuring.timestamp,
            structuring.integer,
            structuring.boolean,
        }:
            return value
        return self._text(value, chat_id)

    def _id(self, value: Any, chat_id: str) -> str:
        """Return the pseudonym of an id; the customer has that of the chat, in its letter case."""
        text = str(structuring.text(value))
        if len(text) == len(chat_id) and text.casefold() == chat_id.casefold():
            stand_in = self.chat_id(chat_id)
            return stand_in if text == chat_id else stand_in.upper()
        return f"id-{self._mark(text)}"

    def _counter(self, value: Any, chat_id: str) -> Any:
        text = str(structuring.text(value))
        head, colon, digits = text.rpartition(":")
        if not digits.isdecimal() or len(digits) > _MAX_COUNTER_DIGITS:
            return self._id(value, chat_id)
        if not head:
            return value
        chat, between, token = head.partition(":")
        if between and chat == chat_id:  # of a session with a token and msg_id_format "chat_id:n"
            return f"{self.chat_id(chat)}:{self.token(token)}:{digits}"
        return f"{self._id(head, chat_id)}{colon}{digits}"

    def _name(self, value: Any, _chat_id: str) -> str:
        return f"name-{self._mark(str(structuring.text(value)))}"

    def _word(self, value: Any, _chat_id: str) -> str:
        text = str(structuring.text(value))
        return text if text in _PROTOCOL_WORDS else f"word-{self._mark(text)}"

    def _text(self, value: Any, _chat_id: str) -> str:
        """Return the length of a text and a mark, by which texts of equal length differ."""
        text = str(structuring.text(value))
        return f"({len(text)} characters, {self._mark(text)})"

    def _degrees(self, value: Any, _chat_id: str) -> Any:
        """Return a random degree, the same for the same value."""
        return int(self._mark(str(structuring.number(value))), 16) / _MARK_COUNT * 90

    def _signal(self, value: Any, chat_id: str) -> Any:
        raw = structuring.json_object(value)
        kind = raw.get("type")
        cls = codec.SIGNALS.get(kind) if isinstance(kind, str) else None
        scrubbed = self._fields(raw, codec.SCHEMAS[cls] if cls else (), chat_id, tag="type")
        if isinstance(kind, str):
            scrubbed["type"] = self._word(kind, chat_id)
        return json.dumps(scrubbed) if isinstance(value, str) else scrubbed

    def _attachments(self, value: list[Any], chat_id: str) -> list[Any]:
        schema = codec.SCHEMAS[Attachment]
        return [
            self._fields(structuring.json_object(item), schema, chat_id, tag=None) for item in value
        ]

    def _mark(self, text: str) -> str:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=6)
        return digest.hexdigest()

    # By name on the wire; any other field that is no number, time or flag is a text.
    _rules: ClassVar[dict[str, Rule]] = {
        **dict.fromkeys(
            (
                "party_id",
                "session_id",
                "destination_party_id",
                "file_id",
                "case_id",
                "cobrowsing_id",
            ),
            _id,
        ),
        **dict.fromkeys(("msg_id", "ref_msg_id", "form_request_id", "request_id"), _counter),
        **dict.fromkeys(
            (
                *("display_name", "first_name", "last_name", "file_name", "form_name", "form_id"),
                *("service_name", "name", "id", "provider_type", "channel", "sdpMid", "sdp_mid"),
            ),
            _name,
        ),
        **dict.fromkeys(("state", "type", "file_type", "contentType", "content_type"), _word),
        **dict.fromkeys(("latitude", "longitude"), _degrees),
        "data": _signal,
        "attachments": _attachments,
    }


def _unreadable_for(parse: Callable[[object], Any]) -> Any:
    """Return a value that the parser refuses, as it refused the original."""
    return next(value for value in _UNREADABLE if _is_refused_by(parse, value))


def _is_refused_by(parse: Callable[[object], Any], value: Any) -> bool:
    try:
        parse(value)
    except ValueError:
        return True
    return False


def scrubbed_lines(
    source: Source, pseudonyms: Pseudonyms, chat_id: str | None = None
) -> Iterator[str]:
    """Yield the lines of the scrubbed log, with line ends: JSON lines, whatever the format was.

    A journal becomes a journal: sessions receive the scrubbed inputs, and are recorded anew.
    `chat_id`: the chat of records without one; None: the stem of the file. Raises
    `UnreadableLogError` if the source cannot be read, or a journal begins with a snapshot.
    """
    sessions: dict[str, Recorded] = {}
    written: list[str] = []
    for record in records(source):
        event = record.event
        if isinstance(event, JournalHeader):
            sessions[event.chat_id] = _scrubbed_session(event, record, pseudonyms, written.append)
        elif isinstance(event, JournalEntry):
            if event.chat_id not in sessions:
                raise UnreadableLogError(f"{record.where}: the journal of this chat has no header")
            item = pseudonyms.input(input_to_json(event.item), event.chat_id)
            # Inputs that the recorded session refused are refused here too.
            with suppress(LocalProtocolError, RemoteProtocolError):
                sessions[event.chat_id].receive(input_from_json(item), now=event.at)
            at = event.received_at
            yield from (line if at is None else stamp(line, at) for line in written)
            written.clear()
        else:
            chat = record.chat_id or chat_id or source.stem
            scrubbed = pseudonyms.event(record.raw, chat)
            line = json.dumps({"chat_id": pseudonyms.chat_id(chat), **scrubbed}) + "\n"
            at = record.received_at
            yield line if at is None or at is UNREADABLE else stamp(line, at)


def _scrubbed_session(
    header: JournalHeader, record: Record, pseudonyms: Pseudonyms, write: Callable[[str], object]
) -> Recorded:
    """Make the session of a header, under the pseudonym of its chat."""
    if header.snapshot is not None:
        why = "the journal begins with a snapshot, which cannot be scrubbed"
        raise UnreadableLogError(f"{record.where}: {why}")
    chat_id = pseudonyms.chat_id(header.chat_id)
    token = pseudonyms.token(header.token)
    return Recorded(ChatSession(chat_id, settings=header.settings, token=token), write)
