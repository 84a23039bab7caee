"""HAR 1.2: the chats in what a browser or a proxy has recorded of HTTP.

The events are those of the requests and replies on `/clientweb/api/`, in the order in which the
exchanges were completed. Of an exchange its method, its path, its status and its two bodies are
read, and nothing else: no header, no cookie and no query.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from attrs import define, field

from chatfsm._protocol import json_input
from chatfsm._protocol import names as wire
from chatfsm._protocol.structuring import identifier
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay.items import (
    MAX_VALUES,
    Item,
    TooManyEventsError,
    items_in,
    value_count,
)
from chatfsm.replay.journal import JournalLineError
from chatfsm.replay.kinds import NotALogError
from chatfsm.replay.sources import Content, Source
from chatfsm.replay.times import UNREADABLE, read_time

__all__ = ["HarReader"]

_MAX_BYTES: Final = 256 * 1024 * 1024
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_API: Final = "/clientweb/api/"
_PATH: Final = re.compile(
    r".*/clientweb/api/+v\d+/+chats(?:/+(?P<active>active)|/+(?P<chat>[^/]+)/+(?P<what>\w+))?/*"
)
# Events of the customer's name the chat as their party, as they do in histories (PROTOCOL.md §3).
_ERROR: Final = 400
_NO_CONTENT: Final = {0, -1, 204, 304}


@define
class HarReader:
    """Reads the events of one HAR file."""

    source: Source
    """The file that the events are read from."""
    without_body: int = field(default=0, init=False)
    """Number of entries of chats whose bodies were not saved."""
    _told: dict[str, Counter[str]] = field(factory=dict, init=False)
    """The events of each chat so far, as JSON: a history repeats them."""

    def entries(self, content: Content) -> Iterator[tuple[int, list[Item]]]:
        """The events of each entry, after its number in the file, ordered by completion.

        Raises `UnreadableLogError` if the file is not usable, and `NotALogError` if it has no
        entry of a chat.
        """
        found = [
            (self._completed_at(entry), place, entry)
            for place, entry in enumerate(self._all_entries(content), 1)
            if isinstance(entry, dict) and self._match(entry) is not None
        ]
        if not found:
            raise NotALogError(f"not a log of chat events: a HAR file without entries on {_API}")
        latest = 0.0
        ordered = []
        for at, place, entry in found:  # an entry without a time stays behind the one before it
            latest = latest if at is UNREADABLE else at
            ordered.append((latest, place, at, entry))
        for _, place, at, entry in sorted(ordered, key=lambda row: row[:2]):
            yield place, self._items(entry, at)
        if self.without_body:
            noun = "entry" if self.without_body == 1 else "entries"
            self.source.notes.append(f"{self.without_body:,} {noun} without a body")

    def _all_entries(self, content: Content) -> list[Any]:
        text = content.read_all(_MAX_BYTES)
        if text is None:
            raise UnreadableLogError(f"a HAR file of more than {_MAX_BYTES // 1024 // 1024} MiB")
        if value_count(text) > MAX_VALUES and value_count(_STRINGS.sub(b"", text)) > MAX_VALUES:
            raise UnreadableLogError(f"a HAR file with more than {MAX_VALUES:,} values")
        try:
            value = json_input.parse(text)
        except DecodeError as error:
            raise UnreadableLogError(f"a HAR file that is damaged: {error}") from None
        log = value.get("log") if isinstance(value, dict) else None
        entries = log.get("entries") if isinstance(log, dict) else None
        if not isinstance(entries, list):
            raise NotALogError("not a log of chat events: neither a HAR file nor a log")
        return entries

    @staticmethod
    def _match(entry: dict[str, Any]) -> re.Match[str] | None:
        """The match of an entry's path, if it is of a chat."""
        request = entry.get("request")
        url = request.get("url") if isinstance(request, dict) else None
        if not isinstance(url, str) or _API not in url:
            return None
        try:
            return _PATH.fullmatch(urlsplit(url).path)
        except ValueError:
            return None

    @staticmethod
    def _completed_at(entry: dict[str, Any]) -> float:
        started = read_time(entry.get("startedDateTime"))
        if started is None:
            return UNREADABLE
        took: Any = entry.get("time")
        is_number = isinstance(took, (int, float)) and not isinstance(took, bool)
        if not is_number or not isfinite(took) or took < 0 or started is UNREADABLE:
            return started
        return float(started + took / 1000)

    def _items(self, entry: dict[str, Any], at: float) -> list[Item]:
        """The events of a request, and then those of its reply."""
        match = self._match(entry)
        request = entry["request"]
        method = request.get("method")
        response = _object(entry.get("response"))
        status = response.get("status")
        if match is None or method == "OPTIONS" or not isinstance(status, int) or status >= _ERROR:
            return []
        sent = _object(request.get("postData")).get("text") if method == "POST" else ""
        reply, is_missing = _body(_object(response.get("content")), status, method)
        self.without_body += is_missing or not isinstance(sent, str)
        chat_id, what = match["chat"], match["what"]
        if chat_id is None:
            return self._session_items(sent, reply, at)
        chat_id = unquote(chat_id)
        if what == "history" and method == "GET":
            return self._news(chat_id, self._events(reply, chat_id, at))
        if what != "events":
            return []
        items = [_own(item, chat_id) for item in self._events(sent, chat_id, at)]
        items += self._events(reply, chat_id, at)
        self._remember(chat_id, items)
        return items

    def _session_items(self, sent: object, reply: object, at: float) -> list[Item]:
        """The state that the reply to a request for a chat tells, and the first message."""
        chat = _parsed_or_none(reply)
        if not isinstance(chat, dict) or not isinstance(chat.get("state"), str):
            return []
        try:
            chat_id = identifier(chat.get("chat_id"))
        except ValueError:
            return []
        status = {"event": wire.STATUS, "state": chat["state"]}
        if "ewt" in chat:
            status["ewt"] = chat["ewt"]
        items: list[Item] = [(chat_id, status, at)]
        asked = _parsed_or_none(sent)
        first = asked.get("initial_message") if isinstance(asked, dict) else None
        if chat_id is not None and isinstance(first, dict) and "event" in first:
            items.append(_own((chat_id, first, at), chat_id))
        if chat_id is not None:
            self._remember(chat_id, items)
        return items

    def _events(self, body: object, chat_id: str, at: float) -> list[Item]:
        """The events in a body; a single `Malformed` if it is none."""
        if isinstance(body, _DamagedBody):
            return [(chat_id, Malformed(None, None, str(body)), at)]
        if not isinstance(body, str) or not body.strip():
            return []
        try:
            found = items_in(json_input.parse(body), (), chat_id, at)
            return [(chat_id, item, at) for _, item, _ in found or ()]
        except (DecodeError, JournalLineError, TooManyEventsError) as error:
            return [(chat_id, Malformed(None, body, str(error)), at)]

    def _remember(self, chat_id: str, items: list[Item]) -> None:
        self._told.setdefault(chat_id, Counter()).update(_mark(item) for _, item, _ in items)

    def _news(self, chat_id: str, history: list[Item]) -> list[Item]:
        """The events of a history that no other entry has told before."""
        told = self._told.setdefault(chat_id, Counter()).copy()
        news: list[Item] = []
        for each in history:
            mark = _mark(each[1])
            told[mark] -= 1
            if told[mark] < 0:
                news.append(each)
        self._remember(chat_id, news)
        return news


