"""Coverage: which states, transitions, events and effects a set of recorded logs exercises.

>>> from chatfsm.replay.coverage import coverage_of
>>> coverage = coverage_of(["tests/logs/call.jsonl", "tests/logs/transfer.jsonl"])
>>> for section in coverage.sections(["call", "events"]):
...     print(section.name, section.exercised, "of", section.total)
call states 4 of 6
call transitions 3 of 26
events 13 of 28
>>> coverage.sections(["call"])[1].missing[0]
('request_call', 'idle', 'requested')

The parts are the state machines that a log can move (`lifecycle`, `form`, `call`, `delivery`), the
events, and the effects. What the app did is in journals only: logs of the server have no delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Final, get_args

from attrs import define, field, frozen

from chatfsm import commands
from chatfsm._session import tables
from chatfsm._session.calls import TRIGGERS
from chatfsm._session.session import ChatSession
from chatfsm._statemachine import Row, TransitionTable
from chatfsm.effects import CallChanged, Effect, FormClosed, FormOpened, StateChanged
from chatfsm.events import Event, FormData
from chatfsm.inputs import History, Input
from chatfsm.replay import COVERAGE_PARTS
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.sources import Source
from chatfsm.replay.stream_replay import ReplayedChat, replay_logs
from chatfsm.settings import Settings

__all__ = ["Coverage", "Section", "coverage_of"]

_MACHINES: Final[Mapping[str, TransitionTable]] = {
    table.name: table for table in (tables.LIFECYCLE, tables.FORM, tables.CALL, tables.DELIVERY)
}
_ROWS: Final[Mapping[str, tuple[Row, ...]]] = {
    name: tuple(
        (trigger, source, destination)
        for source, row in table.moves.items()
        for trigger, destination in row.items()
    )
    for name, table in _MACHINES.items()
}
_BETWEEN: Final = {
    (name, source, destination): trigger
    for name in ("lifecycle", "delivery")
    for trigger, source, destination in _ROWS[name]
}
"""The one trigger between two states of these machines."""
_FORM_TRIGGERS: Final = {reason: trigger for trigger, _, reason in reversed(_ROWS["form"])}
"""Reason of a `FormClosed` → its trigger; "submitted" has another one, for texts."""
_WORDS: Final = {"events": Event, "effects": Effect}
_CLASSES: Final = {
    part: {cls.__name__: cls for cls in get_args(union)} for part, union in _WORDS.items()
}


@frozen
class Section:
    """The items of one kind in one part, each with the number of times that logs exercise it."""

    part: str
    """One of `chatfsm.replay.COVERAGE_PARTS`."""
    kind: str
    """states, transitions, events or effects."""
    counts: Mapping[Any, int]
    """Number of times by name; of a transition by its row: trigger, source and destination."""

    @property
    def name(self) -> str:
        """Part and kind, as a heading."""
        return self.kind if self.part == self.kind else f"{self.part} {self.kind}"

    @property
    def total(self) -> int:
        """Number of all that there is."""
        return len(self.counts)

    @property
    def exercised(self) -> int:
        """Number of those that the logs exercise."""
        return self.total - len(self.missing)

    @property
    def missing(self) -> list[Any]:
        """Those that the logs do not exercise."""
        return [name for name, count in self.counts.items() if count == 0]


@define
class _SeenChat:
    """A chat as it was after the step before."""

    session: ChatSession
    outbox: dict[str, Any]


@define
class Coverage:
    """Coverage by logs, added up step by step: `add` is an `on_step` of `replay_logs`.

    A duplicate or a late event is an effect only in sessions with `Settings(explain=True)`.
    """

    chats: int = 0
    """Number of finished chats."""
    states: Counter[tuple[str, str]] = field(factory=Counter)
    """Number of times that a machine entered a state, or began in it: by machine and state."""
    transitions: Counter[tuple[str, Row]] = field(factory=Counter)
    """Number of transitions, by machine and row."""
    events: Counter[type] = field(factory=Counter)
    """Number of events of each class."""
    effects: Counter[type] = field(factory=Counter)
    """Number of effects of each class."""
    _seen: dict[ReplayedChat, _SeenChat] = field(factory=dict, init=False, repr=False)

    def add(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Add a step of a chat."""
        session, item = chat.session, step.item
        known = self._seen.get(chat)
        if known is None or known.session is not session:
            known = self._seen[chat] = _SeenChat(session, self._start(session, step.effects))
        if item is not None:
            self.events.update(_event_classes(item))
        for effect in step.effects:
            self.effects[type(effect)] += 1
            self._add_effect(effect, item)
        if session.outbox or known.outbox:
            outbox = session.outbox
            self._add_deliveries(known.outbox, outbox)
            known.outbox = outbox
        if isinstance(item, commands.SendCandidate) and step.effects:  # not refused
            self._move("call", TRIGGERS[type(item)], session.call, session.call)

    def finish(self, chat: ReplayedChat) -> None:
        """Count a chat that is finished, and forget it."""
        self.chats += 1
        self._seen.pop(chat, None)

    def counts(self) -> dict[str, Any]:
        """Return all that is counted as JSON values, for `merge`."""
        return {
            "chats": self.chats,
            "states": [[*key, count] for key, count in self.states.items()],
            "transitions": [[key, *row, n] for (key, row), n in self.transitions.items()],
            "events": {cls.__name__: count for cls, count in self.events.items()},
            "effects": {cls.__name__: count for cls, count in self.effects.items()},
        }

    def merge(self, counts: dict[str, Any]) -> None:
        """Add what `counts` of another one returned."""
        self.chats += counts["chats"]
        for machine, state, count in counts["states"]:
            self.states[machine, state] += count
        for machine, trigger, source, destination, count in counts["transitions"]:
            self.transitions[machine, (trigger, source, destination)] += count
        for part, counter in (("events", self.events), ("effects", self.effects)):
            for name, count in counts[part].items():
                counter[_CLASSES[part][name]] += count

    def sections(self, parts: Iterable[str] = COVERAGE_PARTS) -> list[Section]:
        """Return the parts, kind by kind."""
        found: list[Section] = []
        for part in COVERAGE_PARTS:
            if part not in parts:
                continue
            if part in _MACHINES:
                states = {state: self.states[part, state] for state in _MACHINES[part].states}
                rows = {row: self.transitions[part, row] for row in _ROWS[part]}
                found += [Section(part, "states", states), Section(part, "transitions", rows)]
            else:
                union, counter = _WORDS[part], getattr(self, part)
                words = {cls.__name__: counter[cls] for cls in get_args(union)}
                found.append(Section(part, part, words))
        return found

    def percent(self, parts: Iterable[str] = COVERAGE_PARTS) -> float:
        """Return how much of the parts is exercised, from 0 to 100."""
        sections = self.sections(parts)
        total = sum(section.total for section in sections)
        return 100.0 * sum(section.exercised for section in sections) / total

    def to_json(self, parts: Iterable[str] = COVERAGE_PARTS) -> dict[str, Any]:
        """Return the parts as plain JSON: what is missing has the count 0."""
        plain: dict[str, Any] = {"chats": self.chats, "percent": round(self.percent(parts), 1)}
        for section in self.sections(parts):
            if section.part == section.kind:
                plain[section.part] = dict(section.counts)
                continue
            counts = section.counts
            plain.setdefault(section.part, {})[section.kind] = (
                dict(counts)
                if section.kind == "states"
                else [
                    {"trigger": trigger, "source": source, "destination": to, "count": count}
                    for (trigger, source, to), count in counts.items()
                ]
            )
        return plain

    def _start(self, session: ChatSession, effects: Sequence[Effect]) -> dict[str, Any]:
        """Count the states that a session began in, before the effects of its first step.

        Returns its outbox: a restored session has messages of before.
        """
        moved = {type(effect): effect for effect in reversed(effects)}
        began = getattr(moved.get(StateChanged), "previous", session.state)
        self.states["lifecycle", began] += 1
        self.states["call", getattr(moved.get(CallChanged), "previous", session.call)] += 1
        outbox = dict(session.outbox)
        self.states.update(("delivery", state) for state in outbox.values())
        return outbox

    def _add_effect(self, effect: Effect, item: Input | None) -> None:
        match effect:
            case StateChanged(previous=source, state=destination):
                trigger = _BETWEEN["lifecycle", source, destination]
                self._move("lifecycle", trigger, source, destination)
            case CallChanged(previous=source, state=destination):
                cause = getattr(item, "signal", item)
                self._move("call", TRIGGERS.get(type(cause), "termination"), source, destination)
            case FormOpened():
                self.states["form", tables.FORM.initial] += 1
            case FormClosed(form=form, reason=reason):
                trigger = _FORM_TRIGGERS[reason]
                if reason == "submitted" and not _has_answer(item, form.request_id):
                    trigger = "message"
                self._move("form", trigger, tables.FORM.initial, reason)

    def _add_deliveries(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        initial = tables.DELIVERY.initial
        for msg_id, destination in after.items():
            if msg_id not in before:
                self.states["delivery", initial] += 1
            source = before.get(msg_id, initial)
            if source != destination:
                trigger = _BETWEEN["delivery", source, destination]
                self._move("delivery", trigger, source, destination)

    def _move(self, machine: str, trigger: str, source: str, destination: str) -> None:
        self.transitions[machine, (trigger, source, destination)] += 1
        if source != destination:
            self.states[machine, destination] += 1


def coverage_of(
    names: Iterable[str | PathLike[str] | Source], *, default_chat_id: str | None = None
) -> Coverage:
    """Return the coverage of recorded files (`-`: standard input).

    `default_chat_id`: the chat of events that name none. Raises `UnreadableLogError`.
    """
    coverage = Coverage()
    settings = Settings(explain=True)
    for chat in replay_logs(
        names, settings=settings, default_chat_id=default_chat_id, on_step=coverage.add
    ):
        coverage.finish(chat)
    return coverage


def _event_classes(item: Input) -> list[type]:
    """Return the classes of the events in an input: its own, or those of a history."""
    found = item.events if isinstance(item, History) else (item,)
    return [type(one) for one in found if isinstance(one, get_args(Event))]


def _has_answer(item: Input | None, request_id: str) -> bool:
    """Whether an input has the answer to this form, and not a text to a prompt."""
    answers = (FormData, commands.SubmitForm)
    found = item.events if isinstance(item, History) else (item,)
    return any(
        isinstance(one, answers) and getattr(one, "form_request_id", request_id) == request_id
        for one in found
    )
