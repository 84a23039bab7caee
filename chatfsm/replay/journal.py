"""Journal: the inputs and effects of a session, recorded as they happen, and verified by a rerun.

A journal is JSON lines. The first line of each chat is its header, which tells how its session was
made: `{"v": 1, "chat_id": …, "journal": {"chatfsm": …, "settings": {…}}, "at": …, "snapshot": …}`,
with a snapshot only if the session had received inputs before. Then comes one entry per input:
`{"v": 1, "chat_id": …, "seq": …, "at": …, "in": {"input": …}, "out": […]}`, with `"refused": why`
in place of `"out"` if the session refused it. A line of a driver also has `received_at`, the time
of day in seconds since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import isfinite
from typing import Any, Final, cast

from attrs import evolve, frozen
from cattrs import Converter

from chatfsm._client.journal import VERSION, Recorded, effects_to_json, input_to_json
from chatfsm._plain import snake_case
from chatfsm._protocol import json_input
from chatfsm._session.session import ChatSession
from chatfsm.effects import Effect
from chatfsm.errors import (
    ChatError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayDivergence,
    UnreadableLogError,
)
from chatfsm.events import Event
from chatfsm.inputs import Input
from chatfsm.settings import Settings
from chatfsm.signaling import Signal

__all__ = [
    "VERSION",
    "InconsistentJournalError",
    "JournalEntry",
    "JournalHeader",
    "JournalLineError",
    "JournalReplay",
    "Recorded",
    "input_from_json",
    "input_to_json",
    "parse_journal_line",
    "rerun",
    "verify",
]

# Stands for the next seq of a chat whose journal was found to be inconsistent.
_GIVEN_UP: Final = -1


@cache
def _converter() -> Converter:
    """The converter of inputs and settings, made for the first line of a journal.

    Making it takes a fifth of the start of `chatfsm replay`, and most logs are no journals.
    """
    from cattrs.strategies import configure_tagged_union  # noqa: PLC0415  # for this alone

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
    converter.register_structure_hook(float, lambda value, _cls: _finite(value))
    configure_tagged_union(Signal, converter, tag_name="signal", tag_generator=snake_case)
    configure_tagged_union(Event, converter, tag_name="input", tag_generator=snake_case)
    configure_tagged_union(Input, converter, tag_name="input", tag_generator=snake_case)
    return converter


def _finite(value: Any) -> float:
    """Return a number. Raises ValueError for one that no journal can hold."""
    number = float(value)
    if not isfinite(number):
        raise ValueError("a number must be finite")
    return number


def input_from_json(value: object) -> Input:
    """Return the input that `input_to_json` wrote. Raises the errors of cattrs if it is none."""
    # cattrs accepts a union, which is not a class.
    item: Input = _converter().structure(value, cast("type[Any]", Input))
    return item


@frozen
class JournalHeader:
    """The first line of a chat's journal: how its session was made."""

    chat_id: str
    """Id of the session's chat."""
    at: float
    """Time at which the journal began, in seconds on the clock of the session."""
    settings: Settings
    """Settings of the session, with which it is replayed."""
    snapshot: object
    """Snapshot of the session; None if it was new."""
    token: str = ""
    """Token of the session's message ids."""
    received_at: float | None = None
    """Time of day in seconds since 1970; None if the line has none."""

    @property
    def timestamp(self) -> float:
        """Time of the line: `at`, under the name that events have."""
        return self.at

    def open_session(self, *, strict: bool = False) -> ChatSession:
        """Make the session; `strict`: strict even if the recorded one was not."""
        settings = evolve(self.settings, strict=strict or self.settings.strict)
        if self.snapshot is None:
            return ChatSession(self.chat_id, settings=settings, token=self.token)
        return ChatSession.restore(self.snapshot, settings=settings, now=self.at)


@frozen
class JournalEntry:
    """One input of a journal, and its recorded outcome."""

    chat_id: str
    """Id of the session's chat."""
    seq: int
    """Number of the input in the journal of its session, from 0."""
    at: float
    """Time of the input, in seconds on the clock of the session."""
    item: Input
    """The input that the session received."""
    outcome: object
    """The effects as JSON, or the text of a refusal."""
    received_at: float | None = None
    """Time of day in seconds since 1970; None if the line has none."""

    @property
    def timestamp(self) -> float:
        """Time of the line: `at`, under the name that events have."""
        return self.at


