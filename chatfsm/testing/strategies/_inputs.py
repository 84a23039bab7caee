"""Typed values: events, signals, commands, and all other inputs of a session."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve
from hypothesis import strategies as st

from chatfsm import commands as c
from chatfsm import events as e
from chatfsm import inputs as i
from chatfsm import signaling as s
from chatfsm._protocol import names as wire
from chatfsm._protocol.codec import EVENTS, decode_item
from chatfsm.testing.strategies._values import made_once, message_ids, party_ids, texts
from chatfsm.testing.strategies._wire import (
    UNKNOWN_NAMES,
    hostile_wire_events,
    odd_wire_events,
    quirky_wire_events,
    wire_events,
    wire_signals,
)

__all__ = [
    "commands",
    "events",
    "hostile_events",
    "losses",
    "odd_commands",
    "odd_events",
    "quirky_events",
    "send_results",
    "signals",
    "ticks",
    "typed_event",
    "with_exact_times",
]


def typed_event(item: Any) -> Any:
    """Return the typed event of a JSON value."""
    return decode_item(item)


# Events of classes that no name of the wire has, and events of the client.
_OTHERS: Final[dict[type[Any], st.SearchStrategy[Any]]] = {
    e.ClientEvent: st.sampled_from((wire.END, wire.DISCONNECT, wire.NAVIGATION)).map(
        lambda name: typed_event({"event": name})
    ),
    e.Unknown: UNKNOWN_NAMES.map(lambda name: typed_event({"event": name, "sky": "blue"})),
    e.Malformed: st.sampled_from((None, "text", [], {}, {"event": 7}, {"event": wire.STATUS})).map(
        typed_event
    ),
}


@made_once
def events(*kinds: type[Any], ending: bool = True) -> st.SearchStrategy[Any]:
    """Return a strategy for typed events, each of a class of `chatfsm.events`.

    `kinds`: classes to draw from; all of them if there are none. `ending`: whether an event may end
    the session. Shrinks to a status.
    """
    chosen = {*kinds} or {*EVENTS.values(), *_OTHERS}
    others = [strategy for cls, strategy in _OTHERS.items() if cls in chosen]
    of_wire = tuple(sorted(chosen - _OTHERS.keys(), key=lambda cls: cls.__name__))
    if of_wire:
        plain = wire_events(*of_wire, ending=ending)
        return st.one_of(plain.map(typed_event), *others)
    return st.one_of(*others)


@made_once
def quirky_events(*kinds: type[Any], ending: bool = True) -> st.SearchStrategy[Any]:
    """Return a strategy for the typed events of `quirky_wire_events`; none is malformed."""
    return quirky_wire_events(*kinds, ending=ending).map(typed_event)


@made_once
def odd_events() -> st.SearchStrategy[Any]:
    """Return a strategy for the typed events of `odd_wire_events`; many are malformed."""
    return odd_wire_events().map(typed_event)


@made_once
def hostile_events() -> st.SearchStrategy[Any]:
    """Return a strategy for the typed events of `hostile_wire_events`; some are malformed."""
    return hostile_wire_events().map(typed_event)


@made_once
def signals() -> st.SearchStrategy[s.Signal]:
    """Return a strategy for values of `chatfsm.signaling`, of all classes.

    Fields may be None. Shrinks to a request of a call.
    """
    return wire_signals().map(
        lambda data: typed_event({"event": wire.SIGNALING, "data": data}).signal
    )


# Commands.

_SHORT: Final = st.sampled_from(("", "hello", "<b>hi</b>", "\ud800", "x" * 70))
_MAYBE: Final = st.one_of(st.none(), _SHORT)
_TARGETS: Final = st.one_of(st.none(), party_ids())
_OWN_IDS: Final = st.sampled_from(("1", "3", "5", "7", "chat-1:1", "9"))
_SESSION_CHOOSES: Final = st.none()


@made_once
def commands(
    *, msg_ids: st.SearchStrategy[str | None] = _SESSION_CHOOSES
) -> st.SearchStrategy[c.Command]:
    """Return a strategy for commands of the app, of all classes, allowed or not.

    `msg_ids`: ids of messages that the app chooses; None: the session chooses. Shrinks to a text.
    """
    named: dict[str, Any] = {"msg_id": msg_ids}
    aimed: dict[str, Any] = {"msg_id": msg_ids, "destination_party_id": _TARGETS}
    return st.one_of(
        st.builds(c.SendText, _SHORT, html=_MAYBE, **named),
        st.builds(c.SendText, st.just("hello"), **named),
        st.builds(
            c.SendFile,
            st.sampled_from(("f1", "f2")),
            st.sampled_from(("image", "attachment")),
            _MAYBE,
            **named,
        ),
        st.builds(c.SendLocation, st.integers(-90, 90), st.floats(-180, 180), **named),
        st.builds(c.SendNavigation, st.just("/page"), _MAYBE, **named),
        st.builds(c.StartTyping, _MAYBE),
        st.builds(c.StopTyping),
        st.builds(c.SubmitForm, message_ids(), st.just({"answer": "yes"})),
        st.builds(c.CancelForm, message_ids()),
        st.builds(c.MarkDelivered, message_ids()),
        st.builds(c.MarkRead, message_ids()),
        st.builds(c.Disconnect),
        st.builds(c.End),
        st.builds(c.RequestCall, video=st.booleans(), **aimed),
        st.builds(c.AnswerCall, st.just("v=0"), **named),
        st.builds(c.RejectCall, _MAYBE, **named),
        st.builds(c.SendCandidate, _SHORT, **aimed),
        st.builds(c.EndCall, **named),
        st.builds(c.RequestPhoneCall, st.just("+15550100"), **named),
        st.builds(c.RequestSms, st.just("+15550100"), **named),
        st.builds(c.CobrowsingReply, st.sampled_from(("rejected", "started", "ended")), **named),
    )


_ODD_TEXTS: Final = st.one_of(
    texts(), st.text(max_size=20), st.integers(5_000, 50_000).map(lambda length: "z" * length)
)
_ODD_IDS: Final = st.one_of(_OWN_IDS, st.just("z" * 1_000))
_ANSWERS: Final = st.dictionaries(
    _ODD_TEXTS, st.recursive(_ODD_TEXTS, st.lists, max_leaves=5), max_size=3
)


@made_once
def odd_commands() -> st.SearchStrategy[c.Command]:
    """Return a strategy for commands with odd contents: any text, very long ones, chosen ids.

    A session may refuse them, with `LocalProtocolError`. Shrinks to an empty text.
    """
    ids = st.one_of(st.none(), _ODD_IDS)
    return st.one_of(
        st.builds(c.SendText, _ODD_TEXTS, html=st.one_of(st.none(), _ODD_TEXTS), msg_id=ids),
        st.builds(c.SendText, _ODD_TEXTS, directive_id=_ODD_TEXTS),
        st.builds(c.SendFile, _ODD_IDS, st.just("image"), _ODD_TEXTS, msg_id=ids),
        st.builds(c.SendLocation, st.floats(-90, 90), st.floats(-180, 180), _ODD_TEXTS, msg_id=ids),
        st.builds(c.SendNavigation, _ODD_IDS, _ODD_TEXTS, msg_id=ids),
        st.builds(c.StartTyping, _ODD_TEXTS),
        st.builds(
            c.SubmitForm,
            st.one_of(message_ids(), _ODD_IDS),
            _ANSWERS,
            form_name=st.one_of(st.none(), _ODD_TEXTS),
            secure=st.booleans(),
        ),
        st.builds(c.CancelForm, _ODD_IDS, form_name=_ODD_TEXTS, secure=st.booleans()),
        st.builds(c.RejectCall, _ODD_TEXTS, _ODD_TEXTS, msg_id=ids, destination_party_id=_TARGETS),
        st.builds(c.SendCandidate, _ODD_TEXTS, _ODD_TEXTS, st.integers(0, 2**70), msg_id=ids),
    )


# Other inputs.


@made_once
def send_results(
    msg_ids: st.SearchStrategy[str] = _OWN_IDS,
) -> st.SearchStrategy[i.Sent | i.SendFailed]:
    """Return a strategy for results of the transport, for messages that were sent or for others.

    `msg_ids`: ids of messages. Shrinks to `Sent` without ids.
    """
    some = st.lists(msg_ids, max_size=3)
    return st.one_of(
        st.builds(i.Sent, some), st.builds(i.SendFailed, some, st.just("no"), st.booleans())
    )


def ticks() -> st.SearchStrategy[i.Tick]:
    """Return a strategy for the input that time has passed."""
    return st.just(i.Tick())


@made_once
def losses() -> st.SearchStrategy[i.Lost]:
    """Return a strategy for `Lost`, with any text of the server."""
    return st.builds(i.Lost, texts())


def with_exact_times(item: Any) -> Any:
    """Return the same input, with time limits that are multiples of a 64th of a second.

    Sums with `pauses` are then exact, also on another clock.
    """
    if isinstance(item, e.FormShow) and item.form_timeout is not None:
        return evolve(item, form_timeout=round(min(item.form_timeout, 10_000) * 64) / 64)
    if isinstance(item, i.History):
        return evolve(item, events=tuple(with_exact_times(event) for event in item.events))
    return item
