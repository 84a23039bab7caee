"""Records: pages of a history, journals, and descriptions of faults."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final, Literal, get_args

from hypothesis import strategies as st

from chatfsm import inputs as i
from chatfsm._client.journal import Recorded
from chatfsm._protocol import codec
from chatfsm._protocol import names as wire
from chatfsm._session.session import ChatSession
from chatfsm.errors import ChatError
from chatfsm.settings import Settings
from chatfsm.simulator.faults import KINDS, PRESETS, SUBJECTS, Fault, Faults
from chatfsm.testing.strategies._inputs import (
    commands,
    losses,
    odd_events,
    send_results,
    typed_event,
)
from chatfsm.testing.strategies._values import made_once, pauses, texts
from chatfsm.testing.strategies._wire import FIELDS, names_of, odd_wire_events, wire_events

__all__ = [
    "Topic",
    "fault_plans",
    "fault_specs",
    "faults",
    "histories",
    "inputs",
    "journals",
    "odd_journals",
    "past_wire_events",
    "wire_histories",
]

Topic = Literal["roster", "forms", "messages", "receipts", "service"]
"""Subject of past events."""

# Several names twice, so that they are drawn more often.
_TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "roster": (wire.PARTY_JOINED, wire.PARTY_LEFT),
    "forms": (
        *(wire.FORM_SHOW, wire.FORM_SHOW, wire.SECURE_FORM_SHOW),
        *(wire.FORM_DATA, wire.SECURE_FORM_DATA, wire.FORM_DATA_CANCEL),
        *(wire.SECURE_FORM_CANCEL, wire.MESSAGE),
    ),
    "messages": (wire.MESSAGE, wire.FILE, wire.LOCATION),
    "receipts": (wire.MESSAGE_DELIVERED, wire.MESSAGE_READ),
    "service": (wire.CASE_SET, wire.INFO),
}
_EVERYTHING: Final = tuple(name for names in _TOPICS.values() for name in names)
_PAST_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "party_id": st.sampled_from(("A", "B", "chat-1")),
    "form_request_id": st.sampled_from(("1", "2")),
    "case_id": st.sampled_from(("", "case-1", "case-2")),
    "service_name": st.sampled_from(("Bank", "Library")),
    "form_timeout": st.sampled_from((0, 30)),
    "form_name": st.sampled_from(("", "survey", "order")),
    "channel": st.just("web"),
    "first_name": st.just(""),
    "last_name": st.just(""),
    "msg": st.sampled_from(("hello", "bye")),
    "msg_text": st.none(),
    "msg_id": st.sampled_from(("1", "2", "4")),
    "type": st.sampled_from(("scenario", "internal")),
}


def past_wire_events(*topics: Topic, stamped: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for events of a history as JSON objects.

    `topics`: their subjects; all if there are none. `stamped`: whether each has a timestamp; now
    and then any event is drawn, without one. Shrinks to a party that joined.
    """
    names = tuple(name for topic in _checked(topics) for name in _TOPICS[topic])
    return _past_items(names or _EVERYTHING, stamped=stamped)


