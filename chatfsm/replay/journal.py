"""What a session hears and tells, written as it happens, and heard again to compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, Final, cast

from attrs import evolve, frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

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

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal", tag_generator=snake_case)
configure_tagged_union(Event, _converter, tag_name="input", tag_generator=snake_case)
configure_tagged_union(Input, _converter, tag_name="input", tag_generator=snake_case)


def input_from_json(value: object) -> Input:
    """What `input_to_json` wrote. Raises whatever cattrs raises where it is none."""
    # A union is no class, but cattrs takes it for one.
    item: Input = _converter.structure(value, cast("type[Any]", Input))
    return item


@frozen
class JournalHeader:
    """The line that a chat's journal begins with."""

    chat_id: str
    at: float
    settings: Settings
    snapshot: object
    """None where the session was new."""

    @property
    def timestamp(self) -> float:
        """The time of it, on the session's clock."""
        return self.at

    def open_session(self, *, strict: bool = False) -> ChatSession:
        """The session as it was then; `strict`: in any case a strict one."""
        settings = evolve(self.settings, strict=strict or self.settings.strict)
        if self.snapshot is None:
            return ChatSession(self.chat_id, settings=settings)
        return ChatSession.restore(self.snapshot, settings=settings, now=self.at)


@frozen
class JournalEntry:
    """One input that was heard, and what was told then."""

    chat_id: str
    seq: int
    at: float
    item: Input
    outcome: object
    """The effects as JSON, or the text of a refusal."""

    @property
    def timestamp(self) -> float:
        """The time of it, on the session's clock."""
        return self.at


class InconsistentJournalError(UnreadableLogError):
    """A journal's line that does not follow from the lines before it; only its chat is affected."""


class JournalLineError(ValueError):
    """A line that calls itself one of a journal's, and cannot be used."""


def parse_journal_line(value: dict[str, Any]) -> JournalHeader | JournalEntry | None:
    """What a parsed line of a journal says; None where it is no line of a journal.

    Raises `JournalLineError` where it is one, but cannot be used.
    """
    if "v" not in value or not ({"journal", "in"} & value.keys()):
        return None
    if value["v"] != VERSION:
        raise JournalLineError(f"version {value['v']!a} of a journal, not {VERSION}")
    try:
        chat_id, at = str(value["chat_id"]), float(value["at"])
        if not chat_id or not isfinite(at):
            raise ValueError  # noqa: TRY301  # as everything else that cannot be used
        if "journal" in value:
            settings = _converter.structure(value["journal"]["settings"], Settings)
            return JournalHeader(chat_id, at, settings, value.get("snapshot"))
        item = input_from_json(value["in"])
        return JournalEntry(
            chat_id,
            int(value["seq"]),
            at,
            item,
            value["refused"] if "refused" in value else value["out"],
        )
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise JournalLineError(f"no line of a journal: {type(error).__name__}") from None


def rerun(session: ChatSession, entry: JournalEntry, where: str | None) -> list[Effect]:
    """Let a session hear what was heard, and tell what follows.

    `where`: compare it with what was told then; `ReplayDivergence` says where it differs.
    """
    before = "" if where is None else _state_summary(session)
    outcome: object
    try:
        effects = session.receive(entry.item, now=entry.at)
        outcome = effects_to_json(entry.item, effects)
    except RemoteProtocolError as error:
        if not isinstance(entry.outcome, str):
            raise  # a strict session hears it now, and a lenient one did then
        effects, outcome = [], str(error)
    except LocalProtocolError as error:
        effects, outcome = [], str(error)
    if where is not None and outcome != entry.outcome:
        difference = _difference(entry.outcome, outcome)
        raise ReplayDivergence(where, difference, before, expected=entry.outcome, came=outcome)
    return effects


def _difference(expected: object, actual: object) -> str:
    """Which effects, or which field of one, are others than expected; quotes no content."""
    kinds = _effect_names(expected), _effect_names(actual)
    if not isinstance(expected, list) or not isinstance(actual, list) or kinds[0] != kinds[1]:
        return f"expected {kinds[0]}, came {kinds[1]}"
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
    """The sessions of a journal, as far as it was heard again."""

    def __init__(self, *, compare: bool, strict: bool = False) -> None:
        self.compares = compare
        """Whether entries are compared with what they say."""
        self._strict = strict
        self._next: dict[str, int] = {}
        self.verified = 0
        """How many entries agreed with what they say."""

    def open_session(self, header: JournalHeader, where: str) -> ChatSession:
        """The session that an opening makes. `UnreadableLogError` where it cannot."""
        try:
            session = header.open_session(strict=self._strict)
        except (ChatError, ValueError) as error:
            raise InconsistentJournalError(f"{where}: no opening of a journal: {error}") from None
        self._next[header.chat_id] = 0
        return session

    def verify_entry(self, session: ChatSession, entry: JournalEntry, where: str) -> list[Effect]:
        """What follows from an entry. `ReplayDivergence` where it is not what the entry says."""
        if not self.compares:
            return rerun(session, entry, None)
        expected = self._next.get(entry.chat_id)
        if expected is None:
            raise InconsistentJournalError(f"{where}: the journal of this chat has no opening")
        if entry.seq != expected:
            raise InconsistentJournalError(
                f"{where}: entry {entry.seq}, where {expected} should follow"
            )
        effects = rerun(session, entry, where)
        self._next[entry.chat_id] += 1
        self.verified += 1
        return effects

    def has_chat(self, chat_id: str) -> bool:
        """Whether a chat has an opening, so that whatever is no entry is out of place."""
        return self.compares and chat_id in self._next


def verify(lines: Iterable[str | bytes]) -> int:
    """Hear a journal again, of one chat or several, and compare; returns how many inputs agreed.

    Raises `ReplayDivergence` at the first line that does not, `UnreadableLogError` where a line
    is none of a journal's, or is missing.
    """
    sessions: dict[str, ChatSession] = {}
    journal = JournalReplay(compare=True)
    for number, entry in _entries(lines):
        where = f"line {number}"
        if isinstance(entry, JournalHeader):
            sessions[entry.chat_id] = journal.open_session(entry, where)
        else:
            session = sessions.setdefault(entry.chat_id, ChatSession(entry.chat_id))
            journal.verify_entry(session, entry, where)
    return journal.verified


def _state_summary(session: ChatSession) -> str:
    """What matters of a session, in a line: for the comparison that failed after it."""
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
            raise UnreadableLogError(f"line {number}: no line of a journal")
        yield number, entry