class InconsistentJournalError(UnreadableLogError):
    """A journal's line that does not follow from the lines before it; only its chat is affected."""

    chat: tuple[str, str] | None = None
    """The key of the chat in a replay of many."""


class JournalLineError(ValueError):
    """A line has the form of a journal's line, and cannot be used."""


def parse_journal_line(value: dict[str, Any]) -> JournalHeader | JournalEntry | None:
    """Return the journal line that a parsed line is; None if it is not one.

    Raises `JournalLineError` if it is one that cannot be used.
    """
    if "v" not in value or not ({"journal", "in"} & value.keys()):
        return None
    if value["v"] != VERSION:
        raise JournalLineError(f"the version of a journal must be {VERSION}, not {value['v']!a}")
    try:
        chat_id, at = str(value["chat_id"]), float(value["at"])
        received_at = None if value.get("received_at") is None else float(value["received_at"])
        if not chat_id or not isfinite(at) or not isfinite(received_at or 0.0):
            raise ValueError  # noqa: TRY301  # handled like all other errors of the line
        if "journal" in value:
            settings = _converter().structure(value["journal"]["settings"], Settings)
            token = value["journal"].get("token", "")
            return JournalHeader(chat_id, at, settings, value.get("snapshot"), token, received_at)
        item = input_from_json(value["in"])
        return JournalEntry(
            chat_id,
            int(value["seq"]),
            at,
            item,
            value["refused"] if "refused" in value else value["out"],
            received_at,
        )
    except Exception as error:  # noqa: BLE001  # cattrs passes on any error of a class
        raise JournalLineError(f"not a usable line of a journal: {type(error).__name__}") from None


def rerun(session: ChatSession, entry: JournalEntry, where: str | None) -> list[Effect]:
    """Feed the input of an entry to a session and return the effects.

    `where`: place of the entry, to compare the outcome with the recorded one. Raises
    `ReplayDivergence` if they differ. None: do not compare.
    """
    before = "" if where is None else _state_summary(session)
    outcome: object
    try:
        effects = session.receive(entry.item, now=entry.at)
        outcome = effects_to_json(entry.item, effects)
    except RemoteProtocolError as error:
        if not isinstance(entry.outcome, str):
            raise  # the session is strict, and the recorded one was not
        effects, outcome = [], str(error)
    except LocalProtocolError as error:
        effects, outcome = [], str(error)
    if where is not None and outcome != entry.outcome:
        difference = _difference(entry.outcome, outcome)
        raise ReplayDivergence(where, difference, before, expected=entry.outcome, came=outcome)
    return effects


def _difference(expected: object, actual: object) -> str:
    """Name the effects, or the fields of one, that differ; without their content."""
    kinds = _effect_names(expected), _effect_names(actual)
    if not isinstance(expected, list) or not isinstance(actual, list) or kinds[0] != kinds[1]:
        return f"expected {kinds[0]}, got {kinds[1]}"
    [(number, old, new), *_] = [
        (number, one, other)
        for number, (one, other) in enumerate(zip(expected, actual, strict=True))
        if one != other
    ]
    fields = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return f"effect {number}, {new['effect']}, differs in {', '.join(fields)}"


def _effect_names(outcome: object) -> str:
    if not isinstance(outcome, list):
        return "a refusal"
    kinds = [str(effect.get("effect")) if isinstance(effect, dict) else "?" for effect in outcome]
    return ", ".join(kinds) or "no effects"


