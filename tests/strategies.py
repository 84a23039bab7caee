"""Hypothesis strategies for inputs of a session: from the server, the app and the transport."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from chatfsm import commands, events, inputs
from chatfsm._protocol import codec
from chatfsm._protocol.codec import decode_item

# Few of each, so that ids repeat.
PARTIES = ("A", "B", "C", "CHAT-1", "chat-1")
IDS = ("1", "2", "3", "4", "5", "6")
TEXTS = ("", "hello", "<b>hello</b>", "x" * 65, "y" * 65, "\0", "~", "\ud800")

party_ids = st.sampled_from(PARTIES)
msg_ids = st.sampled_from(IDS)
texts = st.sampled_from(TEXTS)
stamps = st.one_of(st.integers(0, 200), st.integers(0, 200).map(str), st.none())
states = st.sampled_from(
    ("establishing", "ivr", "queued", "connecting", "connected", "completed", "parked")
)
signal_types = st.sampled_from(tuple(name for name in codec.SIGNALS if name))

odd_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.just(10**400),
        st.just("9" * 5_000),
        st.just("z" * 2_000),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "party_id": party_ids,
    "session_id": party_ids,
    "msg_id": msg_ids,
    "ref_msg_id": msg_ids,
    "form_request_id": msg_ids,
    "file_id": msg_ids,
    "form_timeout": st.integers(0, 60),
    "form_name": st.sampled_from(("", "survey")),
    "msg": texts,
    "msg_text": texts,
    "timestamp": stamps,
    "ewt": st.sampled_from(("", "0", "10", 5)),
    "type": st.sampled_from(("scenario", "internal", "external", "msteams", "new")),
    "display_name": st.sampled_from(("Ann", "Ben", "")),
    "data": st.one_of(
        st.fixed_dictionaries({"type": signal_types}),
        st.fixed_dictionaries({"type": st.just("ICE_CANDIDATE"), "candidate": texts}),
    ),
}


@cache
def names_of(cls: type) -> tuple[str, ...]:
    """Names of the fields of an event on the wire."""
    return tuple(name for read in codec.SCHEMAS[cls] for name in read.names if name != "event")


# Strategies are made once, here and below: making one for each event takes longer than
# drawing from it.
_known = [(name, cls.__name__) for name, cls in codec.EVENTS.items() if cls in codec.SCHEMAS]
_all_names = st.sampled_from([name for name, _ in _known])
_names_that_end_nothing = st.sampled_from(
    [name for name, kind in _known if kind not in {"Ended", "InactivityTimeout"}]
)
_all_states = st.one_of(states, st.just("failed"))


@cache
@st.composite
def valid_items(draw: st.DrawFn, *, ending: bool = True) -> dict[str, Any]:
    """A well-formed event; `ending`: it may be one that ends the session."""
    name = draw(_all_names if ending else _names_that_end_nothing)
    item: dict[str, Any] = {"event": name}
    for field in names_of(codec.EVENTS[name]):
        if field == "state":
            item[field] = draw(_all_states if ending else states)
        else:
            item[field] = draw(FIELDS.get(field, texts))
    return item


_odd_fields = st.dictionaries(st.text(max_size=3), odd_values, max_size=2)


@cache
def _some_of(fields: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(fields), max_size=2, unique=True)


@cache
@st.composite
def odd_items(draw: st.DrawFn) -> Any:
    """An event with missing, invalid or unknown fields, or an item that is no event."""
    if draw(st.integers(0, 9)) == 0:
        return draw(odd_values)
    item = draw(valid_items(ending=False))
    for field in draw(_some_of(tuple(sorted(item)))):
        if draw(st.booleans()):
            del item[field]
        else:
            item[field] = draw(odd_values)
    item |= draw(_odd_fields)
    return item


# Times whose values and differences are exact floats: multiples of a 64th of a second.
moments = st.integers(0, 64 * 50).map(lambda ticks: ticks / 64)

_short = st.sampled_from(("", "hello", "<b>hi</b>", "\ud800", "x" * 70))
_own_ids = st.sampled_from(("1", "3", "5", "7", "chat-1:1", "9"))
_targets = st.one_of(st.none(), party_ids)

any_commands: st.SearchStrategy[commands.Command] = st.one_of(
    st.builds(commands.SendText, _short, html=st.one_of(st.none(), _short)),
    st.builds(commands.SendText, st.just("hello")),
    st.builds(
        commands.SendFile,
        st.sampled_from(("f1", "f2")),
        st.sampled_from(("image", "attachment")),
        st.one_of(st.none(), _short),
    ),
    st.builds(commands.SendLocation, st.integers(-90, 90), st.floats(-180, 180)),
    st.builds(commands.SendNavigation, st.just("/page"), st.one_of(st.none(), _short)),
    st.builds(commands.StartTyping, st.one_of(st.none(), _short)),
    st.builds(commands.StopTyping),
    st.builds(commands.SubmitForm, msg_ids, st.just({"answer": "yes"})),
    st.builds(commands.CancelForm, msg_ids),
    st.builds(commands.MarkDelivered, msg_ids),
    st.builds(commands.MarkRead, msg_ids),
    st.builds(commands.Disconnect),
    st.builds(commands.End),
    st.builds(commands.RequestCall, video=st.booleans(), destination_party_id=_targets),
    st.builds(commands.AnswerCall, st.just("v=0")),
    st.builds(commands.RejectCall, st.one_of(st.none(), _short)),
    st.builds(commands.SendCandidate, _short, destination_party_id=_targets),
    st.builds(commands.EndCall),
    st.builds(commands.RequestPhoneCall, st.just("+15550100")),
    st.builds(commands.RequestSms, st.just("+15550100")),
    st.builds(commands.CobrowsingReply, st.sampled_from(("rejected", "started", "ended"))),
)
"""Commands of the app, allowed or not."""

send_results: st.SearchStrategy[inputs.Sent | inputs.SendFailed] = st.one_of(
    st.builds(inputs.Sent, st.lists(_own_ids, max_size=3)),
    st.builds(inputs.SendFailed, st.lists(_own_ids, max_size=3), st.just("no"), st.booleans()),
)
"""Results of the transport, for messages that were sent or for others."""

# Past events by topic, so that the events of one list concern the same thing.
TOPICS = {
    "roster": ("chat_session_party_joined", "chat_session_party_left"),
    "forms": (
        *("chat_session_form_show", "chat_session_form_show", "chat_session_secure_form_show"),
        *("chat_session_form_data", "chat_session_secure_form_data", "chat_form_data_cancel"),
        *("chat_session_secure_form_cancel", "chat_session_message"),
    ),
    "messages": ("chat_session_message", "chat_session_file", "chat_session_location"),
    "receipts": ("chat_session_message_delivered", "chat_session_message_read"),
    "service": ("chat_session_case_set", "chat_session_info"),
}
EVERYTHING = tuple(name for names in TOPICS.values() for name in names)


@cache
@st.composite
def past_items(
    draw: st.DrawFn, names: tuple[str, ...] = EVERYTHING, *, stamped: bool = True
) -> dict[str, Any]:
    """An event of a history; `stamped`: it has a timestamp."""
    if draw(st.integers(0, 7)) == 0:
        return draw(valid_items())
    item: dict[str, Any] = {"event": draw(st.sampled_from(names))}
    for field in names_of(codec.EVENTS[item["event"]]):
        if field not in {"timestamp", "data"}:
            item[field] = draw(_PAST_FIELDS.get(field, FIELDS.get(field, texts)))
    if stamped or draw(st.booleans()):
        item["timestamp"] = draw(st.integers(1, 9))
    return item


@cache
def pasts(
    *topics: tuple[str, ...], stamped: bool = True, most: int = 7
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """The events of a history, about one of these topics; without topics about any or all."""
    return st.sampled_from(topics or (*TOPICS.values(), EVERYTHING)).flatmap(
        lambda names: st.lists(past_items(names, stamped=stamped), min_size=1, max_size=most)
    )


_PAST_FIELDS: dict[str, st.SearchStrategy[Any]] = {
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


def decoded(items: Iterable[Any]) -> tuple[events.Event, ...]:
    """The decoded events of a server's reply with these items."""
    return tuple(decode_item(item) for item in items)


_page = st.lists(st.one_of(past_items(stamped=False), odd_items()), max_size=5)


@cache
@st.composite
def histories(draw: st.DrawFn) -> inputs.History:
    """A page of a history, or all of it."""
    items = draw(_page)
    return inputs.History(decoded(items), complete=draw(st.booleans()))


@cache
def any_inputs() -> st.SearchStrategy[Any]:
    """Any input of a session; commands and well-formed events more often than the rest."""
    return st.one_of(
        valid_items(ending=False).map(decode_item),
        valid_items(ending=False).map(decode_item),
        odd_items().map(decode_item),
        any_commands,
        any_commands,
        send_results,
        histories(),
        st.just(inputs.Tick()),
        st.one_of(valid_items().map(decode_item), st.builds(inputs.Lost, texts)),
    )


def with_exact_times(item: Any) -> Any:
    """The same input, without time limits that are no multiples of a 64th of a second."""
    if isinstance(item, events.FormShow) and item.form_timeout is not None:
        return evolve(item, form_timeout=round(min(item.form_timeout, 10_000) * 64) / 64)
    if isinstance(item, inputs.History):
        return evolve(item, events=tuple(with_exact_times(event) for event in item.events))
    return item
