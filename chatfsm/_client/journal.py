"""Journal: one session's inputs and effects, written as JSON lines while they happen.

`chatfsm.replay.journal` reads the lines and verifies them. Each chat begins with a header, which
says how its session was made: `{"v": 1, "chat_id": …, "journal": {"chatfsm": …, "settings": {…}},
"at": …, "snapshot": …}`, with the snapshot only if the session was restored, and beside the
settings the session's `"token"` if it has one. One line an input follows: `{"v": 1, "chat_id": …,
"seq": …, "at": …, "in": {"input": …}, "out": […]}`, or `"refused": why` in place of `"out"`. The
clock of `at` is that of `receive`; drivers add `"received_at"`, the time of day in seconds since
1970, to each line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, Final, cast

from attrs import asdict, evolve

from chatfsm._plain import json_safe, snake_case, to_plain
from chatfsm._session.session import ChatSession
from chatfsm._version import __version__
from chatfsm.commands import SubmitForm
from chatfsm.effects import Effect, to_json
from chatfsm.errors import ChatError, LocalProtocolError
from chatfsm.inputs import History, Input

__all__ = [
    "VERSION",
    "Journal",
    "Recorded",
    "effects_to_json",
    "input_to_json",
    "recorded",
    "stamp",
]

VERSION: Final = 1

Journal = Callable[[str], object]
"""Takes whole lines, each with its end: the `write` of a text file, for example."""


class Recorded:
    """A session that writes its inputs and effects to a journal; it has the session's members.

    The answers to secure forms are not written.
    """

    def __init__(self, session: ChatSession, write: Journal) -> None:
        self.session = session
        self._write = write
        self._seq = 0
        self._is_open = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Pass an input to the session, and write it and its effects; as `ChatSession.receive`."""
        if not isfinite(now):
            return self.session.receive(item, now=now)  # the session refuses it
        if not self._is_open:
            self._write_line(self._header(now))
            self._is_open = True
        written = self._input_json(item)
        _check_finite(written)
        try:
            effects = self.session.receive(item, now=now)
        except ChatError as error:
            self._write_entry(now, written, {"refused": str(error)})
            raise
        self._write_entry(now, written, {"out": effects_to_json(item, effects)})
        return effects

    def _write_entry(self, now: float, item: dict[str, Any], outcome: dict[str, Any]) -> None:
        self._write_line({"seq": self._seq, "at": now, "in": item, **outcome})
        self._seq += 1

    def _header(self, now: float) -> dict[str, Any]:
        session = self.session
        session_made = {"chatfsm": __version__, "settings": asdict(session.settings)}
        if session.token:
            session_made["token"] = session.token
        header: dict[str, Any] = {"journal": session_made, "at": now}
        if session != ChatSession(session.chat_id, settings=session.settings, token=session.token):
            header["snapshot"] = session.snapshot(now=now)
        return header

    def _input_json(self, item: Input) -> dict[str, Any]:
        if isinstance(item, SubmitForm):
            plain = {form.request_id for form in self.session.forms if not form.secure}
            if item.secure or item.request_id not in plain:
                item = evolve(item, data={})
        return input_to_json(item)

    def _write_line(self, fields: dict[str, Any]) -> None:
        line = {"v": VERSION, "chat_id": self.session.chat_id, **fields}
        try:
            text = json.dumps(line, allow_nan=False)
        except ValueError:  # a sum of large numbers is infinite
            text = json.dumps(json_safe(line), allow_nan=False)
        self._write(text + "\n")


def stamp(line: str, received_at: float) -> str:
    """Return a line with the time of day in seconds since 1970, which no session knows."""
    return f'{line[:1]}"received_at": {received_at!r}, {line[1:]}'


def _check_finite(written: dict[str, Any]) -> None:
    """Raise `LocalProtocolError` for an input that an app has made with a number that JSON lacks.

    `decode` returns no such event. The session has not received the input yet.
    """
    try:
        json.dumps(written, allow_nan=False)
    except ValueError:
        raise LocalProtocolError(
            f"cannot write the input {written['input']!r} to the journal: its numbers must be"
            " finite"
        ) from None


def recorded(session: ChatSession, journal: Journal | None) -> ChatSession:
    """Return the session; if there is a journal, one that writes itself down there."""
    # `Recorded` has the members of a session without being a subclass.
    return session if journal is None else cast("ChatSession", Recorded(session, journal))


def input_to_json(item: Input) -> dict[str, Any]:
    """Return an input as plain JSON: `input` names it, the other keys are its fields."""
    fields = to_plain(item)
    if isinstance(item, History):
        fields["events"] = [input_to_json(event) for event in item.events]
    if isinstance(item, SubmitForm):
        fields["data"] = json_safe(item.data)
    return {"input": snake_case(type(item)), **fields}


def effects_to_json(item: Input, effects: list[Effect]) -> list[dict[str, Any]]:
    """Return the effects as JSON, without the data of a form that the app calls secure."""
    written = [to_json(effect) for effect in effects]
    if isinstance(item, SubmitForm) and item.secure:
        for effect in written:
            for event in effect.get("events", ()):
                event["data"] = "(secure)"
    return written