def _checked(topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
    for topic in topics:
        if topic not in _TOPICS:
            raise ValueError(f"topics must be of {', '.join(get_args(Topic))}, not {topic!a}")
    return topics


@made_once
@st.composite
def _past_items(draw: st.DrawFn, names: tuple[str, ...], *, stamped: bool) -> dict[str, Any]:
    if draw(st.integers(0, 7)) == 0:
        return draw(wire_events())
    item: dict[str, Any] = {"event": draw(st.sampled_from(names))}
    for field in names_of(codec.EVENTS[item["event"]]):
        if field not in {"timestamp", "data"}:
            item[field] = draw(_PAST_FIELDS.get(field, FIELDS.get(field, texts())))
    if stamped or draw(st.booleans()):
        item["timestamp"] = draw(st.integers(1, 9))
    return item


@made_once
def wire_histories(
    *topics: Topic, stamped: bool = True, max_size: int = 7
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for the events of a history as JSON objects, from 1 to `max_size`.

    All are about one of `topics`; without topics about any one, or about all. `stamped` as in
    `past_wire_events`. Shrinks to one party that joined.
    """
    chosen = tuple(_TOPICS[topic] for topic in _checked(topics))
    return st.sampled_from(chosen or (*_TOPICS.values(), _EVERYTHING)).flatmap(
        lambda names: st.lists(_past_items(names, stamped=stamped), min_size=1, max_size=max_size)
    )


_PAGE: Final = st.lists(st.one_of(past_wire_events(stamped=False), odd_wire_events()), max_size=5)


@made_once
@st.composite
def histories(draw: st.DrawFn) -> i.History:
    """Return a strategy for a page of a history, or all of it, with odd events among others.

    Shrinks to an empty one.
    """
    items = draw(_PAGE)
    return i.History(tuple(map(typed_event, items)), complete=draw(st.booleans()))


@made_once
def inputs() -> st.SearchStrategy[Any]:
    """Return a strategy for all inputs of a session.

    Commands and well-formed events are drawn more often than others; few end the session. Shrinks
    to a status.
    """
    plain = wire_events(ending=False).map(typed_event)
    return st.one_of(
        plain,
        plain,
        odd_events(),
        commands(),
        commands(),
        send_results(),
        histories(),
        st.just(i.Tick()),
        st.one_of(wire_events().map(typed_event), losses()),
    )


# Journals.

_SETTINGS: Final = st.sampled_from(
    (Settings(), Settings(max_ids=8, max_parties=2, max_typists=2, max_forms=2, max_candidates=2))
)


@st.composite
def journals(
    draw: st.DrawFn,
    *,
    settings: st.SearchStrategy[Settings] = _SETTINGS,
    chat_id: str = "chat-1",
    max_size: int = 10,
) -> list[str]:
    """Return a strategy for the lines of a journal, which `chatfsm.replay.verify` accepts.

    `max_size`: the most inputs of the recorded session. Shrinks to the header alone.
    """
    lines: list[str] = []
    session = Recorded(ChatSession(chat_id, settings=draw(settings)), lines.append)
    now = 0.0
    for item, pause in draw(st.lists(st.tuples(inputs(), pauses()), max_size=max_size)):
        now += pause
        with suppress(ChatError):  # a refusal is a line, too
            session.receive(item, now=now)
    return lines


@made_once
@st.composite
def odd_journals(draw: st.DrawFn) -> list[str]:
    """Return a strategy for journals with one line that is cut, changed, doubled or missing.

    `chatfsm.replay.verify` raises a `ChatError`, or accepts what is no damage.
    """
    lines = draw(_SOME_JOURNALS)
    at = draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    value = json.loads(line)
    field = draw(st.sampled_from(sorted(value)))
    changed = json.dumps(value | {field: draw(_JUNK)})
    cut = line[: draw(st.integers(0, len(line)))]
    lines[at : at + 1] = draw(st.sampled_from(([cut], [changed], [line, line], [])))
    return lines


_SOME_JOURNALS: Final = journals(max_size=5).filter(len)
_JUNK: Final[st.SearchStrategy[Any]] = st.sampled_from(
    (None, "", "x", -1, 1e300, [], {}, {"input": "tick"})
)


# Faults.


_WHEN: Final[st.SearchStrategy[dict[str, Any]]] = st.one_of(
    st.just({}),
    st.floats(1e-9, 1.0).map(lambda rate: {"rate": rate}),
    st.integers(1, 10**9).map(lambda at: {"at": at}),
)
_SECONDS: Final = st.floats(0.0, 1e6)


@made_once
@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Return a strategy for all faults that a network of the simulator can have.

    Shrinks to refused connections of every request.
    """
    kind = draw(st.sampled_from(tuple(KINDS)))
    made: dict[str, Any] = {"kind": kind}
    on = ("any", "poll", "history", "other") if kind == "duplicate" else SUBJECTS
    made["on"] = draw(st.sampled_from(on))
    made |= draw(_WHEN)
    if kind in {"status", "after"}:
        made["status"] = draw(st.integers(500 if kind == "after" else 400, 599))
        made["code"] = draw(st.sampled_from((None, "5500", "5955", "no-such.code")))
    if kind in {"delay", "late", "jump"}:
        made["seconds"] = draw(_SECONDS)
    elif kind in {"reorder", "status", "after"}:
        made["seconds"] = draw(st.none() | _SECONDS)
    return Fault(**made)


@made_once
def fault_plans(*, max_size: int = 5) -> st.SearchStrategy[Faults]:
    """Return a strategy for up to `max_size` faults, in their order. Shrinks to no fault."""
    return st.lists(faults(), max_size=max_size).map(lambda some: Faults(tuple(some)))


@made_once
def fault_specs(*, max_size: int = 5) -> st.SearchStrategy[str]:
    """Return a strategy for texts of faults, as `--faults` takes them; `Faults.parse` reads them.

    Names of presets are among them. Shrinks to the empty text.
    """
    return st.one_of(fault_plans(max_size=max_size).map(str), st.sampled_from(sorted(PRESETS)))
