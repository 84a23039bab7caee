"""`chatfsm scrub`: a recorded log that tells what happened, and nothing of anybody.

The key of the pseudonyms is read from the environment, or made for this one run and thrown away;
it is in no file and no message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from hashlib import blake2b
from typing import Any, ClassVar, Final

from chatfsm._plain import json_safe
from chatfsm._protocol import codec
from chatfsm._protocol import structuring as r
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

__all__ = ["Pseudonyms", "scrubbed_lines"]

# Stand-ins for what identifies people: the same for the same, and none the wiser without the key.
#
# The key is made of whatever the caller has, and stays with the caller. Nothing here reads or
# writes anything.

# What may stay, being of the protocol and of nobody.
_PROTOCOL_WORDS: Final = {
    *STATUS_STATES,
    *("scenario", "internal", "external", "msteams"),
    *("image", "attachment"),
    *("requested", "rejected", "started", "ended"),
    *(name for name in codec.SIGNALS if name),
}
# Counters of messages and forms say nothing; longer numbers may be somebody's.
_MAX_COUNTER_DIGITS: Final = 15
# Fields of a journal's inputs that say what they are.
_TAGS: Final = {"input", "signal"}
# One of these is refused by any reader that refuses anything.
_UNREADABLE: Final[tuple[Any, ...]] = ("(unreadable)", "(unreadable) " * 1_000, {}, [])
# How many different marks there are.
_MARK_COUNT: Final = 2**48
_TOO_DEEP: Final[list[Any]] = reduce(lambda inner, _: [inner], range(r.MAX_DEPTH + 1), [])


Rule = Callable[["Pseudonyms", Any, str], Any]


class Pseudonyms:
    """Scrubs items of one chat or many, always with the same key."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32).digest()

    def event(self, item: object, chat_id: str) -> dict[str, Any]:
        """An item of a log, as an event that means the same and tells nothing of anybody.

        States, times, and who is who stay; ids and names become pseudonyms; texts become their
        length; what a form was answered with, and everything unknown, is gone.
        """
        if not isinstance(item, dict):
            return {"event": None}  # what was no event is none still
        name = item.get("event")
        if not isinstance(name, str):
            return {"event": None, **self._time(item)}
        cls = codec.EVENTS.get(name)
        if cls is None:
            return {"event": f"unknown_{self._mark(name)}", **self._time(item)}
        fields = self._fields(item, codec.SCHEMAS.get(cls, ()), chat_id, tag="event")
        return {"event": name, **self._time(item), **fields}

    def input(self, value: Mapping[str, Any], chat_id: str) -> dict[str, Any]:
        """An input of a journal, as `input_to_json` writes it, in the same way."""
        return {name: self._input_field(name, held, chat_id) for name, held in value.items()}

    def _input_field(self, name: str, value: Any, chat_id: str) -> Any:
        """One field of an input, or of a part of it."""
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
        # As it reads: an echo that the server escaped is an echo still.
        return self._text(html_to_text(value), chat_id) if isinstance(value, str) else value

    def chat_id(self, chat_id: str) -> str:
        """The stand-in for a chat, which is that of its customer too."""
        return f"chat-{self._mark(chat_id)}"

    def _time(self, item: Mapping[str, Any]) -> dict[str, Any]:
        try:
            known = r.timestamp(item.get("timestamp")) is not None
        except ValueError:
            known = False
        return {"timestamp": item["timestamp"]} if known else {}

    def _fields(
        self, item: Mapping[str, Any], shape: tuple[Any, ...], chat_id: str, *, tag: str | None
    ) -> dict[str, Any]:
        """The fields that a shape knows, scrubbed, and a mark of the rest, so that it differs."""
        scrubbed: dict[str, Any] = {}
        known = {tag}
        for _, reader, names in shape:
            for name in names:
                known.add(name)
                if name in item and name != tag:
                    scrubbed[name] = self._value(name, reader, item[name], chat_id)
        rest = {key: value for key, value in item.items() if key not in known}
        if rest:
            scrubbed["scrubbed"] = self._unknown_fields(rest)
        return scrubbed

    def _unknown_fields(self, rest: dict[Any, Any]) -> Any:
        """A mark of what is unknown; what is nested too deep to be used stays so."""
        if any(r.deeper_than(r.MAX_DEPTH, value) for value in rest.values()):
            return _TOO_DEEP
        return self._mark(json.dumps(json_safe(rest), sort_keys=True))

    def _value(self, name: str, reader: Callable[[object], Any], value: Any, chat_id: str) -> Any:
        try:
            read = reader(value)
        except ValueError:
            too_deep = r.deeper_than(r.MAX_DEPTH, value)
            return _TOO_DEEP if too_deep else _unreadable_for(reader)
        if reader is r.is_not_text:  # only whether it is a text counts
            return None if read else "(a text)"
        if read is None or value == "":
            return value if value == "" else None
        if name in self._rules:
            return self._rules[name](self, value, chat_id)
        if reader in {r.number, r.seconds, r.timestamp, r.integer, r.boolean}:
            return value
        return self._text(value, chat_id)

    def _id(self, value: Any, chat_id: str) -> str:
        """Of the customer: the chat's; in another case, in another case."""
        text = str(r.text(value))
        if len(text) == len(chat_id) and text.casefold() == chat_id.casefold():
            stand_in = self.chat_id(chat_id)
            return stand_in if text == chat_id else stand_in.upper()
        return f"id-{self._mark(text)}"

    def _counter(self, value: Any, chat_id: str) -> Any:
        text = str(r.text(value))
        head, colon, digits = text.rpartition(":")
        if not digits.isdecimal() or len(digits) > _MAX_COUNTER_DIGITS:
            return self._id(value, chat_id)
        return f"{self._id(head, chat_id)}{colon}{digits}" if head else value

    def _name(self, value: Any, _chat_id: str) -> str:
        return f"name-{self._mark(str(r.text(value)))}"

    def _word(self, value: Any, _chat_id: str) -> str:
        text = str(r.text(value))
        return text if text in _PROTOCOL_WORDS else f"word-{self._mark(text)}"

    def _text(self, value: Any, _chat_id: str) -> str:
        """The length of a text, and a mark, so that other texts of that length are others still."""
        text = str(r.text(value))
        return f"({len(text)} characters, {self._mark(text)})"

    def _degrees(self, value: Any, _chat_id: str) -> Any:
        """A place that is none, the same for the same."""
        return int(self._mark(str(r.number(value))), 16) / _MARK_COUNT * 90

    def _signal(self, value: Any, chat_id: str) -> Any:
        raw = r.json_object(value)
        kind = raw.get("type")
        cls = codec.SIGNALS.get(kind) if isinstance(kind, str) else None
        scrubbed = self._fields(raw, codec.SCHEMAS[cls] if cls else (), chat_id, tag="type")
        if isinstance(kind, str):
            scrubbed["type"] = self._word(kind, chat_id)
        return json.dumps(scrubbed) if isinstance(value, str) else scrubbed

    def _attachments(self, value: list[Any], chat_id: str) -> list[Any]:
        shape = codec.SCHEMAS[Attachment]
        return [self._fields(r.json_object(item), shape, chat_id, tag=None) for item in value]

    def _mark(self, text: str) -> str:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=6)
        return digest.hexdigest()

    # By the wire's names; what is not named here, and is no number, time or flag, is a text.
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