class _DamagedBody(str):
    """Why a body cannot be used."""

    __slots__ = ()


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _body(content: dict[str, Any], status: int, method: object) -> tuple[object, bool]:
    """The text of a reply, and whether it is missing, though there was one."""
    text = content.get("text")
    if not isinstance(text, str) or not text:
        size = content.get("size")
        has_size = isinstance(size, int) and size > 0
        return "", status not in _NO_CONTENT and (has_size or method == "GET")
    if content.get("encoding") != "base64":
        return text, False
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogatepass"), False
    except (binascii.Error, ValueError):
        return _DamagedBody("the body is not base64 of a text"), False


def _parsed_or_none(body: object) -> object:
    try:
        return json_input.parse(body) if isinstance(body, str) else None
    except DecodeError:
        return None


def _own(item: Item, chat_id: str) -> Item:
    """An event that the customer's client sent, with the customer as its party."""
    _, event, at = item
    if isinstance(event, dict) and not event.get("party_id"):
        event = {**event, "party_id": chat_id}
    return chat_id, event, at


def _mark(event: object) -> str:
    """A text that equal events have in common."""
    try:
        return repr(sorted(event.items(), key=str)) if isinstance(event, dict) else repr(event)
    except RecursionError:  # nested too deep for a session, which reports it
        return "(too deep)"
