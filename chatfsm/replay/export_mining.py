"""Logs for process mining: XES (IEEE 1849) and OCEL 2.0, with the effects as their events.

A chat is a trace of XES, which has its events one after the other: those of a chat that is not
finished are kept in memory. In OCEL a chat, a party, a form and a message are objects, to which
events relate; the objects go to a temporary file, until all events are written.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args
from xml.sax.saxutils import quoteattr

from chatfsm._plain import snake_case
from chatfsm.effects import Effect
from chatfsm.replay.export import ExportRow

__all__ = ["OcelWriter", "XesWriter", "time_text", "xml_text"]

# Characters that XML 1.0 does not allow, not even escaped.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LAST_TIME: Final = 253_402_300_799.0  # the last second of the year 9999


def xml_text(text: str) -> str:
    """Return a text as a quoted attribute of XML, with U+FFFD for what XML does not allow."""
    return quoteattr(_NO_XML.sub("\ufffd", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def time_text(at: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC; a time beyond 1970 to 9999 is moved there."""
    moment = datetime.fromtimestamp(min(max(at, 0.0), _LAST_TIME), UTC)
    return moment.isoformat(timespec="milliseconds")


# XES.

_XES_HEAD: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
  <extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
  <extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
  <global scope="trace"><string key="concept:name" value=""/></global>
  <global scope="event">
    <string key="concept:name" value=""/>
    <date key="time:timestamp" value="1970-01-01T00:00:00.000+00:00"/>
    <string key="lifecycle:transition" value="complete"/>
  </global>
  <classifier name="Activity" keys="concept:name"/>
"""
# The columns that an event has under their own names, if there is a value.
_XES_COLUMNS: Final = ("state", "party_id", "party_type", "msg_id", "text", "request_id", "reason")


class XesWriter:
    """Writes chats as traces, and their effects as events."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(_XES_HEAD)
        self._open: dict[int, list[str]] = {}

    def add(self, chat: int, row: ExportRow) -> None:
        """Keep the event of an effect until its chat is finished."""
        texts = self._open.get(chat)
        if texts is None:
            name = xml_text(row["chat_id"])
            texts = self._open[chat] = [f'<trace><string key="concept:name" value={name}/>\n']
        if row["kind"] == "effect":
            texts.append(f"<event>{''.join(self._attributes(row))}</event>\n")

    def finish(self, chat: int) -> None:
        """Write the trace of a chat."""
        texts = self._open.pop(chat, None)
        if texts is not None:
            self._file.writelines((*texts, "</trace>\n"))

    def close(self) -> None:
        """Write the chats that are not finished, and close the file."""
        try:
            for chat in list(self._open):
                self.finish(chat)
            self._file.write("</log>\n")
        finally:
            self._file.close()

    @staticmethod
    def _attributes(row: ExportRow) -> Iterator[str]:
        yield f'<string key="concept:name" value={xml_text(row["name"])}/>'
        yield f'<date key="time:timestamp" value="{time_text(row["at_seconds"])}"/>'
        yield '<string key="lifecycle:transition" value="complete"/>'
        resource = row["party_name"] or row["party_id"]
        if resource is not None:
            yield f'<string key="org:resource" value={xml_text(resource)}/>'
        for name in _XES_COLUMNS:
            if row[name] is not None:
                yield f'<string key="{name}" value={xml_text(row[name])}/>'


# OCEL 2.0.

_EVENT_COLUMNS: Final = ("state", "text", "reason", "data")
_OBJECT_ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "chat": (),
    "party": ("type", "name"),
    "form": (),
    "message": (),
}
_NO_TIME: Final = time_text(0.0)


class OcelWriter:
    """Writes effects as events, and what they are about as objects."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._objects = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # until `close`
        self._known: dict[int, set[str]] = {}
        self._parties: set[str] = set()
        self._event_count = 0
        types = {
            "objectTypes": [_type(name, names) for name, names in _OBJECT_ATTRIBUTES.items()],
            "eventTypes": [_type(snake_case(cls), _EVENT_COLUMNS) for cls in get_args(Effect)],
        }
        self._file.write(f'{json.dumps(types)[:-1]}, "events": [')

    def add(self, chat: int, row: ExportRow) -> None:
        """Write the event of an effect, and note the objects that are new."""
        if row["kind"] != "effect":
            return
        relations = []
        for kind, object_id, attributes in _objects_of(row):
            relations.append({"objectId": object_id, "qualifier": kind})
            self._note(chat, kind, object_id, attributes)
        event = {
            "id": f"e{self._event_count}",
            "type": row["name"],
            "time": time_text(row["at_seconds"]),
            "attributes": [
                {"name": name, "value": row[name]}
                for name in _EVENT_COLUMNS
                if row[name] is not None
            ],
            "relationships": relations,
        }
        self._file.write(f"{',' if self._event_count else ''}\n{json.dumps(event)}")
        self._event_count += 1

    def finish(self, chat: int) -> None:
        """Forget the objects of a chat, except its parties, which other chats may share."""
        self._known.pop(chat, None)

    def close(self) -> None:
        """Write the objects, and close the file."""
        try:
            self._file.write('],\n"objects": [')
            self._objects.seek(0)
            for number, line in enumerate(self._objects):
                self._file.write(f"{',' if number else ''}\n{line.rstrip()}")
            self._file.write("]}\n")
        finally:
            self._objects.close()
            self._file.close()

    def _note(self, chat: int, kind: str, object_id: str, attributes: dict[str, str]) -> None:
        """Write an object at its first occurrence."""
        known = self._parties if kind == "party" else self._known.setdefault(chat, set())
        if object_id in known:
            return
        known.add(object_id)
        values = [
            {"name": name, "time": _NO_TIME, "value": value} for name, value in attributes.items()
        ]
        written = {"id": object_id, "type": kind, "attributes": values, "relationships": []}
        self._objects.write(f"{json.dumps(written)}\n")


def _type(name: str, attributes: tuple[str, ...]) -> dict[str, Any]:
    return {"name": name, "attributes": [{"name": each, "type": "string"} for each in attributes]}


def _objects_of(row: ExportRow) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the type, id and attributes of each object that an event relates to.

    Ids of messages and forms begin anew in each chat; those of parties are the same in all.
    """
    chat_id = row["chat_id"]
    yield "chat", f"chat:{chat_id}", {}
    if row["party_id"] is not None:
        named = {"type": row["party_type"], "name": row["party_name"]}
        known = {name: value for name, value in named.items() if value is not None}
        yield "party", f"party:{row['party_id']}", known
    if row["request_id"] is not None:
        yield "form", f"form:{chat_id}/{row['request_id']}", {}
    if row["msg_id"] is not None:
        yield "message", f"message:{chat_id}/{row['msg_id']}", {}