def _unreadable_for(reader: Callable[[object], Any]) -> Any:
    """Something that the reader refuses as it refused what came."""
    return next(value for value in _UNREADABLE if _is_refused_by(reader, value))


def _is_refused_by(reader: Callable[[object], Any], value: Any) -> bool:
    try:
        reader(value)
    except ValueError:
        return True
    return False


def scrubbed_lines(
    source: Source, pseudonyms: Pseudonyms, chat_id: str | None = None
) -> Iterator[str]:
    """The lines of the scrubbed log, each with its end: raw events, whatever the format was.

    A journal becomes a journal: sessions hear the scrubbed inputs, and are written down anew.
    """
    sessions: dict[str, Recorded] = {}
    written: list[str] = []
    for record in records(source):
        event = record.event
        if isinstance(event, JournalHeader):
            sessions[event.chat_id] = _scrubbed_session(event, record, pseudonyms, written.append)
        elif isinstance(event, JournalEntry):
            if event.chat_id not in sessions:
                raise UnreadableLogError(f"{record.where}: the journal of this chat has no opening")
            item = pseudonyms.input(input_to_json(event.item), event.chat_id)
            with suppress(LocalProtocolError, RemoteProtocolError):  # refused then, and now
                sessions[event.chat_id].receive(input_from_json(item), now=event.at)
            yield from written
            written.clear()
        else:
            chat = record.chat_id or chat_id or source.stem
            scrubbed = pseudonyms.event(record.raw, chat)
            yield json.dumps({"chat_id": pseudonyms.chat_id(chat), **scrubbed}) + "\n"


def _scrubbed_session(
    header: JournalHeader, record: Record, pseudonyms: Pseudonyms, write: Callable[[str], object]
) -> Recorded:
    """A session as a journal's opening says, with a stand-in for its chat."""
    if header.snapshot is not None:
        why = "begins in the middle of a chat, with a snapshot, which cannot be scrubbed"
        raise UnreadableLogError(f"{record.where}: the journal {why}")
    chat_id = pseudonyms.chat_id(header.chat_id)
    return Recorded(ChatSession(chat_id, settings=header.settings), write)
