"""What a session hears and tells, written as it happens, and heard again to compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from math import isfinite
from typing import Any

from attrs import asdict, evolve

from chatfsm.errors import (
    ChatError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayDivergence,
    UnreadableLogError,
)
from chatfsm.protocol import json_text
from chatfsm.protocol.commands import SubmitForm
from chatfsm.recording.entries import VERSION, Entry, Opening, entry_of, input_to_json
from chatfsm.session.effects import Effect, to_json
from chatfsm.session.inputs import Input
from chatfsm.session.session import ChatSession

__all__ = ["Journal", "Recorded", "hear_again", "verify"]


class Recorded:
    """A session that writes down all that it hears and tells; it has the session's members.

    `write` is given whole lines, each with its end: a file's `write`, say. What answers a secure
    form is not written.
    """

    def __init__(self, session: ChatSession, write: Callable[[str], object]) -> None:
        self.session = session
        self._write = write
        self._seq = 0
        self._is_open = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Let the session hear an input, and write that down; as `ChatSession.receive`."""
        if not isfinite(now):
            return self.session.receive(item, now=now)  # which refuses it
        if not self._is_open:
            self._line(self._opening(now))
            self._is_open = True
        heard = self._heard(item)
        try:
            told = self.session.receive(item, now=now)
        except ChatError as error:
            self._entry(now, heard, {"refused": str(error)})
            raise
        self._entry(now, heard, {"out": _written(item, told)})
        return told

    def _entry(self, now: float, heard: dict[str, Any], outcome: dict[str, Any]) -> None:
        self._line({"seq": self._seq, "at": now, "in": heard, **outcome})
        self._seq += 1

    def _opening(self, now: float) -> dict[str, Any]:
        session = self.session
        made = {"chatfsm": version("chatfsm"), "settings": asdict(session.settings)}
        opening: dict[str, Any] = {"journal": made, "at": now}
        if session != ChatSession(session.chat_id, settings=session.settings):
            opening["snapshot"] = session.snapshot(now=now)
        return opening

    def _heard(self, item: Input) -> dict[str, Any]:
        if isinstance(item, SubmitForm):
            plain = {form.request_id for form in self.session.forms if not form.secure}
            if item.secure or item.request_id not in plain:
                item = evolve(item, data={})
        return input_to_json(item)

    def _line(self, fields: dict[str, Any]) -> None:
        line = {"v": VERSION, "chat_id": self.session.chat_id, **fields}
        self._write(json.dumps(line, allow_nan=False) + "\n")


def hear_again(session: ChatSession, entry: Entry, where: str | None) -> list[Effect]:
    """Let a session hear what was heard, and tell what follows.

    `where`: compare it with what was told then; `ReplayDivergence` says where it differs.
    """
    before = "" if where is None else _state_of(session)
    came: object
    try:
        told = session.receive(entry.item, now=entry.at)
        came = _written(entry.item, told)
    except RemoteProtocolError as error:
        if not isinstance(entry.told, str):
            raise  # a strict session hears it now, and a lenient one did then
        told, came = [], str(error)
    except LocalProtocolError as error:
        told, came = [], str(error)
    if where is not None and came != entry.told:
        difference = _difference(entry.told, came)
        raise ReplayDivergence(where, difference, before, expected=entry.told, came=came)
    return told


def _written(item: Input, told: list[Effect]) -> list[dict[str, Any]]:
    """The effects as JSON; what the app calls secure is not in it, whatever the form is."""
    written = [to_json(effect) for effect in told]
    if isinstance(item, SubmitForm) and item.secure:
        for effect in written:
            for event in effect.get("events", ()):
                event["data"] = "(secure)"
    return written


def _difference(expected: object, came: object) -> str:
    """Which effects, or which field of one, are others than expected; quotes no content."""
    kinds = _kinds(expected), _kinds(came)
    if not isinstance(expected, list) or not isinstance(came, list) or kinds[0] != kinds[1]:
        return f"expected {kinds[0]}, came {kinds[1]}"
    [(number, one, other), *_] = [
        (number, one, other)
        for number, (one, other) in enumerate(zip(expected, came, strict=True))
        if one != other
    ]
    fields = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return f"effect {number}, {other['effect']}, differs in {', '.join(fields)}"


def _kinds(told: object) -> str:
    if not isinstance(told, list):
        return "a refusal"
    kinds = [str(effect.get("effect")) if isinstance(effect, dict) else "?" for effect in told]
    return ", ".join(kinds) or "no effects"


class Journal:
    """The sessions of a journal, as far as it was heard again."""

    def __init__(self, *, compare: bool, strict: bool = False) -> None:
        self.compares = compare
        """Whether entries are compared with what they say."""
        self._strict = strict
        self._next: dict[str, int] = {}
        self.agreed = 0
        """How many entries agreed with what they say."""

    def opens(self, opening: Opening, where: str) -> ChatSession:
        """The session that an opening makes. `UnreadableLogError` where it cannot."""
        try:
            session = opening.session(strict=self._strict)
        except (ChatError, ValueError) as error:
            raise UnreadableLogError(f"{where}: no opening of a journal: {error}") from None
        self._next[opening.chat_id] = 0
        return session

    def hears(self, session: ChatSession, entry: Entry, where: str) -> list[Effect]:
        """What follows from an entry. `ReplayDivergence` where it is not what the entry says."""
        if not self.compares:
            return hear_again(session, entry, None)
        expected = self._next.get(entry.chat_id)
        if expected is None:
            raise UnreadableLogError(f"{where}: the journal of this chat has no opening")
        if entry.seq != expected:
            raise UnreadableLogError(f"{where}: entry {entry.seq}, where {expected} should follow")
        effects = hear_again(session, entry, where)
        self._next[entry.chat_id] += 1
        self.agreed += 1
        return effects

    def is_of(self, chat_id: str) -> bool:
        """Whether a chat has an opening, so that whatever is no entry is out of place."""
        return self.compares and chat_id in self._next


def verify(lines: Iterable[str | bytes]) -> int:
    """Hear a journal again, of one chat or several, and compare; returns how many inputs agreed.

    Raises `ReplayDivergence` at the first line that does not, `UnreadableLogError` where a line
    is none of a journal's, or is missing.
    """
    sessions: dict[str, ChatSession] = {}
    journal = Journal(compare=True)
    for number, entry in _entries(lines):
        where = f"line {number}"
        if isinstance(entry, Opening):
            sessions[entry.chat_id] = journal.opens(entry, where)
        else:
            session = sessions.setdefault(entry.chat_id, ChatSession(entry.chat_id))
            journal.hears(session, entry, where)
    return journal.agreed


def _state_of(session: ChatSession) -> str:
    """What matters of a session, in a line: for the comparison that failed after it."""
    return (
        f"{session.state}, parties {[party.party_id for party in session.parties]}, "
        f"typing {[*session.typing]}, forms {[form.request_id for form in session.forms]}, "
        f"call {session.call}, outbox {session.outbox}"
    )


def _entries(lines: Iterable[str | bytes]) -> Iterator[tuple[int, Opening | Entry]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json_text.parse(line)
            entry = entry_of(value) if isinstance(value, dict) else None
        except ValueError as error:
            raise UnreadableLogError(f"line {number}: {error}") from None
        if entry is None:
            raise UnreadableLogError(f"line {number}: no line of a journal")
        yield number, entry