class JournalReplay:
    """Replays journals of one or many chats, and compares them if asked to.

    A line that does not follow from those before it is reported to `on_inconsistent`, and its chat
    is replayed without comparing, up to its next header. Without the callback the error is raised.
    """

    def __init__(self, *, compare: bool, strict: bool = False) -> None:
        self.compares = compare
        """Whether the outcome of each entry is compared with the recorded one."""
        self.on_inconsistent: Callable[[InconsistentJournalError], object] | None = None
        self._strict = strict
        self.next_entries: dict[str, int] = {}
        """The seq of the next entry of each chat with a header; `_GIVEN_UP`: it is not compared."""
        self.agreed: Counter[str] = Counter()
        """Number of entries whose outcome agrees, by chat."""

    @property
    def verified(self) -> int:
        """Number of entries whose outcome agrees, of all chats."""
        return self.agreed.total()

    def open_session(self, header: JournalHeader, where: str) -> ChatSession | None:
        """Make the session of a header; None if it cannot be made, which is reported."""
        try:
            session = header.open_session(strict=self._strict)
        except (ChatError, ValueError) as error:
            key = ("", header.chat_id)
            self.give_up(key, f"{where}: not a usable journal header: {error}")
            return None
        self.next_entries[header.chat_id] = 0
        return session

    def verify_entry(self, session: ChatSession, entry: JournalEntry, where: str) -> list[Effect]:
        """Feed an entry to its session and return the effects.

        If entries are compared, raises `ReplayDivergence` if the outcome differs, and reports a
        chat without a header, and a missing entry.
        """
        expected = self.next_entries.get(entry.chat_id)
        if self.compares and expected not in {entry.seq, _GIVEN_UP}:
            why = "the journal of this chat has no header"
            if expected is not None:
                why = f"the next entry must have seq {expected}, not {entry.seq}"
            self.give_up(("", entry.chat_id), f"{where}: {why}")
            expected = _GIVEN_UP
        if not self.compares or expected == _GIVEN_UP:
            return rerun(session, entry, None)
        effects = rerun(session, entry, where)
        self.next_entries[entry.chat_id] += 1
        self.agreed[entry.chat_id] += 1
        return effects

    def has_chat(self, chat_id: str) -> bool:
        """Whether entries of this chat are compared: all its lines must be entries."""
        return self.compares and self.next_entries.get(chat_id, _GIVEN_UP) != _GIVEN_UP

    def give_up(self, key: tuple[str, str], what: str) -> None:
        """Report a chat, and compare no further entries of it, up to its next header.

        Raises `InconsistentJournalError` without `on_inconsistent`.
        """
        if self.on_inconsistent is None:
            raise InconsistentJournalError(what)
        rest = ": the rest of this chat is not verified" if self.compares else ""
        error = InconsistentJournalError(what + rest)
        error.chat = key
        self.next_entries[key[1]] = _GIVEN_UP
        self.on_inconsistent(error)


def verify(lines: Iterable[str | bytes]) -> int:
    """Replay a journal of one chat or many, compare, and return the number of entries.

    Raises `ReplayDivergence` at the first entry whose outcome differs, and `UnreadableLogError` if
    a line is not a journal's, or is missing.
    """
    sessions: dict[str, ChatSession] = {}
    journal = JournalReplay(compare=True)
    for number, entry in _entries(lines):
        where = f"line {number}"
        if isinstance(entry, JournalHeader):
            session = journal.open_session(entry, where)
            if session is not None:
                sessions[entry.chat_id] = session
        else:
            session = sessions.setdefault(entry.chat_id, ChatSession(entry.chat_id))
            try:
                journal.verify_entry(session, entry, where)
            except RemoteProtocolError as error:
                before = _state_summary(session)
                raise ReplayDivergence(
                    where,
                    "expected effects, got a violation",
                    before,
                    expected=entry.outcome,
                    came=str(error),
                ) from None
    return journal.verified


def _state_summary(session: ChatSession) -> str:
    """The state of a session in one line, for the error text of a divergence."""
    return (
        f"{session.state}, parties {[party.party_id for party in session.parties]}, "
        f"typing {[*session.typing]}, forms {[form.request_id for form in session.forms]}, "
        f"call {session.call}, outbox {session.outbox}"
    )


def _entries(lines: Iterable[str | bytes]) -> Iterator[tuple[int, JournalHeader | JournalEntry]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json_input.parse(line)
            entry = parse_journal_line(value) if isinstance(value, dict) else None
        except ValueError as error:
            raise UnreadableLogError(f"line {number}: {error}") from None
        if entry is None:
            raise UnreadableLogError(f"line {number}: not a line of a journal")
        yield number, entry
